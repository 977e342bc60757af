import { addDecimals, D, decimal, toDecimalString, zero } from '../decimal.js';
import type { Invoice } from '../invoicing/invoice.js';
import { kindOf } from '../ledger/journal.js';
import type { JournalEntry, Posting } from '../ledger/journal.js';
import { isBilledInAdvance } from '../ledger/product.js';
import type { DecimalString } from '../values.js';
import { amountDifference, classOfGap } from './difference.js';
import type { DifferencePlace, ReconciliationDifference } from './difference.js';

/** What the journal is compared with. */
export type PostedDocument = Pick<
  Invoice,
  'invoiceId' | 'number' | 'type' | 'status' | 'currency' | 'periodEnd' | 'credits' | 'tax' | 'total' | 'lines'
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
  /** Deferred revenue included. */
  readonly revenue: DecimalString;
  /** Drawn of what was owed to the customer. */
  readonly credits: DecimalString;
  /** Owed to the tax office. */
  readonly tax: DecimalString;
}

export interface JournalComparison {
  readonly document: DocumentStages;
  /** Revenue, earned or deferred, by line key; positive for what was sold. */
  readonly revenue: ReadonlyMap<string, DecimalString>;
  readonly differences: readonly ReconciliationDifference[];
}

/**
 * Holds a document against its journal entries: the receivable is its total, customer credit what it has drawn, revenue its
 * lines (deferred where they were billed in advance; entries of before accounts were deferred have revenue), tax payable its
 * tax; one posting each, none of 0. What was recognised of a deferred line is between nothing and all of it.
 * A void document has every posting twice, with opposite signs, so that nothing is left.
 * @param entries of this document, its reversal included
 */
export function compareWithJournal(document: PostedDocument, entries: readonly JournalEntry[]): JournalComparison {
  const isRecognition = (entry: JournalEntry): boolean => kindOf(entry) === 'recognition';
  const postings = entries.filter((entry) => !isRecognition(entry)).flatMap((entry) => entry.postings);
  const recognitions = entries.filter(isRecognition).flatMap((entry) => entry.postings);
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
    const accounts = isBilledInAdvance(line, document) ? ['revenue', 'deferred_revenue'] : ['revenue'];
    const own = take(({ account, lineItemId }) => accounts.includes(account) && lineItemId === line.lineItemId);
    const earned = own.map(turned);
    revenue.set(line.lineKey, sumOf(earned));
    const of = { ...place, meter: line.meter, line_key: line.lineKey };
    differences.push(compare(of, document, { amount: line.amount, postings: earned }));
    differences.push(recognitionDifference(of, own, recognitions.filter(isOf(line.lineItemId))));
  }
  const tax = take(({ account }) => account === 'tax_payable').map(turned);
  differences.push(compare(place, document, { amount: document.tax, postings: tax }));
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

const isOf =
  (lineItemId: string) =>
  (posting: Posting): boolean =>
    posting.lineItemId === lineItemId;

const turned = (posting: Posting): Posting => ({ ...posting, amount: negated(posting.amount) });

/** What has become revenue of a line against what was deferred of it. */
function recognitionDifference(
  place: DifferencePlace,
  posted: readonly Posting[],
  recognised: readonly Posting[],
): ReconciliationDifference | null {
  const deferred = negated(sumOf(posted.filter(({ account }) => account === 'deferred_revenue')));
  const found = sumOf(recognised.filter(({ account }) => account === 'deferred_revenue'));
  const [is, may] = [decimal(found), decimal(deferred)];
  const [low, high] = may.isNegative() ? [may, new D(0)] : [new D(0), may];
  const isWithin = is.greaterThanOrEqualTo(low) && is.lessThanOrEqualTo(high);
  return isWithin ? null : amountDifference(place, { expected: deferred, found }, classOfGap(deferred, found));
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
