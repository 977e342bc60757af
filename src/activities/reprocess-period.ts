import { reRatingWorkflowId, workflowTypes } from '../contracts/names.js';
import { reRatingStart } from '../contracts/start-options.js';
import { hasEnded } from '../domain/correction/reasons.js';
import { uuidOf } from '../storage/identifiers.js';
import type { NewReRating, PeriodKeyOf } from '../storage/types.js';
import type { ActivityDependencies } from './dependencies.js';
import { periodOf } from './period-facts.js';
import { reconciliationActor } from './re-rating/compare-period.js';

/**
 * Starts a re-rating that aggregates an invoiced period anew and corrects what comes out. One for the documents and charges that
 * the chain has: what it could not repair it is not asked again, but stays a finding.
 */
export function reprocessPeriod({ storage, client }: ActivityDependencies): (key: PeriodKeyOf) => Promise<void> {
  return async (key) => {
    const { customerId } = key;
    const { from, to, period } = await periodOf(storage, key);
    const { rating, nextPlace } = await storage.proof.chain(key);
    if (rating === null) return;
    const charges = [...rating.chargeIds].sort().join(' ');
    const reRatingId = uuidOf('re-rating', 'reconciliation', customerId, period, nextPlace, charges);
    const reRating: NewReRating = {
      reRatingId,
      workflowId: reRatingWorkflowId(reRatingId),
      reason: 'usage_correction',
      scope: { customerIds: [customerId], meters: null, from, to },
      priceBookId: null,
      dryRun: false,
      requestedBy: reconciliationActor,
    };
    await storage.reRatings.create(reRating, [{ customerId, period }]);
    const stored = await storage.reRatings.find(reRatingId);
    if (stored === null || hasEnded(stored.status)) return;
    await client.workflow.start(workflowTypes.reRating, reRatingStart(reRating, key, reRating.reason));
  };
}
