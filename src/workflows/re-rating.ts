import { setHandler } from '@temporalio/workflow';
import { decidedSignal, reRatingProgressQuery } from '../contracts/re-rating.js';
import type { ReRatingInput, ReRatingProgress } from '../contracts/re-rating.js';
import { ReRatingRun } from './re-rating/re-rating-run.js';

/**
 * Rates invoiced periods again and corrects what differs: compare → approval, where a customer's threshold asks for it →
 * correct → reconcile. Everything it decides on is in rows; a run begins where they stand, so that a run after
 * continue-as-new, or after it was terminated and started again, goes on from the truth.
 */
export async function reRating(input: ReRatingInput): Promise<ReRatingProgress> {
  const run = new ReRatingRun(input);
  setHandler(decidedSignal, () => run.noteDecision(), { description: 'A decision about this re-rating is stored' });
  setHandler(reRatingProgressQuery, () => run.progress, { description: 'Status, and how many periods were handled' });

  for (;;) {
    const { next } = await run.compare();
    if (next === 'ended') return run.progress;
    if (next === 'awaiting_approval' && (await run.decision()) === 'rejected') return run.end({ rejected: true });
    if ((await run.correct()) === 0) break;
    run.nextAttempt();
  }
  await run.reconcile();
  return run.end({ rejected: false });
}
