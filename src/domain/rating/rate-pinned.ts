import type { Meter } from '../metering/meter.js';
import type { Interval } from '../values.js';
import type { ConversionRates } from './invoice-currency.js';
import { compareLines, rateMeters, withFees } from './rate.js';
import type { LineEventTotals, MeterGroups, NextPeriod, PriceSegment, RatingResult, SegmentUsage } from './rating.js';

/** Meters that are priced by the same segments. */
export interface PricedMeters {
  readonly meters: readonly Meter[];
  readonly segments: readonly PriceSegment[];
  /** Usage of these meters by these segments. */
  readonly usage: readonly SegmentUsage[];
  readonly meterGroups?: MeterGroups;
  readonly eventTotals?: LineEventTotals;
}

export interface RatedParts {
  readonly period: Interval;
  readonly currency: string;
  readonly rates?: ConversionRates;
  readonly next?: NextPeriod;
  readonly isOpening?: boolean;
}

/**
 * Rates a period whose meters have pins of their own (a re-rating limited to some meters moved them): part by part, each as
 * if it were the whole period, so that rating, re-rating and verification are one function. Fees are the first part's.
 * @param parts disjoint in their meters
 */
export function rateParts(facts: RatedParts, parts: readonly PricedMeters[]): RatingResult {
  const results = parts.map((part) => rateMeters({ ...facts, ...part }));
  const lines = results.flatMap((result) => result.lines);
  if (parts.length > 1) lines.sort(compareLines);
  const [first] = parts;
  const rated = { lines, problems: results.flatMap(({ problems }) => problems) };
  const usage = parts.flatMap((part) => part.usage);
  return first === undefined ? rated : withFees({ ...facts, ...first, usage }, rated);
}
