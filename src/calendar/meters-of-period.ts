import { metersInForce, type MeterInForce } from '../domain/metering/meter-versions.js';
import type { Meter } from '../domain/metering/meter.js';
import type { Interval } from '../domain/values.js';
import { startOfLocalDay } from './time-zones.js';

/** `metersInForce`, the period's zone saying when its local dates begin. */
export function metersOfPeriod(
  versions: readonly Meter[],
  period: Interval & { readonly timeZone: string },
): readonly MeterInForce[] {
  return metersInForce(versions, period, (date) => startOfLocalDay(date, period.timeZone));
}
