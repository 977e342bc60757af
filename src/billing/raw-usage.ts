/** Usage from raw events, as it was at one cutoff: what was aggregated on the way is not asked. */
import { usageBySegment } from '../domain/metering/fold.js';
import { addsUp } from '../domain/metering/meter.js';
import type { MeterInForce } from '../domain/metering/meter-versions.js';
import { asSegmentUsage } from '../domain/metering/period-usage.js';
import { groupsByMeter, pricedPools } from '../domain/rating/pools.js';
import type { Position } from '../domain/values.js';
import type { BillingPeriod, Storage } from '../storage/types.js';
import type { UsageSource } from './price-facts.js';

/**
 * Reads the smallest windows of these meters at once, the rest as rating asks for it.
 * @param cutoff a safe horizon, now or in the past
 */
export async function rawUsageAt(
  { proof }: Pick<Storage, 'proof'>,
  period: BillingPeriod,
  { meters, cutoff }: { readonly meters: readonly MeterInForce[]; readonly cutoff: Position },
): Promise<UsageSource> {
  const windows = await proof.rawUsage(
    period,
    meters.map(({ meterId }) => meterId),
    cutoff,
  );
  return {
    usage: async (segments, meterIds, next) => {
      const asked = meters.filter(({ meterId }) => meterIds.includes(meterId));
      const adding = new Set(asked.filter(addsUp).map(({ code }) => code));
      const whole = await proof.rawPeriodUsage(period, pricedPools(asked, segments, next), cutoff);
      return [
        ...usageBySegment(
          windows.filter(({ meter }) => adding.has(meter)),
          segments,
        ),
        ...asSegmentUsage(whole, segments),
      ];
    },
    groups: async (pooled) => {
      const [levels, sets] = [
        pooled.filter(isLevel),
        pooled.filter((meter) => !isLevel(meter)).map(({ code }) => code),
      ];
      const pools = levels.map((meter) => ({ meter, by: meter.groupBy }));
      const carried = await proof.rawPeriodUsage(period, pools, cutoff);
      return groupsByMeter([...windows.filter(({ meter }) => sets.includes(meter)), ...carried]);
    },
    events: (meterIds, visit) => proof.eachEvent(period, { meterIds, cutoff }, visit),
  };
}

/** A group of it that is only carried has no window. */
const isLevel = ({ aggregation }: MeterInForce): boolean => aggregation === 'weighted_sum';
