/** Looking up prices, and what was rated while they could not be looked up. Part of types.ts. */
import type { PinnedVersions } from '../domain/invoicing/invoice.js';
import type { Meter } from '../domain/metering/meter.js';
import type { PriceBookVersion } from '../domain/rating/price-book.js';
import type { Instant, LocalDate } from '../domain/values.js';
import type { Customer, PriceBookAssignment } from './types-reference.js';

/** Everything that decides the prices of a customer. */
export interface KnownPrices {
  readonly customer: Customer;
  /** In the order in which they were learned. */
  readonly assignments: readonly PriceBookAssignment[];
  /** All versions of all meters, by code and version. */
  readonly meterVersions: readonly Meter[];
  /** All versions of every book that was ever assigned. */
  readonly versions: readonly PriceBookVersion[];
  /** Versions of the customer's own prices. */
  readonly overrides: readonly PriceBookVersion[];
}

/**
 * `hit`: nothing was learned since, and what is remembered holds; `miss`: read anew; `fallback`: what was last known was
 * taken, because it could not be found out; `failure`: it could not be found out.
 */
export type PriceLookupResult = 'hit' | 'miss' | 'fallback' | 'failure';

export interface PriceLookup {
  /**
   * What is known now, and never anything older: remembered prices are taken only after the database said that nothing has
   * been learned since. null: there is no such customer.
   * @param maxWaitMs of that question; by default as long as any statement
   * @throws StorageUnavailable
   */
  pricesOf(customerId: string, maxWaitMs?: number): Promise<KnownPrices | null>;
  /** What was known at an instant of the past, from memory: without any question. null: nothing is remembered. */
  lastKnownPrices(
    customerId: string,
  ): { readonly prices: KnownPrices; readonly asOf: Instant; readonly ageMs: number } | null;
  /** Told of every lookup from now on. */
  onLookup(listener: (result: PriceLookupResult) => void): void;
  /** Somebody rates on `lastKnownPrices`. */
  noteFallback(): void;
}

/** A provisional rating with prices that were known some time before it. */
export interface NewPriceFallback {
  readonly pricesAsOf: Instant;
  readonly pinnedVersions: PinnedVersions;
  readonly currency: string;
  readonly chargeIds: readonly string[];
}

export interface PriceFallback extends NewPriceFallback {
  readonly fallbackId: string;
  readonly customerId: string;
  readonly period: LocalDate;
}

export interface PriceFallbackStore {
  /** Those that nobody has rated again, the oldest first. */
  unchecked(
    of: { readonly customerId?: string; readonly period?: LocalDate },
    limit: number,
  ): Promise<readonly PriceFallback[]>;
  /** The first check stands. */
  recordCheck(fallbackId: string, differed: boolean): Promise<void>;
}

/** Whether a charge still says what is owed. */
export interface ChargeStanding {
  /** No rating that was settled (by a document, or by finding that none is needed) stands on it. */
  readonly provisional: boolean;
  /** The charges that its line stands on now; itself alone where it is current, none where the line fell away. */
  readonly currentChargeIds: readonly string[];
  /** It was rated on prices of then, and has not been found to be right since; null: on current ones. */
  readonly pricesAsOf: Instant | null;
}
