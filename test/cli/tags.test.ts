import { compileMapping } from '../../src/cli/import/mapping.js';
import { stubOfEachTest } from './support/stub-api.js';

const api = stubOfEachTest();
const { run, paths, bodyOf } = api;

const team = {
  key: 'team',
  version: 2,
  description: 'who pays',
  values: ['ads', 'search'],
  required_for: ['api_call'],
  retired: false,
  defined_by: 'ada',
  defined_at: '2024-03-01T00:00:00Z',
};
const first = { ...team, version: 1, values: null, required_for: [], defined_by: 'bob' };

it('list shows what is registered', async () => {
  api.answer(() => ({ body: { data: [team, { ...first, key: 'env', retired: true }] } }));
  const { out } = await run('tags', 'list');
  expect(out).toMatch(/team.*ads, search.*api_call.*2.*ada.*who pays/);
  expect(out).toMatch(/env.*\(any text\).*yes.*1.*bob/);
  expect(await run('tags')).toMatchObject({ code: 0, out, err: '' });
});

it('show tells of earlier versions; keys are encoded', async () => {
  api.answer(() => ({ body: { ...team, key: 'cost/centre', versions: [first, team] } }));
  const { out } = await run('tags', 'show', 'cost/centre');
  expect(out).toMatch(/Tag +cost\/centre[\s\S]*Retired +no[\s\S]*Version +2, by ada[\s\S]*\(any text\).*bob/);
  expect(paths()).toEqual(['GET /tags/cost%2Fcentre']);
});

it('set says all of it; what is not given is not registered', async () => {
  api.answer(() => ({ body: team }));
  const values = ['--value', 'search', '--value', 'ads'];
  await run('tags', 'set', 'team', '--description', 'who pays', ...values, '--required-for', 'api_call', '--as', 'ada');
  await run('tags', 'set', 'team', '--required-for', '*');
  expect(paths()).toEqual(['PUT /tags/team', 'PUT /tags/team']);
  expect(bodyOf(0)).toEqual({ description: 'who pays', values: ['search', 'ads'], required_for: ['api_call'] });
  expect(bodyOf(1)).toEqual({ description: null, values: null, required_for: ['*'] });
  expect(api.requests[0]?.headers['x-reckoner-actor']).toBe('ada');
});

it('retire keeps what is registered', async () => {
  api.answer(({ method }) => ({ body: method === 'GET' ? { ...team, versions: [team] } : { ...team, retired: true } }));
  expect((await run('tags', 'retire', 'team')).out).toMatch(/Retired +yes/);
  expect(paths()).toEqual(['GET /tags/team', 'PUT /tags/team']);
  const { description, values, required_for } = team;
  expect(bodyOf(1)).toEqual({ description, values, required_for, retired: true });
});

it('a refusal is told with its place', async () => {
  const errors = [{ pointer: '/values/0', code: 'VALIDATION_FAILED', detail: 'Too short.' }];
  const problem = { code: 'VALIDATION_FAILED', detail: 'Too short.', errors };
  api.answer(() => ({ status: 422, body: problem }));
  expect(await run('tags', 'set', 'team', '--value', '')).toMatchObject({
    code: 1,
    err: expect.stringMatching(/VALIDATION_FAILED[\s\S]*\/values\/0/),
  });
});

it('an import sends tags in an object of their own; an empty cell is no tag', () => {
  const eventOf = compileMapping(
    {
      customer: '=acme',
      eventType: 't',
      time: 'at',
      offset: null,
      values: { n: 'n', 'tags.team': 'team' },
      metadata: { 'tags.env': 'prod', 'tags.of': '{team}' },
      eventId: '{row}',
      source: null,
    },
    { columns: ['at', 'team', 'n'], fingerprint: 'f00d' },
  );
  const metadataOf = (columns: Readonly<Record<string, string>>): unknown => {
    const column = (name: string): string | undefined => ({ at: '2024-01-01T00:00:00Z', ...columns })[name];
    const { event } = eventOf({ number: 1, column, value: column, problem: null });
    return (JSON.parse(event ?? '') as { readonly metadata: unknown }).metadata;
  };
  expect(metadataOf({ team: 'search', n: '1' })).toEqual({
    n: '1',
    tags: { env: 'prod', of: 'search', team: 'search' },
  });
  expect(metadataOf({ team: '', n: '2' })).toEqual({ n: '2', tags: { env: 'prod' } });
});
