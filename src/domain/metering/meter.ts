import type { DecimalString, Digest, GroupKey, Instant } from '../values.js';

export const aggregations = ['count', 'sum', 'min', 'max', 'latest', 'unique_count', 'weighted_sum'] as const;
export type Aggregation = (typeof aggregations)[number];

/** The aggregations that this version can compute; the others are refused when a meter is created. */
export const supportedAggregations: readonly Aggregation[] = ['count', 'sum'];

export const windowSizes = ['hour', 'day', 'month'] as const;
export type WindowSize = (typeof windowSizes)[number];

/** What is counted, and how. A meter version never changes once it is known. */
export interface Meter {
  readonly meterId: string;
  readonly code: string;
  readonly version: number;
  readonly eventType: string;
  readonly aggregation: Aggregation;
  /** The metadata property that carries the value; null for `count`. */
  readonly valueProperty: string | null;
  readonly groupBy: readonly string[];
  /** Property to allowed texts; an event that lacks the property or has another text is not metered. */
  readonly filters: Readonly<Record<string, readonly string[]>>;
  readonly windowSize: WindowSize;
  /** ISO 8601 duration, default PT1H. */
  readonly allowedLateness: string;
  readonly allowNegative: boolean;
}

/** Usage of one meter and group in one window (an hour of UTC, or its part where a period or local day cuts it). */
export interface WindowUsage {
  readonly meter: string;
  readonly windowStart: Instant;
  readonly windowEnd: Instant;
  readonly group: GroupKey;
  readonly quantity: DecimalString;
  readonly eventCount: number;
  readonly digest: Digest;
}
