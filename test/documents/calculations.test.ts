/** What stands in the column "Calculation" and by the credits, word by word. */
import type { InvoiceLineItem } from '../../src/domain/invoicing/invoice.js';
import { invoiceContent } from '../../src/documents/invoice-content.js';
import { decimal, sampleInvoice, sampleLine } from './invoices.js';

const inverse = {
  ...{ from: 'USD', to: 'EUR', rate: '0.923702198411232', rate_date: '2024-02-29', source: 'ecb' },
  inputs: [{ base: 'EUR', quote: 'USD', rate: '1.0826' }],
};
const rate = '1 USD = 0.923702198411232 EUR = 1 / 1.0826 (ECB: 1 EUR = 1.0826 USD, 29 February 2024)';
const days = (from: string, to: string) => [
  { from: `2024-01-${from}T23:00:00.000000Z`, to: `2024-01-${to}T23:00:00.000000Z` },
];

function calculationOf(formula: string, charges: readonly object[]): readonly string[] {
  const calculation = { formula, charges } as unknown as InvoiceLineItem['calculation'];
  const [row] = invoiceContent(sampleInvoice({ lines: [sampleLine({ calculation })] })).rows;
  return (row?.cells[1] ?? []).map(({ text }) => text.replaceAll('\u00A0', '~'));
}

test('of a price in another currency: in which one it is, and the published rate', () => {
  const formula = '62.00';
  expect(calculationOf(`[62.00] × ${inverse.rate}`, [{ formula, conversion: inverse }])).toEqual([
    'in USD: 62.00',
    rate,
  ]);
  const [first, second] = [days('01', '14'), days('14', '31')];
  expect(
    calculationOf('[10 × 1] × 0.9 + [5 × 2] × 0.9', [
      { formula: '10 × 1', in_force: first, conversion: inverse },
      { formula: '5 × 2', in_force: second, conversion: inverse },
    ]),
  ).toEqual([
    '2 January 2024 – 14 January 2024, in USD: 10~×~1',
    '15 January 2024 – 31 January 2024, in USD: 5~×~2',
    rate,
  ]);
});

test('of an agreed minimum in another currency: what was agreed', () => {
  const commitment = { minimum: '461.85', lines: '225.80', converted: { ...inverse, price: '500.00' } };
  expect(calculationOf('461.85 − 225.80', [{ formula: '461.85 − 225.80', commitment }])).toEqual([
    '461.85 −~225.80',
    'Minimum of 500.00 USD = 461.85 EUR',
    rate,
  ]);
});

test('included units stand with the price that used them up; a percentage is not broken', () => {
  const included = { units: '100', quantity: '650' };
  const first = {
    formula: '650 × 0.10 (100 included) − 10 % × 65.00',
    quantity: '750',
    quantity_before: '0',
    included,
  };
  const second = { ...first, formula: '350 × 0.12 (100 included)', quantity: '350', quantity_before: '750' };
  expect(
    calculationOf('both', [
      { ...first, in_force: days('01', '14') },
      { ...second, included: { units: '100', quantity: '350' }, in_force: days('14', '31') },
    ]),
  ).toEqual([
    '2 January 2024 – 14 January 2024: 650~×~0.10 (100 included) −~10~%~×~65.00',
    '15 January 2024 – 31 January 2024: 350~×~0.12',
  ]);
});

test('credits are named by their grants', () => {
  const creditDraws = [
    { grantId: 'g1', amount: decimal('20') },
    { grantId: 'g2', amount: decimal('-5') },
  ];
  const invoice = sampleInvoice({ credits: decimal('15'), creditDraws });
  const shown = (names: Readonly<Record<string, string>>): string | undefined =>
    invoiceContent(invoice, { creditGrants: new Map(Object.entries(names)) }).notes.find(
      ({ heading }) => heading === 'Credits',
    )?.text;
  expect(shown({ g1: 'Spring', g2: 'Welcome' })).toBe(
    'USD 20.00 drawn from "Spring", USD 5.00 given back to "Welcome".',
  );
  expect(shown({})).toBeUndefined();
});
