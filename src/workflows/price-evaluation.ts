import { continueAsNew, setCurrentDetails, setHandler, workflowInfo } from '@temporalio/workflow';
import { priceEvaluationProgressQuery } from '../contracts/price-evaluation.js';
import type { PriceEvaluationInput, PriceEvaluationProgress } from '../contracts/price-evaluation.js';
import { chunkActivities } from './activity-proxies.js';

/** Periods an activity: a workflow each would cost far more than rating them (LIMITS). */
const chunkSize = 200;

/**
 * Rates the periods of one evaluation, chunk by chunk, and stores its report: results are rows, so whatever stops it, it goes
 * on with what is left.
 */
export async function priceEvaluation({
  evaluationId,
  progress: before,
}: PriceEvaluationInput): Promise<PriceEvaluationProgress> {
  let progress: PriceEvaluationProgress = { periods: 0, notComparable: 0, ...before };
  setHandler(priceEvaluationProgressQuery, () => progress, {
    description: 'How many periods were rated, and how many do not compare',
  });

  for (;;) {
    const chunk = await chunkActivities.evaluateChunk.executeWithOptions(
      { summary: `Rate up to ${chunkSize} periods, after ${progress.periods}` },
      [{ evaluationId, limit: chunkSize }],
    );
    const { periods, notComparable } = progress;
    progress = { periods: periods + chunk.periods, notComparable: notComparable + chunk.notComparable };
    setCurrentDetails(markdownOf(evaluationId, progress));
    if (!chunk.more) break;
    if (workflowInfo().continueAsNewSuggested) await continueAsNew<typeof priceEvaluation>({ evaluationId, progress });
  }
  await chunkActivities.finishEvaluation.executeWithOptions({ summary: 'Store the report' }, [{ evaluationId }]);
  return progress;
}

function markdownOf(evaluationId: string, { periods, notComparable }: PriceEvaluationProgress): string {
  return [
    `| Evaluation | \`${evaluationId}\` |`,
    '| --- | --- |',
    `| Periods rated | ${periods} |`,
    `| Do not compare (something has no price on one side) | ${notComparable} |`,
  ].join('\n');
}
