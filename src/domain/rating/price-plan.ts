import type { Meter } from '../metering/meter.js';
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
 */
export function planPrices(
  meter: Pick<Meter, 'code' | 'groupBy'>,
  segments: readonly PriceSegment[],
): PricePlan | null {
  const found = segments.map(({ priceBook }) => {
    const price = priceBook?.prices.find((candidate) => candidate.meter === meter.code);
    return priceBook === null || price === undefined ? null : { version: priceBook, price };
  });
  const last = found.findLast((entry) => entry !== null);
  if (last === undefined || last === null) return null;
  const changesShape = found.some((entry) => entry !== null && !sameShape(entry.price, last.price, meter.groupBy));
  const holding = changesShape ? found.map((entry) => (entry === null ? null : last)) : found;

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
