/** What becomes of documents outside: what a tax provider was told, and the bytes they were given out as. Part of types.ts. */
import type { Invoice } from '../domain/invoicing/invoice.js';
import type { Instant } from '../domain/values.js';
import type { StoredCreditNote } from './types-settlement.js';

export interface TaxReport {
  readonly invoiceId: string;
  readonly action: 'commit' | 'credit' | 'void';
  readonly provider: string;
  /** The provider's own name of what it was told. */
  readonly reference: string;
}

/** Of a credit note by hand. */
export interface NoteTaxReport extends Pick<TaxReport, 'provider' | 'reference'> {
  readonly creditNoteId: string;
  readonly action: 'credit' | 'void';
}

/** Where a document stands among those of its kind. */
export interface DocumentPlace {
  readonly issuedAt: Instant;
  readonly id: string;
}

interface UnreportedPage {
  /** null: from the first one on. */
  readonly after: DocumentPlace | null;
  readonly limit: number;
}

export interface Rendering {
  readonly invoiceId: string;
  readonly format: 'pdf' | 'factur-x';
  /** Marked as void. */
  readonly marked: boolean;
  /** The program's layout, and what else decides bytes. */
  readonly renderer: string;
  readonly sha256: string;
  readonly byteLength: number;
}

export interface DocumentStore {
  /** The first one stands. */
  storeTaxReport(report: TaxReport): Promise<void>;
  /** Documents taxed by this provider that it was not told of yet, the oldest first; of a void one that it knows, of the void. */
  unreportedTax(
    provider: string,
    page: UnreportedPage,
  ): Promise<readonly { readonly invoice: Invoice; readonly isVoid: boolean }[]>;
  /** The first one stands. */
  storeNoteTaxReport(report: NoteTaxReport): Promise<void>;
  /** Credit notes by hand, as `unreportedTax`: of invoices that this provider has taxed and knows. */
  unreportedNotes(provider: string, page: UnreportedPage): Promise<readonly StoredCreditNote[]>;
  /** Keeps the first rendering of its kind and answers it; a later one is not stored. */
  keepRendering(rendering: Rendering): Promise<Rendering>;
  renderings(invoiceId: string): Promise<readonly (Rendering & { readonly renderedAt: Instant })[]>;
}
