import type { DecimalString, Instant, LocalDate } from '../values.js';

export const roundingModes = ['half_even', 'half_up', 'half_down', 'up', 'down'] as const;
export type RoundingMode = (typeof roundingModes)[number];

/** `upTo` is the inclusive upper bound, null on the last tier (RULES 11). */
export interface Tier {
  readonly upTo: DecimalString | null;
  readonly unitPrice: DecimalString;
  readonly flatFee: DecimalString;
}

interface PriceBase {
  readonly meter: string;
  /** The pricing group: a subset of the meter's `groupBy`; null means all of it (RULES 17). */
  readonly priceBy: readonly string[] | null;
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
export type Price = FlatPrice | TieredPrice | VolumePrice;

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
  /** Of two versions with the same effectiveFrom the one with the greater order holds (RULES 21). */
  readonly learnedOrder: number;
}
