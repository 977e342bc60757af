/** Anchoring the audit log on demand: the schedule's next run, now. */
import { type Client, ScheduleOverlapPolicy, WorkflowFailedError } from '@temporalio/client';
import { ActivityFailure, ApplicationFailure } from '@temporalio/common';
import type { AnchorOutput } from '../contracts/activities.js';
import { auditAnchorScheduleId } from '../contracts/names.js';
import { DomainFailure, type FailureCode, failureCodes } from '../domain/failure.js';

export interface AnchoredNow {
  /** null: it has not begun. */
  readonly workflowId: string | null;
  /** null: it is still under way. */
  readonly output: AnchorOutput | null;
}

const waitMs = 10_000;
const pollMs = 100;

/**
 * By the schedule, so that one runs at a time, behind the one that may be running, and holds the database against the result of
 * the run before. Waits a while for its result.
 * @throws DomainFailure what its activity refuses
 */
export async function anchorNow(client: Client): Promise<AnchoredNow> {
  const schedule = client.schedule.getHandle(auditAnchorScheduleId);
  const { info: before } = await schedule.describe();
  const known = new Set(before.recentActions.map(({ action }) => action.workflow.firstExecutionRunId));
  await schedule.trigger(ScheduleOverlapPolicy.BUFFER_ONE);
  const until = Date.now() + waitMs;
  for (; Date.now() < until; await new Promise((resolve) => setTimeout(resolve, pollMs))) {
    const { info } = await schedule.describe();
    const run = info.recentActions
      .map(({ action }) => action.workflow)
      .find((workflow) => !known.has(workflow.firstExecutionRunId));
    if (run === undefined) continue;
    const handle = client.workflow.getHandle<() => Promise<AnchorOutput>>(run.workflowId, run.firstExecutionRunId);
    while (Date.now() < until) {
      if ((await handle.describe()).status.name !== 'RUNNING')
        return { workflowId: run.workflowId, output: await resultOf(handle.result()) };
      await new Promise((resolve) => setTimeout(resolve, pollMs));
    }
    return { workflowId: run.workflowId, output: null };
  }
  return { workflowId: null, output: null };
}

async function resultOf(result: Promise<AnchorOutput>): Promise<AnchorOutput> {
  try {
    return await result;
  } catch (error) {
    const cause =
      error instanceof WorkflowFailedError && error.cause instanceof ActivityFailure ? error.cause.cause : null;
    if (cause instanceof ApplicationFailure && isFailureCode(cause.type))
      throw new DomainFailure(cause.type, cause.message);
    throw error;
  }
}

const isFailureCode = (code: string | null | undefined): code is FailureCode =>
  (failureCodes as readonly (string | null | undefined)[]).includes(code);
