import { checkNumbers, describeBroken } from '../../src/domain/invoicing/check-numbers.js';
import type { NumbersInUse } from '../../src/domain/invoicing/check-numbers.js';
import { numberedTypes, numberSeries, printedNumber } from '../../src/domain/invoicing/invoice-number.js';
import type { InvoiceType } from '../../src/domain/invoicing/invoice.js';
import {
  numberPrefixPattern,
  requireRegistrable,
  sellerOfConfiguration,
} from '../../src/domain/invoicing/legal-entity.js';

const acme = { code: 'acme-de', numberPrefix: 'ACME-DE' };

test.each<[InvoiceType, number, string, string]>([
  ['invoice', 1, 'INV-000001', 'ACME-DE-INV-000001'],
  ['invoice', 999_999, 'INV-999999', 'ACME-DE-INV-999999'],
  ['invoice', 1_000_000, 'INV-1000000', 'ACME-DE-INV-1000000'],
  ['correction', 1, 'COR-000001', 'ACME-DE-COR-000001'],
  ['credit_note', 1, 'CN-000001', 'ACME-DE-CN-000001'],
])('%s %d is printed %s, of another legal entity %s', (type, drawn, byDefault, ofAcme) => {
  expect(printedNumber(numberSeries(sellerOfConfiguration, type), drawn)).toBe(byDefault);
  expect(printedNumber(numberSeries(acme, type), drawn)).toBe(ofAcme);
});

test('the default entity goes on in the series there was; every entity and type has a series of its own', () => {
  expect(numberSeries(sellerOfConfiguration, 'invoice').series).toBe('invoice');
  const entities = [sellerOfConfiguration, acme, { code: 'acme', numberPrefix: 'ACME' }];
  const all = entities.flatMap((entity) => numberedTypes.map((type) => numberSeries(entity, type)));
  expect(new Set(all.map(({ series }) => series)).size).toBe(9);
  expect(new Set(all.map(({ printed }) => printed)).size).toBe(9);
});

test.each([
  ['ACME-DE', true],
  ['A', true],
  ['2024', true],
  ['A'.repeat(33), false],
  ['acme', false],
  ['-A', false],
  ['A-', false],
  ['A--B', false],
  ['', false],
  ['A B', false],
])('the prefix "%s" is allowed: %s', (prefix, isAllowed) => {
  expect(numberPrefixPattern.test(prefix)).toBe(isAllowed);
});

test('the default entity is configured, never registered', () => {
  expect(() => requireRegistrable('default')).toThrow('RECKONER_SELLER_NAME');
  expect(() => requireRegistrable('acme')).not.toThrow();
});

const used = (printed: string, documents: number, more: Partial<NumbersInUse> = {}): NumbersInUse => ({
  ...{ printed, documents, highest: documents, missing: 0, gaps: [], duplicates: [] },
  ...more,
});

describe('the check of numbers', () => {
  const check = (drawn: Readonly<Record<string, number>>, ...inUse: readonly NumbersInUse[]) =>
    checkNumbers(
      [sellerOfConfiguration, acme],
      Object.entries(drawn).map(([series, lastNumber]) => ({ series, lastNumber })),
      inUse,
    );

  test('holds where each number drawn is on one document', () => {
    const checked = check({ invoice: 3, 'acme-de/credit_note': 1 }, used('INV', 3), used('ACME-DE-CN', 1));
    expect(checked).toMatchObject([
      { series: 'invoice', legalEntity: 'default', type: 'invoice', lastNumber: 3, documents: 3, holds: true },
      { series: 'acme-de/credit_note', legalEntity: 'acme-de', type: 'credit_note', documents: 1, holds: true },
    ]);
  });

  test('names a gap inside, one at the end, and a duplicate, by series', () => {
    const inside = used('INV', 3, { highest: 5, missing: 2, gaps: [{ from: 2, to: 3 }] });
    const [invoices, corrections] = check(
      { invoice: 7, correction: 2 },
      inside,
      used('COR', 3, { highest: 2, duplicates: [1] }),
    );
    expect(invoices).toMatchObject({
      missing: 4,
      gaps: [
        { from: 2, to: 3 },
        { from: 6, to: 7 },
      ],
      holds: false,
    });
    expect(invoices === undefined ? '' : describeBroken(invoices)).toBe(
      'In the number series "invoice" 4 of the numbers drawn are on no document (2 to 3, 6 to 7).',
    );
    expect(corrections).toMatchObject({ series: 'correction', duplicates: [1], missing: 0, holds: false });
    expect(corrections === undefined ? '' : describeBroken(corrections)).toContain(
      'several documents have the numbers 1',
    );
  });

  test('a series whose documents are all gone, numbers that were never drawn, and numbers of nobody do not hold', () => {
    const checked = check({ invoice: 2, 'gone/invoice': 1 }, used('COR', 1), used('X', 1));
    expect(checked.map(({ series, missing, beyond, holds }) => [series, missing, beyond, holds])).toEqual([
      ['invoice', 2, null, false],
      ['correction', 0, 1, false],
      ['gone/invoice', 1, null, false],
      ['X', 0, 1, false],
    ]);
    expect(checked.map(({ legalEntity }) => legalEntity)).toEqual(['default', 'default', null, null]);
  });
});
