/**
 * What may be rated on last known prices (RULES 43): estimates and provisional charges, never what is issued. What was rated so
 * is rated again.
 */
import { formatAmount } from '../domain/money/rounding.js';
import { totalOf } from '../domain/rating/total.js';
import type { Instant } from '../domain/values.js';
import { canonicalJson } from '../storage/canonical-json.js';
import { isUnavailable } from '../storage/errors.js';
import type { BillingPeriod, NewFinding, PriceFallback, Storage } from '../storage/types.js';
import { factsFrom, pinnedOf, pinnedPriceFacts, pinsOf, priceFactsOf, rateWith } from './price-facts.js';
import type { CustomerPriceFacts, PriceFacts, PriceSource, RatedPeriod } from './price-facts.js';
import { rawUsageAt } from './raw-usage.js';

export interface PriceFallbackPolicy {
  /** Prices that were known longer ago than this (ms) are not taken; 0: none ever are. */
  readonly maxAgeMs: number;
  /** How long (ms) the database is asked for prices before they count as out of reach. */
  readonly maxWaitMs: number;
}

export const defaultPriceFallback: PriceFallbackPolicy = { maxAgeMs: 3_600_000, maxWaitMs: 3_000 };

export interface LookedUpPrices {
  readonly facts: CustomerPriceFacts;
  /** When they were known; null: now. */
  readonly pricesAsOf: Instant | null;
}

/**
 * What is known now; while that cannot be found out, what was known last. For work whose result is marked and made again.
 * @throws StorageUnavailable when nothing is remembered that is young enough
 */
export async function priceFactsOrLastKnown(
  storage: PriceSource,
  period: BillingPeriod,
  { maxAgeMs, maxWaitMs }: PriceFallbackPolicy,
): Promise<LookedUpPrices> {
  const { priceLookup } = storage;
  let prices: Awaited<ReturnType<typeof priceLookup.pricesOf>>;
  try {
    prices = await priceLookup.pricesOf(period.customerId, maxWaitMs);
  } catch (error) {
    const known = isUnavailable(error) ? priceLookup.lastKnownPrices(period.customerId) : null;
    if (known === null || known.ageMs >= maxAgeMs) throw error;
    priceLookup.noteFallback();
    return { facts: await factsFrom(storage, period, { prices: known.prices }), pricesAsOf: known.asOf };
  }
  return { facts: await factsFrom(storage, period, { prices }), pricesAsOf: null };
}

type Checking = PriceSource & Pick<Storage, 'priceFallbacks' | 'proof' | 'ledger' | 'findings'>;
const checksAtOnce = 100;

/** Compares every rating of the period on last known prices that has not been compared yet. */
export async function recheckFallbacks(storage: Checking, period: BillingPeriod): Promise<void> {
  const { customerId, period: name } = period;
  const fallbacks = await storage.priceFallbacks.unchecked({ customerId, period: name }, checksAtOnce);
  for (const fallback of fallbacks) {
    const differed = await differs(storage, period, fallback);
    // The finding first: a check that is recorded is not made again.
    if (differed !== null) await storage.findings.store(differed);
    await storage.priceFallbacks.recordCheck(fallback.fallbackId, differed !== null);
  }
}

/** Both prices on the same usage: of an invoiced period on what its documents stand on, else on that of now. null: no difference. */
async function differs(storage: Checking, period: BillingPeriod, fallback: PriceFallback): Promise<NewFinding | null> {
  const chain = await storage.proof.chain(period);
  const pinned = pinnedOf(chain);
  const facts = pinned === null ? await priceFactsOf(storage, period) : await pinnedPriceFacts(storage, period, pinned);
  const { pinnedVersions: pins, currency } = fallback;
  if (canonicalJson(pinsOf(facts)) === canonicalJson(pins)) return null;
  const cutoff = chain.rating?.cutoff ?? (await storage.ledger.safeHorizon());
  const rate = async (priced: PriceFacts): Promise<RatedPeriod> =>
    rateWith(priced, period, await rawUsageAt(storage, period, { meters: priced.meters, cutoff }));
  const now = await rate(facts);
  const then = await rate(await pinnedPriceFacts(storage, period, { pins, currency }));
  return textOf(now) === textOf(then) ? null : differenceFinding(fallback, { then, now, currency: facts.currency });
}

/** Everything that a document would show of it. */
function textOf({ lines, problems }: RatedPeriod): string {
  return JSON.stringify([
    lines.map(({ lineKey, quantity, amount, currency }) => [lineKey, quantity, amount, currency]),
    problems.map(({ code, meter, group }) => [code, meter, group]),
  ]);
}

function differenceFinding(
  { customerId, period, fallbackId, pricesAsOf, currency: then }: PriceFallback,
  rated: { readonly then: RatedPeriod; readonly now: RatedPeriod; readonly currency: string },
): NewFinding {
  const total = (of: RatedPeriod, currency: string): string => `${formatAmount(totalOf(of), currency)} ${currency}`;
  const before = total(rated.then, then);
  const after = total(rated.now, rated.currency);
  return {
    code: 'PRICE_FALLBACK_DIFFERED',
    customerId,
    period,
    subject: { customer_id: customerId, period, fallback_id: fallbackId },
    detail:
      `Provisional charges were rated on the prices known at ${pricesAsOf}, because prices could not be read. The same usage came to ` +
      `${before} with them, and comes to ${after} with the prices that hold. Nothing was invoiced with them; what was shown ` +
      `as an estimate meanwhile was another amount.`,
  };
}
