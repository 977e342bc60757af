import { D, decimal, toDecimalString, zero } from '../decimal.js';
import { invariant } from '../failure.js';
import type { Invoice, InvoiceLineItem } from '../invoicing/invoice.js';
import type { CreditNote, CreditNoteLine } from '../settlement/credit-note.js';
import type { DecimalString, LocalDate } from '../values.js';
import type { JournalEntry, Posting } from './journal.js';
import { isBilledInAdvance, productOf } from './product.js';
import { settlementEntry } from './settlement-entries.js';

/** The credited chain, as far as its notes are posted. */
export interface CreditedChain {
  /** Those that count, the original first: what their lines sell, and when. */
  readonly documents: readonly Pick<Invoice, 'periodStart' | 'periodEnd' | 'lines'>[];
  /** By line item id: what the notes before this one have taken of it, as the journal has it. */
  readonly taken: ReadonlyMap<string, DecimalString>;
}

/**
 * The entry of a credit note: revenue (deferred revenue, where the line was billed in advance) and tax of the credited lines are
 * taken back, the receivable falls by the total. A line of several documents is taken from the line items that billed it, each at
 * most what is left of it, so that no line item is ever recognised below nothing (RULES 45). Its postings name the original; the
 * entry does not (`invoiceId` null), so that verifying and reconciling the invoice see what it posted itself.
 */
export function creditNoteEntry(note: CreditNote, chain: CreditedChain, postingDate: LocalDate): JournalEntry {
  const { currency, invoiceId } = note;
  const [original] = chain.documents;
  invariant(original !== undefined, 'what is credited has a document');
  const posting = { currency, invoiceId };
  const lines = note.lines.flatMap((line) =>
    itemsOf(line, chain).map(({ item, amount }): Posting => {
      const account = isBilledInAdvance(item, original) ? 'deferred_revenue' : 'revenue';
      return { ...posting, account, lineItemId: item.lineItemId, amount, product: productOf(item) };
    }),
  );
  return settlementEntry({
    sourceDocument: creditNoteSource(note),
    customerId: note.customerId,
    postingDate,
    serviceFrom: original.periodStart,
    serviceTo: original.periodEnd,
    description: `Credit note ${note.number}`,
    postings: [
      ...lines,
      { ...posting, account: 'tax_payable', lineItemId: null, amount: note.tax },
      { ...posting, account: 'accounts_receivable', lineItemId: null, amount: negated(note.total) },
    ],
  });
}

/** What the line takes of each line item that billed it: the named one first, then the oldest; what lowers the line gives nothing. */
function itemsOf(
  { lineKey, lineItemId, amount }: CreditNoteLine,
  { documents, taken }: CreditedChain,
): readonly { readonly item: InvoiceLineItem; readonly amount: DecimalString }[] {
  const items = documents.flatMap(({ lines }) => lines).filter((item) => item.lineKey === lineKey);
  const named = items.filter((item) => item.lineItemId === lineItemId);
  invariant(named.length > 0, `the credited line ${lineItemId} is of the chain`);
  let rest = decimal(amount);
  const parts = [...named, ...items.filter((item) => item.lineItemId !== lineItemId)].flatMap((item) => {
    const left = decimal(item.amount).minus(decimal(taken.get(item.lineItemId) ?? zero));
    const part = D.min(left, rest);
    if (!part.greaterThan(0)) return [];
    rest = rest.minus(part);
    return { item, amount: toDecimalString(part) };
  });
  // No line is credited beyond what is left of it, and its line items have at least that.
  invariant(rest.isZero(), `${lineKey} has ${rest.toFixed()} less than is credited of it`);
  return parts;
}

export const creditNoteSource = ({ creditNoteId }: Pick<CreditNote, 'creditNoteId'>): string =>
  `credit-note/${creditNoteId}`;

/**
 * The note's own entry turned round: it fell with its invoice.
 * @param posted as the journal has it; older ones do not name the invoice
 */
export function creditNoteVoidEntry(note: CreditNote, posted: JournalEntry, postingDate: LocalDate): JournalEntry {
  return settlementEntry({
    ...posted,
    postingDate,
    sourceDocument: `void/${creditNoteSource(note)}`,
    description: `Void of credit note ${note.number}`,
    postings: posted.postings.map((posting) => ({
      ...posting,
      amount: negated(posting.amount),
      invoiceId: posting.invoiceId ?? note.invoiceId,
    })),
  });
}

const negated = (amount: DecimalString): DecimalString => toDecimalString(decimal(amount).negated());
