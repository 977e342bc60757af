/** Reads what a workflow did from its histories, over all its runs. */
import type { Client, WorkflowHandle } from '@temporalio/client';
import type { TestWorkflowEnvironment } from '@temporalio/testing';

export type History = Awaited<ReturnType<WorkflowHandle['fetchHistory']>>;

/** The histories of a run and of those that continued it, oldest first. */
export async function historiesOf(client: Client, workflowId: string, firstRunId: string): Promise<readonly History[]> {
  const histories: History[] = [];
  for (let runId: string | null | undefined = firstRunId; runId;) {
    const history = await client.workflow.getHandle(workflowId, runId).fetchHistory();
    histories.push(history);
    const last = history.events?.at(-1);
    runId = last?.workflowExecutionContinuedAsNewEventAttributes?.newExecutionRunId;
  }
  return histories;
}

/**
 * Temporal's actions, by what starts them: what a deployment pays for, and what costs the server time. Timers that are
 * cancelled and workflow tasks are none.
 */
export function actionsOf(histories: readonly History[]): Readonly<Record<string, number>> {
  const kinds = [
    'workflowExecutionStarted',
    'workflowExecutionSignaled',
    'timerStarted',
    'activityTaskScheduled',
    'upsertWorkflowSearchAttributes',
    'startChildWorkflowExecutionInitiated',
    'signalExternalWorkflowExecutionInitiated',
    'markerRecorded',
  ] as const;
  const counts: Record<string, number> = {};
  for (const event of histories.flatMap((history) => history.events ?? [])) {
    const kind = kinds.find((name) => (event[`${name}EventAttributes`] ?? null) !== null);
    if (kind !== undefined) counts[kind] = (counts[kind] ?? 0) + 1;
  }
  return counts;
}

export const total = (counts: Readonly<Record<string, number>>): number =>
  Object.values(counts).reduce((sum, count) => sum + count, 0);

/** Time passes until the server's clock shows `atMs`. */
export async function sleepUntil(env: TestWorkflowEnvironment, atMs: number): Promise<void> {
  const waitMs = atMs - (await env.currentTimeMs());
  if (waitMs > 0) await env.sleep(waitMs);
}
