import { addDecimals, decimal, toDecimalString, zero } from '../decimal.js';
import type { Invoice } from '../invoicing/invoice.js';
import type { JournalEntry, Posting } from '../ledger/journal.js';
import type { DecimalString } from '../values.js';
import { amountDifference, classOfGap } from './difference.js';
import type { DifferencePlace, ReconciliationDifference } from './difference.js';

/** What the journal is compared with. */
export type PostedDocument = Pick<
  Invoice,
  'invoiceId' | 'number' | 'type' | 'status' | 'currency' | 'credits' | 'tax' | 'total' | 'lines'
>;

/** JSON. */
export interface DocumentStages {
  readonly invoice_id: string;
  readonly number: string;
  readonly type: Invoice['type'];
  readonly status: Invoice['status'];
  readonly total: DecimalString;
  /** What its entries come to; all 0 for a void document. */
  readonly receivable: DecimalString;
  readonly revenue: DecimalString;
  /** Drawn of what was owed to the customer. */
  readonly credits: DecimalString;
  /** Owed to the tax office. */
  readonly tax: DecimalString;
}

export interface JournalComparison {
  readonly document: DocumentStages;
  /** Revenue by line key, positive for what was earned. */
  readonly revenue: ReadonlyMap<string, DecimalString>;
  readonly differences: readonly ReconciliationDifference[];
}

/**
 * Holds a document against its journal entries: the receivable is its total, customer credit what it has drawn, tax payable its
 * tax, revenue its lines, one posting each, none of 0.
 * A void document has every posting twice, with opposite signs, so that nothing is left.
 * @param entries of this document, its reversal included
 */
export function compareWithJournal(document: PostedDocument, entries: readonly JournalEntry[]): JournalComparison {
  const postings = entries.flatMap((entry) => entry.postings);
  const place: DifferencePlace = { stage: 'lines→journal', meter: null, document: document.number };
  const isOwn = ({ currency }: Posting): boolean => currency === document.currency;
  const revenue = new Map<string, DecimalString>();
  const differences: (ReconciliationDifference | null)[] = [];
  const taken = new Set<Posting>();
  const take = (belongs: (posting: Posting) => boolean): readonly Posting[] => {
    const own = postings.filter((posting) => isOwn(posting) && belongs(posting));
    for (const posting of own) taken.add(posting);
    return own;
  };

  const receivable = take(({ account }) => account === 'accounts_receivable');
  differences.push(compare(place, document, { amount: document.total, postings: receivable }));
  const drawn = take(({ account }) => account === 'customer_credit');
  differences.push(compare(place, document, { amount: document.credits, postings: drawn }));
  const owed = take(({ account }) => account === 'tax_payable').map((own) => ({ ...own, amount: negated(own.amount) }));
  differences.push(compare(place, document, { amount: document.tax, postings: owed }));
  for (const line of document.lines) {
    const own = take(({ account, lineItemId }) => account === 'revenue' && lineItemId === line.lineItemId);
    const earned = own.map((posting) => ({ ...posting, amount: negated(posting.amount) }));
    revenue.set(line.lineKey, sumOf(earned));
    const of = { ...place, meter: line.meter, line_key: line.lineKey };
    differences.push(compare(of, document, { amount: line.amount, postings: earned }));
  }
  for (const extra of postings.filter((posting) => !taken.has(posting))) {
    differences.push(amountDifference(place, { expected: zero, found: extra.amount }, 'duplicate'));
  }
  return {
    document: {
      invoice_id: document.invoiceId,
      number: document.number,
      type: document.type,
      status: document.status,
      total: document.total,
      receivable: sumOf(receivable),
      revenue: addDecimals([...revenue.values()]),
      credits: sumOf(drawn),
      tax: sumOf(owed),
    },
    revenue,
    differences: differences.filter((difference) => difference !== null),
  };
}

function compare(
  place: DifferencePlace,
  { status }: PostedDocument,
  { amount, postings }: { readonly amount: DecimalString; readonly postings: readonly Posting[] },
): ReconciliationDifference | null {
  const isVoid = status === 'void';
  const count = decimal(amount).isZero() ? 0 : isVoid ? 2 : 1;
  const expected = isVoid ? zero : amount;
  const found = sumOf(postings);
  if (postings.length === count && decimal(found).equals(decimal(expected))) return null;
  if (postings.length === count) return amountDifference(place, { expected, found }, classOfGap(expected, found));
  return amountDifference(place, { expected, found }, postings.length < count ? 'missing' : 'duplicate');
}

const sumOf = (postings: readonly Pick<Posting, 'amount'>[]): DecimalString =>
  addDecimals(postings.map(({ amount }) => amount));

const negated = (amount: DecimalString): DecimalString => toDecimalString(decimal(amount).negated());
