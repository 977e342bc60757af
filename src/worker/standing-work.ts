/** What must always be there: the relay's workflow and the daily schedules. Every worker sees to it at start-up. */
import { ScheduleAlreadyRunning, ScheduleOverlapPolicy } from '@temporalio/client';
import type { Client, ScheduleOptions } from '@temporalio/client';
import {
  allPartitions,
  auditAnchorScheduleId,
  auditAnchorWorkflowId,
  dailyReconciliationScheduleId,
  dailyReconciliationWorkflowId,
  periodSweepScheduleId,
  periodSweepWorkflowId,
  taskQueue,
  workflowTypes,
} from '../contracts/names.js';
import type { ReconciliationInput } from '../contracts/reconciliation.js';
import { needsAttentionKey } from '../contracts/search-attributes.js';
import { usageRelayStart } from '../contracts/start-options.js';

export async function startRelay(client: Client, heartbeatTimeoutMs: number): Promise<void> {
  await client.workflow.start(workflowTypes.usageRelay, usageRelayStart({ group: allPartitions, heartbeatTimeoutMs }));
}

/** UTC, in the quiet after midnight's period ends of most time zones; spread, so that no two deployments coincide. */
const dailyAt = (minute: number): ScheduleOptions['spec'] => ({
  calendars: [{ hour: 3, minute }],
  jitter: '10 minutes',
});
const onceAtATime = { overlap: ScheduleOverlapPolicy.SKIP, catchupWindow: '1 day' } as const;

const schedules: readonly ScheduleOptions[] = [
  {
    scheduleId: periodSweepScheduleId,
    spec: dailyAt(20),
    policies: onceAtATime,
    action: {
      type: 'startWorkflow',
      workflowType: workflowTypes.periodSweep,
      workflowId: periodSweepWorkflowId,
      taskQueue,
      args: [],
      staticSummary: 'Start the workflows of unfinished billing periods',
    },
    state: { note: 'Safety net: in the regular course relay and preceding period have started them.' },
  },
  {
    scheduleId: dailyReconciliationScheduleId,
    spec: dailyAt(50),
    policies: onceAtATime,
    action: {
      type: 'startWorkflow',
      workflowType: workflowTypes.reconciliation,
      workflowId: dailyReconciliationWorkflowId,
      taskQueue,
      args: [{ runId: null } satisfies ReconciliationInput],
      typedSearchAttributes: [{ key: needsAttentionKey, value: false }],
      staticSummary: 'Daily reconciliation',
    },
    state: {
      note: 'Holds events, aggregates, charges, lines and journal against each other; differences become findings.',
    },
  },
  {
    scheduleId: auditAnchorScheduleId,
    spec: { intervals: [{ every: '1 hour' }], jitter: '5 minutes' },
    policies: onceAtATime,
    action: {
      type: 'startWorkflow',
      workflowType: workflowTypes.auditAnchor,
      workflowId: auditAnchorWorkflowId,
      taskQueue,
      args: [],
      staticSummary: 'Seal, sign and anchor the audit log',
    },
    state: { note: 'Its result is a witness outside the database: the signed head of the audit log at that time.' },
  },
];

/** Leaves an existing schedule as it is: an operator may have paused or moved it. */
export async function startSchedules(client: Client): Promise<void> {
  for (const schedule of schedules) {
    try {
      await client.schedule.create(schedule);
    } catch (error) {
      if (!(error instanceof ScheduleAlreadyRunning)) throw error;
    }
  }
}
