import { addDecimals, decimal, toDecimalString } from '../decimal.js';
import { invariant } from '../failure.js';
import type { Invoice } from '../invoicing/invoice.js';
import type { DecimalString, LocalDate } from '../values.js';
import type { JournalEntry, Posting } from './journal.js';
import { isBilledInAdvance, productOf } from './product.js';

/** What of an invoice is posted. Corrections and credit notes post in the same way, with their signs. */
export type PostedInvoice = Pick<
  Invoice,
  | 'invoiceId'
  | 'number'
  | 'type'
  | 'customerId'
  | 'currency'
  | 'periodStart'
  | 'periodEnd'
  | 'credits'
  | 'tax'
  | 'total'
  | 'lines'
>;

/**
 * The journal entry of an issued document: the receivable is debited with the total, the customer's credit with what was
 * drawn of it; revenue is credited line by line, deferred revenue where the line's service is still to come (RULES 44), and
 * tax payable. Lines of 0 have no posting; an invoice without any posting has no entry (null).
 *
 * @param postingDate the document's accounting day (RULES 46); the service period is the invoice's own, however old it is
 */
export function invoiceEntry(invoice: PostedInvoice, postingDate: LocalDate): JournalEntry | null {
  const { currency } = invoice;
  const debit: Posting = { account: 'accounts_receivable', lineItemId: null, currency, amount: invoice.total };
  const drawn: Posting = { account: 'customer_credit', lineItemId: null, currency, amount: invoice.credits };
  const tax: Posting = { account: 'tax_payable', lineItemId: null, currency, amount: negated(invoice.tax) };
  const revenue = invoice.lines.map((line): Posting => ({
    account: isBilledInAdvance(line, invoice) ? 'deferred_revenue' : 'revenue',
    lineItemId: line.lineItemId,
    currency: line.currency,
    amount: negated(line.amount),
    product: productOf(line),
  }));
  const postings = [debit, drawn, ...revenue, tax].filter(({ amount }) => !decimal(amount).isZero());
  if (postings.length === 0) return null;
  const entry: JournalEntry = {
    sourceDocument: `invoice/${invoice.invoiceId}`,
    customerId: invoice.customerId,
    invoiceId: invoice.invoiceId,
    postingDate,
    serviceFrom: invoice.periodStart,
    serviceTo: invoice.periodEnd,
    description: `${documentNames[invoice.type]} ${invoice.number}`,
    postings,
  };
  assertBalanced(entry);
  return entry;
}

/** At the beginning of a sentence. */
export const documentNames: Readonly<Record<Invoice['type'], string>> = {
  invoice: 'Invoice',
  correction: 'Correction invoice',
  credit_note: 'Credit note',
};

const negated = (amount: DecimalString): DecimalString => toDecimalString(decimal(amount).negated());

/** Books balance: per currency the postings of an entry sum to zero. Anything else is a defect and stops the work. */
export function assertBalanced(entry: Pick<JournalEntry, 'sourceDocument' | 'postings'>): void {
  for (const currency of new Set(entry.postings.map((posting) => posting.currency))) {
    const sum = addDecimals(
      entry.postings.filter((posting) => posting.currency === currency).map(({ amount }) => amount),
    );
    invariant(sum === '0', `the entry of ${entry.sourceDocument} sums to ${sum} ${currency} instead of zero`);
  }
}
