/** Prices in other currencies than the invoice: what is converted when, and what is refused. */
import { rateOn } from '../../src/domain/money/conversion.js';
import type { ExchangeRate } from '../../src/domain/money/conversion.js';
import type { ConversionRates } from '../../src/domain/rating/invoice-currency.js';
import { ratePeriod } from '../../src/domain/rating/rate.js';
import type { RatingInput, RatingResult } from '../../src/domain/rating/rating.js';
import { retiredCharges } from '../../src/domain/correction/retire.js';
import { chainHolds } from '../../src/domain/reconciliation/chain-holds.js';
import type { DecimalString, LocalDate } from '../../src/domain/values.js';
import { flat, january, onlyLine, ratingInput, used, version } from '../support/rating-input.js';
import { compare, rational, valueOfFormula } from '../support/rational-rating.js';
import { recompute } from '../../src/explanation/recompute.js';
import { recomputeInvoiced } from './support/recompute-invoiced.js';

const day = '2024-01-31' as LocalDate;
const published = (
  [
    ['USD', '1.25'],
    ['GBP', '0.80'],
    ['JPY', '160'],
  ] as const
).map(([quote, rate]): ExchangeRate => ({ source: 'ecb', base: 'EUR', quote, date: day, rate: rate as DecimalString }));
const ratesTo = (to: string, ...currencies: readonly string[]): ConversionRates =>
  new Map(
    currencies.map((from) => [
      from,
      rateOn(published, { from, to, on: day, maxAgeDays: 7 }) ?? { missing: `no rate from ${from} to ${to}` },
    ]),
  );

const inUsd = version('usd', [flat('0.10')]);
const inEur = version('eur', [flat('0.20')], { currency: 'EUR' });
const inGbp = version('gbp', [flat('0.30')], { currency: 'GBP' });
const rated = (input: RatingInput, currency: string, rates: ConversionRates): RatingResult =>
  ratePeriod({ ...input, currency, rates });
const codes = ({ problems }: RatingResult): readonly unknown[] => problems.map(({ code, meter }) => [code, meter]);

describe('a change of currency in mid-period', () => {
  const input = ratingInput([inUsd, inEur, inGbp], [used(0, '101'), used(1, '103'), used(2, '107')]);

  test('converts each charge by itself, and rounds the line once', () => {
    const line = onlyLine(rated(input, 'EUR', ratesTo('EUR', 'USD', 'GBP')));
    // 10.10 USD × 0.8 + 20.60 EUR + 32.10 GBP × 1.25 = 8.08 + 20.60 + 40.125 = 68.805
    expect(line).toMatchObject({ currency: 'EUR', amount: '68.8', quantity: '311' });
    expect(line.formula).toBe('[101 × 0.10] × 0.8 + 103 × 0.20 + [107 × 0.30] × 1.25');
    expect(compare(valueOfFormula(line.formula), rational('68.805'))).toBe(0);
    expect(
      line.charges.map(({ currency, amount, calculation: of }) => [currency, amount, of.conversion?.amount]),
    ).toEqual([
      ['USD', '10.10', '8.08'],
      ['EUR', '20.60', undefined],
      ['GBP', '32.10', '40.125'],
    ]);
    for (const { calculation } of line.charges) {
      const converted = calculation.conversion?.amount ?? '20.60';
      expect(compare(recomputeInvoiced(calculation), rational(converted))).toBe(0);
    }
  });

  test('reconciles: charges come to the line once they are converted', () => {
    const { lines } = rated(input, 'EUR', ratesTo('EUR', 'USD', 'GBP'));
    const charges = lines.flatMap((line) => line.charges);
    const usage = input.usage;
    expect(chainHolds({ usage, charges, lines })).toEqual({ holds: true, differences: [] });
    const [first, ...others] = charges;
    if (first?.calculation.conversion === undefined) throw new Error('the first charge is converted');
    const conversion = { ...first.calculation.conversion, rate: '0.9' as DecimalString };
    const wrong = [{ ...first, calculation: { ...first.calculation, conversion } }, ...others];
    expect(chainHolds({ usage, charges: wrong, lines }).differences).toHaveLength(1);
  });

  test('keeps no conversion on a charge that is retired', () => {
    const { lines } = rated(input, 'EUR', ratesTo('EUR', 'USD', 'GBP'));
    const [charge] = lines.flatMap((line) => line.charges);
    if (charge === undefined) throw new Error('there is a charge');
    const [gone] = retiredCharges([charge], []);
    expect(gone).toMatchObject({ amount: '0', currency: 'USD' });
    expect(gone?.calculation.conversion).toBeUndefined();
  });

  test('is refused where a line has a minimum or maximum: it would be held against two currencies', () => {
    const limited = version('usd', [flat('0.10', { maximum: '5.00' })]);
    const result = rated(ratingInput([inEur, limited], [used(0, '100'), used(1, '100')]), 'EUR', ratesTo('EUR', 'USD'));
    expect(codes(result)).toEqual([['CURRENCY_MISMATCH', 'calls']]);
    expect(result.problems[0]?.detail).toMatch(
      /maximum .* in USD, .* in EUR; let the change take effect at a boundary/,
    );
    expect(result.lines).toEqual([]);
    // In one currency it is a change of price like any other.
    const alone = ratingInput([limited, limited], [used(0, '100'), used(1, '100')]);
    expect(onlyLine(rated(alone, 'EUR', ratesTo('EUR', 'USD'))).amount).toBe('4');
  });
});

