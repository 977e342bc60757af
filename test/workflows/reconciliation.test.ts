import type { WorkflowHandleWithFirstExecutionRunId } from '@temporalio/client';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { dailyReconciliationWorkflowId, taskQueue, workflowTypes } from '../../src/contracts/names.js';
import { reconciliationProgressQuery } from '../../src/contracts/reconciliation.js';
import { needsAttentionKey } from '../../src/contracts/search-attributes.js';
import { reconciliationStart } from '../../src/contracts/start-options.js';
import { startDevServer, withWorker } from '../support/temporal.js';
import { FakeReconciliation, periods } from './fake-reconciliation.js';
import { actionsOf, historiesOf, total } from './history.js';

let env: TestWorkflowEnvironment;
beforeAll(async () => {
  env = await startDevServer({ suggestContinueAsNewAt: 40 });
});
afterAll(() => env.teardown());

const start = (runId: string): Promise<WorkflowHandleWithFirstExecutionRunId> =>
  env.client.workflow.start(workflowTypes.reconciliation, reconciliationStart(runId));

test('works off periods in chunks, with a few actions, and stores the report', async () => {
  const fake = new FakeReconciliation();
  // Far from the events at which the server suggests another run: a task that times out on a busy machine adds two.
  fake.pending = periods(603);
  await withWorker(env, { activities: fake.activities }, async () => {
    const handle = await start('run-1');
    expect(await handle.result()).toEqual({ runId: 'run-1', periods: 603, different: 0 });
    expect(fake).toMatchObject({ begun: ['run-1'], chunks: [200, 200, 200, 3], finished: ['run-1'] });
    expect((await handle.describe()).typedSearchAttributes.get(needsAttentionKey)).toBe(false);
    expect(total(actionsOf(await historiesOf(env.client, handle.workflowId, handle.firstExecutionRunId)))).toBe(7);
  });
});

test('chains that do not hold are told to operators, once', async () => {
  const fake = new FakeReconciliation();
  fake.pending = [...periods(200, 3), ...periods(10, 1)];
  await withWorker(env, { activities: fake.activities }, async () => {
    const handle = await start('run-2');
    expect(await handle.result()).toEqual({ runId: 'run-2', periods: 210, different: 4 });
    expect((await handle.describe()).typedSearchAttributes.get(needsAttentionKey)).toBe(true);
    const histories = await historiesOf(env.client, handle.workflowId, handle.firstExecutionRunId);
    expect(actionsOf(histories)).toMatchObject({ upsertWorkflowSearchAttributes: 1 });
  });
});

test('the daily run makes its own, and keeps it across continue-as-new', async () => {
  const fake = new FakeReconciliation();
  fake.pending = [...periods(200, 1), ...periods(12 * 200)];
  await withWorker(env, { activities: fake.activities, maxCachedWorkflows: 0 }, async () => {
    const handle = await env.client.workflow.start(workflowTypes.reconciliation, {
      workflowId: dailyReconciliationWorkflowId,
      taskQueue,
      args: [{ runId: null }],
    });
    expect(await handle.result()).toEqual({ runId: 'daily-run', periods: 2_600, different: 1 });
    const runs = await historiesOf(env.client, handle.workflowId, handle.firstExecutionRunId);
    expect(runs.length).toBeGreaterThanOrEqual(2);
    expect(fake.begun).toEqual([null, ...runs.slice(1).map(() => 'daily-run')]);
    expect(fake.finished).toEqual(['daily-run']);
    const latest = env.client.workflow.getHandle(handle.workflowId);
    expect(await latest.query(reconciliationProgressQuery)).toEqual({
      runId: 'daily-run',
      periods: 2_600,
      different: 1,
    });
    expect(actionsOf(runs)).toMatchObject({ upsertWorkflowSearchAttributes: 1 });
  });
});
