import { compareText } from '../compare-text.js';
import type { Meter } from '../metering/meter.js';
import type { Interval } from '../values.js';
import { ratePeriod } from './rate.js';
import type { PriceSegment, RatingResult, SegmentUsage } from './rating.js';

/** Meters that are priced by the same segments. */
export interface PricedMeters {
  readonly meters: readonly Meter[];
  readonly segments: readonly PriceSegment[];
  /** Usage of these meters by these segments. */
  readonly usage: readonly SegmentUsage[];
}

/**
 * Rates a period whose meters have pins of their own (a re-rating limited to some meters moved them): part by part, each as
 * if it were the whole period, so that rating, re-rating and verification are one function.
 * @param parts disjoint in their meters
 */
export function rateParts(period: Interval, currency: string, parts: readonly PricedMeters[]): RatingResult {
  const results = parts.map((part) => {
    const { meters, segments, usage } = part;
    const others = new Set(parts.flatMap((other) => (other === part ? [] : other.meters.map(({ code }) => code))));
    const { lines, problems } = ratePeriod({ period, currency, meters, segments, usage });
    // A price book also names meters of other parts, whose fees are due there.
    const isOwn = ({ meter }: { readonly meter: string }): boolean => !others.has(meter);
    return { lines: lines.filter(isOwn), problems: problems.filter(isOwn) };
  });
  const lines = results.flatMap((result) => result.lines);
  lines.sort((a, b) => compareText(a.meter, b.meter) || compareText(a.lineKey, b.lineKey));
  return { lines, problems: results.flatMap(({ problems }) => problems) };
}
