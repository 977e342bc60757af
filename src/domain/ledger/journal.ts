import type { DecimalString, Instant, LocalDate } from '../values.js';

export interface Posting {
  readonly account:
    | 'accounts_receivable'
    | 'revenue'
    | 'cash'
    | 'customer_credit'
    | 'promotional_credit'
    | 'credit_breakage'
    | 'tax_payable';
  readonly lineItemId: string | null;
  readonly currency: string;
  /** Debit positive, credit negative. */
  readonly amount: DecimalString;
}

/** One balanced entry; per currency its postings sum to zero. */
export interface JournalEntry {
  readonly sourceDocument: string;
  readonly customerId: string;
  readonly invoiceId: string | null;
  readonly postingDate: LocalDate;
  readonly serviceFrom: Instant;
  readonly serviceTo: Instant;
  readonly description: string;
  readonly postings: readonly Posting[];
}
