import { addsUp, type Meter } from '../metering/meter.js';
import type { GroupKey, Interval } from '../values.js';
import { indexOf } from './book-index.js';
import { mostSpecific, pricingProperties } from './match.js';
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

/** Which price holds for a line in each segment of the period. */
export interface PricePlan {
  /** null: no version is in force there, or the one in force has no price for it. */
  readonly bySegment: readonly (VersionPrice | null)[];
  /** In order of their first appearance. */
  readonly versions: readonly VersionPrice[];
  /** The last version of the period that has a price: the one "at the period's end" of RULES 20. */
  readonly last: VersionPrice;
}

/** Of a price book alone nothing more may be known of a meter. */
export type PlannedMeter = Pick<Meter, 'code' | 'groupBy' | 'aggregation'>;

/** The price in force in a segment, as its version has it. */
export type FoundPrice = Pick<VersionPrice, 'version' | 'price'>;

const none: readonly Price[] = [];

/** By segment, the prices of a meter that a version has, whatever they match. */
export function pricesBySegment(
  { code }: Pick<Meter, 'code'>,
  segments: readonly PriceSegment[],
): readonly (readonly Price[])[] {
  return segments.map(({ priceBook }) => (priceBook === null ? none : (indexOf(priceBook).byMeter.get(code) ?? none)));
}

/** By segment, what holds for a group of the meter. */
export function findPrices(
  group: GroupKey,
  segments: readonly PriceSegment[],
  prices: readonly (readonly Price[])[],
): readonly (FoundPrice | null)[] {
  return segments.map(({ priceBook }, index) => {
    const price = mostSpecific(prices[index] ?? [], group);
    return priceBook === null || price === null ? null : { version: priceBook, price };
  });
}

/** The version whose price makes up the line: of a meter that does not add up, the one in force at the very end. */
export function lastOf(meter: Pick<Meter, 'aggregation'>, found: readonly (FoundPrice | null)[]): FoundPrice | null {
  return (addsUp(meter) ? found.findLast((entry) => entry !== null) : found.at(-1)) ?? null;
}

/** Whether the shares of two prices have a common cumulative: the same model on the same lines. */
export function sameShape(a: Price, b: Price, groupBy: readonly string[]): boolean {
  return a.model === b.model && sameNames(pricingProperties(a) ?? groupBy, pricingProperties(b) ?? groupBy);
}

function sameNames(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((name) => b.includes(name));
}

/**
 * Plans the prices of one line; null when no version in the period has one. A change of model in mid-period, or of what the
 * lines are made of, makes the last version hold for the whole period (RULES 20): the shares of two different models, or of
 * two different sets of lines, have no common cumulative. So it is for packages.
 *
 * A meter that does not add up has no share of a part of the period at all: the version at the period's end holds for all
 * of it, also for the time before there was one.
 * @param changesShape what the line's own prices do not show: another group on it had another price
 */
export function planFound(
  meter: PlannedMeter,
  segments: readonly PriceSegment[],
  { found, changesShape }: { readonly found: readonly (FoundPrice | null)[]; readonly changesShape: boolean },
): PricePlan | null {
  const last = lastOf(meter, found);
  if (last === null) return null;
  const isWhole = !addsUp(meter);
  const holdsThroughout =
    isWhole ||
    changesShape ||
    last.price.model === 'package' ||
    found.some((entry) => entry !== null && !sameShape(entry.price, last.price, meter.groupBy));
  const holding = holdsThroughout ? found.map((entry) => (entry === null && !isWhole ? null : last)) : found;

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
function planVersion({ version, price }: FoundPrice): GrowingVersionPrice {
  return { version, price, tiers: 'tiers' in price ? compileTiers(price.tiers) : [], inForce: [] };
}

function extend(intervals: Interval[], { from, to }: Interval): void {
  const previous = intervals.at(-1);
  if (previous?.to === from) intervals[intervals.length - 1] = { from: previous.from, to };
  else intervals.push({ from, to });
}
