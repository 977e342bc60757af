/** Rollouts on the command line: what the commands send and print. */
import { stubOfEachTest } from './support/stub-api.js';
import type { CliRun, StubAnswer } from './support/stub-api.js';

const api = stubOfEachTest();

const answered = new Map<string, StubAnswer>();
function answers(method: string, path: string, status: number, body: unknown): void {
  answered.set(`${method} ${path}`, { status, body });
  api.answer((request) => answered.get(`${request.method} ${request.path}`) ?? { status: 404, body: {} });
}
const rollout = (...args: string[]): Promise<CliRun> => api.run('prices', 'rollout', ...args);
const sent = (): unknown => JSON.parse(api.requests[0]?.body ?? '');
const answer = {
  rollout_id: 'r-1',
  price_book: { code: 'standard', version: 'v2' },
  state: 'canary',
  customers: 40,
  members: 2,
  stages: [
    {
      sequence: 1,
      kind: 'canary',
      effective_from: 'then',
      customers: ['c1', 'c2'],
      percentage: null,
      evaluation_id: null,
    },
    { sequence: 2, kind: 'percentage', effective_from: 'later', customers: [], percentage: '12.5', override: true },
  ],
  comparison: {
    evaluation_id: 'e-1',
    status: 'finished',
    totals: [{ currency: 'USD', customers: 2, current: '10.00', evaluated: '11.50', winners: 0, losers: 2 }],
  },
};

test('start names the candidate and its canaries', async () => {
  answers('POST', '/price-rollouts', 201, answer);
  const run = await rollout(
    'start',
    'standard@v2',
    '--canary',
    'c1',
    '--canary',
    'c2',
    '--reason',
    'dearer',
    '--from',
    '2024-02-01',
  );
  expect(run.code).toBe(0);
  expect(sent()).toEqual({
    price_book: { code: 'standard', version: 'v2' },
    customers: ['c1', 'c2'],
    reason: 'dearer',
    effective_from: '2024-02-01',
  });
  expect(api.requests[0]?.headers['idempotency-key']).toBeDefined();
  for (const text of [
    'r-1',
    'standard v2',
    '2 of 40 customers',
    'c1, c2',
    '12.5 %',
    'nothing (override)',
    '10.00',
    '11.50',
  ])
    expect(run.out).toContain(text);
});

test.each<[string, readonly string[], object]>([
  ['--canary', ['--canary', 'c3'], { kind: 'canary', customers: ['c3'] }],
  ['--percentage', ['--percentage', '5'], { kind: 'percentage', percentage: '5' }],
  ['--all --override', ['--all', '--override'], { kind: 'all', override: true }],
])('widen %s', async (_name, args, body) => {
  answers('POST', '/price-rollouts/r-1/stages', 200, answer);
  expect((await rollout('widen', 'r-1', ...args, '--reason', 'it works')).code).toBe(0);
  expect(sent()).toEqual({ ...body, reason: 'it works' });
});

test('widen wants exactly one way to do so, and every decision a reason', async () => {
  for (const args of [[], ['--all', '--percentage', '5']])
    expect((await rollout('widen', 'r-1', ...args, '--reason', 'x')).code).toBe(2);
  expect((await rollout('halt', 'r-1')).code).toBe(2);
  expect(api.requests).toEqual([]);
});

test.each(['halt', 'resume', 'rollback'])('%s', async (name) => {
  const offer = { periods: 3, re_ratings: [{ reason: 'price_correction' }] };
  answers('POST', `/price-rollouts/r-1/${name}`, 200, { ...answer, re_rating_offer: offer });
  const run = await rollout(name, 'r-1', '--reason', 'complaints');
  expect(run.code).toBe(0);
  expect(sent()).toEqual({ reason: 'complaints' });
  expect(run.out).toContain('Issued under it: 3 periods');
  expect(run.out).toContain('{"reason":"price_correction"}');
});

test('compare starts a run and says where to look', async () => {
  answers('POST', '/price-rollouts/r-1/comparison', 202, { evaluation_id: 'e-1' });
  const run = await rollout('compare', 'r-1', '--from', '2024-01');
  expect(sent()).toEqual({ from: '2024-01-01T00:00:00Z' });
  expect(run.out).toContain('reckoner prices rollout status r-1');
});

test('compare --wait prints both amounts once they are there, or says that they are not', async () => {
  const states = ['running', 'finished'];
  api.answer(({ method, path }) => {
    if (method === 'POST') return { status: 202, body: { evaluation_id: 'e-1' } };
    return { body: path === '/price-book-evaluations/e-1' ? { status: states.shift() ?? 'running' } : answer };
  });
  const run = await rollout('compare', 'r-1', '--wait');
  expect(sent()).toEqual({});
  expect(run).toMatchObject({ code: 0, waits: [500] });
  expect(run.out).toMatch(/e-1 \(finished\)[\s\S]*10\.00.*11\.50/);
  const late = await rollout('compare', 'r-1', '--wait', '1');
  expect(late).toMatchObject({ code: 1, waits: [500, 500] });
  expect(late.err).toContain('still running after 1 s');
});

test('status of a rollout, and of one customer', async () => {
  answers('GET', '/price-rollouts/r-1', 200, answer);
  answers('GET', '/price-rollouts/r-1/customers/c1', 200, {
    ...{ customer_id: 'c1', included: true, version: 'v2', reason: 'TARGETING_MATCH', since: 'then', bucket: 17 },
  });
  expect((await rollout('status', 'r-1')).out).toContain('e-1 (finished)');
  expect((await rollout('status', 'r-1', '--customer', 'c1')).out).toContain('TARGETING_MATCH');
  answers('GET', '/price-rollouts/r-1/customers/c9', 200, { customer_id: 'c9', included: false, reason: 'DEFAULT' });
  expect((await rollout('status', 'r-1', '--customer', 'c9')).out).toMatch(/Why +not included\n/);
});

test('list', async () => {
  answers('GET', '/price-rollouts', 200, { data: [answer], next_cursor: null });
  expect((await rollout('list')).out).toContain('standard v2');
});
