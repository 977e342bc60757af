import { metersInForce, type MeterInForce } from '../domain/metering/meter-versions.js';
import type { Meter } from '../domain/metering/meter.js';
import { windowOf } from '../domain/metering/window.js';
import { isLocalDate } from '../domain/time/effective-from.js';
import { addMs, isWithin, msPerHour } from '../domain/time/instant.js';
import type { Instant, Interval, LocalDate } from '../domain/values.js';
import { startOfLocalDay } from './time-zones.js';

/** When local dates begin, as a document of the period has pinned it: later rules of the time zone do not move it. */
export type PinnedDates = Readonly<Record<string, Instant>>;

/** What says where a period's local dates begin. */
export interface DatedPeriod extends Interval {
  readonly timeZone: string;
  /** Of a stored period: its windows are cut there, and nowhere else off the hour. */
  readonly cuts?: readonly Instant[];
}

/**
 * When a local date begins for a period. Inside of it, where a window begins: of a stored period whose zone has got other rules
 * since, the window that has the midnight belongs to the new day as a whole.
 */
export function dayStartsOf(period: DatedPeriod, pinned: PinnedDates = {}): (date: LocalDate) => Instant {
  const { cuts } = period;
  return (date) => {
    const known = pinned[date];
    if (known !== undefined) return known;
    const start = startOfLocalDay(date, period.timeZone);
    return cuts === undefined || !isWithin(start, period) ? start : windowOf(start, { ...period, cuts }).from;
  };
}

/** `metersInForce`, the period's zone saying when its local dates begin. */
export function metersOfPeriod(
  versions: readonly Meter[],
  period: DatedPeriod,
  pinned: PinnedDates = {},
): readonly MeterInForce[] {
  return metersInForce(versions, period, dayStartsOf(period, pinned));
}

/** No rules have ever moved a midnight as far as this. */
const nearMs = 48 * msPerHour;

/** The local dates on which versions begin in the period, or so near to it that other rules might put them there. */
export function datesNear(versions: readonly Meter[], period: DatedPeriod): readonly LocalDate[] {
  const [from, to] = [addMs(period.from, -nearMs), addMs(period.to, nearMs)];
  const dates = versions.flatMap(({ effectiveFrom }) =>
    effectiveFrom !== null && isLocalDate(effectiveFrom) ? effectiveFrom : [],
  );
  return [...new Set(dates)].sort().filter((date) => isWithin(startOfLocalDay(date, period.timeZone), { from, to }));
}
