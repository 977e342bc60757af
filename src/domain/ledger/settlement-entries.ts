import { decimal, toDecimalString } from '../decimal.js';
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

/** What of a document is given up. */
interface WrittenOff extends Moved {
  readonly writeOffId: string;
  readonly invoiceId: string;
  readonly number: string;
}

export function writeOffEntry(writeOff: WrittenOff, postingDate: LocalDate): JournalEntry {
  return moneyEntry(writeOff, postingDate, {
    sourceDocument: `write-off/${writeOff.writeOffId}`,
    description: `Write-off of ${writeOff.number}`,
    debit: 'write_off',
    credit: 'accounts_receivable',
  });
}

/** The write-off's own entry turned round. */
export function writeOffReversalEntry(writeOff: WrittenOff, postingDate: LocalDate): JournalEntry {
  return moneyEntry(writeOff, postingDate, {
    sourceDocument: `write-off-reversal/${writeOff.writeOffId}`,
    description: `Write-off of ${writeOff.number} reversed`,
    debit: 'accounts_receivable',
    credit: 'write_off',
  });
}

function moneyEntry(
  { customerId, currency, amount, at, invoiceId }: Moved & { readonly invoiceId?: string },
  postingDate: LocalDate,
  entry: {
    readonly sourceDocument: string;
    readonly description: string;
    readonly debit: Posting['account'];
    readonly credit: Posting['account'];
  },
): JournalEntry {
  const { sourceDocument, description, debit, credit } = entry;
  const about = invoiceId === undefined ? {} : { invoiceId };
  return settlementEntry({
    ...{ sourceDocument, description, customerId, postingDate, serviceFrom: at, serviceTo: at },
    postings: [
      { account: debit, lineItemId: null, currency, amount, ...about },
      { account: credit, lineItemId: null, currency, amount: negated(amount), ...about },
    ],
  });
}

/**
 * An entry of what is settled, without postings of 0. It is nobody's own entry (`invoiceId` null): what it is about, its postings
 * say, so that an ERP can match open items.
 */
export function settlementEntry(entry: Omit<JournalEntry, 'invoiceId'>): JournalEntry {
  const postings = entry.postings.filter(({ amount }) => !decimal(amount).isZero());
  assertBalanced({ ...entry, postings });
  return { ...entry, invoiceId: null, postings };
}

const negated = (amount: DecimalString): DecimalString => toDecimalString(decimal(amount).negated());
