import type { Activities } from '../../contracts/activities.js';
import { lateReRatingWorkflowId, workflowTypes } from '../../contracts/names.js';
import { reRatingStart } from '../../contracts/start-options.js';
import { hasEnded } from '../../domain/correction/reasons.js';
import { customerOf } from '../../billing/price-facts.js';
import { uuidOf } from '../../storage/identifiers.js';
import type { BillingPeriod, NewReRating, PeriodKeyOf, Storage } from '../../storage/types.js';
import { automaticActor } from '../../storage/types.js';
import type { ActivityDependencies } from '../dependencies.js';
import { periodOf } from '../period-facts.js';
import { noteLateUsage } from '../note-late-usage.js';

/**
 * Starts the correction of what came after the period's last rating. One that has not ended is not joined by a second one:
 * what it does not cover is looked at again when it ends. Repeating it starts nothing twice.
 */
export function startCorrection(dependencies: ActivityDependencies): Activities['startCorrection'] {
  const { storage, client } = dependencies;
  return async (key) => {
    const period = await periodOf(storage, key);
    const customer = await customerOf(storage, key.customerId);
    if (customer.lateUsageQuietTime === 'manual') {
      await noteLateUsage(dependencies)(key);
      return { reRatingId: null, noted: true };
    }
    const reRating = (await storage.reRatings.unfinishedAutomatic(key))[0] ?? (await createLate(storage, period));
    if (reRating === null) return { reRatingId: null, noted: false };
    await client.workflow.start(workflowTypes.reRating, reRatingStart(reRating, key, reRating.reason));
    return { reRatingId: reRating.reRatingId, noted: false };
  };
}

/** null: nothing is late, or a re-rating of the very same facts has ended (rejected, or held): a person has decided. */
async function createLate(storage: Storage, period: BillingPeriod): Promise<NewReRating | null> {
  const { count, events, to } = await storage.periods.veryLateFacts(period);
  if (count === 0 || to === null) return null;
  const { customerId, period: name } = period;
  const reRating: NewReRating = {
    reRatingId: uuidOf('re-rating', 'late', customerId, name, to),
    workflowId: lateReRatingWorkflowId(customerId, name, to),
    reason: events > 0 ? 'late_usage' : 'usage_correction',
    scope: { customerIds: [customerId], meters: null, from: period.from, to: period.to },
    priceBookId: null,
    dryRun: false,
    requestedBy: automaticActor,
  };
  const target: PeriodKeyOf = { customerId, period: name };
  await storage.reRatings.create(reRating, [target]);
  const stored = await storage.reRatings.find(reRating.reRatingId);
  return stored === null || hasEnded(stored.status) ? null : reRating;
}
