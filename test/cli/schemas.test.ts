import { eventsIn, ledger, stubOfEachTest } from './support/stub-api.js';

const api = stubOfEachTest();
const { run, file } = api;

const version = {
  event_type: 'api_call',
  version: 2,
  schema: { type: 'object', title: '\u202Eevil' },
  compatibility: 'backward',
  created_by: 'ann',
  created_at: '2024-03-01T00:00:00Z',
};

test('add sends the schema as it is written, check asks only', async () => {
  api.answer(({ body }) => ({ status: body.includes('"dry_run":true') ? 200 : 201, body: version }));
  const path = file('schema.json', '{"maximum":123456789012345678901234567890,"minimum":1.50}');
  const added = await run('schemas', 'add', 'api_call', '--file', path, '--compatibility', 'full');
  expect(added).toMatchObject({ code: 0 });
  expect(added.out).toMatch(
    /Version +2\nCompatibility +backward\nCreated +2024-03-01T00:00:00Z by ann\n\n\{\n  "type"/,
  );
  expect(added.out).not.toContain('\u202E');
  const [sent] = api.requests;
  expect(sent?.body).toBe(
    '{"event_type":"api_call","compatibility":"full","dry_run":false,"schema":{"maximum":123456789012345678901234567890,"minimum":1.50}}',
  );
  expect(sent?.headers).toMatchObject({ 'idempotency-key': expect.any(String), 'x-reckoner-actor': 'ada' });
  const checked = await run('schemas', 'check', 'api_call', '-f', path);
  expect(checked).toMatchObject({ code: 0, out: 'accepted: version 2 of api_call (backward)\n' });
  expect(JSON.parse(api.requests[1]?.body ?? '')).not.toHaveProperty('compatibility');
});

test('a refusal lists every place, and fails', async () => {
  const detail = 'Backward: "type" the type must be integer.';
  const errors = ['/schema/properties/a/type', '/schema/properties/b/type'].map((pointer) => ({
    pointer,
    code: 'INCOMPATIBLE_SCHEMA',
    detail,
  }));
  api.answer(() => ({ status: 409, body: { code: 'INCOMPATIBLE_SCHEMA', detail, errors } }));
  const refused = await run('schemas', 'check', 'api_call', '--file', file('schema.json', '{}'));
  expect(refused.code).toBe(1);
  expect(refused.err).toMatch(/a\/type: Backward.*\n.*b\/type: Backward/);
});

test('list and show', async () => {
  api.answer(({ path }) => ({ body: path === '/event-schemas' ? { data: [version], next_cursor: 'next' } : version }));
  const listed = await run('schemas', 'list', '--event-type', 'api_call', '--limit', '1');
  expect(listed.out).toMatch(/api_call.*2.*backward.*ann/);
  expect(listed.err).toMatch(/--cursor next/);
  expect((await run('schemas', 'show', 'a/b', '2')).out).toMatch(/"type": "object"/);
  expect(api.requests.map(({ path, query }) => [path, query])).toEqual([
    ['/event-schemas', { event_type: 'api_call', limit: '1' }],
    ['/event-schemas/a%2Fb/2', {}],
  ]);
});

test('wrongly called', async () => {
  const path = file('list.json', '[{},{}]');
  expect(await run('schemas', 'add', 'api_call')).toMatchObject({ code: 2 });
  expect(await run('schemas', 'add', 'api_call', '--file', path)).toMatchObject({ code: 2 });
  expect(await run('schemas', 'add', 'api_call', '--file', file('true.json', 'true'))).toMatchObject({ code: 2 });
  expect(await run('schemas', 'show', 'api_call', '0')).toMatchObject({ code: 2 });
  const mode = await run('schemas', 'add', 'api_call', '--file', path, '--compatibility', 'sideways');
  expect(mode).toMatchObject({ code: 2 });
  expect(api.requests).toEqual([]);
});

test('import names the version on every row', async () => {
  const events = ledger();
  api.answer(events.take);
  const path = file('rows.csv', 'at,n\n2024-01-01T00:00:00Z,1\n');
  const options = ['--customer', '=c', '--event-type', 'api_call', '--time', 'at', '--value', 'n=n', '--no-state'];
  expect(await run('import', path, ...options, '--schema-version', '2')).toMatchObject({ code: 0 });
  expect(await run('import', path, ...options)).toMatchObject({ code: 0 });
  const named = api.requests.flatMap(eventsIn).map((event) => (event as { schema_version?: number }).schema_version);
  expect(named).toEqual([2, undefined]);
  expect(await run('import', path, ...options, '--schema-version', '0')).toMatchObject({ code: 2 });
});
