/** Whether a level goes on after a period: by what was rated, because only that is billed. */
import { decimal } from '../domain/decimal.js';
import type { BillingPeriod, Storage } from '../storage/types.js';
import { pinnedPriceFacts, poolsOf, priceFactsOf } from './price-facts.js';
import type { PriceSource } from './price-facts.js';

/**
 * Whether a period ends with a level that is not zero (RULES 3): of the meters and pools of its last rating, at its cutoff; while
 * there is none, of those that would be rated now. Rows of other pools and versions say what they came to when they were
 * rated last, which may have been provisional or only asked for.
 */
export async function leavesLevel(
  storage: PriceSource & Pick<Storage, 'proof' | 'ledger'>,
  period: BillingPeriod,
): Promise<boolean> {
  const { rating } = await storage.proof.chain(period);
  const facts =
    rating === null
      ? await priceFactsOf(storage, period)
      : await pinnedPriceFacts(storage, period, { pins: rating.pinnedVersions, currency: '' });
  const cutoff = rating?.cutoff ?? (await storage.ledger.safeHorizon());
  const usage = await storage.proof.periodUsage(period, poolsOf(facts), cutoff);
  return usage.some(({ closingLevel }) => closingLevel !== null && !decimal(closingLevel).isZero());
}
