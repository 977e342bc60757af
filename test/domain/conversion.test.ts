/** Which exchange rate holds, what it is made of, and what amounts come to at it. */
import fc from 'fast-check';
import { addDecimals, decimal, toDecimalString } from '../../src/domain/decimal.js';
import { convert, quotesBoth, rateOn } from '../../src/domain/money/conversion.js';
import type { AppliedRate, ExchangeRate } from '../../src/domain/money/conversion.js';
import { parseRates } from '../../src/domain/money/parse-rates.js';
import type { RateText } from '../../src/domain/money/parse-rates.js';
import type { DecimalString, LocalDate } from '../../src/domain/values.js';
import { compare, minus, rational, times } from '../support/rational-rating.js';
import type { Rational } from '../support/rational-rating.js';
import { recomputeRate } from '../../src/explanation/rate.js';
import { codeOf, pointerOf } from './support/failures.js';

const day = (text: string): LocalDate => text as LocalDate;
const rate = (base: string, quote: string, date: string, text: string): ExchangeRate => ({
  ...{ source: 'ecb', base, quote },
  date: day(date),
  rate: text as DecimalString,
});
const on = (rates: readonly ExchangeRate[], from: string, to: string, at = '2024-01-31', maxAgeDays = 7) =>
  rateOn(rates, { from, to, on: day(at), maxAgeDays });

const published = [
  rate('EUR', 'USD', '2024-01-30', '1.0846'),
  rate('EUR', 'USD', '2024-01-31', '1.0837'),
  rate('EUR', 'USD', '2024-02-01', '1.0814'),
  rate('EUR', 'GBP', '2024-01-30', '0.85490'),
  rate('EUR', 'GBP', '2024-01-31', '0.85435'),
];

describe('the rate that holds', () => {
  test('as published, inverse, and through the common currency', () => {
    expect(on(published, 'EUR', 'USD')).toEqual({
      ...{ from: 'EUR', to: 'USD', rate: '1.0837', rate_date: '2024-01-31', source: 'ecb' },
      inputs: [{ base: 'EUR', quote: 'USD', rate: '1.0837' }],
    });
    // 1 / 1.0837 = 0.922764602749838516…
    expect(on(published, 'USD', 'EUR')?.rate).toBe('0.922764602749839');
    expect(on(published, 'USD', 'GBP')).toEqual({
      ...{ from: 'USD', to: 'GBP', rate_date: '2024-01-31', source: 'ecb' },
      // 0.85435 / 1.0837 = 0.7883639383593245…
      rate: '0.788363938359325',
      inputs: [
        { base: 'EUR', quote: 'USD', rate: '1.0837' },
        { base: 'EUR', quote: 'GBP', rate: '0.85435' },
      ],
    });
  });

  test('is of the last day up to the one asked for, and not older than allowed', () => {
    expect(on(published, 'EUR', 'USD', '2024-01-29')).toBeNull();
    expect(on(published, 'EUR', 'USD', '2024-01-30')?.rate).toBe('1.0846');
    expect(on(published, 'EUR', 'USD', '2024-02-08')?.rate_date).toBe('2024-02-01');
    expect(on(published, 'EUR', 'USD', '2024-02-09')).toBeNull();
    expect(on(published, 'EUR', 'USD', '2024-02-09', 8)?.rate_date).toBe('2024-02-01');
    expect(on(published, 'EUR', 'USD', '2024-02-01', 0)?.rate_date).toBe('2024-02-01');
    expect(on(published, 'EUR', 'USD', '2024-02-02', 0)).toBeNull();
  });

  test('a cross rate has both legs of one day; a pair of its own on a later day comes before it', () => {
    expect(on(published, 'USD', 'GBP', '2024-02-01')?.rate_date).toBe('2024-01-31');
    const own = [...published, rate('USD', 'GBP', '2024-02-01', '0.79')];
    expect(on(own, 'USD', 'GBP', '2024-02-01')).toMatchObject({ rate: '0.79', rate_date: '2024-02-01' });
  });

  test('on one day the pair, then its inverse, then the first way round by code', () => {
    const ways = [
      rate('CHF', 'USD', '2024-01-31', '2'),
      rate('CHF', 'GBP', '2024-01-31', '6'),
      rate('AUD', 'USD', '2024-01-31', '2'),
      rate('AUD', 'GBP', '2024-01-31', '4'),
    ];
    expect(on(ways, 'USD', 'GBP')?.rate).toBe('2');
    expect(on([...ways, rate('GBP', 'USD', '2024-01-31', '0.25')], 'USD', 'GBP')?.rate).toBe('4');
    const all = [...ways, rate('GBP', 'USD', '2024-01-31', '0.25'), rate('USD', 'GBP', '2024-01-31', '5')];
    expect(on(all, 'USD', 'GBP')?.rate).toBe('5');
    expect(on([...all].reverse(), 'USD', 'GBP')?.rate).toBe('5');
  });

  test('what a source quotes at all is known without days', () => {
    expect(quotesBoth(published, 'GBP', 'USD')).toBe(true);
    expect(quotesBoth(published, 'USD', 'USD')).toBe(true);
    expect(quotesBoth(published, 'USD', 'JPY')).toBe(false);
    expect(quotesBoth([], 'USD', 'EUR')).toBe(false);
  });
});

