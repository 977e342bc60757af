import { defaultPriceFallback, priceFactsOrLastKnown, recheckFallbacks } from '../billing/price-fallback.js';
import type { LookedUpPrices } from '../billing/price-fallback.js';
import { pinsOf, priceFactsOf, rateWith } from '../billing/price-facts.js';
import type { RatedPeriod } from '../billing/price-facts.js';
import { unpricedCodes } from '../domain/rating/unpriced.js';
import type { BillingPeriod, GateTransaction } from '../storage/types.js';
import type { ActivityDependencies } from './dependencies.js';
import { problemFinding } from './held-findings.js';
import { atCutoff } from './issue-invoice.js';

/**
 * Stores what the period would cost if it ended now, through the same way as the gate's charges, so that the issued ones
 * continue their revisions. Nothing after the invoice: then the chain's pins hold. While prices cannot be read it is rated on
 * those last known, marked as that, and rated again later (RULES 43).
 */
export async function rateProvisionally(dependencies: ActivityDependencies, period: BillingPeriod): Promise<void> {
  const { storage, settings } = dependencies;
  const policy = { ...defaultPriceFallback, maxAgeMs: settings.priceFallbackMaxAgeMs };
  const looked = await priceFactsOrLastKnown(storage, period, policy);
  await storeCharges(dependencies, period, looked);
  if (looked.pricesAsOf === null) await recheckFallbacks(storage, period);
}

/** With the prices of now, or not at all. */
export async function rateAgain(dependencies: ActivityDependencies, period: BillingPeriod): Promise<void> {
  const facts = await priceFactsOf(dependencies.storage, period);
  await storeCharges(dependencies, period, { facts, pricesAsOf: null });
  await recheckFallbacks(dependencies.storage, period);
}

async function storeCharges(
  { storage }: ActivityDependencies,
  period: BillingPeriod,
  { facts, pricesAsOf }: LookedUpPrices,
): Promise<void> {
  const rate = async (gate: GateTransaction): Promise<void> => {
    if (gate.chain.rating !== null) return;
    await gate.bringWindowsToCutoff();
    const rated = await rateWith(facts, period, atCutoff(gate));
    const chargeIds = await gate.storeCharges(rated.lines.flatMap(({ charges }) => charges));
    if (pricesAsOf === null) await storeUnpriced(gate, period, rated);
    else await gate.storeFallback({ pricesAsOf, pinnedVersions: pinsOf(facts), currency: facts.currency, chargeIds });
  };
  await storage.billing.atGate(period, rate, 'provisional');
}

/** As the invoice would be held for it, so that it is mended before: the same finding, which is stored once. */
async function storeUnpriced(gate: GateTransaction, period: BillingPeriod, { problems }: RatedPeriod): Promise<void> {
  for (const problem of problems) {
    if (unpricedCodes.has(problem.code)) await gate.storeFinding(problemFinding(period, problem));
  }
}
