import { Context } from '@temporalio/activity';
import type { Activities } from '../contracts/activities.js';
import { dailyReconciliationWorkflowId } from '../contracts/names.js';
import { addMs, msPerHour } from '../domain/time/instant.js';
import type { Instant } from '../domain/values.js';
import { uuidOf } from '../storage/identifiers.js';
import type { ReconciliationScope, Storage } from '../storage/types.js';
import { automaticActor } from '../storage/types.js';
import type { ActivityDependencies } from './dependencies.js';

/** A quarter: what is older changes by corrections only, and those are looked at by themselves. */
const lookBackDays = 92;

/** One on demand was stored by whoever asked for it; a daily run stores its own request, once a workflow run. */
export function beginReconciliation({ storage, now }: ActivityDependencies): Activities['beginReconciliation'] {
  return async ({ runId: given }) => {
    if (given !== null) return { runId: given };
    const { workflowExecution } = Context.current().info;
    const runId = uuidOf('reconciliation', dailyReconciliationWorkflowId, workflowExecution?.runId ?? null);
    await storage.reconciliation.request({
      runId,
      workflowId: dailyReconciliationWorkflowId,
      scope: await dailyScope(storage, now()),
      requestedBy: automaticActor,
    });
    return { runId };
  };
}

/** The first run looks at everything; the next ones at recent periods and at what has moved since the last one. */
async function dailyScope({ reconciliation }: Storage, now: Instant): Promise<ReconciliationScope> {
  const last = await reconciliation.lastFinished(dailyReconciliationWorkflowId);
  return last === null
    ? { customerIds: null, from: null, to: null }
    : { customerIds: null, from: addMs(now, -lookBackDays * 24 * msPerHour), to: null, touchedSince: last.requestedAt };
}
