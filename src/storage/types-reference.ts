/** Reference facts: customers, meters, price books, assignments. Part of types.ts. */
import type { Presentation } from '../domain/invoicing/presentation.js';
import type { Meter } from '../domain/metering/meter.js';
import type { ExchangeRate, QuotedPair } from '../domain/money/conversion.js';
import type { PriceBookVersion } from '../domain/rating/price-book.js';
import type { TaxTreatment } from '../domain/tax/tax.js';
import type { DecimalString, Instant, Interval, LocalDate } from '../domain/values.js';
import type { Page, PageRequest } from './types-paging.js';

/** How prices in another currency come onto a customer's invoices (RULES 39). */
export interface CurrencyConversion {
  /** Whose exchange rates. */
  readonly source: string;
  /** How old a rate may be on a period's last day. */
  readonly maxAgeDays: number;
}

export type InvoiceApproval = 'none' | 'required';

export interface CustomerFacts {
  readonly name: string;
  readonly currency: string;
  readonly timeZone: string;
  readonly billingAnchorDay: number;
  readonly billingFrom: LocalDate;
  readonly priceBook: string;
  readonly invoiceDelay: string;
  readonly lateUsageQuietTime: string;
  readonly skipEmptyInvoices: boolean;
  /** How long an invoice stays a draft once its period is ready (ISO 8601); by default not at all. */
  readonly gracePeriod?: string;
  /** Whether a person approves each invoice; by default nobody does. */
  readonly invoiceApproval?: InvoiceApproval;
  readonly approvalThreshold: DecimalString | null;
  /** null: prices in another currency are refused. */
  readonly currencyConversion: CurrencyConversion | null;
  readonly tags: Readonly<Record<string, string>>;
  readonly buyer: Readonly<Record<string, string>>;
  /** Who issues the documents of chains that begin from now on; absent: the default one, the seller of the configuration. */
  readonly legalEntity?: string;
  /** How documents are shown; left out: in groups, as in English. */
  readonly presentation?: Presentation;
  /** Left out: the standard rate. */
  readonly tax?: TaxTreatment;
}

/** A version of a customer's facts. */
export interface Customer extends CustomerFacts {
  readonly customerId: string;
  readonly customerVersionId: string;
  readonly version: number;
  /** From this instant on zone and anchor hold; null: since always. */
  readonly calendarFrom: Instant | null;
  readonly learnedAt: Instant;
}

export interface PriceBookAssignment {
  readonly priceBook: string;
  readonly effectiveFrom: Instant | null;
  /** null: until another assignment begins. */
  readonly effectiveUntil: Instant | null;
  readonly learnedOrder: number;
  readonly decidedBy: string;
  readonly learnedAt: Instant;
}

export interface StoredExchangeRate extends ExchangeRate {
  readonly importedBy: string;
  readonly learnedAt: Instant;
}

/** What came of an import: rates that were new, that replaced another one, and that were known already. */
export interface ImportedRates {
  readonly added: number;
  readonly changed: number;
  readonly unchanged: number;
}

export interface ExchangeRateFilter {
  readonly source?: string | undefined;
  readonly base?: string | undefined;
  readonly quote?: string | undefined;
  /** Of each source and pair the one published last on or before that day. */
  readonly on?: LocalDate | undefined;
}

/** With the version that it corrects, and the one that corrects it. */
export interface ListedPriceBook {
  readonly priceBook: PriceBookVersion;
  readonly supersedes: string | null;
  readonly supersededBy: string | null;
}

export interface PriceBookCorrection {
  readonly supersedesId: string;
  readonly correctedBy: string;
}

export interface OverrideDecision {
  readonly reason: string;
  readonly decidedBy: string;
}

/** A version of the prices that hold for one customer beside the assigned price book. */
export interface PriceOverride extends OverrideDecision {
  readonly customerId: string;
  /** Of the customer's own price book (`overrideCode`). */
  readonly priceBook: PriceBookVersion;
  readonly decidedAt: Instant;
}

export interface BillingPeriod extends Interval {
  readonly customerId: string;
  readonly period: LocalDate;
  readonly customerVersionId: string;
  readonly timeZone: string;
  readonly cuts: readonly Instant[];
}

/** Both days belong to it. */
export interface RateDays {
  readonly from: LocalDate;
  readonly to: LocalDate;
}

/**
 * Rejects for a meter that may not be created. Answers the schema of its event type that it was held against: the latest version,
 * 0 where there is none; asked again when that is another one by the time the meter is stored. null: against none.
 */
