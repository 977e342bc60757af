import type { Activities } from '../../contracts/activities.js';
import { lateReRatingWorkflowId } from '../../contracts/names.js';
import { customerOf } from '../../billing/price-facts.js';
import type { BillingPeriod, NewReRating, Storage } from '../../storage/types.js';
import { automaticActor } from '../../storage/types.js';
import type { ActivityDependencies } from '../dependencies.js';
import { noteLateUsage } from '../note-late-usage.js';
import { periodOf } from '../period-facts.js';
import { startFirstLateAfter } from '../later-periods.js';
import { lateReRatingIdOf } from './late-facts.js';
import { reRatingOf, startOnce } from './start-once.js';

/**
 * Starts the correction of what came after the period's last rating. One that has not ended is not joined by a second one:
 * what it does not cover is looked at again when it ends. Repeating it starts nothing twice, and what has ended for the very
 * same facts (rejected, or held) is not started again: a person has decided.
 */
export function startCorrection(dependencies: ActivityDependencies): Activities['startCorrection'] {
  const { storage } = dependencies;
  return async (key) => {
    const period = await periodOf(storage, key);
    const customer = await customerOf(storage, key.customerId);
    if (customer.lateUsageQuietTime === 'manual') {
      await noteLateUsage(dependencies)(key);
      // No correction of it will come to the later ones by itself.
      await startFirstLateAfter(dependencies, period);
      return { reRatingId: null, noted: true };
    }
    const reRating = (await storage.reRatings.unfinishedAutomatic(key))[0] ?? (await ofLateFacts(storage, period));
    const isStarted = reRating !== null && (await startOnce(dependencies, reRating, key));
    return { reRatingId: isStarted ? reRating.reRatingId : null, noted: false };
  };
}

/** null: nothing is late. */
async function ofLateFacts(storage: Storage, period: BillingPeriod): Promise<NewReRating | null> {
  const { count, events, to } = await storage.periods.veryLateFacts(period);
  if (count === 0 || to === null) return null;
  const { customerId, period: name } = period;
  return reRatingOf(period, {
    reRatingId: lateReRatingIdOf(period, to),
    workflowId: lateReRatingWorkflowId(customerId, name, to),
    reason: events > 0 ? 'late_usage' : 'usage_correction',
    requestedBy: automaticActor,
  });
}
