/** The tag registry over HTTP, and what it makes of events. */
import { callEvent, TestApi } from './support/test-api.js';

type Json = Readonly<Record<string, unknown>>;

let api: TestApi;
const open = async (): Promise<void> => {
  api = await TestApi.start();
  await api.setUpExample();
};
const close = (): Promise<void> => api.close();

const tagged = (id: string, tags: unknown, more: Json = {}): Json =>
  callEvent(id, { metadata: { bytes: '1', tags }, ...more });
const put = (key: string, body: Json = {}, status = 201): Promise<Json> =>
  api.expect(status, 'PUT', `/tags/${encodeURIComponent(key)}`, body);
const send = (...events: readonly Json[]): Promise<Json> => api.expect(202, 'POST', '/events', events);
const codesOf = (answer: Json): unknown => (answer['results'] as readonly Json[]).map(({ code }) => code);

describe('the registry', () => {
  beforeEach(open);
  afterEach(close);

  test('PUT answers with the definition; another one is another version, the same one is not', async () => {
    const as = (name: string) => ({ 'x-reckoner-actor': name });
    const body = { description: 'who pays', values: ['search', 'ads'], required_for: ['api_call'] };
    const first = await api.expect(201, 'PUT', '/tags/team', body, as('ada'));
    expect(first).toEqual({
      key: 'team',
      version: 1,
      description: 'who pays',
      values: ['ads', 'search'],
      required_for: ['api_call'],
      retired: false,
      defined_by: 'ada',
      defined_at: expect.stringMatching(/Z$/),
    });
    expect(await api.expect(200, 'PUT', '/tags/team', { ...body, values: ['ads', 'search'] }, as('bob'))).toEqual(
      first,
    );
    const second = await api.expect(200, 'PUT', '/tags/team', { ...body, retired: true }, as('bob'));
    expect(second).toEqual({ ...first, version: 2, retired: true, defined_by: 'bob', defined_at: expect.any(String) });
    expect(await api.expect(200, 'GET', '/tags/team')).toEqual({ ...second, versions: [first, second] });
  });

  test('what is not given has a default; GET /tags lists what holds; keys are percent-encoded', async () => {
    await put('cost/centre:1.a_b-c');
    await put('env', { description: null, values: null, required_for: ['x', '*'] });
    await put('env', { required_for: ['*'] }, 200);
    expect(await api.expect(200, 'GET', '/tags')).toMatchObject({
      data: [
        { key: 'cost/centre:1.a_b-c', version: 1, description: null, values: null, required_for: [], retired: false },
        { key: 'env', version: 1, required_for: ['*'] },
      ],
    });
    expect(await api.expect(200, 'GET', '/tags/cost%2Fcentre%3A1.a_b-c')).toMatchObject({ versions: [{ version: 1 }] });
    await api.refused('TAG_NOT_REGISTERED', 404, 'GET', '/tags/nobody');
  });

  test('two definitions at once are two versions, the same one at once is one', async () => {
    const define = (description: string) => api.send('PUT', '/tags/team', { description });
    const answers = await Promise.all(['a', 'b', 'a', 'b', 'a'].map(define));
    expect(answers.every(({ statusCode }) => statusCode === 200 || statusCode === 201)).toBe(true);
    const { versions } = await api.expect(200, 'GET', '/tags/team');
    const stored = (versions as readonly Json[]).map(({ version, description }) => `${version}${description}`);
    // No version is lost or doubled, and none says the same as the one before.
    expect(stored.map((text) => Number.parseInt(text, 10))).toEqual(stored.map((_, index) => index + 1));
    expect(stored.every((text, index) => text.at(-1) !== stored[index - 1]?.at(-1))).toBe(true);
    await Promise.all([1, 2, 3].map(() => api.send('PUT', '/tags/env', {})));
    expect((await api.expect(200, 'GET', '/tags/env'))['versions']).toHaveLength(1);
  });
});

describe('a definition', () => {
  beforeAll(open);
  afterAll(close);

  test.each<[string, string, unknown, string, string]>([
    ['a key with a space', 'a%20b', {}, 'VALIDATION_FAILED', ''],
    ['a long key', 'x'.repeat(65), {}, 'VALIDATION_FAILED', ''],
    ['no value at all', 'team', { values: [] }, 'VALIDATION_FAILED', '/values'],
    ['an empty value', 'team', { values: [''] }, 'VALIDATION_FAILED', '/values/0'],
    ['a long value', 'team', { values: ['x'.repeat(257)] }, 'VALIDATION_FAILED', '/values/0'],
    ['too many values', 'team', { values: Array.from({ length: 1_001 }, String) }, 'VALIDATION_FAILED', '/values'],
    ['a number as value', 'team', { values: [7] }, 'VALIDATION_FAILED', '/values/0'],
    ['an empty event type', 'team', { required_for: [''] }, 'VALIDATION_FAILED', '/required_for/0'],
    ['a text for a boolean', 'team', { retired: 'true' }, 'VALIDATION_FAILED', '/retired'],
    ['an unknown property', 'team', { allowed: [] }, 'UNKNOWN_PROPERTY', '/allowed'],
  ])('%s is refused', async (_what, key, body, code, pointer) => {
    const problem = await api.refused(code, 422, 'PUT', `/tags/${key}`, body);
    expect(problem['errors']).toMatchObject([{ pointer }]);
    expect(await api.expect(200, 'GET', '/tags')).toEqual({ data: [] });
  });
});

