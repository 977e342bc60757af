import type { DecimalString, Instant, LocalDate } from '../values.js';
import type { PriceItem } from './price-item.js';

export const roundingModes = ['half_even', 'half_up', 'half_down', 'up', 'down'] as const;
export type RoundingMode = (typeof roundingModes)[number];

/** `upTo` is the inclusive upper bound, null on the last tier (RULES 11). `unitPrice` is a rate where amounts are priced. */
export interface Tier {
  readonly upTo: DecimalString | null;
  readonly unitPrice: DecimalString;
  readonly flatFee: DecimalString;
}

/** Which groups of the meter a price is for: each property has this value (null: the event does not have it). {}: all. */
export type Match = Readonly<Record<string, string | null>>;

/** What surrounds the model of a price, in the order of RULES 16; null: the price does not say. */
export interface LineTerms {
  /** Free units, the earliest of the period (RULES 15). */
  readonly included: DecimalString | null;
  readonly discountPercent: DecimalString | null;
  readonly maximum: DecimalString | null;
  /** Due in every period in which the price is in force, used or not (RULES 15). */
  readonly minimum: DecimalString | null;
}

interface PriceBase extends LineTerms {
  readonly meter: string;
  readonly match: Match;
  /** The pricing group: a subset of the meter's `groupBy`; null means all of it (RULES 17). */
  readonly priceBy: readonly string[] | null;
  /** Left out: it is called by its meter. */
  readonly item?: PriceItem;
}
export interface FlatPrice extends PriceBase {
  readonly model: 'flat';
  readonly unitPrice: DecimalString;
}
export interface TieredPrice extends PriceBase {
  readonly model: 'tiered';
  readonly tiers: readonly Tier[];
  readonly chargeWhenZero: boolean;
}
export interface VolumePrice extends PriceBase {
  readonly model: 'volume';
  readonly tiers: readonly Tier[];
  readonly chargeWhenZero: boolean;
}
/** Every started package (RULES 13). */
export interface PackagePrice extends PriceBase {
  readonly model: 'package';
  readonly packageSize: DecimalString;
  readonly packagePrice: DecimalString;
}
/** A share of each event's value (RULES 14). */
export interface PercentagePrice extends PriceBase {
  readonly model: 'percentage';
  /** 0.013 is 1.3 %. */
  readonly rate: DecimalString;
  readonly fixedFee: DecimalString | null;
  readonly freeEvents: number | null;
  readonly freeAmount: DecimalString | null;
  readonly perEventMinimum: DecimalString | null;
  readonly perEventMaximum: DecimalString | null;
}
/** Tiers of the period's amount with a rate each. */
export interface GraduatedPercentagePrice extends PriceBase {
  readonly model: 'graduated_percentage';
  readonly tiers: readonly Tier[];
  readonly chargeWhenZero: boolean;
}
/** Of what a meter counts. */
export type Price = FlatPrice | TieredPrice | VolumePrice | PackagePrice | PercentagePrice | GraduatedPercentagePrice;

/** A fee that no usage makes: due while an assignment of its price book is in force (RULES 18). */
export interface FixedFee {
  readonly model: 'fixed';
  readonly name: string;
  readonly amount: DecimalString;
  /** In advance: for the period after the invoice's. */
  readonly billed: 'in_advance' | 'in_arrears';
  /** By elapsed time in force; otherwise it is due whole. */
  readonly prorate: boolean;
  /** Times the quantity of this meter in the invoice's period; null: once. */
  readonly quantityMeter: string | null;
  /** Left out: it is called by its name. */
  readonly item?: PriceItem;
}

/** An immutable version of a price book. */
export interface PriceBookVersion {
  readonly priceBookId: string;
  readonly code: string;
  readonly version: string;
  readonly currency: string;
  /** An instant on a full hour of UTC, or a local date: midnight in each customer's zone (RULES 19). */
  readonly effectiveFrom: Instant | LocalDate;
  readonly effectiveUntil: Instant | null;
  readonly rounding: RoundingMode;
  readonly prices: readonly Price[];
  readonly fees: readonly FixedFee[];
  /** What an invoice comes to at least, where this version is in force at its period's end (RULES 15). */
  readonly minimumCommitment: DecimalString | null;
  /** Of two versions with the same effectiveFrom the one with the greater order holds (RULES 21). */
  readonly learnedOrder: number;
  /** A candidate: it holds for nobody but whom a stage of its rollout includes (RULES 41). */
  readonly isCandidate?: true;
}
