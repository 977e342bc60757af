/** What if: one period under another price book version, beside what it costs under its own. Reads only. */
import { calendarOf, periodContaining } from '../calendar/calendar.js';
import { comparePrices } from '../domain/evaluation/compare-prices.js';
import type { PriceComparison } from '../domain/evaluation/compare-prices.js';
import type { PinnedVersions } from '../domain/invoicing/invoice.js';
import { keepingOverrides } from '../domain/rating/overrides.js';
import type { PriceBookVersion } from '../domain/rating/price-book.js';
import type { Instant, Interval, Position } from '../domain/values.js';
import type { BillingPeriod, Storage } from '../storage/types.js';
import { pinnedPriceFacts, priceFactsOf, rateWith, withCurrentRates } from './price-facts.js';
import type { PriceFacts, PriceSource } from './price-facts.js';
import { rawUsageAt } from './raw-usage.js';

export interface PeriodEvaluation extends PriceComparison {
  /** What the period is, or will be, invoiced in. */
  readonly currency: string;
}

type EvaluatedFrom = PriceSource & Pick<Storage, 'proof'>;

interface Asked {
  readonly version: PriceBookVersion;
  readonly cutoff: Position;
  /** The price book id of a candidate that the other side is to be rated without (RULES 42); left out: with what it has. */
  readonly without?: string | null;
}

/**
 * Rates the period's usage at the cutoff twice: with the versions that it has (of an invoiced period those that its documents
 * pin), and with the evaluated version for the whole of it, whenever that is said to begin.
 * @throws DomainFailure UNKNOWN_CUSTOMER
 */
export async function evaluatePeriod(
  storage: EvaluatedFrom,
  period: BillingPeriod,
  { version, cutoff, without = null }: Asked,
): Promise<PeriodEvaluation> {
  const { documents, rating } = await storage.proof.chain(period);
  const [original] = documents;
  const facts =
    original === undefined || rating === null
      ? await priceFactsOf(storage, period, { without })
      : await invoicedFacts(storage, period, { pins: rating.pinnedVersions, currency: original.currency, without });
  const usage = await rawUsageAt(storage, period, { meters: facts.meters, cutoff });
  const current = await rateWith(facts, period, usage);
  const evaluated = await rateWith(await evaluatedFacts(storage, period, { facts, version }), period, usage);
  return { ...comparePrices(current, evaluated, documents), currency: facts.currency };
}

/** What its documents pin; unless that is the version which it is to be rated without. */
async function invoicedFacts(
  storage: EvaluatedFrom,
  period: BillingPeriod,
  {
    pins,
    currency,
    without,
  }: { readonly pins: PinnedVersions; readonly currency: string; readonly without: string | null },
): Promise<PriceFacts> {
  const pinned = await pinnedPriceFacts(storage, period, { pins, currency });
  const segments = [pinned.segments, pinned.next?.segments ?? [], ...pinned.meterSegments.values()].flat();
  if (!segments.some(({ priceBook }) => priceBook !== null && priceBook.priceBookId === without)) return pinned;
  return { ...(await priceFactsOf(storage, period, { without })), currency };
}

/**
 * The version instead of every other one but the customer's own prices, which hold beside any price book; also in the next
 * period where it bills a fee in advance for that.
 */
async function evaluatedFacts(
  storage: Pick<Storage, 'reference'>,
  period: BillingPeriod,
  { facts, version: priceBook }: { readonly facts: PriceFacts; readonly version: PriceBookVersion },
): Promise<PriceFacts> {
  const { customerId, from, to } = period;
  const isForNext = priceBook.fees.some(({ billed }) => billed === 'in_advance');
  const next = isForNext ? await periodFrom(storage, customerId, to) : null;
  const segments = [{ from, to, priceBook }];
  return withCurrentRates(storage, period, {
    ...facts,
    segments,
    meterSegments: keepingOverrides(segments, facts.meterSegments),
    next: next === null ? null : { ...next, segments: [{ ...next, priceBook }] },
  });
}

/** Computed, not looked up: a stored period would stay as it is when the customer's calendar changes (RULES 22). */
async function periodFrom(
  { reference }: Pick<Storage, 'reference'>,
  customerId: string,
  at: Instant,
): Promise<Interval> {
  const { from, to } = periodContaining(calendarOf(await reference.customerVersions(customerId)), at);
  return { from, to };
}
