import { addsUp, type Meter, type MeterPool } from '../metering/meter.js';
import { planPrices } from './price-plan.js';
import type { PriceSegment } from './rating.js';

/**
 * How pricing pools the events of meters that do not add up: by the `price_by` of the version at the period's end, by all of
 * the meter's groups where it has no price (RULES 17, 20).
 */
export function pricedPools<M extends Meter>(
  meters: readonly M[],
  segments: readonly PriceSegment[],
): readonly MeterPool<M>[] {
  return meters.filter((meter) => !addsUp(meter)).map((meter) => ({ meter, by: pooledBy(meter, segments) }));
}

function pooledBy(meter: Meter, segments: readonly PriceSegment[]): readonly string[] {
  const priceBy = planPrices(meter, segments)?.last.price.priceBy ?? meter.groupBy;
  return meter.groupBy.filter((property) => priceBy.includes(property)).sort();
}
