import fc from 'fast-check';
import { addDecimals } from '../../src/domain/decimal.js';
import { assertBalanced, invoiceEntry } from '../../src/domain/ledger/invoice-entry.js';
import type { PostedInvoice } from '../../src/domain/ledger/invoice-entry.js';
import { voidEntry } from '../../src/domain/ledger/void-entry.js';
import type { Posting } from '../../src/domain/ledger/journal.js';
import type { InvoiceLineItem } from '../../src/domain/invoicing/invoice.js';
import type { DecimalString, LocalDate } from '../../src/domain/values.js';
import { january } from '../support/rating-input.js';

const line = (amount: string, index: number): InvoiceLineItem => ({
  lineItemId: `line-${index + 1}`,
  lineNumber: index + 1,
  lineKey: `["m${index}",{}]`,
  description: `m${index}`,
  meter: `m${index}`,
  group: {},
  serviceFrom: january.from,
  serviceTo: january.to,
  quantity: '1' as DecimalString,
  amount: amount as DecimalString,
  currency: 'USD',
  originalAmount: null,
  correctedAmount: null,
  reason: null,
  correctsLineItemId: null,
  chargeIds: [],
  calculation: { formula: '', charges: [] },
});
const invoice = (amounts: readonly string[], type: PostedInvoice['type'] = 'invoice'): PostedInvoice => ({
  invoiceId: 'i1',
  number: 'INV-000007',
  type,
  customerId: 'cust_1',
  currency: 'USD',
  periodStart: january.from,
  periodEnd: january.to,
  credits: '0' as DecimalString,
  tax: '0' as DecimalString,
  total: addDecimals(amounts as readonly DecimalString[]),
  lines: amounts.map(line),
});
const postingDate = '2024-02-01' as LocalDate;
const inShort = (posting: Posting): readonly unknown[] => [posting.account, posting.lineItemId, posting.amount];

test('the receivable is debited with the total, revenue credited line by line', () => {
  const entry = invoiceEntry(invoice(['118.72', '1.28']), postingDate);
  expect(entry?.postings.map(inShort)).toEqual([
    ['accounts_receivable', null, '120'],
    ['revenue', 'line-1', '-118.72'],
    ['revenue', 'line-2', '-1.28'],
  ]);
  expect(entry).toMatchObject({
    sourceDocument: 'invoice/i1',
    customerId: 'cust_1',
    invoiceId: 'i1',
    postingDate,
    serviceFrom: january.from,
    serviceTo: january.to,
    description: 'Invoice INV-000007',
  });
});

test.each<[string, readonly string[], readonly (readonly unknown[])[] | undefined]>([
  ['an invoice of 0 without lines has no entry', [], undefined],
  ['nor has one with lines of 0', ['0', '0'], undefined],
  [
    'lines of 0 have no posting',
    ['5', '0'],
    [
      ['accounts_receivable', null, '5'],
      ['revenue', 'line-1', '-5'],
    ],
  ],
  [
    'a credit note posts the other way round',
    ['-5'],
    [
      ['accounts_receivable', null, '-5'],
      ['revenue', 'line-1', '5'],
    ],
  ],
  [
    'lines that cancel out post revenue alone',
    ['5', '-5'],
    [
      ['revenue', 'line-1', '-5'],
      ['revenue', 'line-2', '5'],
    ],
  ],
])('%s', (_name, amounts, expected) => {
  expect(invoiceEntry(invoice(amounts), postingDate)?.postings.map(inShort)).toEqual(expected);
});

test.each([
  ['correction', 'Correction invoice INV-000007'],
  ['credit_note', 'Credit note INV-000007'],
] as const)('names a %s', (type, description) => {
  expect(invoiceEntry(invoice(['1'], type), postingDate)?.description).toBe(description);
});

test('every entry balances', () => {
  const amount = fc
    .integer({ min: -99_999, max: 99_999 })
    .map((cents) => (cents / 100).toFixed(2).replace(/^-0\.00$/, '0.00'));
  fc.assert(
    fc.property(fc.array(amount, { maxLength: 8 }), (amounts) => {
      const entry = invoiceEntry(invoice(amounts), postingDate);
      expect(addDecimals((entry?.postings ?? []).map((posting) => posting.amount))).toBe('0');
    }),
  );
});

describe('voiding', () => {
  test("the entry is the document's own, reversed", () => {
    const voided = voidEntry(invoice(['118.72', '1.28', '0']), postingDate);
    expect(voided?.postings.map(inShort)).toEqual([
      ['accounts_receivable', null, '-120'],
      ['revenue', 'line-1', '118.72'],
      ['revenue', 'line-2', '1.28'],
    ]);
    expect(voided).toMatchObject({
      sourceDocument: 'void/i1',
      customerId: 'cust_1',
      invoiceId: 'i1',
      postingDate,
      serviceFrom: january.from,
      serviceTo: january.to,
      description: 'Void of invoice INV-000007',
    });
  });

  test.each([
    ['correction', 'Void of correction invoice INV-000007'],
    ['credit_note', 'Void of credit note INV-000007'],
  ] as const)('names a %s', (type, description) => {
    expect(voidEntry(invoice(['1'], type), postingDate)?.description).toBe(description);
  });

  test('what had no entry is not reversed', () => {
    expect(voidEntry(invoice(['0', '0']), postingDate)).toBeNull();
  });

  test('document and void sum to zero, line by line', () => {
    const amount = fc.integer({ min: -99_999, max: 99_999 }).map((cents) => String(cents));
    fc.assert(
      fc.property(fc.array(amount, { maxLength: 8 }), (amounts) => {
        const both = [invoiceEntry(invoice(amounts), postingDate), voidEntry(invoice(amounts), postingDate)];
        const postings = both.flatMap((entry) => entry?.postings ?? []);
        for (const lineItemId of new Set(postings.map((posting) => posting.lineItemId))) {
          const ofLine = postings.filter((posting) => posting.lineItemId === lineItemId);
          expect(addDecimals(ofLine.map((posting) => posting.amount))).toBe('0');
        }
      }),
    );
  });
});

test('an invoice whose lines do not add up to its total is a defect', () => {
  expect(() => invoiceEntry({ ...invoice(['5']), total: '6' as DecimalString }, postingDate)).toThrow('sums to 1 USD');
});

test('currencies balance by themselves', () => {
  const posting = (currency: string, amount: string): Posting => ({
    account: 'revenue',
    lineItemId: null,
    currency,
    amount: amount as DecimalString,
  });
  const balanced = [posting('USD', '5'), posting('EUR', '-3'), posting('USD', '-5'), posting('EUR', '3')];
  expect(() => {
    assertBalanced({ sourceDocument: 'x', postings: balanced });
  }).not.toThrow();
  expect(() => {
    assertBalanced({ sourceDocument: 'x', postings: [posting('USD', '5'), posting('EUR', '-5')] });
  }).toThrow('invariant broken');
});
