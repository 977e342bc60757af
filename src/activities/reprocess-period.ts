import { reRatingWorkflowId } from '../contracts/names.js';
import { uuidOf } from '../storage/identifiers.js';
import type { PeriodKeyOf } from '../storage/types.js';
import type { ActivityDependencies } from './dependencies.js';
import { periodOf } from './period-facts.js';
import { reconciliationActor } from './re-rating/compare-period.js';
import { reRatingOf, startOnce } from './re-rating/start-once.js';

/**
 * Starts a re-rating that aggregates an invoiced period anew and corrects what comes out. One for the documents and charges that
 * the chain has: what it could not repair it is not asked again, but stays a finding.
 */
export function reprocessPeriod(dependencies: ActivityDependencies): (key: PeriodKeyOf) => Promise<void> {
  const { storage } = dependencies;
  return async (key) => {
    const period = await periodOf(storage, key);
    const { rating, nextPlace } = await storage.proof.chain(key);
    if (rating === null) return;
    const charges = [...rating.chargeIds].sort().join(' ');
    const reRatingId = uuidOf('re-rating', 'reconciliation', key.customerId, key.period, nextPlace, charges);
    const workflowId = reRatingWorkflowId(reRatingId);
    const about = { reRatingId, workflowId, reason: 'usage_correction', requestedBy: reconciliationActor } as const;
    await startOnce(dependencies, reRatingOf(period, about), key);
  };
}
