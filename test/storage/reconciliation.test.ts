/** Runs of the reconciliation: which periods are pending, results as rows, the report at the end. */
import { randomUUID } from 'node:crypto';
import { createReconciliationStore } from '../../src/storage/reconciliation.js';
import type { BillingPeriod, ReconciliationScope, ReconciliationStore } from '../../src/storage/types.js';
import { createGateFixture, eventsOf, type GateFixture, issue } from './gate-fixture.js';
import { instant } from './usage-fixture.js';

let fixture: GateFixture;
let store: ReconciliationStore;
beforeAll(async () => {
  fixture = await createGateFixture();
  store = createReconciliationStore(fixture.db);
});
afterAll(() => fixture.close());

const everything: ReconciliationScope = { customerIds: null, from: null, to: null };
async function begin(scope: ReconciliationScope, workflowId = 'test'): Promise<string> {
  const runId = randomUUID();
  await store.request({ runId, workflowId, scope, requestedBy: 'ann' });
  return runId;
}
const namesOf = (periods: readonly BillingPeriod[]) =>
  periods.map(({ customerId, period }) => `${customerId} ${period}`);
const pending = async (runId: string, limit = 100) => namesOf(await store.pending(runId, limit));

const march = { period: '2024-03-01', from: '2024-03-01T00:00:00.000000Z', to: '2024-04-01T00:00:00.000000Z' };

test('pending are the periods of the scope in which there is something, until they have a result', async () => {
  const [a, b] = [await fixture.addCustomer('a'), await fixture.addCustomer('b')];
  for (const customerId of [a, b]) for (const bounds of [{}, march]) await fixture.addPeriod(customerId, bounds);
  await fixture.append([
    eventsOf(a).event('1', '2024-01-10T00:00:00Z'),
    eventsOf(a).event('2', '2024-03-10T00:00:00Z'),
    eventsOf(b).event('1', '2024-01-10T00:00:00Z'),
  ]);
  expect(await pending(await begin(everything))).toEqual(['a 2024-01-01', 'a 2024-03-01', 'b 2024-01-01']);
  expect(await pending(await begin({ ...everything, customerIds: ['b', 'nobody'] }))).toEqual(['b 2024-01-01']);
  expect(await pending(await begin({ ...everything, customerIds: [] }))).toEqual([]);
  expect(await pending(await begin({ ...everything, from: instant('2024-02-01T00:00:00Z') }))).toEqual([
    'a 2024-03-01',
  ]);
  expect(await pending(await begin({ ...everything, to: instant('2024-03-01T00:00:00Z') }))).toEqual([
    'a 2024-01-01',
    'b 2024-01-01',
  ]);

  const runId = await begin(everything);
  expect(await pending(runId, 2)).toEqual(['a 2024-01-01', 'a 2024-03-01']);
  for (const period of await store.pending(runId, 2)) {
    await store.storeResult(runId, {
      customerId: a,
      period: period.period,
      result: 'equal',
      report: { differences: [] },
    });
  }
  expect(await pending(runId, 2)).toEqual(['b 2024-01-01']);
});

test('an amendment into an empty period, and a document of an old one since the last run, make them pending', async () => {
  const customerId = await fixture.addCustomer('moved');
  const period = await fixture.addPeriod(customerId);
  await fixture.addPeriod(customerId, march);
  const scope = { ...everything, customerIds: [customerId] };
  const moved = eventsOf(customerId).event('1', '2024-01-10T00:00:00Z');
  await fixture.append([moved]);
  await fixture.adjust(moved, { ...moved, eventTime: instant('2024-03-02T00:00:00Z') });
  expect(await pending(await begin(scope))).toEqual(['moved 2024-01-01', 'moved 2024-03-01']);

  const recent = { ...scope, from: instant('2024-02-15T00:00:00Z') };
  const since = instant('2024-01-01T00:00:00Z');
  expect(await pending(await begin({ ...recent, touchedSince: since }))).toEqual(['moved 2024-03-01']);
  await fixture.billing.atGate(period, (gate) => issue(gate, period));
  expect(await pending(await begin({ ...recent, touchedSince: since }))).toEqual([
    'moved 2024-01-01',
    'moved 2024-03-01',
  ]);
  expect(await pending(await begin({ ...recent, touchedSince: instant('2999-01-01T00:00:00Z') }))).toEqual([
    'moved 2024-03-01',
  ]);
});

test('a run counts its results, and its report sums up their differences once', async () => {
  const customerId = await fixture.addCustomer('counted');
  const periods = [await fixture.addPeriod(customerId), await fixture.addPeriod(customerId, march)];
  const runId = await begin(everything, 'counting');
  await store.request({ runId, workflowId: 'other', scope: everything, requestedBy: 'bob' });
  const difference = { stage: 'events→aggregates', class: 'missing' };
  const reports = [{ differences: [] }, { differences: [difference, difference] }];
  for (const [index, { period }] of periods.entries()) {
    const result = index === 0 ? 'equal' : 'different';
    await store.storeResult(runId, { customerId, period, result, report: reports[index] });
    await store.storeResult(runId, { customerId, period, result: 'equal', report: {} });
  }
  expect(await store.find(runId)).toMatchObject({
    workflowId: 'counting',
    requestedBy: 'ann',
    periods: 2,
    different: 1,
    finishedAt: null,
  });
  expect(await store.lastFinished('counting')).toBeNull();
  await store.finish(runId);
  await store.finish(runId);
  const run = await store.find(runId);
  expect(run).toMatchObject({ runId, scope: everything, periods: 2, different: 1, finishedAt: expect.any(String) });
  expect(await store.lastFinished('counting')).toEqual(run);
  expect(await store.lastFinished('test')).toBeNull();
  const { rows } = await fixture.db.pool.query('SELECT report FROM reconciliation_runs WHERE run_id = $1', [runId]);
  expect(rows).toEqual([{ report: { periods: 2, different: 1, differences: [{ ...difference, count: 2 }] } }]);

  const first = await store.results(runId, {}, { limit: 1 });
  expect(first.data).toMatchObject([{ customerId, period: '2024-01-01', result: 'equal', report: reports[0] }]);
  const second = await store.results(runId, {}, { limit: 1, cursor: first.nextCursor ?? '' });
  expect(second).toMatchObject({ data: [{ period: '2024-03-01', result: 'different' }], nextCursor: null });
  expect((await store.results(runId, { result: 'different' }, { limit: 9 })).data).toEqual(second.data);
  for (const nobody of [randomUUID(), 'nothing']) {
    expect(await store.find(nobody)).toBeNull();
    expect((await store.results(nobody, {}, { limit: 9 })).data).toEqual([]);
  }
});

test('runs are listed from the newest on, page by page', async () => {
  const ids = [await begin(everything, 'listed'), await begin(everything, 'listed')];
  const first = await store.list({ limit: 1 });
  const second = await store.list({ limit: 1, cursor: first.nextCursor ?? '' });
  expect([first, second].flatMap(({ data }) => data.map(({ runId }) => runId))).toEqual(ids.reverse());
  await expect(store.list({ limit: 1, cursor: 'forged' })).rejects.toMatchObject({ code: 'INVALID_CURSOR' });
});