describe('events', () => {
  beforeEach(open);
  afterEach(close);

  const registry = async (): Promise<void> => {
    await put('team', { values: ['search', 'ads'], required_for: ['api_call'] });
    await put('env');
    await put('old', { retired: true });
  };

  test('while no tag is registered, tags are not looked at', async () => {
    const odd = ['a text', ['a'], null, 7, { team: 5, '': 'x' }];
    // The last one has a name that no metadata property may have.
    const answer = await send(...odd.map((tags, index) => tagged(`e${index}`, tags)));
    expect(answer).toMatchObject({ accepted: 4, rejected: 1, results: [{ index: 4, code: 'VALIDATION_FAILED' }] });
  });

  test('each is held against the registry as soon as it was changed, and each refusal says what to do', async () => {
    await registry();
    const answer = await send(
      tagged('right', { team: 'ads', env: 'anything' }),
      tagged('unregistered', { team: 'ads', teem: 'ads' }),
      tagged('retired', { team: 'ads', old: 'x' }),
      tagged('other value', { team: 'Ads' }),
      tagged('a number', { team: 'ads', env: 12345678901234567890 }),
      tagged('no object', 'ads'),
      tagged('missing', { env: 'prod' }),
      callEvent('no metadata'),
      callEvent('other type', { event_type: 'upload' }),
    );
    expect(answer).toMatchObject({ accepted: 2, rejected: 7 });
    expect(codesOf(answer)).toEqual([
      'TAG_NOT_REGISTERED',
      'TAG_NOT_REGISTERED',
      'TAG_VALUE_NOT_ALLOWED',
      'TAG_VALUE_NOT_ALLOWED',
      'TAG_VALUE_NOT_ALLOWED',
      'TAG_REQUIRED',
      'TAG_REQUIRED',
    ]);
    const details = (answer['results'] as readonly Json[]).map(({ detail }) => detail);
    expect(details[0]).toBe(
      'The tag "teem" is not registered. Leave it out, or register it with PUT /tags/{key}. Registered are "env", "team".',
    );
    expect(details[2]).toMatch(/must be one of "ads", "search"; it is "Ads"/);
    expect(await api.deadLetters()).toHaveLength(7);
    const metrics = (await api.send('GET', '/metrics')).body;
    for (const [code, count] of [
      ['TAG_NOT_REGISTERED', 2],
      ['TAG_VALUE_NOT_ALLOWED', 3],
      ['TAG_REQUIRED', 2],
    ]) {
      expect(metrics).toContain(`reckoner_events_rejected_total{code="${code}"} ${count}`);
    }
  });

  test('the metrics know the codes before the first refusal', async () => {
    const metrics = (await api.send('GET', '/metrics')).body;
    expect(metrics).toContain('reckoner_events_rejected_total{code="TAG_REQUIRED"} 0');
  });

  test('one event is a result too, and not a malformed request', async () => {
    await registry();
    expect(await api.expect(202, 'POST', '/events', callEvent('one'))).toMatchObject({
      rejected: 1,
      results: [{ code: 'TAG_REQUIRED' }],
    });
  });

  test('lines and CloudEvents are held against it as well', async () => {
    await registry();
    const lines = [tagged('line-1', { team: 'ads' }), tagged('line-2', { team: 'x' }), callEvent('line-3')];
    const streamed = await api.send('POST', '/events', lines.map((line) => JSON.stringify(line)).join('\n'), {
      'content-type': 'application/x-ndjson',
    });
    expect(streamed.statusCode).toBe(202);
    expect(streamed.json()).toMatchObject({
      accepted: 1,
      results: [
        { index: 1, code: 'TAG_VALUE_NOT_ALLOWED' },
        { index: 2, code: 'TAG_REQUIRED' },
      ],
    });
    const cloudEvent = {
      specversion: '1.0',
      id: 'cloud-1',
      source: '/billing',
      type: 'api_call',
      subject: 'cust_1',
      time: '2024-01-15T10:00:00Z',
    };
    const cloud = (data?: Json): Promise<Json> =>
      api.expect(202, 'POST', '/events', { ...cloudEvent, ...(data !== undefined && { data }) }, cloudHeaders);
    expect(codesOf(await cloud({ tags: { teem: 'ads' } }))).toEqual(['TAG_NOT_REGISTERED']);
    expect(codesOf(await cloud())).toEqual(['TAG_REQUIRED']);
    expect(await cloud({ tags: { team: 'search' } })).toMatchObject({ accepted: 1 });
  });
  const cloudHeaders = { 'content-type': 'application/cloudevents+json' };

  test('a dead letter is taken once its tag is registered', async () => {
    await put('env');
    await send(tagged('early', { team: 'ads' }));
    const [letter] = await api.deadLetters();
    const replay = (): Promise<Json> =>
      api.expect(200, 'POST', `/dead-letters/${String(letter?.['dead_letter_id'])}/replay`, { reason: 'registered' });
    expect(await replay()).toMatchObject({ outcome: 'rejected', rejection: { code: 'TAG_NOT_REGISTERED' } });
    await put('team', { values: ['search'] });
    expect(await replay()).toMatchObject({ outcome: 'rejected', rejection: { code: 'TAG_VALUE_NOT_ALLOWED' } });
    await put('team', { values: ['search', 'ads'] }, 200);
    expect(await replay()).toMatchObject({ outcome: 'accepted', status: 'replayed' });
    expect(await api.deadLetters()).toEqual([]);
  });

  test('retiring and narrowing never touch what is stored; a retry of it stays a duplicate, other content is refused', async () => {
    await put('team');
    await send(tagged('stored', { team: 'ads' }));
    await put('team', { retired: true, required_for: ['*'] }, 200);
    expect(await api.expect(200, 'GET', '/events/cust_1/stored')).toMatchObject({
      metadata: { tags: { team: 'ads' } },
      effective: { metadata: { tags: { team: 'ads' } } },
      metering: [{ meter: 'api_calls', quantity: '1' }],
    });
    // A retired tag is required of nobody.
    expect(await send(callEvent('without'))).toMatchObject({ accepted: 1 });
    expect(await send(tagged('stored', { team: 'ads' }))).toMatchObject({ duplicates: 1, rejected: 0 });
    expect(codesOf(await send(tagged('stored', { team: 'other' })))).toEqual(['TAG_NOT_REGISTERED']);
  });

  test('a replacement is held against the registry as an event is', async () => {
    await send(callEvent('old'));
    await registry();
    const amend = (metadata?: Json): [string, string, Json] => [
      'POST',
      '/event-adjustments',
      {
        customer_id: 'cust_1',
        event_id: 'old',
        type: 'amend',
        replacement: {
          event_type: 'api_call',
          event_time: '2024-01-15T10:00:00Z',
          ...(metadata !== undefined && { metadata }),
        },
      },
    ];
    const refused = async (code: string, status: number, metadata?: Json): Promise<unknown> => {
      const [method, url, body] = amend(metadata);
      return (await api.refused(code, status, method as 'POST', url, body))['errors'];
    };
    expect(await refused('TAG_REQUIRED', 422)).toMatchObject([{ pointer: '/replacement/metadata/tags/team' }]);
    expect(await refused('TAG_VALUE_NOT_ALLOWED', 422, { tags: { team: 'x' } })).toMatchObject([
      { pointer: '/replacement/metadata/tags/team' },
    ]);
    expect(await refused('TAG_NOT_REGISTERED', 422, { tags: { 'a/b': 'x' } })).toMatchObject([
      { pointer: '/replacement/metadata/tags/a~1b' },
    ]);
    const [method, url, body] = amend({ tags: { team: 'search' } });
    expect(await api.expect(202, method as 'POST', url, body)).toMatchObject({ status: 'accepted' });
    // Taking an event out needs no tags.
    const voided = { customer_id: 'cust_1', event_id: 'old', type: 'void' };
    expect(await api.expect(202, 'POST', '/event-adjustments', voided)).toMatchObject({ status: 'accepted' });
  });

  test('events of a backfill are held against it as well', async () => {
    await registry();
    const range = { from: '2024-01-01T00:00:00Z', to: '2024-02-01T00:00:00Z' };
    const opened = await api.expect(201, 'POST', '/backfills', { customer_ids: ['cust_1'], mode: 'add', ...range });
    const url = `/events?backfill_id=${String(opened['backfill_id'])}`;
    expect(codesOf(await api.expect(202, 'POST', url, [callEvent('b')]))).toEqual(['TAG_REQUIRED']);
    expect(await api.expect(202, 'POST', url, [tagged('b', { team: 'ads' })])).toMatchObject({ accepted: 1 });
  });
});