export type RequireNewMeter = () => Promise<number | null>;

export interface ReferenceStore {
  /**
   * Appends a version when anything differs from the latest. `calendarFrom` is computed by the caller; where a period that
   * was stored meanwhile reaches beyond it, the boundary after that period is stored instead (RULES 22).
   */
  putCustomer(
    customerId: string,
    facts: CustomerFacts,
    calendarFrom: Instant | null,
  ): Promise<{ customer: Customer; created: boolean }>;
  /**
   * Appends an assignment, unless the one learned last says the same.
   * @throws DomainFailure UNKNOWN_CUSTOMER
   */
  assignPriceBook(
    customerId: string,
    priceBook: string,
    effectiveFrom: Instant | null,
    decided: { readonly effectiveUntil: Instant | null; readonly decidedBy: string },
  ): Promise<void>;
  findCustomer(customerId: string): Promise<Customer | null>;
  /** All versions, oldest first: the calendar needs every zone and anchor the customer ever had. */
  customerVersions(customerId: string): Promise<readonly Customer[]>;
  assignments(customerId: string): Promise<readonly PriceBookAssignment[]>;
  /** Which of these customers exist. Customers are never deleted, so a positive answer may be kept for ever. */
  knownCustomers(customerIds: readonly string[]): Promise<ReadonlySet<string>>;
  listCustomers(page: PageRequest): Promise<Page<Customer>>;

  /**
   * With `effectiveFrom` the next version of the code; without it the first. Not created: the version that begins then says
   * the same. Throws METER_IMMUTABLE for another definition without `effectiveFrom`, VALIDATION_FAILED for another aggregation,
   * INCOMPATIBLE_METER_VERSION for a version that could not read what the meter has counted (RULES 62).
   * @param requireNew not asked about what exists
   */
  createMeter(
    meter: Omit<Meter, 'meterId' | 'version'>,
    requireNew?: RequireNewMeter,
  ): Promise<{ meter: Meter; created: boolean }>;
  /** Of each code the version learned last. */
  meters(): Promise<readonly Meter[]>;
  /** All versions, by code and version. */
  meterVersions(): Promise<readonly Meter[]>;

  /**
   * @param correction the version that it supersedes; left out: none
   * @throws DomainFailure PRICE_BOOK_VERSION_IMMUTABLE when the version exists with other content, or supersedes another;
   *   PRICE_BOOK_VERSION_SUPERSEDED when another version supersedes the same one
   */
  createPriceBook(
    version: Omit<PriceBookVersion, 'priceBookId' | 'learnedOrder'>,
    correction?: PriceBookCorrection | null,
  ): Promise<{ priceBook: PriceBookVersion; created: boolean }>;
  priceBookVersions(code: string): Promise<readonly PriceBookVersion[]>;
  /** Versions of all price books but customers' own, in the order of learning. */
  listPriceBooks(filter: { readonly code?: string | undefined }, page: PageRequest): Promise<Page<ListedPriceBook>>;
  /** Each once, in the order of learning. */
  priceBooksById(ids: readonly string[]): Promise<readonly PriceBookVersion[]>;
  /** All versions of these price books. */
  priceBookVersionIds(codes: readonly string[]): Promise<readonly string[]>;

  /**
   * Appends the next version of the customer's override; not created: the latest one says the same.
   * @throws DomainFailure UNKNOWN_CUSTOMER
   */
  putPriceOverride(
    customerId: string,
    content: Omit<PriceBookVersion, 'priceBookId' | 'learnedOrder' | 'code' | 'version'>,
    decision: OverrideDecision,
  ): Promise<{ override: PriceOverride; created: boolean }>;
  /** All versions, oldest first. */
  priceOverrides(customerId: string): Promise<readonly PriceOverride[]>;

  /**
   * Appends, all or nothing, every rate that differs from the one that holds for its source, pair and day.
   * @param rates a source, pair and day at most once
   */
  addExchangeRates(rates: readonly ExchangeRate[], importedBy: string): Promise<ImportedRates>;
  /** Those that hold, of the days from `from` to `to`, with any of the currencies on either side. */
  exchangeRates(source: string, currencies: readonly string[], days: RateDays): Promise<readonly ExchangeRate[]>;
  /** What a source quotes at all. */
  quotedPairs(source: string): Promise<readonly QuotedPair[]>;
  /** Those that hold, the newest day first, then by source and pair. */
  listExchangeRates(filter: ExchangeRateFilter, page: PageRequest): Promise<Page<StoredExchangeRate>>;
}
