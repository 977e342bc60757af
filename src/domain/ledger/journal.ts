import type { DecimalString, Instant, LocalDate } from '../values.js';

/** The chart of accounts; each is a row of `ledger_accounts`. */
export const ledgerAccounts = [
  'accounts_receivable',
  'revenue',
  'deferred_revenue',
  'customer_credit',
  'promotional_credit',
  'credit_breakage',
  'tax_payable',
  'cash',
  'write_off',
  // Stays empty: whatever is posted was rounded before, and totals are sums of that (RULES 44).
  'rounding',
] as const;
export type LedgerAccount = (typeof ledgerAccounts)[number];

export interface Posting {
  readonly account: LedgerAccount;
  readonly lineItemId: string | null;
  readonly currency: string;
  /** Debit positive, credit negative. */
  readonly amount: DecimalString;
  /** What was sold, for revenue and what becomes revenue (`productOf`); null or absent: nothing in particular. */
  readonly product?: string | null;
  /** The document that it is about; absent: the entry's. */
  readonly invoiceId?: string | null;
}

/** One balanced entry; per currency its postings sum to zero. */
export interface JournalEntry {
  /** What is posted, and its identity: its kind, `/`, an id. */
  readonly sourceDocument: string;
  readonly customerId: string;
  readonly invoiceId: string | null;
  /** The accounting day. Where its month is closed, storage posts on the first day of the first open one (RULES 46). */
  readonly postingDate: LocalDate;
  readonly serviceFrom: Instant;
  readonly serviceTo: Instant;
  readonly description: string;
  readonly postings: readonly Posting[];
}

/** `invoice`, `void`, `recognition`, …: the first part of the source document. */
export function kindOf({ sourceDocument }: Pick<JournalEntry, 'sourceDocument'>): string {
  return sourceDocument.slice(0, sourceDocument.indexOf('/'));
}
