import { Context } from '@temporalio/activity';
import type { Activities } from '../../contracts/activities.js';
import { reconcileAndStore } from '../../billing/reconcile-period.js';
import { inParallel } from '../../relay/in-parallel.js';
import type { ActivityDependencies } from '../dependencies.js';
import { heartbeating } from '../heartbeating.js';
import { periodOf } from '../period-facts.js';
import { requireReRating } from './steps.js';

const periodsAtATime = 4;

/** Holds events, aggregates, charges, lines and journal of every corrected period against each other. Differences are findings. */
export function reconcileReRating({ storage }: ActivityDependencies): Activities['reconcileReRating'] {
  return async ({ reRatingId, attempt }) => {
    await requireReRating(storage, reRatingId);
    await storage.reRatings.enter(reRatingId, { status: 'reconciling', attempt, actor: 'reRating', reason: null });
    const outcomes = await storage.reRatings.outcomes(reRatingId);
    const corrected = outcomes.filter(({ outcome }) => outcome === 'corrected');
    let [periods, different] = [0, 0];
    await heartbeating(
      () => periods,
      () =>
        inParallel(corrected, periodsAtATime, async (key) => {
          const { result } = await reconcileAndStore(storage, await periodOf(storage, key));
          periods += 1;
          if (result === 'different') different += 1;
          Context.current().heartbeat(periods);
        }),
    );
    return { periods, different, more: false };
  };
}
