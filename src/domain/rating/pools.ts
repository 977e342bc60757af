import { addsUp, type Meter, type MeterPool } from '../metering/meter.js';
import { groupKeyText } from '../metering/group-key.js';
import { pricingProperties } from './match.js';
import { quantityOnlyMeters } from './rate-fees.js';
import { pricesBySegment } from './price-plan.js';
import type { MeterGroups, NextPeriod, PriceSegment, SegmentUsage } from './rating.js';

/**
 * How pricing pools the events of meters that do not add up: by the `price_by` of the version at the period's end, by all of
 * the meter's groups where it has no price (RULES 17, 20). What fees are counted by is counted over all groups together.
 */
export function pricedPools<M extends Meter>(
  meters: readonly M[],
  segments: readonly PriceSegment[],
  next: NextPeriod | undefined,
): readonly MeterPool<M>[] {
  return meters.filter((meter) => !addsUp(meter)).map((meter) => ({ meter, by: pooledBy(meter, segments, next) }));
}

/** Of these meters those that are priced over several of their groups together: `RatingInput.meterGroups` is asked for them. */
export function pooledMeters<M extends Meter>(...of: Parameters<typeof pricedPools<M>>): readonly M[] {
  return pricedPools(...of)
    .filter(({ meter, by }) => by.length < meter.groupBy.length)
    .map(({ meter }) => meter);
}

/** How many groups rows of usage by the meters' own groups have. */
export function groupsByMeter(usage: readonly Pick<SegmentUsage, 'meter' | 'group'>[]): MeterGroups {
  const groups = new Map<string, Set<string>>();
  for (const { meter, group } of usage) {
    const known = groups.get(meter);
    if (known === undefined) groups.set(meter, new Set([groupKeyText(group)]));
    else known.add(groupKeyText(group));
  }
  return new Map([...groups].map(([meter, own]) => [meter, own.size]));
}

/** All prices of such a meter pool alike (`requireMetersOf`). */
function pooledBy(meter: Meter, segments: readonly PriceSegment[], next: NextPeriod | undefined): readonly string[] {
  const [price] = pricesBySegment(meter, segments).at(-1) ?? [];
  if (price === undefined && quantityOnlyMeters(segments, next).has(meter.code)) return [];
  const priceBy = (price === undefined ? null : pricingProperties(price)) ?? meter.groupBy;
  return meter.groupBy.filter((property) => priceBy.includes(property)).sort();
}
