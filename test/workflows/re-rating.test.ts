import type { TestWorkflowEnvironment } from '@temporalio/testing';
import type { WorkflowHandleWithFirstExecutionRunId } from '@temporalio/client';
import { reRatingWorkflowId, workflowTypes } from '../../src/contracts/names.js';
import { decidedSignal, reRatingProgressQuery } from '../../src/contracts/re-rating.js';
import { billingStageKey, invoiceNumberKey, needsAttentionKey } from '../../src/contracts/search-attributes.js';
import { reRatingStart } from '../../src/contracts/start-options.js';
import type { LocalDate } from '../../src/domain/values.js';
import { eventually, startDevServer, withWorker } from '../support/temporal.js';
import { FakeReRating } from './fake-re-rating.js';
import type { FakeTarget } from './fake-re-rating.js';
import { actionsOf, historiesOf, total } from './history.js';

let env: TestWorkflowEnvironment;
beforeAll(async () => {
  env = await startDevServer({ suggestContinueAsNewAt: 40 });
});
afterAll(() => env.teardown());

let started = 0;
async function start(): Promise<WorkflowHandleWithFirstExecutionRunId> {
  const reRatingId = `test-${(started += 1)}`;
  const about = { customerId: 'c', period: '2024-01-01' as LocalDate };
  const options = reRatingStart({ reRatingId, workflowId: reRatingWorkflowId(reRatingId) }, about, 'late_usage');
  return env.client.workflow.start(workflowTypes.reRating, options);
}
const targets = (count: number, target: FakeTarget): readonly FakeTarget[] =>
  Array.from({ length: count }, () => target);
const differing: FakeTarget = { differs: [true] };
const waiting = (handle: WorkflowHandleWithFirstExecutionRunId) =>
  eventually(
    () => handle.query(reRatingProgressQuery),
    ({ status }) => status === 'awaiting_approval',
  );

test('a single late correction costs few actions, and tells operators its document', async () => {
  const fake = new FakeReRating([differing]);
  await withWorker(env, { activities: fake.activities }, async () => {
    const handle = await start();
    expect(await handle.result()).toEqual({ status: 'completed', attempt: 1, compared: 1, corrected: 1, held: 0 });
    expect(fake.calls).toEqual(['compare 1: 1', 'correct 1: 1', 'reconcile', 'end']);
    const { typedSearchAttributes } = await handle.describe();
    expect(typedSearchAttributes.get(invoiceNumberKey)).toBe('INV-000001');
    expect(typedSearchAttributes.get(billingStageKey)).toBe('completed');
    expect(typedSearchAttributes.get(needsAttentionKey)).toBe(false);
    expect(total(actionsOf(await historiesOf(env.client, handle.workflowId, handle.firstExecutionRunId)))).toBeLessThan(
      12,
    );
  });
});

test('unchanged periods are settled too, and make no document', async () => {
  const fake = new FakeReRating([{ differs: [false] }]);
  await withWorker(env, { activities: fake.activities }, async () => {
    expect(await (await start()).result()).toMatchObject({ status: 'no_difference', corrected: 0 });
    expect(fake.calls).toEqual(['compare 1: 1', 'correct 1: 1', 'reconcile', 'end']);
  });
});

test('a dry run only compares', async () => {
  const fake = new FakeReRating([differing, { differs: [false] }]);
  fake.dryRun = true;
  await withWorker(env, { activities: fake.activities }, async () => {
    expect(await (await start()).result()).toMatchObject({ status: 'completed', corrected: 0 });
    expect(fake.calls).toEqual(['compare 1: 2']);
  });
});

test('waits for the decision: a signal without a stored decision decides nothing', async () => {
  const fake = new FakeReRating([differing]);
  fake.needsApproval = [1];
  await withWorker(env, { activities: fake.activities }, async () => {
    const handle = await start();
    await waiting(handle);
    expect((await handle.describe()).typedSearchAttributes.get(needsAttentionKey)).toBe(true);
    await handle.signal(decidedSignal);
    await eventually(
      () => Promise.resolve(fake.calls),
      (calls) => calls.filter((call) => call === 'decision 1').length === 2,
    );
    fake.decisions.set(1, 'approved');
    await handle.signal(decidedSignal);
    expect(await handle.result()).toMatchObject({ status: 'completed', corrected: 1 });
  });
});

test('rejected: nothing is corrected', async () => {
  const fake = new FakeReRating([differing]);
  fake.needsApproval = [1];
  fake.decisions.set(1, 'rejected');
  await withWorker(env, { activities: fake.activities }, async () => {
    expect(await (await start()).result()).toMatchObject({ status: 'rejected', corrected: 0 });
    expect(fake.calls).toEqual(['compare 1: 1', 'decision 1', 'end rejected']);
  });
});

test('a chain that moved is compared again, and a changed difference is approved again', async () => {
  const fake = new FakeReRating([{ differs: [true, true], movesOnce: true }, differing]);
  fake.needsApproval = [1, 2];
  fake.decisions.set(1, 'approved');
  await withWorker(env, { activities: fake.activities, maxCachedWorkflows: 0 }, async () => {
    const handle = await start();
    await eventually(
      () => handle.query(reRatingProgressQuery),
      ({ status, attempt }) => status === 'awaiting_approval' && attempt === 2,
    );
    expect(fake.issued).toBe(1);
    fake.decisions.set(2, 'approved');
    await handle.signal(decidedSignal);
    expect(await handle.result()).toMatchObject({ status: 'completed', attempt: 2, corrected: 2 });
  });
});

test('a chain that moved to where nothing differs any more makes no second document', async () => {
  const fake = new FakeReRating([{ differs: [true, false], movesOnce: true }]);
  await withWorker(env, { activities: fake.activities }, async () => {
    expect(await (await start()).result()).toMatchObject({ status: 'no_difference', attempt: 2, corrected: 0 });
  });
});

test('thousands of periods go in chunks, over several runs, and every one is corrected once', async () => {
  const fake = new FakeReRating([...targets(2_998, differing), { differs: [true, true], movesOnce: true }]);
  await withWorker(env, { activities: fake.activities, maxCachedWorkflows: 0 }, async () => {
    const handle = await start();
    expect(await handle.result()).toMatchObject({ status: 'completed', attempt: 2 });
    expect(fake.issued).toBe(2_999);
    const runs = await historiesOf(env.client, handle.workflowId, handle.firstExecutionRunId);
    expect(runs.length).toBeGreaterThan(1);
  });
}, 120_000);

test('a correction that does not reconcile needs a person', async () => {
  const fake = new FakeReRating([differing]);
  fake.different = 1;
  await withWorker(env, { activities: fake.activities }, async () => {
    const handle = await start();
    await handle.result();
    expect((await handle.describe()).typedSearchAttributes.get(needsAttentionKey)).toBe(true);
  });
});
