import type { WorkflowHandleWithFirstExecutionRunId } from '@temporalio/client';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { workflowTypes } from '../../src/contracts/names.js';
import { priceEvaluationProgressQuery } from '../../src/contracts/price-evaluation.js';
import { priceEvaluationStart } from '../../src/contracts/start-options.js';
import { startDevServer, withWorker } from '../support/temporal.js';
import { FakeEvaluation, periods } from './fake-evaluation.js';
import { actionsOf, historiesOf, total } from './history.js';

let env: TestWorkflowEnvironment;
beforeAll(async () => {
  env = await startDevServer({ suggestContinueAsNewAt: 40 });
});
afterAll(() => env.teardown());

const start = (evaluationId: string): Promise<WorkflowHandleWithFirstExecutionRunId> =>
  env.client.workflow.start(workflowTypes.priceEvaluation, priceEvaluationStart(evaluationId));

test('works off periods in chunks, with a few actions, and stores the report', async () => {
  const fake = new FakeEvaluation();
  fake.pending = periods(1_003, 4);
  await withWorker(env, { activities: fake.activities }, async () => {
    const handle = await start('run-1');
    expect(handle.workflowId).toBe('evaluation/run-1');
    expect(await handle.result()).toEqual({ periods: 1_003, notComparable: 4 });
    expect(fake).toMatchObject({ chunks: [200, 200, 200, 200, 200, 3], finished: ['run-1'] });
    expect(total(actionsOf(await historiesOf(env.client, handle.workflowId, handle.firstExecutionRunId)))).toBe(8);
  });
});

test('an activity that fails is tried again; asking twice finds it running', async () => {
  const fake = new FakeEvaluation();
  fake.pending = periods(10);
  let failures = 0;
  fake.before = () => {
    failures += 1;
    if (failures === 1) throw new Error('the database is away');
  };
  await withWorker(env, { activities: fake.activities }, async () => {
    const [handle, again] = [await start('run-2'), await start('run-2')];
    expect(again.workflowId).toBe(handle.workflowId);
    expect(await handle.result()).toEqual({ periods: 10, notComparable: 0 });
    expect(fake.finished).toEqual(['run-2']);
  });
});

test('progress goes on across continue-as-new', async () => {
  const fake = new FakeEvaluation();
  fake.pending = [...periods(200, 1), ...periods(12 * 200)];
  await withWorker(env, { activities: fake.activities, maxCachedWorkflows: 0 }, async () => {
    const handle = await start('run-3');
    expect(await handle.result()).toEqual({ periods: 2_600, notComparable: 1 });
    const runs = await historiesOf(env.client, handle.workflowId, handle.firstExecutionRunId);
    expect(runs.length).toBeGreaterThanOrEqual(2);
    const latest = env.client.workflow.getHandle(handle.workflowId);
    expect(await latest.query(priceEvaluationProgressQuery)).toEqual({ periods: 2_600, notComparable: 1 });
    expect(fake.finished).toEqual(['run-3']);
  });
});

test('several go on at once', async () => {
  const fake = new FakeEvaluation();
  fake.pending = periods(900);
  await withWorker(env, { activities: fake.activities }, async () => {
    const handles = await Promise.all(['run-4', 'run-5', 'run-6'].map(start));
    const results = await Promise.all(handles.map((handle) => handle.result()));
    expect(results.reduce((sum, { periods: done }) => sum + done, 0)).toBe(900);
    expect([...fake.finished].sort()).toEqual(['run-4', 'run-5', 'run-6']);
  });
});
