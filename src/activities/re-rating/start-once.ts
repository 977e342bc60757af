import { workflowTypes } from '../../contracts/names.js';
import type { PeriodKey } from '../../contracts/activities.js';
import { reRatingStart } from '../../contracts/start-options.js';
import { hasEnded } from '../../domain/correction/reasons.js';
import type { BillingPeriod, NewReRating } from '../../storage/types.js';
import type { ActivityDependencies } from '../dependencies.js';

/** A re-rating of one period that nobody asked for; its id says of what, so that the same one is never made twice. */
export function reRatingOf(
  { customerId, from, to }: BillingPeriod,
  about: Pick<NewReRating, 'reRatingId' | 'workflowId' | 'reason' | 'requestedBy'>,
): NewReRating {
  const scope = { customerIds: [customerId], meters: null, from, to };
  return { ...about, scope, priceBookId: null, dryRun: false };
}

/**
 * Stores the re-rating, unless it is stored, and starts its workflow, unless it runs.
 * @returns false: it has ended before, so that a person has decided, or it could do nothing
 */
export async function startOnce(
  { storage, client }: ActivityDependencies,
  reRating: NewReRating,
  { customerId, period }: PeriodKey,
): Promise<boolean> {
  await storage.reRatings.create(reRating, [{ customerId, period }]);
  const stored = await storage.reRatings.find(reRating.reRatingId);
  if (stored === null || hasEnded(stored.status)) return false;
  const start = reRatingStart(reRating, { customerId, period }, reRating.reason);
  await client.workflow.start(workflowTypes.reRating, start);
  return true;
}