describe('what cannot be converted is never free, nor taken at par', () => {
  const input = ratingInput([inUsd], [used(0, '100')]);

  test('a missing rate', () => {
    const result = rated(input, 'CHF', ratesTo('CHF', 'USD'));
    expect(result).toEqual({
      lines: [],
      problems: [{ code: 'EXCHANGE_RATE_MISSING', meter: 'calls', group: {}, detail: 'no rate from USD to CHF' }],
    });
  });

  test('no conversion at all', () => {
    const result = rated(input, 'EUR', new Map());
    expect(codes(result)).toEqual([['CURRENCY_MISMATCH', 'calls']]);
    expect(result.problems[0]?.detail).toContain('currency_conversion');
  });

  test('fees', () => {
    const fee = { model: 'fixed', name: 'Base fee', amount: '49', billed: 'in_arrears' };
    const fees = ratingInput([version('v1', [fee])], []);
    expect(codes(rated(fees, 'CHF', ratesTo('CHF', 'USD')))).toEqual([['EXCHANGE_RATE_MISSING', 'Base fee']]);
    expect(onlyLine(rated(fees, 'JPY', ratesTo('JPY', 'USD')))).toMatchObject({ amount: '6272', currency: 'JPY' });
  });

  test('a commitment, also without usage', () => {
    const committed = ratingInput([version('v1', [flat('1')], { minimum_commitment: '100' })], []);
    expect(codes(rated(committed, 'CHF', ratesTo('CHF', 'USD')))).toEqual([
      ['EXCHANGE_RATE_MISSING', 'Minimum commitment'],
    ]);
    expect(codes(rated(committed, 'CHF', new Map()))).toEqual([['CURRENCY_MISMATCH', 'Minimum commitment']]);
  });
});

test('prorated fees of two currencies share a line by time, each converted by itself', () => {
  const fee = { model: 'fixed', name: 'Base fee', amount: '31', billed: 'in_arrears', prorate: true };
  const books = [version('usd', [fee]), version('eur', [fee], { currency: 'EUR' })];
  // One day of January in USD, thirty in EUR.
  const line = onlyLine(rated(ratingInput(books, []), 'EUR', ratesTo('EUR', 'USD')));
  expect(line.amount).toBe('30.8');
  expect(line.charges.map(({ calculation }) => calculation.conversion?.amount)).toEqual(['0.80', undefined]);
});

test('a commitment is converted and rounded, and stands in the currency of the invoice', () => {
  const book = version('v1', [flat('0.10')], { minimum_commitment: '100.03' });
  const { lines, problems } = rated(ratingInput([book], [used(0, '333')]), 'GBP', ratesTo('GBP', 'USD'));
  expect(problems).toEqual([]);
  // 33.30 × 0.64 = 21.312; 100.03 × 0.64 = 64.0192
  expect(lines.map(({ amount, currency }) => [amount, currency])).toEqual([
    ['21.31', 'GBP'],
    ['42.71', 'GBP'],
  ]);
  const [charge] = lines[1]?.charges ?? [];
  expect(charge).toMatchObject({ amount: '42.71', currency: 'GBP' });
  expect(charge?.calculation.conversion).toBeUndefined();
  expect(charge?.calculation.commitment).toMatchObject({
    ...{ minimum: '64.02', lines: '21.31' },
    converted: { from: 'USD', to: 'GBP', rate: '0.64', price: '100.03', rounding: 'half_even' },
  });
  if (charge === undefined) throw new Error('the commitment has a charge');
  expect(compare(recompute(charge.calculation), rational('42.71'))).toBe(0);
});

test('rates that are there and not needed change nothing', () => {
  const input = ratingInput([inUsd], [used(0, '1234')]);
  expect(ratePeriod({ ...input, rates: ratesTo('USD', 'EUR', 'GBP') })).toEqual(ratePeriod(input));
  expect(ratePeriod(input).lines[0]?.charges[0]?.calculation).not.toHaveProperty('conversion');
  expect(input.period).toEqual(january);
});
