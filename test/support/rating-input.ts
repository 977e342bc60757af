/** Short ways to write rating inputs in tests. */
import type { Meter } from '../../src/domain/metering/meter.js';
import { emptyDigest } from '../../src/domain/metering/digest.js';
import { parsePriceBook } from '../../src/domain/rating/parse-price-book.js';
import type { PriceBookVersion } from '../../src/domain/rating/price-book.js';
import type {
  PriceSegment,
  RatedLine,
  RatingInput,
  RatingResult,
  SegmentUsage,
} from '../../src/domain/rating/rating.js';
import type { DecimalString, GroupKey, Instant, Interval } from '../../src/domain/values.js';

export const instant = (text: string): Instant => text as Instant;

export const january: Interval = {
  from: instant('2024-01-01T00:00:00.000000Z'),
  to: instant('2024-02-01T00:00:00.000000Z'),
};

/** The first hours of January as bounds: as many price changes as a test needs. */
export const boundOf = (index: number): Instant =>
  instant(`2024-01-${String(index + 1).padStart(2, '0')}T00:00:00.000000Z`);

export function meter(overrides: Partial<Meter> = {}): Meter {
  return {
    meterId: 'meter-1',
    code: 'calls',
    version: 1,
    eventType: 'call',
    aggregation: 'sum',
    valueProperty: 'units',
    groupBy: [],
    filters: {},
    windowSize: 'hour',
    allowedLateness: 'PT1H',
    allowNegative: false,
    maxGroups: 1000,
    effectiveFrom: null,
    ...overrides,
  };
}

/** A version of the book `standard` from the wire shape of its prices. */
export function version(
  name: string,
  prices: readonly object[],
  overrides: Record<string, unknown> = {},
): PriceBookVersion {
  const wire = {
    code: 'standard',
    version: name,
    currency: 'USD',
    effective_from: '2024-01-01T00:00:00Z',
    prices,
    ...overrides,
  };
  return { ...parsePriceBook(wire), priceBookId: `standard/${name}`, learnedOrder: 1 };
}

export const flat = (unitPrice: string, more: object = {}): object => ({
  meter: 'calls',
  model: 'flat',
  unit_price: unitPrice,
  ...more,
});

/** Tiers as `[up_to, unit_price, flat_fee?]`. */
export type TierRow = readonly [upTo: string | null, unitPrice: string, flatFee?: string];
const tierWire = ([upTo, unitPrice, flatFee]: TierRow): object => ({
  up_to: upTo,
  unit_price: unitPrice,
  ...(flatFee === undefined ? {} : { flat_fee: flatFee }),
});
export const tiered = (tiers: readonly TierRow[], more: object = {}): object => ({
  meter: 'calls',
  model: 'tiered',
  tiers: tiers.map(tierWire),
  ...more,
});
export const volume = (tiers: readonly TierRow[], more: object = {}): object => ({
  ...tiered(tiers, more),
  model: 'volume',
});

/** Segments that tile January, one a version, a day each but for the last. */
export function segmentsOf(versions: readonly (PriceBookVersion | null)[]): readonly PriceSegment[] {
  return versions.map((priceBook, index) => ({
    from: boundOf(index),
    to: index === versions.length - 1 ? january.to : boundOf(index + 1),
    priceBook,
  }));
}

export function used(segment: number, quantity: string, more: Partial<SegmentUsage> = {}): SegmentUsage {
  return {
    meter: 'calls',
    group: {},
    segment,
    quantity: quantity as DecimalString,
    eventCount: 1,
    digest: emptyDigest,
    ...more,
  };
}

export const inGroup = (group: GroupKey): Partial<SegmentUsage> => ({ group });

export function ratingInput(
  versions: readonly (PriceBookVersion | null)[],
  usage: readonly SegmentUsage[],
  meters: readonly Meter[] = [meter()],
): RatingInput {
  return { period: january, currency: 'USD', meters, segments: segmentsOf(versions), usage };
}

/** Tiers of the seed's example, and the same with a flat fee each. */
export const seedTiers: readonly TierRow[] = [
  ['1000', '0.10'],
  [null, '0.08'],
];
export const withFees: readonly TierRow[] = [
  ['1000', '0.10', '5.00'],
  [null, '0.08', '10.00'],
];

/** The one line of a result that has no problems. */
export function onlyLine({ lines, problems }: RatingResult): RatedLine {
  const [line, ...others] = lines;
  if (line === undefined || others.length > 0 || problems.length > 0) {
    throw new Error(`expected one line and no problem, found ${JSON.stringify({ lines, problems })}`);
  }
  return line;
}
