import type { DecimalString, GroupKey, Instant, LocalDate, Position } from '../values.js';
import type { CreditDraw } from '../credits/grant.js';
import type { Calculation } from '../rating/rating.js';
import type { AppliedRate } from '../money/conversion.js';
import type { DocumentTax } from '../tax/tax.js';
import type { LineItemFacts } from './line-item.js';
import type { Presentation } from './presentation.js';

export type InvoiceType = 'invoice' | 'correction' | 'credit_note';
export type InvoiceStatus = 'draft' | 'held' | 'issued' | 'partly_paid' | 'paid' | 'overdue' | 'void';

export interface Party {
  readonly name: string;
  readonly address?: string;
  readonly tax_id?: string;
  readonly email?: string;
  /** The parts that an e-invoice needs; `address` is what is printed. */
  readonly street?: string;
  readonly city?: string;
  readonly postal_code?: string;
  readonly region?: string;
  /** ISO 3166-1 alpha-2. */
  readonly country_code?: string;
  /** VAT identifier, with its country prefix. */
  readonly vat_id?: string;
  /** What the buyer wants to read on it (BT-10). */
  readonly reference?: string;
  /** Where a seller is paid. */
  readonly iban?: string;
}

/** A stretch of the period and the price book version that was in force in it; null: none was. */
export interface PinnedSegment {
  readonly from: Instant;
  readonly to: Instant;
  readonly price_book_id: string | null;
}

/** The versions an issued invoice used; corrections for late usage use the same ones (DESIGN 4, pins). */
export interface PinnedVersions {
  readonly customer_version_id: string;
  readonly meter_ids: readonly string[];
  /** In order of time; they tile the period. */
  readonly price_segments: readonly PinnedSegment[];
  /** Where versions of meters begin on local dates about the period: when these began there, by the rules of that time. */
  readonly local_dates?: Readonly<Record<string, Instant>>;
  /**
   * The period lies before `billing_from`: nothing is due in it by itself unless something was used in it (RULES 18). `true` was
   * pinned before usage decided: nothing is, whatever was used (ADR-029).
   */
  readonly opening?: 'unless_used' | true;
  /** Where a fee was billed in advance: the period that it was billed for. */
  readonly next_period?: {
    readonly from: Instant;
    readonly to: Instant;
    readonly price_segments: readonly PinnedSegment[];
  };
  /** By meter code: where an override, or a re-rating limited to some meters, has moved their prices and nobody else's. */
  readonly meter_price_segments?: Readonly<Record<string, readonly PinnedSegment[]>>;
  /** Where prices are in another currency: what the period's amounts are converted at, in all of its documents (RULES 39). */
  readonly exchange_rates?: readonly AppliedRate[];
}

export interface InvoiceLineItem {
  readonly lineItemId: string;
  readonly lineNumber: number;
  readonly lineKey: string;
  readonly description: string;
  readonly meter: string | null;
  readonly group: GroupKey;
  readonly serviceFrom: Instant;
  readonly serviceTo: Instant;
  readonly quantity: DecimalString | null;
  readonly amount: DecimalString;
  readonly currency: string;
  readonly originalAmount: DecimalString | null;
  readonly correctedAmount: DecimalString | null;
  readonly reason: string | null;
  readonly correctsLineItemId: string | null;
  readonly chargeIds: readonly string[];
  readonly calculation: LineCalculation;
  /** Of documents of schema 2; left out: 1. */
  readonly item?: LineItemFacts;
}

/** What a line says of its own amount; one entry in `charges` a price book version. */
export interface LineCalculation {
  readonly formula: string;
  /** How many events the quantity was taken from; documents that were issued before this was shown do not say. */
  readonly event_count?: number;
  readonly charges: readonly Calculation[];
}

export interface Invoice {
  readonly invoiceId: string;
  readonly number: string;
  readonly type: InvoiceType;
  readonly customerId: string;
  readonly period: LocalDate;
  readonly periodStart: Instant;
  readonly periodEnd: Instant;
  readonly timeZone: string;
  readonly chainPlace: number;
  readonly correctsInvoiceId: string | null;
  readonly replacesInvoiceId: string | null;
  readonly currency: string;
  readonly status: InvoiceStatus;
  readonly subtotal: DecimalString;
  /** What the draws come to: positive drawn, negative restored. */
  readonly credits: DecimalString;
  /** In the order in which they were taken. */
  readonly creditDraws: readonly CreditDraw[];
  readonly tax: DecimalString;
  readonly total: DecimalString;
  readonly seller: Party;
  readonly buyer: Party;
  readonly paymentTerms: string;
  readonly cutoffPosition: Position;
  readonly pinnedVersions: PinnedVersions;
  readonly documentHash: string;
  readonly issuedAt: Instant;
  readonly dueAt: Instant;
  /** Left out: 1, which has no `item` on its lines, no tax lines and the default presentation. */
  readonly schemaVersion?: number;
  /** Left out: nothing was taxed. */
  readonly taxes?: DocumentTax;
  /** How it is shown; not part of its hash. */
  readonly presentation?: Presentation;
  readonly lines: readonly InvoiceLineItem[];
  /** Who issued it, of whose series its number is; absent: the default one, the seller of the configuration. */
  readonly legalEntity?: string;
}
