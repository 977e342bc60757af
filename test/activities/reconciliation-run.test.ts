/** A run of the reconciliation: what it looks at, how it goes on after a stop, and what it has repaired. */
import { randomUUID } from 'node:crypto';
import { MockActivityEnvironment } from '@temporalio/testing';
import { reconcileChunk } from '../../src/activities/reconcile-chunk.js';
import { reconciliationActor } from '../../src/activities/re-rating/compare-period.js';
import { dailyReconciliationWorkflowId } from '../../src/contracts/names.js';
import { bound, createChainFixture, insertEvent } from './chain-fixture.js';
import type { PeriodKeyOf } from '../../src/storage/types.js';
import type { ChainFixture } from './chain-fixture.js';

let chain: ChainFixture;
beforeEach(async () => {
  chain = await createChainFixture();
});
afterEach(() => chain.close());

const begin = async (): Promise<string> =>
  (await chain.run(chain.activities.beginReconciliation, { runId: null })).runId;

test('a daily run looks at everything first, later at what is recent or has moved; it begins once', async () => {
  await chain.addCalls('acme', 5);
  const first = await begin();
  expect(await begin()).toBe(first);
  const { storage, activities } = chain;
  expect(await storage.reconciliation.find(first)).toMatchObject({
    workflowId: dailyReconciliationWorkflowId,
    scope: { customerIds: null, from: null, to: null },
  });
  expect(await chain.run(activities.reconcileChunk, { runId: first, limit: 10 })).toEqual({
    periods: 1,
    different: 0,
    more: false,
  });
  await chain.run(activities.finishReconciliation, { runId: first });
  const done = await storage.reconciliation.find(first);
  expect(done).toMatchObject({ periods: 1, different: 0, finishedAt: expect.any(String) });

  const next = new MockActivityEnvironment({ workflowExecution: { workflowId: 'daily', runId: 'next day' } });
  const { runId } = await next.run<
    Parameters<typeof activities.beginReconciliation>,
    { runId: string },
    typeof activities.beginReconciliation
  >(activities.beginReconciliation, {
    runId: null,
  });
  expect(await storage.reconciliation.find(runId)).toMatchObject({
    scope: { from: '2023-11-01T01:00:00.000000Z', to: null, touchedSince: done?.requestedAt },
  });
  const given = randomUUID();
  expect(await chain.run(activities.beginReconciliation, { runId: given })).toEqual({ runId: given });
  expect(await storage.reconciliation.find(given)).toBeNull();
});

test('works off periods in chunks, and goes on where it stopped', async () => {
  for (const customer of ['b', 'c']) await chain.addCustomer(customer);
  for (const customer of ['acme', 'b', 'c']) await chain.addCalls(customer, 3);
  await chain.addCalls('b', 3, '2024-02-10T00:00:00Z');
  await chain.issue('b');
  const runId = await begin();
  const chunk = () => chain.run(chain.activities.reconcileChunk, { runId, limit: 3 });
  expect(await chunk()).toEqual({ periods: 3, different: 0, more: true });
  expect(await chunk()).toEqual({ periods: 1, different: 0, more: false });
  expect(await chunk()).toEqual({ periods: 0, different: 0, more: false });
  const { data } = await chain.storage.reconciliation.results(runId, {}, { limit: 10 });
  expect(data.map(({ customerId, report }) => [customerId, (report as { state: string }).state])).toEqual([
    ['acme', 'open'],
    ['b', 'invoiced'],
    ['b', 'open'],
    ['c', 'open'],
  ]);
});

test('what is missing in an invoiced period is re-processed by itself, and then holds', async () => {
  await chain.addCalls('acme', 200);
  await chain.issue();
  await chain.tamper('telemetry_events', insertEvent);
  const runId = await begin();
  expect(await chain.run(chain.activities.reconcileChunk, { runId, limit: 3 })).toMatchObject({ different: 1 });
  expect(chain.temporal.filter(({ type }) => type === 'reRating')).toHaveLength(1);
  const [reRating] = (await chain.storage.reRatings.list({ customerId: 'acme' }, { limit: 10 })).data;
  expect(reRating).toMatchObject({ requestedBy: reconciliationActor, reason: 'usage_correction', targets: 1 });
  await chain.correct(reRating?.reRatingId ?? '');
  expect((await chain.documents()).map(({ total }) => total)).toEqual(['20', '0.1']);
  expect(await chain.reconcile()).toMatchObject({ result: 'equal' });
});

