import type { Meter } from '../metering/meter.js';
import type { DecimalString, Digest, GroupKey, Instant, Interval, LocalDate } from '../values.js';
import type { PriceBookVersion } from './price-book.js';

/** A stretch of the period in which one price book version is in force; the segments of a period tile it, in order. */
export interface PriceSegment extends Interval {
  /** null: no assignment or no version is in force. */
  readonly priceBook: PriceBookVersion | null;
}

/**
 * Usage of a meter and group over one segment of the period. Of a meter that does not add up: over the whole period, at its
 * last segment, by the groups it is priced by.
 */
export interface SegmentUsage {
  readonly meter: string;
  readonly group: GroupKey;
  /** Index into `RatingInput.segments`. */
  readonly segment: number;
  readonly quantity: DecimalString;
  readonly eventCount: number;
  readonly digest: Digest;
}

export interface RatingInput {
  readonly period: Interval;
  /** The currency the period is invoiced in; a price in another one is a problem (RULES 23). Left out: not checked. */
  readonly currency?: string;
  readonly meters: readonly Meter[];
  readonly segments: readonly PriceSegment[];
  readonly usage: readonly SegmentUsage[];
}

export interface TierCalculation {
  readonly up_to: DecimalString | null;
  readonly quantity: DecimalString;
  readonly unit_price: DecimalString;
  readonly flat_fee?: DecimalString;
  readonly amount: DecimalString;
}

/** The explanation of a charge (API.md), complete enough to recompute the amount. Stored as it stands. */
export interface Calculation {
  readonly model: 'flat' | 'tiered' | 'volume';
  readonly formula: string;
  readonly quantity: DecimalString;
  readonly unit_price: DecimalString | null;
  readonly tiers: readonly TierCalculation[];
  /** Units of the line before this version came into force in the period (a change of price in mid-period); "0" otherwise. */
  readonly quantity_before: DecimalString;
  /** Units of the line in the whole period, all versions together: it decides the tier of `volume`. */
  readonly period_quantity: DecimalString;
  readonly price_book: string;
  readonly price_book_version: string;
  /** As the price book says it: an instant, or a local date in the customer's zone. */
  readonly effective_date: Instant | LocalDate;
  /** The stretches of the period whose usage this charge prices. */
  readonly in_force: readonly Interval[];
}

/** One charge: a meter and pricing group under one price book version (RULES 20). */
export interface RatedCharge {
  readonly meter: string;
  readonly group: GroupKey;
  readonly priceBookId: string;
  readonly currency: string;
  readonly quantity: DecimalString;
  /** Not rounded. */
  readonly amount: DecimalString;
  readonly eventCount: number;
  readonly digest: Digest;
  readonly calculation: Calculation;
}

/** One invoice line: a meter and pricing group; its amount is the rounded sum of its charges (RULES 24). */
export interface RatedLine {
  /** The line's identity in its chain (RULES 26): meter and pricing group, separator-safe. */
  readonly lineKey: string;
  readonly meter: string;
  readonly group: GroupKey;
  readonly currency: string;
  readonly quantity: DecimalString;
  /** Rounded once, to the currency's minor unit. */
  readonly amount: DecimalString;
  readonly formula: string;
  readonly charges: readonly RatedCharge[];
}

/** Why a period cannot be invoiced as it stands; each becomes a finding that holds the invoice. */
export interface RatingProblem {
  readonly code:
    'UNPRICED_METER' | 'NEGATIVE_TOTAL' | 'METER_DROPPED_FROM_PRICE_BOOK' | 'CURRENCY_MISMATCH' | 'TOO_MANY_GROUPS';
  readonly meter: string;
  readonly group: GroupKey;
  readonly detail: string;
}

export interface RatingResult {
  /** Sorted by meter, then group. */
  readonly lines: readonly RatedLine[];
  readonly problems: readonly RatingProblem[];
}
