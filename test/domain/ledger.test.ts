import fc from 'fast-check';
import { addDecimals, decimal, toDecimalString } from '../../src/domain/decimal.js';
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

describe('what else a document posts', () => {
  const february = {
    serviceFrom: january.to,
    serviceTo: '2024-03-01T00:00:00.000000Z' as InvoiceLineItem['serviceTo'],
  };
  const fee = { ...line('30', 1), meter: null, description: 'Platform fee', ...february };

  test('a line that is served after the period is deferred, and each names its product', () => {
    const mixed = { ...invoice(['1']), total: '31' as DecimalString, lines: [line('1', 0), fee] };
    const postings = invoiceEntry(mixed, postingDate)?.postings ?? [];
    expect(postings.map(({ account, amount, product }) => [account, amount, product ?? null])).toEqual([
      ['accounts_receivable', '31', null],
      ['revenue', '-1', 'm0'],
      ['deferred_revenue', '-30', 'Platform fee'],
    ]);
  });

  test('tax is payable', () => {
    const taxed = { ...invoice(['100']), tax: '19' as DecimalString, total: '119' as DecimalString };
    expect(invoiceEntry(taxed, postingDate)?.postings.map(inShort)).toEqual([
      ['accounts_receivable', null, '119'],
      ['revenue', 'line-1', '-100'],
      ['tax_payable', null, '-19'],
    ]);
  });

  test('a document of any shape balances, and with its void leaves nothing in any account', () => {
    const cents = fc.integer({ min: -99_999, max: 99_999 });
    const money = (of: number): DecimalString => toDecimalString(decimal(String(of) as DecimalString).dividedBy(100));
    const shapes = fc.record({
      lines: fc.array(fc.tuple(cents, fc.boolean()), { maxLength: 8 }),
      credits: cents,
      tax: cents,
      type: fc.constantFrom('invoice', 'correction', 'credit_note'),
    });
    fc.assert(
      fc.property(shapes, ({ lines, credits, tax, type }) => {
        const total = lines.reduce((sum, [amount]) => sum + amount, 0) - credits + tax;
        const shape: PostedInvoice = {
          ...invoice([], type),
          ...{ credits: money(credits), tax: money(tax), total: money(total) },
          lines: lines.map(([amount, inAdvance], index) => ({
            ...line(money(amount), index),
            ...(inAdvance ? february : {}),
          })),
        };
        const posted = invoiceEntry(shape, postingDate);
        const voided = voidEntry(shape, '2024-05-01' as LocalDate, posted);
        expect(addDecimals((posted?.postings ?? []).map(({ amount }) => amount))).toBe('0');
        expect(posted === null).toBe(voided === null);
        const both = [...(posted?.postings ?? []), ...(voided?.postings ?? [])];
        for (const account of new Set(both.map((posting) => posting.account)))
          expect(addDecimals(both.filter((posting) => posting.account === account).map(({ amount }) => amount))).toBe(
            '0',
          );
      }),
    );
  });

  test('what was posted in another way is reversed in that way', () => {
    const older = invoiceEntry(
      { ...invoice(['30']), periodEnd: '2024-03-01T00:00:00.000000Z' as PostedInvoice['periodEnd'] },
      postingDate,
    );
    const voided = voidEntry({ ...invoice(['30']), lines: [fee] }, '2024-05-01' as LocalDate, older);
    expect(voided?.postings.map(({ account }) => account)).toEqual(['accounts_receivable', 'revenue']);
    expect(voided?.postingDate).toBe('2024-05-01');
  });
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
  const voidOf = (document: PostedInvoice): ReturnType<typeof voidEntry> =>
    voidEntry(document, postingDate, invoiceEntry(document, postingDate));

  test("the entry is the document's own, reversed", () => {
    const voided = voidOf(invoice(['118.72', '1.28', '0']));
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
    expect(voidOf(invoice(['1'], type))?.description).toBe(description);
  });

  test('what had no entry is not reversed', () => {
    expect(voidOf(invoice(['0', '0']))).toBeNull();
  });

  test('document and void sum to zero, line by line', () => {
    const amount = fc.integer({ min: -99_999, max: 99_999 }).map((cents) => String(cents));
    fc.assert(
      fc.property(fc.array(amount, { maxLength: 8 }), (amounts) => {
        const both = [invoiceEntry(invoice(amounts), postingDate), voidOf(invoice(amounts))];
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
