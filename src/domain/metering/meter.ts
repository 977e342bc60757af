import { DomainFailure } from '../failure.js';
import type { DecimalString, Digest, GroupKey, Instant, LocalDate } from '../values.js';

export const aggregations = ['count', 'sum', 'min', 'max', 'latest', 'unique_count', 'weighted_sum'] as const;
export type Aggregation = (typeof aggregations)[number];

export const windowSizes = ['hour', 'day', 'month'] as const;
export type WindowSize = (typeof windowSizes)[number];

/** Groups of a meter, customer and period beyond which the invoice is held (RULES 30), where the meter does not say. */
export const maxGroupsDefault = 1_000;

/** What is counted, and how. A meter version never changes once it is known. */
export interface Meter {
  readonly meterId: string;
  readonly code: string;
  readonly version: number;
  readonly eventType: string;
  readonly aggregation: Aggregation;
  /**
   * The metadata property that is read: the value, for `unique_count` what must differ, for `count` how many an event
   * stands for (`count_property` of the contract; null: every event is one).
   */
  readonly valueProperty: string | null;
  readonly groupBy: readonly string[];
  /** Property to allowed texts; an event that lacks the property or has another text is not metered. */
  readonly filters: Readonly<Record<string, readonly string[]>>;
  readonly windowSize: WindowSize;
  /** ISO 8601 duration, default PT1H. */
  readonly allowedLateness: string;
  readonly allowNegative: boolean;
  /** More groups than this in a period hold its invoice (RULES 30). */
  readonly maxGroups: number;
  /** From when on this version holds: a full hour of UTC, or a local date; null: since always. */
  readonly effectiveFrom: Instant | LocalDate | null;
}

/**
 * Whether windows add up to the usage of the period. What does not add up is computed from the events of the period, has a
 * row of its own for it, and is priced by the version at the period's end (RULES 1, 3, 20).
 */
export function addsUp({ aggregation }: Pick<Meter, 'aggregation'>): boolean {
  return aggregation === 'count' || aggregation === 'sum';
}

/**
 * The property that a meter reads, from what its definition says.
 * @throws DomainFailure VALIDATION_FAILED
 */
export function readPropertyOf(
  aggregation: Aggregation,
  { valueProperty, countProperty }: { readonly valueProperty: string | null; readonly countProperty: string | null },
): string | null {
  if (aggregation === 'count') {
    if (valueProperty === null) return countProperty;
    const detail =
      'A "count" meter counts events and takes no "value_property"; "count_property" names how many an event stands for.';
    throw new DomainFailure('VALIDATION_FAILED', detail, '/value_property');
  }
  if (countProperty !== null) {
    const detail = `Only a "count" meter takes a "count_property"; "${aggregation}" reads its "value_property".`;
    throw new DomainFailure('VALIDATION_FAILED', detail, '/count_property');
  }
  if (valueProperty !== null) return valueProperty;
  const detail = `A "${aggregation}" meter needs a "value_property": the metadata property with the value.`;
  throw new DomainFailure('VALIDATION_FAILED', detail, '/value_property');
}

/**
 * Usage of one meter and group in one window (an hour of UTC, or its part where a period or local day cuts it). Of a
 * `weighted_sum` the quantity of such a window is what its events change the level by: that adds up.
 */
export interface WindowUsage {
  readonly meter: string;
  readonly windowStart: Instant;
  readonly windowEnd: Instant;
  readonly group: GroupKey;
  readonly quantity: DecimalString;
  readonly eventCount: number;
  readonly digest: Digest;
}

/** A meter that does not add up, and the properties by which its events are pooled for pricing (RULES 17). */
export interface MeterPool<M extends Meter = Meter> {
  readonly meter: M;
  /** A subset of the meter's `groupBy`. */
  readonly by: readonly string[];
}

/** Usage of a meter that does not add up over a whole period, by the groups of one pooling. */
export interface PeriodUsage {
  readonly meter: string;
  /** The properties of the pooling, and nothing else. */
  readonly group: GroupKey;
  readonly quantity: DecimalString;
  /** Of the period: a level that is only carried has none. */
  readonly eventCount: number;
  readonly digest: Digest;
  /** `weighted_sum`: the level that the next period begins with; null for the others. */
  readonly closingLevel: DecimalString | null;
}
