import type { Meter } from '../metering/meter.js';
import type { Interval } from '../values.js';
import { ratePeriod } from './rate.js';
import type { PriceSegment, RatingResult, SegmentUsage } from './rating.js';

/** Meters that are priced by the same segments. */
export interface PricedMeters {
  readonly meters: readonly Meter[];
  readonly segments: readonly PriceSegment[];
  /** Usage of these meters by these segments; rows of others are passed over. */
  readonly usage: readonly SegmentUsage[];
}

/**
 * Rates a period whose meters have pins of their own (a re-rating limited to some meters moved them): part by part, each as
 * if it were the whole period, so that rating, re-rating and verification are one function.
 * @param parts disjoint in their meters
 */
export function rateParts(period: Interval, currency: string, parts: readonly PricedMeters[]): RatingResult {
  const results = parts.map(({ meters, segments, usage }) => {
    const own = new Set(meters.map(({ code }) => code));
    const result = ratePeriod({ period, currency, meters, segments, usage: usage.filter(({ meter }) => own.has(meter)) });
    // A price book also names meters of other parts, whose fees are due there.
    return {
      lines: result.lines.filter(({ meter }) => own.has(meter)),
      problems: result.problems.filter(({ meter }) => own.has(meter)),
    };
  });
  const lines = results.flatMap((result) => result.lines);
  lines.sort((a, b) => (a.meter === b.meter ? compare(a.lineKey, b.lineKey) : compare(a.meter, b.meter)));
  return { lines, problems: results.flatMap(({ problems }) => problems) };
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
