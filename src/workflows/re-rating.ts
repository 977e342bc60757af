import {
  allHandlersFinished,
  condition,
  continueAsNew,
  setCurrentDetails,
  setHandler,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';
import type { CompareReRatingOutput } from '../contracts/activities.js';
import { decidedSignal, reRatingProgressQuery } from '../contracts/re-rating.js';
import type { ReRatingInput, ReRatingProgress } from '../contracts/re-rating.js';
import { billingStageKey, invoiceNumberKey, needsAttentionKey } from '../contracts/search-attributes.js';
import { chunkActivities, periodActivities } from './activity-proxies.js';

/** Periods an activity. */
const chunkSize = 200;

/**
 * Rates invoiced periods again and corrects what differs: compare → approval, where a customer's threshold asks for it →
 * correct → reconcile. Everything it decides on is in rows; a run begins where they stand, so that a run after
 * continue-as-new, or after it was terminated and started again, goes on from the truth.
 */
export async function reRating(input: ReRatingInput): Promise<ReRatingProgress> {
  const { reRatingId } = input;
  let progress: ReRatingProgress = {
    status: 'comparing',
    attempt: input.attempt ?? 1,
    compared: 0,
    corrected: 0,
    held: 0,
  };
  let isDecided = false;
  let lastNumber: string | null = null;
  let doesNotReconcile = false;
  setHandler(
    decidedSignal,
    () => {
      isDecided = true;
    },
    { description: 'A decision about this re-rating is stored' },
  );
  setHandler(reRatingProgressQuery, () => progress, { description: 'Status, and how many periods were handled' });

  const show = (changes: Partial<ReRatingProgress>): void => {
    if (changes.status !== undefined && changes.status !== progress.status)
      upsertSearchAttributes([
        { key: billingStageKey, value: changes.status },
        {
          key: needsAttentionKey,
          value: changes.status === 'awaiting_approval' || progress.held > 0 || doesNotReconcile,
        },
      ]);
    progress = { ...progress, ...changes };
    setCurrentDetails(markdownOf(progress, lastNumber));
  };
  const nextChunk = async (): Promise<void> => {
    if (!workflowInfo().continueAsNewSuggested) return;
    await condition(allHandlersFinished);
    await continueAsNew<typeof reRating>({ reRatingId, attempt: progress.attempt });
  };
  const compare = async (): Promise<CompareReRatingOutput> => {
    for (;;) {
      const compared = await chunkActivities.compareReRating.executeWithOptions(
        { summary: `Compare up to ${chunkSize} periods, attempt ${progress.attempt}` },
        [{ reRatingId, attempt: progress.attempt, limit: chunkSize }],
      );
      const { attempt } = compared;
      show({ attempt, status: compared.status, compared: progress.compared + compared.compared, held: compared.held });
      if (!compared.more) return compared;
      await nextChunk();
    }
  };
  const decision = async (): Promise<'approved' | 'rejected'> => {
    for (;;) {
      isDecided = false;
      const decided = await periodActivities.readDecision.executeWithOptions({ summary: 'Read the decision' }, [
        { reRatingId, attempt: progress.attempt },
      ]);
      if (decided !== null) return decided;
      await condition(() => isDecided);
    }
  };
  /** How many chains had moved: they were compared again under the next attempt. */
  const correct = async (): Promise<number> => {
    let moved = 0;
    for (;;) {
      const corrected = await chunkActivities.correctReRating.executeWithOptions(
        { summary: `Correct up to ${chunkSize} periods, attempt ${progress.attempt}` },
        [{ reRatingId, attempt: progress.attempt, limit: chunkSize }],
      );
      moved += corrected.moved;
      lastNumber = corrected.lastInvoiceNumber ?? lastNumber;
      show({
        status: 'correcting',
        corrected: progress.corrected + corrected.corrected,
        held: progress.held + corrected.held,
      });
      if (!corrected.more) return moved;
      await nextChunk();
    }
  };

  const end = async (rejected: boolean): Promise<ReRatingProgress> => {
    const ended = await chunkActivities.endReRating.executeWithOptions({ summary: 'Store how it ended' }, [
      { reRatingId, attempt: progress.attempt, rejected },
    ]);
    if (lastNumber !== null) upsertSearchAttributes([{ key: invoiceNumberKey, value: lastNumber }]);
    show({ status: ended.status });
    return progress;
  };
  for (;;) {
    const { next } = await compare();
    if (next === 'ended') return progress;
    if (next === 'awaiting_approval' && (await decision()) === 'rejected') return end(true);
    if ((await correct()) === 0) break;
    show({ status: 'comparing', attempt: progress.attempt + 1 });
  }
  // A run that continues does not know what an earlier one has corrected; the rows do, and nothing to look at costs little.
  const { different } = await chunkActivities.reconcileReRating.executeWithOptions(
    { summary: 'Reconcile what was corrected' },
    [{ reRatingId, attempt: progress.attempt }],
  );
  doesNotReconcile = different > 0;
  return end(false);
}

function markdownOf(
  { status, attempt, compared, corrected, held }: ReRatingProgress,
  lastNumber: string | null,
): string {
  return [
    `| Status | ${status} |`,
    '| --- | --- |',
    `| Attempt | ${attempt} |`,
    `| Compared | ${compared} |`,
    `| Corrected | ${corrected} |`,
    `| Held (findings say why) | ${held} |`,
    `| Last document | ${lastNumber ?? '–'} |`,
    ...(status === 'awaiting_approval' ? ['', 'Waits for `POST /re-ratings/{id}/approve` or `reject`.'] : []),
  ].join('\n');
}
