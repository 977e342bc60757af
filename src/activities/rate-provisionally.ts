import { priceFactsOf, rateWith } from '../billing/price-facts.js';
import type { BillingPeriod, GateTransaction } from '../storage/types.js';
import type { ActivityDependencies } from './dependencies.js';
import { atCutoff } from './issue-invoice.js';

/**
 * Stores what the period would cost if it ended now, through the same way as the gate's charges, so that the issued ones
 * continue their revisions. Nothing after the invoice: then the chain's pins hold.
 */
export async function rateProvisionally({ storage }: ActivityDependencies, period: BillingPeriod): Promise<void> {
  const facts = await priceFactsOf(storage, period);
  const rate = async (gate: GateTransaction): Promise<void> => {
    if (gate.chain.rating !== null) return;
    await gate.bringWindowsToCutoff();
    const { lines } = await rateWith(facts, period, atCutoff(gate));
    await gate.storeCharges(lines.flatMap(({ charges }) => charges));
  };
  await storage.billing.atGate(period, rate, 'provisional');
}
