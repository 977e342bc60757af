import type { InvoiceType } from '../invoicing/invoice.js';
import type { RoundingMode } from '../rating/price-book.js';
import type { DecimalString, LocalDate } from '../values.js';

/** How a line is taxed. Reduced, zero and reverse charge are those of EN 16931 (S, S, Z, E, AE). */
export const taxCategories = ['standard', 'reduced', 'zero', 'exempt', 'reverse_charge'] as const;
export type TaxCategory = (typeof taxCategories)[number];

/** What a customer's facts say: how they are taxed, and of what is exempt why. */
export interface TaxTreatment {
  readonly treatment: TaxCategory;
  /** Printed on documents and e-invoices. */
  readonly exemptionReason: string | null;
}

export const defaultTaxTreatment: TaxTreatment = { treatment: 'standard', exemptionReason: null };

/** What a line is taxed with in one jurisdiction; a line may have several. */
export interface TaxRule {
  /** ISO 3166-1 country code, or a provider's own name of a smaller one. */
  readonly jurisdiction: string;
  readonly category: TaxCategory;
  /** Percent: 19 is 19 %. */
  readonly rate: DecimalString;
  /** Of what is not taxed: a code (VATEX), and a sentence. */
  readonly reasonCode: string | null;
  readonly reason: string | null;
}

/** A tax of a document: its lines of one jurisdiction, category and rate together. */
export interface TaxLine extends TaxRule {
  readonly taxLineNumber: number;
  readonly taxableAmount: DecimalString;
  readonly amount: DecimalString;
}

/** How the amounts of a document's tax lines come about. */
export interface TaxTerms {
  readonly provider: string;
  /** The last day of the period: it decides which rates hold (RULES 56). */
  readonly date: LocalDate;
  /** Rounded once for all lines of a tax, or at each. */
  readonly per: 'document' | 'line';
  readonly rounding: RoundingMode;
}

export interface DocumentTax {
  readonly terms: TaxTerms;
  readonly lines: readonly TaxLine[];
}

export interface TaxParty {
  /** ISO 3166-1 alpha-2; null: nobody said. */
  readonly country: string | null;
  readonly taxId: string | null;
}

export interface TaxQuestion {
  readonly documentId: string;
  readonly customerId: string;
  readonly currency: string;
  readonly date: LocalDate;
  readonly seller: TaxParty;
  readonly buyer: TaxParty;
  readonly treatment: TaxTreatment;
  readonly lines: readonly { readonly lineKey: string; readonly chargeCode: string; readonly amount: DecimalString }[];
}

export interface TaxQuote {
  readonly terms: Omit<TaxTerms, 'date'>;
  /** Of every line of the question, by line key. */
  readonly rules: ReadonlyMap<string, readonly TaxRule[]>;
}

/** A document as a provider hears of it once it is issued. */
export interface TaxedDocument {
  readonly documentId: string;
  readonly number: string;
  readonly type: InvoiceType;
  /** Of a correction or credit note: what it corrects. */
  readonly correctsDocumentId: string | null;
  readonly customerId: string;
  readonly currency: string;
  readonly taxes: DocumentTax;
}

/**
 * Who says which tax a document bears, and wants to hear of what was issued. Every call may be repeated: a document is known by
 * its id, and what was said of it before is said again. `quote` is asked inside the gate and must bound its own time.
 */
export interface TaxProvider {
  readonly name: string;
  /** Whether issued and voided documents are reported to it. */
  readonly reports: boolean;
  /** null: nothing is taxed. @throws TaxUnavailable */
  quote(question: TaxQuestion): Promise<TaxQuote | null>;
  /** An issued invoice, or a correction that adds. @returns the provider's reference */
  commit(document: TaxedDocument): Promise<string>;
  /** An issued document that takes back. @returns the provider's reference */
  credit(document: TaxedDocument): Promise<string>;
  /** A document that was voided after it was reported. @returns the provider's reference */
  void(document: TaxedDocument): Promise<string>;
}

/** Nobody can say now what the tax is: the document is held, and nothing is lost. */
export class TaxUnavailable extends Error {
  override readonly name = 'TaxUnavailable';
  constructor(
    /** What is missing is said by a person; an outage passes. */
    readonly code: 'TAX_UNAVAILABLE' | 'TAX_DATA_MISSING' | 'TAX_RATE_MISSING',
    readonly detail: string,
  ) {
    super(`${code}: ${detail}`);
  }
}

const nothing = (): Promise<string> => Promise.resolve('');

/** Nothing is taxed, and nobody hears of it. */
export const noTaxProvider: TaxProvider = {
  name: 'none',
  reports: false,
  quote: () => Promise.resolve(null),
  commit: nothing,
  credit: nothing,
  void: nothing,
};
