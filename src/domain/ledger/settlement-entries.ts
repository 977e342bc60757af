import { addDecimals, decimal, toDecimalString } from '../decimal.js';
import { invariant } from '../failure.js';
import type { Invoice } from '../invoicing/invoice.js';
import type { CreditNote } from '../settlement/credit-note.js';
import type { DecimalString, Instant, LocalDate } from '../values.js';
import { assertBalanced } from './invoice-entry.js';
import type { JournalEntry, Posting } from './journal.js';
import { isBilledInAdvance, productOf } from './product.js';

/** Money that moved: whose, how much, and when it did. */
interface Moved {
  readonly customerId: string;
  readonly currency: string;
  readonly amount: DecimalString;
  readonly at: Instant;
}

interface MovedPayment extends Moved {
  readonly paymentId: string;
  /** What the bank or provider calls it. */
  readonly reference: string | null;
}

const referenceText = ({ reference }: { readonly reference: string | null }): string =>
  reference === null ? '' : ` (${reference})`;

/** A payment lowers what is receivable, whatever of it settles which invoice: allocations post nothing (RULES 48). */
export function paymentEntry(
  payment: MovedPayment & { readonly settles: readonly string[] },
  postingDate: LocalDate,
): JournalEntry {
  const settled = payment.settles.length === 0 ? '' : ` for ${payment.settles.join(', ')}`;
  return moneyEntry(payment, postingDate, {
    sourceDocument: `payment/${payment.paymentId}`,
    description: `Payment received${referenceText(payment)}${settled}`,
    debit: 'cash',
    credit: 'accounts_receivable',
  });
}

/** The payment's own entry turned round. */
export function paymentReversalEntry(payment: MovedPayment, postingDate: LocalDate): JournalEntry {
  return moneyEntry(payment, postingDate, {
    sourceDocument: `payment-reversal/${payment.paymentId}`,
    description: `Payment reversed${referenceText(payment)}`,
    debit: 'accounts_receivable',
    credit: 'cash',
  });
}

export function refundEntry(
  refund: Moved & { readonly refundId: string; readonly reference: string | null },
  postingDate: LocalDate,
): JournalEntry {
  return moneyEntry(refund, postingDate, {
    sourceDocument: `refund/${refund.refundId}`,
    description: `Refund of credit${referenceText(refund)}`,
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

/** The write-off's own entry turned round. */
export function writeOffReversalEntry(
  writeOff: Moved & { readonly writeOffId: string; readonly number: string },
  postingDate: LocalDate,
): JournalEntry {
  return moneyEntry(writeOff, postingDate, {
    sourceDocument: `write-off-reversal/${writeOff.writeOffId}`,
    description: `Write-off of ${writeOff.number} reversed`,
    debit: 'accounts_receivable',
    credit: 'write_off',
  });
}

/**
 * The entry of a credit note: revenue (deferred revenue, where the line was billed in advance) and tax of the credited lines are
 * taken back, the receivable falls by the total. It is not the invoice's own entry (`invoiceId` null), so that verifying and
 * reconciling the invoice see what it posted itself.
 *
 * @param documents the credited chain, its original first: what its lines sell, and when
 */
export function creditNoteEntry(
  note: CreditNote,
  documents: readonly Pick<Invoice, 'periodStart' | 'periodEnd' | 'lines'>[],
  postingDate: LocalDate,
): JournalEntry {
  const { currency } = note;
  const [original] = documents;
  invariant(original !== undefined, 'what is credited has a document');
  const lines = note.lines.map(({ lineItemId, amount }): Posting => {
    const line = documents.flatMap((document) => document.lines).find((each) => each.lineItemId === lineItemId);
    invariant(line !== undefined, `the credited line ${lineItemId} is of the chain`);
    const account = isBilledInAdvance(line, original) ? 'deferred_revenue' : 'revenue';
    return { account, lineItemId, currency, amount, product: productOf(line) };
  });
  return entryOf({
    sourceDocument: creditNoteSource(note),
    customerId: note.customerId,
    postingDate,
    serviceFrom: original.periodStart,
    serviceTo: original.periodEnd,
    description: `Credit note ${note.number}`,
    postings: [
      ...lines,
      { account: 'tax_payable', lineItemId: null, currency, amount: note.tax },
      { account: 'accounts_receivable', lineItemId: null, currency, amount: negated(note.total) },
    ],
  });
}

export const creditNoteSource = ({ creditNoteId }: Pick<CreditNote, 'creditNoteId'>): string =>
  `credit-note/${creditNoteId}`;

/** The note's own entry turned round: it fell with its invoice. @param posted as the journal has it */
export function creditNoteVoidEntry(note: CreditNote, posted: JournalEntry, postingDate: LocalDate): JournalEntry {
  return entryOf({
    ...posted,
    postingDate,
    sourceDocument: `void/${creditNoteSource(note)}`,
    description: `Void of credit note ${note.number}`,
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
