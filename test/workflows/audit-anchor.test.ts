/** Anchoring on demand: by the schedule, each run with the result of the one before; what it refuses is said as it was. */
import { ApplicationFailure } from '@temporalio/common';
import type { TestWorkflowEnvironment } from '@temporalio/testing';
import { anchorNow } from '../../src/api/temporal-anchor.js';
import type { AnchorOutput } from '../../src/contracts/activities.js';
import { auditAnchorScheduleId } from '../../src/contracts/names.js';
import { startSchedules } from '../../src/worker/standing-work.js';
import { startDevServer, withWorker } from '../support/temporal.js';
import { anchored } from './fake-anchor.js';

let env: TestWorkflowEnvironment;
beforeAll(async () => {
  env = await startDevServer();
});
afterAll(() => env.teardown());

test('each run is told what the one before has answered, and a refusal is the caller’s', async () => {
  const told: unknown[] = [];
  const activities = {
    anchorAudit: (lastResult: AnchorOutput['lastCheckpoint']): Promise<AnchorOutput> => {
      told.push(lastResult);
      if (told.length === 3) throw ApplicationFailure.nonRetryable('it was cut', 'AUDIT_ANCHOR_DIFFERS');
      return Promise.resolve(anchored);
    },
  };
  await withWorker(env, { activities }, async () => {
    await startSchedules(env.client);
    // Its own hour may come while this runs.
    await env.client.schedule.getHandle(auditAnchorScheduleId).pause();
    const first = await anchorNow(env.client);
    expect(first).toEqual({ workflowId: expect.stringMatching(/^audit-anchor\/run/), output: anchored });
    expect(await anchorNow(env.client)).toMatchObject({ output: anchored });
    await expect(anchorNow(env.client)).rejects.toMatchObject({ code: 'AUDIT_ANCHOR_DIFFERS', detail: 'it was cut' });
    // A run that has failed leaves the last result as it was.
    await anchorNow(env.client);
    expect(told).toEqual([null, anchored.lastCheckpoint, anchored.lastCheckpoint, anchored.lastCheckpoint]);
  });
});
