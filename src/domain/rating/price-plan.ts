import { addsUp, type Meter } from '../metering/meter.js';
import type { Interval } from '../values.js';
import { compileTiers } from './models/tiers.js';
import type { CompiledTier } from './models/tiers.js';
import type { Price, PriceBookVersion } from './price-book.js';
import type { PriceSegment } from './rating.js';

/** A meter's price in one version, with the stretches of the period that it prices. */
export interface VersionPrice {
  readonly version: PriceBookVersion;
  readonly price: Price;
  readonly tiers: readonly CompiledTier[];
  readonly inForce: readonly Interval[];
}

/** Which price holds for a meter in each segment of the period. */
export interface PricePlan {
  /** null: no version is in force there, or the one in force does not know the meter. */
  readonly bySegment: readonly (VersionPrice | null)[];
  /** In order of their first appearance. */
  readonly versions: readonly VersionPrice[];
  /** The last version of the period that has a price for the meter: the one "at the period's end" of RULES 20. */
  readonly last: VersionPrice;
}

/**
 * Plans the prices of one meter; null when no version in the period has one. A change of model in mid-period, or of
 * `price_by`, which changes the lines themselves, makes the last version hold for the whole period (RULES 20): the
 * shares of two different models, or of two different sets of lines, have no common cumulative.
 *
 * A meter that does not add up has no share of a part of the period at all: the version at the period's end holds for all
 * of it, also for the time before there was one.
 */
export function planPrices(meter: PlannedMeter, segments: readonly PriceSegment[]): PricePlan | null {
  const found = segments.map(({ priceBook }) => {
    const price = priceBook?.prices.find((candidate) => candidate.meter === meter.code);
    return priceBook === null || price === undefined ? null : { version: priceBook, price };
  });
  const isWhole = !addsUp(meter);
  const last = isWhole ? found.at(-1) : found.findLast((entry) => entry !== null);
  if (last === undefined || last === null) return null;
  const changesShape = found.some((entry) => entry !== null && !sameShape(entry.price, last.price, meter.groupBy));
  const holding = isWhole || changesShape ? found.map((entry) => (entry === null && !isWhole ? null : last)) : found;

  const byVersion = new Map<string, GrowingVersionPrice>();
  const bySegment = holding.map((entry, index) => {
    const segment = segments[index];
    if (entry === null || segment === undefined) return null;
    const known = byVersion.get(entry.version.priceBookId);
    const planned = known ?? planVersion(entry);
    if (known === undefined) byVersion.set(entry.version.priceBookId, planned);
    extend(planned.inForce, segment);
    return planned;
  });
  const versions = [...byVersion.values()];
  const lastPlanned = byVersion.get(last.version.priceBookId);
  return lastPlanned === undefined ? null : { bySegment, versions, last: lastPlanned };
}

/** Of a price book alone nothing more may be known of a meter. */
export type PlannedMeter = Pick<Meter, 'code' | 'groupBy' | 'aggregation'>;

type GrowingVersionPrice = VersionPrice & { readonly inForce: Interval[] };

// No object spread here or in rateLine: this is the inner loop of closing a month, and spreading took a seventh of it.
function planVersion({ version, price }: Pick<VersionPrice, 'version' | 'price'>): GrowingVersionPrice {
  return { version, price, tiers: price.model === 'flat' ? [] : compileTiers(price.tiers), inForce: [] };
}

function sameShape(a: Price, b: Price, groupBy: readonly string[]): boolean {
  return a.model === b.model && sameNames(a.priceBy ?? groupBy, b.priceBy ?? groupBy);
}

function sameNames(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((name) => b.includes(name));
}

function extend(intervals: Interval[], { from, to }: Interval): void {
  const previous = intervals.at(-1);
  if (previous?.to === from) intervals[intervals.length - 1] = { from: previous.from, to };
  else intervals.push({ from, to });
}
