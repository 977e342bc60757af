import { workflowTypes } from '../contracts/names.js';
import { billingPeriodStart } from '../contracts/start-options.js';
import type { BillingPeriod } from '../storage/types.js';
import type { ActivityDependencies } from './dependencies.js';

/**
 * What settles a period may have changed the level that the next ones begin with (RULES 3). Starts the workflow of the first
 * one that this concerns; when that one has been corrected, it is the turn of the next: so they are corrected in order.
 */
export async function startFirstLateAfter(
  { storage, client }: ActivityDependencies,
  period: BillingPeriod,
): Promise<boolean> {
  const later = await storage.periods.firstLateAfter(period);
  if (later === null) return false;
  await client.workflow.start(workflowTypes.billingPeriod, billingPeriodStart(later.customerId, later.period));
  return true;
}
