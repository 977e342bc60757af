import type { Meter } from '../metering/meter.js';
import type { AppliedRate } from '../money/conversion.js';
import type { DecimalString, Digest, GroupKey, Instant, Interval, LocalDate } from '../values.js';
import type { ConversionRates } from './invoice-currency.js';
import type { PercentageTotals } from './models/percentage.js';
import type { FixedFee, Match, Price, PriceBookVersion, RoundingMode } from './price-book.js';
import type { PriceItem } from './price-item.js';

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
  /** The currency the period is invoiced in (RULES 23). Left out: that of the prices, and nothing is checked. */
  readonly currency?: string;
  /** What prices in other currencies are converted at; without its rate a price is a problem. */
  readonly rates?: ConversionRates;
  readonly meters: readonly Meter[];
  readonly segments: readonly PriceSegment[];
  readonly usage: readonly SegmentUsage[];
  /** Of meters whose usage is pooled over several of their groups: how many of these have any (RULES 30). */
  readonly meterGroups?: MeterGroups;
  /** What `EventTotals` made of the events of lines that are priced event by event. */
  readonly eventTotals?: LineEventTotals;
  /** The period after this one, as far as it is known: for fees in advance. Left out: none are due. */
  readonly next?: NextPeriod;
  /** Before the customer's first period, and there for its fees in advance alone: nothing is due in it by itself (RULES 18). */
  readonly isOpening?: boolean;
}

/** By meter code. */
export type MeterGroups = ReadonlyMap<string, number>;

/** A period with the price segments that tile it. */
export interface NextPeriod extends Interval {
  readonly segments: readonly PriceSegment[];
}

/** By line key, one entry a segment of the period. */
export type LineEventTotals = ReadonlyMap<string, readonly PercentageTotals[]>;

export interface TierCalculation {
  readonly up_to: DecimalString | null;
  readonly quantity: DecimalString;
  /** The rate, where amounts are priced. */
  readonly unit_price: DecimalString;
  readonly flat_fee?: DecimalString;
  readonly amount: DecimalString;
}

interface EventsOfKind {
  readonly events: number;
  readonly amount: DecimalString;
}

/** What only some prices need to be explained; a part that changed nothing is left out. */
export interface CalculationDetails {
  /** Units of the line that are free, and of this charge those that are not. */
  readonly included?: { readonly units: DecimalString; readonly quantity: DecimalString };
  readonly package?: { readonly size: DecimalString; readonly price: DecimalString; readonly packages: DecimalString };
  readonly percentage?: {
    readonly rate: DecimalString;
    readonly fixed_fee: DecimalString | null;
    readonly per_event_minimum: DecimalString | null;
    readonly per_event_maximum: DecimalString | null;
    /** Of the version at the period's end. */
    readonly free_events: number | null;
    readonly free_amount: DecimalString | null;
    /** Wholly free events, and all that was free of any. */
    readonly free: EventsOfKind;
    /** What pays rate and fee. */
    readonly rated: EventsOfKind;
    readonly at_minimum: EventsOfKind;
    readonly at_maximum: EventsOfKind;
    readonly negative: EventsOfKind;
  };
  /** Percent of `of` taken away. */
  readonly discount?: { readonly percent: DecimalString; readonly of: DecimalString };
  readonly fixed?: {
    readonly name: string;
    readonly amount: DecimalString;
    readonly billed: FixedFee['billed'];
    readonly quantity_meter: string | null;
    /** Of a prorated fee: time in force and length of the period that it is for. */
    readonly elapsed_seconds?: DecimalString;
    readonly period_seconds?: DecimalString;
  };
  /** All other lines of the invoice, and what they must come to. */
  readonly commitment?: {
    readonly minimum: DecimalString;
    readonly lines: DecimalString;
    /** Where the price book says `price` in another currency: `minimum` is what that is at the rate, rounded so. */
    readonly converted?: AppliedRate & { readonly price: DecimalString; readonly rounding: RoundingMode };
  };
  /** What keeps the line, which would come to `line_amount`, within its price's limit. */
  readonly limit?: {
    readonly kind: 'minimum' | 'maximum';
    readonly limit: DecimalString;
    readonly line_amount: DecimalString;
    readonly adjustment: DecimalString;
  };
  /** Everything else is in the currency of the price; `amount` is the charge's in the currency of the invoice, not rounded. */
  readonly conversion?: AppliedRate & { readonly amount: DecimalString };
}

/** The explanation of a charge (API.md), complete enough to recompute the amount. Stored as it stands. */
export interface Calculation extends CalculationDetails {
  readonly model: Price['model'] | FixedFee['model'] | 'minimum_commitment';
  /** Of a dimensional price: what its usage has in common. */
  readonly match?: Match;
  /** Usage of the line's group that matches any of these has another price, and is not part of it. */
  readonly except?: readonly Match[];
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

/** One charge: a meter and pricing group, or a fee, under one price book version (RULES 20). */
export interface RatedCharge {
  /** null: a fee or a commitment, whose `lineKey` says which. */
  readonly meter: string | null;
  readonly lineKey?: string;
  readonly group: GroupKey;
  readonly priceBookId: string;
  /** Of the price, as all of its amounts. */
  readonly currency: string;
  readonly quantity: DecimalString;
  /** Not rounded. */
  readonly amount: DecimalString;
  readonly eventCount: number;
  readonly digest: Digest;
  readonly calculation: Calculation;
}

/** One invoice line: a meter and pricing group, or a fee; its amount is the rounded sum of its charges (RULES 24). */
export interface RatedLine {
  /** The line's identity in its chain (RULES 26): meter and pricing group, or fee; separator-safe. */
  readonly lineKey: string;
  readonly meter: string | null;
  /** What the line is called, where it has no meter. */
  readonly name?: string;
  /** What the line is for, where that is not the invoice's period. */
  readonly service?: Interval;
  /** How its last price names it, where that says anything. */
  readonly item?: PriceItem;
  readonly group: GroupKey;
  /** Of the invoice. */
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
    | 'UNPRICED_METER'
    | 'NEGATIVE_TOTAL'
    | 'METER_DROPPED_FROM_PRICE_BOOK'
    | 'CURRENCY_MISMATCH'
    | 'EXCHANGE_RATE_MISSING'
    | 'TOO_MANY_GROUPS';
  readonly meter: string;
  readonly group: GroupKey;
  readonly detail: string;
}

export interface RatingResult {
  /** Sorted by meter, then group; fees last. */
  readonly lines: readonly RatedLine[];
  readonly problems: readonly RatingProblem[];
}
