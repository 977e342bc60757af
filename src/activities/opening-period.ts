/** The opening invoice: what a customer's first period is billed in advance (RULES 18). */
import { startOfLocalDay } from '../calendar/time-zones.js';
import { workflowTypes } from '../contracts/names.js';
import { billingPeriodStart } from '../contracts/start-options.js';
import { addMs } from '../domain/time/instant.js';
import { billsInAdvance, priceFactsOf } from '../billing/price-facts.js';
import type { BillingPeriod, Customer } from '../storage/types.js';
import type { ActivityDependencies } from './dependencies.js';

/**
 * A fee in advance stands on the invoice of the period before the one that it is for. The first period of a customer has none
 * before it, so where a fee is due in advance from its start, that period is made and invoiced as any other: at once, because it
 * is past. Repeating it changes nothing.
 */
export async function startOpeningPeriod(
  { storage, client }: ActivityDependencies,
  period: BillingPeriod,
  customer: Customer,
): Promise<void> {
  const billedFrom = startOfLocalDay(customer.billingFrom, period.timeZone);
  if (billedFrom < period.from || billedFrom >= period.to) return;
  const { segments } = await priceFactsOf(storage, period);
  const [first] = segments;
  if (first === undefined || first.priceBook === null || !billsInAdvance(first.priceBook)) return;
  const opening = await storage.periods.periodAt(period.customerId, addMs(period.from, -1));
  const status = await storage.periods.status(opening.customerId, opening.period);
  if (status !== null && status.stage !== 'open' && status.stage !== 'closing') return;
  await client.workflow.start(workflowTypes.billingPeriod, billingPeriodStart(opening.customerId, opening.period));
}