test('what re-processing could not repair is not tried again', async () => {
  await chain.addCalls('acme', 200);
  await chain.issue();
  await chain.tamper('telemetry_events', insertEvent);
  const run = async () => {
    const runId = randomUUID();
    const scope = { customerIds: null, from: null, to: null };
    await chain.storage.reconciliation.request({ runId, workflowId: 'test', scope, requestedBy: 'ann' });
    await chain.run(chain.activities.reconcileChunk, { runId, limit: 3 });
    return chain.temporal.filter(({ type }) => type === 'reRating').map(({ workflowId }) => workflowId);
  };
  const [first] = await run();
  // While it goes on, starting it again finds it running.
  expect(await run()).toEqual([first, first]);
  const [reRating] = (await chain.storage.reRatings.list({ customerId: 'acme' }, { limit: 10 })).data;
  const ended = { status: 'rejected', attempt: 1, actor: 'ann', reason: null } as const;
  await chain.storage.reRatings.enter(reRating?.reRatingId ?? '', ended);
  expect(await run()).toEqual([first, first]);
});

test('what the journal lacks needs a person', async () => {
  await chain.addCalls('acme', 200);
  await chain.issue();
  await chain.tamper('postings', 'DELETE FROM postings');
  expect(await chain.run(chain.activities.reconcileChunk, { runId: await begin(), limit: 3 })).toMatchObject({
    different: 1,
  });
  expect(chain.temporal.filter(({ type }) => type === 'reRating')).toEqual([]);
});

test('a period that cannot be compared is a finding, and the others go on; a database that is away stops all', async () => {
  const { storage } = chain;
  await chain.addCustomer('b');
  for (const customer of ['acme', 'b']) await chain.addCalls(customer, 3);
  const runId = await begin();
  let error = Object.assign(new Error('terminated'), { code: '57P01' });
  const broken = {
    ...storage,
    proof: {
      ...bound(storage.proof),
      chain: (key: PeriodKeyOf) => (key.customerId === 'acme' ? Promise.reject(error) : storage.proof.chain(key)),
    },
  };
  const chunk = reconcileChunk({ storage: broken, reprocess: () => Promise.resolve() });
  await expect(chain.run(chunk, { runId, limit: 10 })).rejects.toThrow('terminated');
  error = Object.assign(new Error('a charge is lost'), { code: 'NONE' });
  expect(await chain.run(chunk, { runId, limit: 10 })).toMatchObject({ different: 1, more: false });
  expect((await storage.reconciliation.results(runId, {}, { limit: 10 })).data).toMatchObject([
    { customerId: 'acme', result: 'different', report: { state: 'failed', error: 'a charge is lost' } },
    { customerId: 'b', result: 'equal', report: { state: 'open' } },
  ]);
  const { data } = await storage.findings.list({ code: 'RECONCILIATION_FAILED' }, { limit: 10 });
  expect(data).toMatchObject([{ customerId: 'acme', detail: expect.stringContaining('a charge is lost') }]);
});

test('the end of a run holds the books against the journal: a balance that differs is a finding, of the customers of the run', async () => {
  await chain.addCalls('acme', 5);
  await chain.issue();
  const { storage, activities } = chain;
  await chain.tamper('account_balances', `UPDATE account_balances SET credit = credit + 1 WHERE account = 'revenue'`);
  const finish = async (customerIds: readonly string[] | null): Promise<readonly unknown[]> => {
    const runId = randomUUID();
    const request = { runId, workflowId: 'test', requestedBy: 'ann', scope: { customerIds, from: null, to: null } };
    await storage.reconciliation.request(request);
    await chain.run(activities.finishReconciliation, { runId });
    await chain.run(activities.finishReconciliation, { runId });
    const { data } = await storage.findings.list({ code: 'LEDGER_BALANCE_DIFFERS' }, { limit: 10 });
    return data.map(({ customerId, subject }) => [
      customerId,
      subject['account'],
      subject['expected'],
      subject['found'],
    ]);
  };
  expect(await finish(['somebody else'])).toEqual([]);
  const found = [['acme', 'revenue', { debit: '0', credit: '0.5' }, { debit: '0', credit: '1.5' }]];
  expect(await finish(['acme'])).toEqual(found);
  expect(await finish(null)).toEqual(found);
});
