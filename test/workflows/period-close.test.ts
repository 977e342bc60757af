import type { WorkflowHandleWithFirstExecutionRunId } from '@temporalio/client';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { workflowTypes } from '../../src/contracts/names.js';
import { periodCloseProgressQuery } from '../../src/contracts/period-close.js';
import { periodCloseStart } from '../../src/contracts/start-options.js';
import type { LocalDate } from '../../src/domain/values.js';
import { startDevServer, withWorker } from '../support/temporal.js';
import { FakePeriodClose } from './fake-period-close.js';
import { actionsOf, historiesOf, total } from './history.js';

let env: TestWorkflowEnvironment;
beforeAll(async () => {
  env = await startDevServer({ suggestContinueAsNewAt: 150 });
});
afterAll(() => env.teardown());

const billingDay = '2024-02-01' as LocalDate;
const start = (closeId: string): Promise<WorkflowHandleWithFirstExecutionRunId> =>
  env.client.workflow.start(workflowTypes.periodClose, periodCloseStart({ closeId, billingDay }));

test('10,000 customers are handed over in chunks of 500, with few actions, and followed until each is decided', async () => {
  const fake = new FakePeriodClose(10_000, 2_000);
  await withWorker(env, { activities: fake.activities }, async () => {
    const handle = await start('c-1');
    expect(handle.workflowId).toBe('period-close/c-1');
    expect(await handle.result()).toEqual({
      ...{ planned: 10_000, notReady: 1, requested: 10_000, left: 0, issued: 9_999, held: 1 },
      ...{ skipped: 0, alreadyInvoiced: 0, remaining: 0, cancelled: false },
    });
    expect(fake.chunks).toEqual(Array.from({ length: 20 }, () => 500));
    expect(await handle.query(periodCloseProgressQuery)).toMatchObject({ issued: 9_999, remaining: 0 });
    const actions = total(actionsOf(await historiesOf(env.client, handle.workflowId, handle.firstExecutionRunId)));
    // The start, the plan, 20 chunks, 5 looks, going on as new once. Besides: a signal a chunk and look, and invoicing's start and 51 chunks of 200.
    expect(actions).toBe(28);
    const signals = fake.chunks.length + fake.follows;
    const ofInvoicing = 1 + 51 + 2;
    expect(actions + signals + ofInvoicing).toBeLessThanOrEqual(200);
  });
});

test('what fails is tried again, and asking twice finds it running', async () => {
  const fake = new FakePeriodClose(3);
  const failed = new Set<string>();
  fake.before = (activity) => {
    if (failed.has(activity)) return;
    failed.add(activity);
    throw new Error('the database is away');
  };
  await withWorker(env, { activities: fake.activities }, async () => {
    const [handle, again] = [await start('c-2'), await start('c-2')];
    expect(again.workflowId).toBe(handle.workflowId);
    expect(await handle.result()).toMatchObject({ issued: 2, held: 1, remaining: 0 });
    expect([...failed]).toEqual(['planPeriodClose', 'handOverPeriods', 'followPeriodClose']);
  });
});

test('cancelled between two chunks it hands over nothing more, and follows what was handed over', async () => {
  const fake = new FakePeriodClose(2_000);
  fake.before = () => {
    if (fake.chunks.length === 2) fake.counts.cancelled = true;
  };
  await withWorker(env, { activities: fake.activities }, async () => {
    const handle = await start('c-3');
    expect(await handle.result()).toMatchObject({
      requested: 1_000,
      issued: 999,
      held: 1,
      remaining: 1_000,
      cancelled: true,
    });
    expect(fake.chunks).toEqual([500, 500, 0]);
  });
});

test('a close of nothing ends after its plan', async () => {
  const fake = new FakePeriodClose(0);
  await withWorker(env, { activities: fake.activities }, async () => {
    expect(await (await start('c-4')).result()).toMatchObject({ planned: 0, notReady: 1, remaining: 0 });
    expect([fake.chunks, fake.follows]).toEqual([[], 0]);
  });
});

test('progress goes on across continue-as-new, and the plan is not made again', async () => {
  const fake = new FakePeriodClose(30_000, 10_000);
  let plans = 0;
  fake.before = (activity) => {
    if (activity === 'planPeriodClose') plans += 1;
  };
  await withWorker(env, { activities: fake.activities, maxCachedWorkflows: 0 }, async () => {
    const handle = await start('c-5');
    expect(await handle.result()).toMatchObject({ requested: 30_000, issued: 29_999, held: 1, remaining: 0 });
    const runs = await historiesOf(env.client, handle.workflowId, handle.firstExecutionRunId);
    expect(runs.length).toBeGreaterThanOrEqual(2);
    expect(plans).toBe(1);
  });
});
