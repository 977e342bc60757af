import { Context } from '@temporalio/activity';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import type { RunRelayInput } from '../../src/contracts/activities.js';
import { auditAnchorWorkflowId, periodSweepWorkflowId, taskQueue, workflowTypes } from '../../src/contracts/names.js';
import { usageRelayStart } from '../../src/contracts/start-options.js';
import { eventually, startDevServer, withWorker } from '../support/temporal.js';
import { anchored } from './fake-anchor.js';
import { historiesOf } from './history.js';

let env: TestWorkflowEnvironment;
beforeAll(async () => {
  env = await startDevServer();
});
afterAll(() => env.teardown());

test('a relay whose heartbeats stop is started again elsewhere; one whose day is over begins a new history', async () => {
  const attempts: number[] = [];
  const activities = {
    runRelay: async (input: RunRelayInput): Promise<void> => {
      expect(input).toEqual({ group: 'test', runForMs: 86_400_000 });
      attempts.push(Context.current().info.attempt);
      // The first attempt is a worker that died: it never heartbeats. The second one's day is over.
      if (attempts.length === 2) return;
      await Context.current().cancelled.catch(() => undefined);
    },
  };
  await withWorker(env, { activities }, async () => {
    const start = usageRelayStart({ group: 'test', heartbeatTimeoutMs: 3_000 });
    const handle = await env.client.workflow.start(workflowTypes.usageRelay, start);
    await eventually(
      () => Promise.resolve(attempts),
      ({ length }) => length >= 3,
    );
    // The third never heartbeats either, so there may be a fourth by now.
    expect(attempts.slice(0, 3)).toEqual([1, 2, 1]);
    expect(await historiesOf(env.client, handle.workflowId, handle.firstExecutionRunId)).toHaveLength(2);
    await env.client.workflow.getHandle(handle.workflowId).terminate();
  });
});

test('the sweep starts what is missing by one activity', async () => {
  const activities = { sweepPeriods: () => Promise.resolve({ started: 3 }) };
  await withWorker(env, { activities }, async () => {
    const options = { workflowId: periodSweepWorkflowId, taskQueue };
    expect(await env.client.workflow.execute(workflowTypes.periodSweep, options)).toEqual({ started: 3 });
  });
});

test('the anchor of the audit log stands in the result of its workflow', async () => {
  await withWorker(env, { activities: { anchorAudit: () => Promise.resolve(anchored) } }, async () => {
    const options = { workflowId: auditAnchorWorkflowId, taskQueue };
    expect(await env.client.workflow.execute(workflowTypes.auditAnchor, options)).toEqual(anchored);
  });
});
