import fc from 'fast-check';
import { addDecimals, D, decimal, toDecimalString, zero } from '../../src/domain/decimal.js';
import { creditNoteEntry, creditNoteVoidEntry } from '../../src/domain/ledger/credit-note-entry.js';
import type { CreditedChain } from '../../src/domain/ledger/credit-note-entry.js';
import type { JournalEntry } from '../../src/domain/ledger/journal.js';
import type { InvoiceLineItem } from '../../src/domain/invoicing/invoice.js';
import type { CreditNote } from '../../src/domain/settlement/credit-note.js';
import type { DecimalString, Instant, LocalDate } from '../../src/domain/values.js';
import { january } from '../support/rating-input.js';

const day = '2024-02-10' as LocalDate;
const february = { serviceFrom: january.to, serviceTo: '2024-03-01T00:00:00.000000Z' as Instant };

/** A line item of the line `key`. */
const itemOf = (lineItemId: string, amount: string, more: Partial<InvoiceLineItem> = {}): InvoiceLineItem => ({
  ...{ lineItemId, lineNumber: 1, lineKey: 'key', description: 'Platform fee', meter: null, group: {} },
  ...{ quantity: null, currency: 'USD', originalAmount: null, correctedAmount: null, reason: null },
  ...{ correctsLineItemId: null, chargeIds: [], calculation: { formula: '', charges: [] } },
  ...{ amount: amount as DecimalString, serviceFrom: january.from, serviceTo: january.to },
  ...more,
});

type Document = CreditedChain['documents'][number];
/** A document a line item. */
const documentsOf = (items: readonly InvoiceLineItem[]): readonly Document[] =>
  items.map((item) => ({ periodStart: january.from, periodEnd: january.to, lines: [item] }));

/** A note on one line, named by a line item. */
function noteOn(lineItemId: string, amount: string, tax = '0'): CreditNote {
  const line = { lineNumber: 1, lineKey: 'key', lineItemId, description: 'Platform fee', reason: null };
  const money = { amount: amount as DecimalString, tax: tax as DecimalString, originalAmount: zero };
  return {
    ...{ creditNoteId: 'n1', number: 'CN-000001', customerId: 'c', invoiceId: 'original', currency: 'USD' },
    ...{ subtotal: money.amount, tax: money.tax, total: addDecimals([money.amount, money.tax]), reason: null },
    ...{ seller: { name: 'S' }, buyer: { name: 'B' }, documentHash: '', issuedBy: 'ann', issuedAt: january.to },
    lines: [{ ...line, ...money, reasonCode: 'goodwill' }],
  };
}

const none: CreditedChain['taken'] = new Map();
const inShort = ({ postings }: JournalEntry): unknown =>
  postings.map(({ account, lineItemId, amount, product }) => [account, lineItemId, amount, product ?? null]);

test('a line of several documents is taken from the named line item first, then from the oldest, by product', () => {
  const item = (chargeCode: string): Partial<InvoiceLineItem> => ({
    item: { chargeCode } as NonNullable<InvoiceLineItem['item']>,
  });
  const documents = documentsOf([itemOf('a', '30', item('old')), itemOf('b', '10', item('new')), itemOf('c', '5')]);
  const entry = creditNoteEntry(noteOn('b', '41', '7.79'), { documents, taken: none }, day);
  expect(inShort(entry)).toEqual([
    ['revenue', 'b', '10', 'new'],
    ['revenue', 'a', '30', 'old'],
    ['revenue', 'c', '1', 'Platform fee'],
    ['tax_payable', null, '7.79', null],
    ['accounts_receivable', null, '-48.79', null],
  ]);
  expect(entry).toMatchObject({ sourceDocument: 'credit-note/n1', invoiceId: null, postingDate: day });
  expect(new Set(entry.postings.map(({ invoiceId }) => invoiceId))).toEqual(new Set(['original']));
});

test('what earlier notes have taken is not taken again; a fee in advance is taken from deferred revenue', () => {
  const documents = documentsOf([itemOf('a', '30', february), itemOf('b', '10', february)]);
  const taken = new Map([['a', '28' as DecimalString]]);
  expect(inShort(creditNoteEntry(noteOn('a', '5'), { documents, taken }, day))).toEqual([
    ['deferred_revenue', 'a', '2', 'Platform fee'],
    ['deferred_revenue', 'b', '3', 'Platform fee'],
    ['accounts_receivable', null, '-5', null],
  ]);
});

test('more than the line items have, or a line item of another chain, is a defect', () => {
  const chain = { documents: documentsOf([itemOf('a', '30'), itemOf('b', '-10')]), taken: none };
  expect(() => creditNoteEntry(noteOn('a', '30.01'), chain, day)).toThrow('invariant broken');
  expect(() => creditNoteEntry(noteOn('x', '1'), chain, day)).toThrow('invariant broken');
});

test('any notes leave each line item between nothing and its amount, and voided nothing of them is left', () => {
  const cents = (amount: number): DecimalString => toDecimalString(new D(amount).dividedBy(100));
  const raises = fc.array(fc.integer({ min: -900, max: 2_000 }), { maxLength: 4 });
  const notes = fc.array(fc.record({ item: fc.nat(5), part: fc.integer({ min: 1, max: 100 }) }), { maxLength: 6 });
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 5_000 }), raises, notes, (original, corrections, asked) => {
      const items = [original, ...corrections].map((amount, index) => itemOf(`i${index}`, cents(amount), february));
      const documents = documentsOf(items);
      const taken = new Map<string, DecimalString>();
      let left = decimal(addDecimals(items.map(({ amount }) => amount)));
      for (const { item, part } of asked) {
        const amount = left.times(part).dividedBy(100).toDecimalPlaces(2, D.ROUND_UP);
        if (!amount.greaterThan(0)) continue;
        left = left.minus(amount);
        const note = noteOn(items[item % items.length]?.lineItemId ?? '', amount.toFixed());
        const entry = creditNoteEntry(note, { documents, taken }, day);
        for (const posting of entry.postings.filter(({ lineItemId }) => lineItemId !== null)) {
          expect(decimal(posting.amount).greaterThan(0)).toBe(true);
          const before = taken.get(posting.lineItemId ?? '') ?? zero;
          taken.set(posting.lineItemId ?? '', addDecimals([before, posting.amount]));
        }
        const voided = creditNoteVoidEntry(note, entry, day);
        expect(addDecimals([...entry.postings, ...voided.postings].map((posting) => posting.amount))).toBe('0');
      }
      for (const { lineItemId, amount } of items)
        expect(D.max(decimal(amount), 0).greaterThanOrEqualTo(decimal(taken.get(lineItemId) ?? zero))).toBe(true);
    }),
  );
});

test('the void of a note of before postings named a document names it', () => {
  const documents = documentsOf([itemOf('a', '30')]);
  const posted = creditNoteEntry(noteOn('a', '5'), { documents, taken: none }, day);
  const older = { ...posted, postings: posted.postings.map((posting) => ({ ...posting, invoiceId: null })) };
  const voided = creditNoteVoidEntry(noteOn('a', '5'), older, '2024-03-01' as LocalDate);
  expect(voided).toMatchObject({ sourceDocument: 'void/credit-note/n1', postingDate: '2024-03-01', invoiceId: null });
  expect(inShort(voided)).toEqual([
    ['revenue', 'a', '-5', 'Platform fee'],
    ['accounts_receivable', null, '5', null],
  ]);
  expect(new Set(voided.postings.map(({ invoiceId }) => invoiceId))).toEqual(new Set(['original']));
});
