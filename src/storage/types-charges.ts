/** Charges as they are read back: what they were rated on, and where the level that they began with comes from and goes to. */
import type { InvoiceLineItem } from '../domain/invoicing/invoice.js';
import type { RatedCharge } from '../domain/rating/rating.js';
import type { DecimalString, Digest, GroupKey, Instant, Interval, LocalDate, Position } from '../domain/values.js';
import type { Page, PageRequest } from './types-paging.js';
import type { ChargeStanding } from './types-price-lookup.js';
import type { StoredEvent } from './types.js';

export interface StoredCharge extends RatedCharge {
  readonly chargeId: string;
  readonly revision: number;
  readonly supersedesChargeId: string | null;
  readonly customerId: string;
  readonly period: LocalDate;
  readonly cutoff: Position;
  /** The stretch of the period this charge's price version covers. */
  readonly segment: Interval;
}

/** An event that a charge was rated on, as it was at the charge's cutoff. */
export interface ChargeEvent extends StoredEvent {
  /** How many events it stands for to the charge's meter; null: that meter does not count events. */
  readonly standsFor: DecimalString | null;
  /** What the charge's meter reads of it: a decimal, or of `unique_count` the text that is told apart. */
  readonly value: string | null;
}

/** The level that a charge of a `weighted_sum` begins its period with (RULES 3, 70), as it was at the charge's cutoff. */
export interface OpeningLevel {
  /** The period's start. */
  readonly at: Instant;
  readonly level: DecimalString;
  /** Of the events before the period that changed it. */
  readonly eventCount: number;
  readonly digest: Digest;
}

/** What of a level one looks for in later periods. */
export interface CarriedChange {
  readonly customerId: string;
  /** Code of the meter. */
  readonly meter: string;
  readonly eventTime: Instant;
  /** Of what the event counts as: earlier cutoffs do not know it. */
  readonly position: Position;
  /** What the event has of every property by which some version of the meter groups. */
  readonly dimensions: GroupKey;
}

/** A charge of a later period whose opening level holds the change, with the line of the first document that billed it so. */
export interface CarriedCharge {
  readonly period: LocalDate;
  readonly chargeId: string;
  readonly invoiceId: string;
  readonly number: string;
  readonly lineItemId: string;
}

export interface ChargeReads {
  findCharge(chargeId: string): Promise<StoredCharge | null>;
  standingOf(chargeId: string): Promise<ChargeStanding | null>;
  /** The source events of a charge at its cutoff, in order of event time, then source and event_id. */
  chargeEvents(chargeId: string, page: PageRequest): Promise<Page<ChargeEvent>>;
  /** Of `min`, `max` and `latest` the event whose value is the quantity; null of other charges, and without events. */
  decidingEvent(chargeId: string): Promise<ChargeEvent | null>;
  /** null: the charge is not of a level, or nothing is left of it. */
  openingLevel(chargeId: string): Promise<OpeningLevel | null>;
  /** The events that made its opening level, at its cutoff, ordered as `chargeEvents`. Empty where there is no such level. */
  openingEvents(chargeId: string, page: PageRequest): Promise<Page<ChargeEvent>>;
  /** Where the change of a level was carried to: one charge a later period that is invoiced, oldest first. */
  carriedTo(
    change: CarriedChange,
    limit: number,
  ): Promise<{ readonly count: number; readonly first: readonly CarriedCharge[] }>;
  /** The lines that bill any of these charges. */
  linesOfCharge(chargeId: string): Promise<readonly (InvoiceLineItem & { invoiceId: string })[]>;
}
