/** What must always be there: the relay's workflow and the daily sweep. Every worker sees to it at start-up. */
import { ScheduleAlreadyRunning, ScheduleOverlapPolicy } from '@temporalio/client';
import type { Client } from '@temporalio/client';
import {
  allPartitions,
  periodSweepScheduleId,
  periodSweepWorkflowId,
  taskQueue,
  workflowTypes,
} from '../contracts/names.js';
import { usageRelayStart } from '../contracts/start-options.js';

export async function startRelay(client: Client, heartbeatTimeoutMs: number): Promise<void> {
  await client.workflow.start(workflowTypes.usageRelay, usageRelayStart({ group: allPartitions, heartbeatTimeoutMs }));
}

/** Leaves an existing schedule as it is: an operator may have paused or moved it. */
export async function startSweepSchedule(client: Client): Promise<void> {
  try {
    await client.schedule.create({
      scheduleId: periodSweepScheduleId,
      // UTC, in the quiet after midnight's period ends of most time zones; spread, so that no two deployments coincide.
      spec: { calendars: [{ hour: 3, minute: 20 }], jitter: '10 minutes' },
      policies: { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: '1 day' },
      action: {
        type: 'startWorkflow',
        workflowType: workflowTypes.periodSweep,
        workflowId: periodSweepWorkflowId,
        taskQueue,
        args: [],
        staticSummary: 'Start the workflows of unfinished billing periods',
      },
      state: { note: 'Safety net: in the regular course relay and preceding period have started them.' },
    });
  } catch (error) {
    if (!(error instanceof ScheduleAlreadyRunning)) throw error;
  }
}
