/** Journal entries as rows and back. */
import type { JournalEntry, Posting } from '../domain/ledger/journal.js';
import type { DecimalString, Instant, LocalDate } from '../domain/values.js';
import { uuidOf } from './identifiers.js';
import type { StoredEntry } from './types.js';

interface EntryRow {
  readonly entry_id: string;
  readonly customer_id: string;
  readonly source_document: string;
  readonly invoice_id: string | null;
  readonly posting_date: LocalDate;
  readonly service_from: Instant;
  readonly service_to: Instant;
  readonly description: string;
}

export interface PostingRow {
  readonly posting_id: string;
  readonly entry_id: string;
  readonly posting_number: number;
  readonly account: Posting['account'];
  readonly line_item_id: string | null;
  readonly currency: string;
  readonly amount: DecimalString;
  readonly product: string | null;
  readonly invoice_id: string | null;
}

export interface EntryRows {
  readonly entry: EntryRow;
  readonly postings: readonly PostingRow[];
}

/** The document is the entry's identity: posting it again would be the same row. */
export function entryToDb(entry: JournalEntry): EntryRows {
  const entryId = uuidOf('journal-entry', entry.sourceDocument);
  return {
    entry: {
      entry_id: entryId,
      customer_id: entry.customerId,
      source_document: entry.sourceDocument,
      invoice_id: entry.invoiceId,
      posting_date: entry.postingDate,
      service_from: entry.serviceFrom,
      service_to: entry.serviceTo,
      description: entry.description,
    },
    postings: entry.postings.map((posting, i) => ({
      posting_id: uuidOf('posting', entry.sourceDocument, i + 1),
      entry_id: entryId,
      posting_number: i + 1,
      account: posting.account,
      line_item_id: posting.lineItemId,
      currency: posting.currency,
      amount: posting.amount,
      product: posting.product ?? null,
      invoice_id: posting.invoiceId ?? entry.invoiceId,
    })),
  };
}

export interface StoredEntryRow extends EntryRow {
  readonly entry_order: string;
  readonly created_at: Instant;
}

/** @param postings of this entry, by number. */
export function entryFromDb(row: StoredEntryRow, postings: readonly PostingRow[]): StoredEntry {
  return {
    entryId: row.entry_id,
    entryOrder: row.entry_order,
    sourceDocument: row.source_document,
    customerId: row.customer_id,
    invoiceId: row.invoice_id,
    postingDate: row.posting_date,
    serviceFrom: row.service_from,
    serviceTo: row.service_to,
    description: row.description,
    createdAt: row.created_at,
    postings: postings.map(
      ({ account, line_item_id: lineItemId, currency, amount, product, invoice_id: invoiceId }) => ({
        account,
        lineItemId,
        currency,
        amount,
        product,
        // Postings of before it was stored are their entry's.
        invoiceId: invoiceId ?? row.invoice_id,
      }),
    ),
  };
}
