import { addsUp, type Meter, type MeterPool } from '../metering/meter.js';
import { pricingProperties } from './match.js';
import { quantityOnlyMeters } from './rate-fees.js';
import { pricesBySegment } from './price-plan.js';
import type { NextPeriod, PriceSegment } from './rating.js';

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

/** All prices of such a meter pool alike (`requireMetersOf`). */
function pooledBy(meter: Meter, segments: readonly PriceSegment[], next: NextPeriod | undefined): readonly string[] {
  const [price] = pricesBySegment(meter, segments).at(-1) ?? [];
  if (price === undefined && quantityOnlyMeters(segments, next).has(meter.code)) return [];
  const priceBy = (price === undefined ? null : pricingProperties(price)) ?? meter.groupBy;
  return meter.groupBy.filter((property) => priceBy.includes(property)).sort();
}
