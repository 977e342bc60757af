import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import currencyCodes from 'currency-codes';
import fc from 'fast-check';
import { D, decimal } from '../../src/domain/decimal.js';
import { currencyTable } from '../../src/domain/money/currencies.js';
import { findCurrency, minorUnits } from '../../src/domain/money/currency.js';
import { formatAmount, roundMoney } from '../../src/domain/money/rounding.js';
import { roundingModes } from '../../src/domain/rating/price-book.js';
import type { DecimalString } from '../../src/domain/values.js';
import { codeOf } from './support/failures.js';

const ours = new Map(currencyTable.map(([code, numeric, digits, name]) => [code, { numeric, digits, name }]));

describe('the currency table', () => {
  /** The list that the package was made from, as published by ISO's maintenance agency. */
  const listOne = readFileSync(
    path.join(path.dirname(createRequire(__filename).resolve('currency-codes')), 'iso-4217-list-one.xml'),
    'utf8',
  );
  const withoutMinorUnit = new Set(
    [...listOne.matchAll(/<Ccy>(\w{3})<\/Ccy>\s*<CcyNbr>\d*<\/CcyNbr>\s*<CcyMnrUnts>N\.A\.<\/CcyMnrUnts>/g)].map(
      (match) => match[1],
    ),
  );
  const published = new Map(currencyCodes.data.map((entry) => [entry.code, entry]));

  test('lacks what was withdrawn since 2024-06-25 and what has no minor unit, and nothing else', () => {
    const missing = [...published.keys()].filter((code) => !ours.has(code));
    expect(new Set(missing)).toEqual(new Set(['ANG', 'BGN', 'CUC', ...withoutMinorUnit]));
    expect([...withoutMinorUnit].sort()).toEqual([
      'XAG',
      'XAU',
      'XBA',
      'XBB',
      'XBC',
      'XBD',
      'XDR',
      'XPD',
      'XPT',
      'XSU',
      'XTS',
      'XUA',
      'XXX',
    ]);
  });

  test('has what was added since, and nothing else', () => {
    expect([...ours.keys()].filter((code) => !published.has(code))).toEqual(['XAD', 'XCG']);
    expect(ours.get('XCG')).toEqual({ numeric: '532', digits: 2, name: 'Caribbean Guilder' });
    expect(ours.get('XAD')).toEqual({ numeric: '396', digits: 2, name: 'Arab Accounting Dinar' });
  });

  test('agrees with the published list on every other entry', () => {
    for (const [code, entry] of ours) {
      const other = published.get(code);
      if (other === undefined) continue;
      expect([code, entry]).toEqual([
        code,
        { numeric: other.number, digits: other.digits, name: other.currency.trim() },
      ]);
    }
  });

  test('is sorted, without repeated codes or numbers', () => {
    const codes = currencyTable.map(([code]) => code);
    expect(codes).toEqual([...new Set(codes)].sort());
    expect(new Set(currencyTable.map(([, numeric]) => numeric)).size).toBe(codes.length);
  });

  test('does not follow Intl where that differs from ISO', () => {
    const differing = [...ours].filter(([code, { digits }]) => intlDigits(code) !== digits).map(([code]) => code);
    expect(differing).toEqual(expect.arrayContaining(['HUF', 'IDR', 'COP', 'IQD', 'PKR']));
  });
});

function intlDigits(currency: string): number | undefined {
  return new Intl.NumberFormat('en', { style: 'currency', currency }).resolvedOptions().maximumFractionDigits;
}

test.each([
  ['USD', 2],
  ['JPY', 0],
  ['KRW', 0],
  ['KWD', 3],
  ['BHD', 3],
  ['CLF', 4],
  ['UYW', 4],
  ['HUF', 2],
  ['SLE', 2],
  ['VED', 2],
])('%s has %d digits after the point', (currency, digits) => {
  expect(minorUnits(currency)).toBe(digits);
});

test.each(['HRK', 'BGN', 'XAU', 'usd', 'US', 'DOLLARS', '', 'constructor'])(
  '"%s" is no currency to bill in',
  (code) => {
    expect(codeOf(() => minorUnits(code))).toBe('UNKNOWN_CURRENCY');
    expect(codeOf(() => findCurrency(code))).toBe('UNKNOWN_CURRENCY');
  },
);

describe('roundMoney', () => {
  test.each([
    // amount, half_even, half_up, half_down, up, down
    ['0.125', '0.12', '0.13', '0.12', '0.13', '0.12'],
    ['0.135', '0.14', '0.14', '0.13', '0.14', '0.13'],
    ['0.1250000000000000001', '0.13', '0.13', '0.13', '0.13', '0.12'],
    ['-0.125', '-0.12', '-0.13', '-0.12', '-0.13', '-0.12'],
    ['0.004', '0', '0', '0', '0.01', '0'],
    ['-0.004', '0', '0', '0', '-0.01', '0'],
    ['118.72', '118.72', '118.72', '118.72', '118.72', '118.72'],
  ])('%s USD', (amount, ...expected) => {
    expect(roundingModes.map((mode) => roundMoney(amount as DecimalString, 'USD', mode))).toEqual(expected);
  });

  test('goes to the minor unit of the currency', () => {
    expect(roundMoney('98.5' as DecimalString, 'JPY', 'half_even')).toBe('98');
    expect(roundMoney(new D('1.23456'), 'BHD', 'half_even')).toBe('1.235');
    expect(roundMoney('1.23456' as DecimalString, 'UYW', 'half_even')).toBe('1.2346');
  });

  test('law: a credit mirrors its charge, and rounding twice is rounding once', () => {
    const amounts = fc
      .tuple(fc.integer(), fc.integer({ min: 0, max: 999_999 }))
      .map(([whole, rest]) => new D(`${whole}.${rest}`));
    fc.assert(
      fc.property(
        amounts,
        fc.constantFrom(...roundingModes),
        fc.constantFrom('JPY', 'USD', 'KWD'),
        (amount, mode, currency) => {
          const rounded = roundMoney(amount, currency, mode);
          expect(
            decimal(roundMoney(amount.negated(), currency, mode))
              .negated()
              .equals(rounded),
          ).toBe(true);
          expect(roundMoney(rounded, currency, mode)).toBe(rounded);
        },
      ),
      { numRuns: 1000 },
    );
  });
});

describe('formatAmount', () => {
  test.each([
    ['118.72', 'USD', '118.72'],
    ['0', 'USD', '0.00'],
    ['-0.5', 'USD', '-0.50'],
    ['1234567', 'JPY', '1234567'],
    ['1.5', 'KWD', '1.500'],
  ])('%s %s is %s', (amount, currency, expected) => {
    expect(formatAmount(amount as DecimalString, currency)).toBe(expected);
  });

  test('has no negative zero', () => {
    expect(formatAmount(new D('-0'), 'USD')).toBe('0.00');
  });

  test('does not round in silence', () => {
    expect(() => formatAmount('0.125' as DecimalString, 'USD')).toThrow(/finer than its minor unit/);
  });
});