const anyRate = fc
  .tuple(fc.bigInt({ min: 1n, max: 999_999_999n }), fc.integer({ min: 0, max: 12 }))
  .map(([units, places]) => toDecimalString(decimal(String(units) as DecimalString).times(`1e-${places}`)));
const amount = fc
  .tuple(fc.bigInt({ min: -(10n ** 15n), max: 10n ** 15n }), fc.integer({ min: 0, max: 18 }))
  .map(([units, places]) => toDecimalString(decimal(String(units) as DecimalString).times(`1e-${places}`)));

const absolute = ({ n, d }: Rational): Rational => ({ n: n < 0n ? -n : n, d });
const required = (found: AppliedRate | null): AppliedRate => {
  if (found === null) throw new Error('there is a rate');
  return found;
};
const one: Rational = { n: 1n, d: 1n };
/** So close are two rates whose every rounding kept 15 digits. */
const close: Rational = { n: 2n, d: 10n ** 14n };

describe('laws', () => {
  test('every rate is what its inputs make, rounded once half-even to 15 digits', () => {
    fc.assert(
      fc.property(anyRate, anyRate, (a, b) => {
        const rates = [rate('EUR', 'USD', '2024-01-31', a), rate('EUR', 'GBP', '2024-01-31', b)];
        for (const [from, to] of [
          ['EUR', 'USD'],
          ['USD', 'EUR'],
          ['USD', 'GBP'],
          ['GBP', 'USD'],
        ] as const) {
          const found = required(on(rates, from, to));
          expect(compare(rational(found.rate), recomputeRate(found))).toBe(0);
        }
      }),
      { numRuns: 1_000 },
    );
  });

  test('a sum converted is the sum of what its parts are converted to', () => {
    fc.assert(
      fc.property(fc.array(amount, { minLength: 1, maxLength: 8 }), anyRate, (amounts, text) => {
        const applied = { rate: text };
        const apart = addDecimals(amounts.map((part) => toDecimalString(convert(part, applied))));
        expect(apart).toBe(toDecimalString(convert(addDecimals(amounts), applied)));
        expect(compare(rational(apart), times(rational(addDecimals(amounts)), rational(text)))).toBe(0);
      }),
    );
  });

  test('there and back is the same but for the last of 15 digits', () => {
    fc.assert(
      fc.property(anyRate, (text) => {
        const rates = [rate('EUR', 'USD', '2024-01-31', text)];
        const there = rational(required(on(rates, 'EUR', 'USD')).rate);
        const back = rational(required(on(rates, 'USD', 'EUR')).rate);
        expect(compare(absolute(minus(times(there, back), one)), close)).toBeLessThan(0);
      }),
    );
  });

  test('a cross rate is what both legs one after the other make, but for the last of 15 digits', () => {
    fc.assert(
      fc.property(anyRate, anyRate, (a, b) => {
        const rates = [rate('EUR', 'USD', '2024-01-31', a), rate('EUR', 'GBP', '2024-01-31', b)];
        const cross = rational(required(on(rates, 'USD', 'GBP')).rate);
        const first = rational(required(on(rates, 'USD', 'EUR')).rate);
        const legs = times(first, rational(b));
        expect(compare(absolute(minus(cross, legs)), times(legs, close))).toBeLessThan(0);
      }),
    );
  });

  test('the order of rates does not matter', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray(published, { minLength: published.length }), (shuffled) => {
        expect(on(shuffled, 'USD', 'GBP')).toEqual(on(published, 'USD', 'GBP'));
      }),
    );
  });
});

describe('rates from outside', () => {
  const row: RateText = { base: 'EUR', quote: 'USD', date: '2024-01-31', rate: '1.0837' };

  test('are taken without superfluous zeros; the same twice is once', () => {
    expect(parseRates('ecb', [row, { ...row, rate: '1.083700' }])).toEqual([
      { source: 'ecb', base: 'EUR', quote: 'USD', date: '2024-01-31', rate: '1.0837' },
    ]);
    expect(parseRates('ecb', [{ ...row, rate: '0.000000000000000001' }])[0]?.rate).toBe('0.000000000000000001');
  });

  test.each<[string, Partial<RateText>, string, string]>([
    ['not above zero', { rate: '0.00' }, 'VALIDATION_FAILED', 'rate'],
    ['below zero', { rate: '-1' }, 'VALIDATION_FAILED', 'rate'],
    ['an exponent', { rate: '1e3' }, 'INVALID_DECIMAL', 'rate'],
    ['N/A', { rate: 'N/A' }, 'INVALID_DECIMAL', 'rate'],
    ['too many digits', { rate: '1234567890.123456789' }, 'NUMBER_TOO_LONG', 'rate'],
    ['a day that does not exist', { date: '2024-02-30' }, 'INVALID_DATE', 'date'],
    ['an unknown base', { base: 'EUX' }, 'UNKNOWN_CURRENCY', 'base'],
    ['a quote that is gone', { quote: 'DEM' }, 'UNKNOWN_CURRENCY', 'quote'],
    ['to itself', { quote: 'EUR' }, 'VALIDATION_FAILED', 'quote'],
    ['another rate for the same pair and day', { rate: '1.0838' }, 'VALIDATION_FAILED', 'rate'],
  ])('are refused with their place: %s', (_name, wrong, code, column) => {
    const work = (): unknown => parseRates('ecb', [row, { ...row, ...wrong }]);
    expect(codeOf(work)).toBe(code);
    expect(pointerOf(work)).toBe(`/rates/1/${column}`);
  });
});
