import { addDecimals, decimal, toDecimalString } from '../decimal.js';
import type { CreditNote } from '../settlement/credit-note.js';
import type { DecimalString, Instant, LocalDate } from '../values.js';
import { assertBalanced } from './invoice-entry.js';
import type { JournalEntry, Posting } from './journal.js';

/** Money that moved: whose, how much, and when it did. */
interface Moved {
  readonly customerId: string;
  readonly currency: string;
  readonly amount: DecimalString;
  readonly at: Instant;
}

/** A payment lowers what is receivable, whatever of it settles which invoice: allocations post nothing (RULES 48). */
export function paymentEntry(payment: Moved & { readonly paymentId: string }, postingDate: LocalDate): JournalEntry {
  return moneyEntry(payment, postingDate, {
    sourceDocument: `payment/${payment.paymentId}`,
    description: 'Payment received',
    debit: 'cash',
    credit: 'accounts_receivable',
  });
}

/** The payment's own entry turned round. */
export function paymentReversalEntry(
  payment: Moved & { readonly paymentId: string },
  postingDate: LocalDate,
): JournalEntry {
  return moneyEntry(payment, postingDate, {
    sourceDocument: `payment-reversal/${payment.paymentId}`,
    description: 'Payment reversed',
    debit: 'accounts_receivable',
    credit: 'cash',
  });
}

export function refundEntry(refund: Moved & { readonly refundId: string }, postingDate: LocalDate): JournalEntry {
  return moneyEntry(refund, postingDate, {
    sourceDocument: `refund/${refund.refundId}`,
    description: 'Refund of credit',
    debit: 'accounts_receivable',
    credit: 'cash',
  });
}

export function writeOffEntry(
  writeOff: Moved & { readonly writeOffId: string; readonly number: string },
  postingDate: LocalDate,
): JournalEntry {
  return moneyEntry(writeOff, postingDate, {
    sourceDocument: `write-off/${writeOff.writeOffId}`,
    description: `Write-off of ${writeOff.number}`,
    debit: 'write_off',
    credit: 'accounts_receivable',
  });
}

/**
 * The entry of a credit note: revenue and tax of the credited lines are taken back, the receivable falls by the total. It is
 * not the invoice's own entry (`invoiceId` null), so that verifying and reconciling the invoice see what it posted itself.
 */
export function creditNoteEntry(
  note: CreditNote,
  service: { readonly from: Instant; readonly to: Instant },
  postingDate: LocalDate,
): JournalEntry {
  const { currency } = note;
  const lines = note.lines.map(({ lineItemId, amount }): Posting => ({
    account: 'revenue',
    lineItemId,
    currency,
    amount,
  }));
  return entryOf({
    sourceDocument: `credit-note/${note.creditNoteId}`,
    customerId: note.customerId,
    postingDate,
    serviceFrom: service.from,
    serviceTo: service.to,
    description: `Credit note ${note.number}`,
    postings: [
      ...lines,
      { account: 'tax_payable', lineItemId: null, currency, amount: note.tax },
      { account: 'accounts_receivable', lineItemId: null, currency, amount: negated(note.total) },
    ],
  });
}

/** The note's own entry turned round: it fell with its invoice. */
export function creditNoteVoidEntry(...note: Parameters<typeof creditNoteEntry>): JournalEntry {
  const posted = creditNoteEntry(...note);
  const [{ creditNoteId, number }] = note;
  return entryOf({
    ...posted,
    sourceDocument: `void/credit-note/${creditNoteId}`,
    description: `Void of credit note ${number}`,
    postings: posted.postings.map((posting) => ({ ...posting, amount: negated(posting.amount) })),
  });
}

function moneyEntry(
  { customerId, currency, amount, at }: Moved,
  postingDate: LocalDate,
  entry: {
    readonly sourceDocument: string;
    readonly description: string;
    readonly debit: Posting['account'];
    readonly credit: Posting['account'];
  },
): JournalEntry {
  const { sourceDocument, description, debit, credit } = entry;
  return entryOf({
    ...{ sourceDocument, description, customerId, postingDate, serviceFrom: at, serviceTo: at },
    postings: [
      { account: debit, lineItemId: null, currency, amount },
      { account: credit, lineItemId: null, currency, amount: negated(amount) },
    ],
  });
}

/** What customers' receivables must come to: the documents that count, less credit notes, payments and write-offs, plus refunds. */
export function receivableOf(facts: {
  readonly documents: readonly DecimalString[];
  readonly creditNotes: readonly DecimalString[];
  readonly payments: readonly DecimalString[];
  readonly refunds: readonly DecimalString[];
  readonly writeOffs: readonly DecimalString[];
}): DecimalString {
  const owed = decimal(addDecimals([...facts.documents, ...facts.refunds]));
  return toDecimalString(
    owed.minus(decimal(addDecimals([...facts.creditNotes, ...facts.payments, ...facts.writeOffs]))),
  );
}

function entryOf(entry: Omit<JournalEntry, 'invoiceId'>): JournalEntry {
  const postings = entry.postings.filter(({ amount }) => !decimal(amount).isZero());
  assertBalanced({ ...entry, postings });
  return { ...entry, invoiceId: null, postings };
}

const negated = (amount: DecimalString): DecimalString => toDecimalString(decimal(amount).negated());
