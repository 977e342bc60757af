/**
 * The smallest windows, from which all longer ones and all price segments add up: hours of UTC, cut at the bounds of the
 * billing period and at local midnights that are not on a full hour of UTC (RULES 4).
 */
import { invariant } from '../failure.js';
import { instantToMs, isWithin, msPerHour, msToInstant, startOfHour } from '../time/instant.js';
import type { Instant, Interval } from '../values.js';

export interface MeteringPeriod extends Interval {
  /** Ascending, strictly inside the period; empty where local midnight is a full hour of UTC. */
  readonly cuts: readonly Instant[];
}

/** The window of the period that contains the instant; windows tile the period, half-open. */
export function windowOf(instant: Instant, period: MeteringPeriod): Interval {
  invariant(isWithin(instant, period), `${instant} is outside the period ${period.from} to ${period.to}`);
  const hour = startOfHour(instant);
  const nextHour = msToInstant(instantToMs(hour) + msPerHour);
  const cutsPassed = countAtOrBefore(period.cuts, instant);
  const cutBefore = period.cuts[cutsPassed - 1] ?? period.from;
  const cutAfter = period.cuts[cutsPassed] ?? period.to;
  return { from: latest(hour, latest(period.from, cutBefore)), to: earliest(nextHour, earliest(period.to, cutAfter)) };
}

/** How many of the ascending instants are at or before the given one. */
export function countAtOrBefore(sorted: readonly Instant[], instant: Instant): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle] as Instant) <= instant) low = middle + 1;
    else high = middle;
  }
  return low;
}

function latest(a: Instant, b: Instant): Instant {
  return a > b ? a : b;
}

function earliest(a: Instant, b: Instant): Instant {
  return a < b ? a : b;
}
