import {
  continueAsNew,
  setCurrentDetails,
  setHandler,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import { reconciliationProgressQuery } from '../contracts/reconciliation.js';
import type { ReconciliationInput, ReconciliationProgress } from '../contracts/reconciliation.js';
import { needsAttentionKey } from '../contracts/search-attributes.js';
import { chunkActivities } from './activity-proxies.js';

/** Periods an activity: a workflow each would cost far more than the comparison (LIMITS). */
const chunkSize = 200;

/**
 * Reconciles the periods of one run, chunk by chunk, and stores its report: results are rows, so whatever stops it, it goes
 * on with what is left.
 */
export async function reconciliation(input: ReconciliationInput): Promise<ReconciliationProgress> {
  let progress: ReconciliationProgress = { runId: input.runId, periods: 0, different: 0, ...input.progress };
  setHandler(reconciliationProgressQuery, () => progress, {
    description: 'How many periods were compared, and how many chains do not hold',
  });
  const { runId } = await chunkActivities.beginReconciliation.executeWithOptions(
    { summary: input.runId === null ? 'Begin the daily run' : 'Begin' },
    [{ runId: input.runId }],
  );
  progress = { ...progress, runId };

  for (;;) {
    const chunk = await chunkActivities.reconcileChunk.executeWithOptions(
      { summary: `Reconcile up to ${chunkSize} periods, after ${progress.periods}` },
      [{ runId, limit: chunkSize }],
    );
    if (chunk.different > 0 && progress.different === 0)
      upsertSearchAttributes([{ key: needsAttentionKey, value: true }]);
    const { periods, different } = progress;
    progress = { runId, periods: periods + chunk.periods, different: different + chunk.different };
    setCurrentDetails(markdownOf(progress));
    if (!chunk.more) break;
    if (workflowInfo().continueAsNewSuggested)
      await continueAsNew<typeof reconciliation>({
        runId,
        progress: { periods: progress.periods, different: progress.different },
      });
  }
  await chunkActivities.finishReconciliation.executeWithOptions({ summary: 'Store the report' }, [{ runId }]);
  return progress;
}

function markdownOf({ runId, periods, different }: ReconciliationProgress): string {
  return [
    `| Run | \`${runId ?? ''}\` |`,
    '| --- | --- |',
    `| Periods compared | ${periods} |`,
    `| Chain does not hold (findings say where) | ${different} |`,
  ].join('\n');
}
