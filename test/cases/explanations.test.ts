/**
 * Every charge that any billing case comes to, printed for a customer: the figures of the text alone give the amount. Read as
 * text, with fractions of the test's own: neither rating nor the program's own check has a part in it.
 */
import { findCaseFiles, readCaseFile } from '../../src/cases/read-cases.js';
import { PureEngine } from '../../src/cases/pure-engine.js';
import { runCase } from '../../src/cases/run-case.js';
import type { RatedCharge, RatingInput, RatingResult } from '../../src/domain/rating/rating.js';
import type { Interval } from '../../src/domain/values.js';
import { explainCharge } from '../../src/explanation/explain.js';
import { verifyCharge } from '../../src/explanation/verify.js';
import { arithmeticOf, explanationOf, readArithmetic, valueOf } from '../support/explained.js';
import { compare, rational, roundHalfEven } from '../support/rational-rating.js';

const mockRated: { readonly charge: RatedCharge; readonly period: Interval }[] = [];

jest.mock('../../src/domain/rating/rate.js', () => {
  const actual = jest.requireActual<{ ratePeriod: (input: RatingInput) => RatingResult }>(
    '../../src/domain/rating/rate.js',
  );
  const ratePeriod = (input: RatingInput): RatingResult => {
    const result = actual.ratePeriod(input);
    for (const { charges } of result.lines)
      mockRated.push(...charges.map((charge) => ({ charge, period: input.period })));
    return result;
  };
  return { ...actual, ratePeriod };
});

const models = [
  'fixed',
  'flat',
  'graduated_percentage',
  'minimum_commitment',
  'package',
  'percentage',
  'tiered',
  'volume',
];

beforeAll(async () => {
  for (const file of await findCaseFiles([__dirname]))
    await runCase(await readCaseFile(file), (facts) => new PureEngine(facts));
}, 120_000);

test('the cases come to charges of every model', () => {
  expect(mockRated.length).toBeGreaterThan(200);
  expect([...new Set(mockRated.map(({ charge }) => charge.calculation.model))].sort()).toEqual(models);
});

test('the printed figures give the amount of every charge', () => {
  const wrong: string[] = [];
  for (const { charge, period } of mockRated) {
    const text = explainCharge(explanationOf(charge, period), { allWindows: false });
    const { total, together } = readArithmetic(text);
    if (together !== charge.amount || compare(total, rational(charge.amount)) !== 0) wrong.push(text);
    for (const { expression, amount } of arithmeticOf(text)) {
      if (expression === 'Together') continue;
      const value = valueOf(expression);
      // A share of a period is a fraction, and is rounded to 12 digits, as the text says.
      const exact = expression.includes(' / ') ? { n: roundHalfEven(value, 12), d: 10n ** 12n } : value;
      if (compare(exact, rational(amount)) !== 0) wrong.push(`${expression} is not ${amount}`);
    }
  }
  expect(wrong).toEqual([]);
});

test('the program works every one of them out again, and notices a wrong one', () => {
  const missed = mockRated.filter(({ charge, period }) => {
    const explanation = explanationOf(charge, period);
    const other = { ...explanation, amount: `${charge.amount.includes('.') ? charge.amount : `${charge.amount}.`}1` };
    return !verifyCharge(explanation).every(({ holds }) => holds) || verifyCharge(other).every(({ holds }) => holds);
  });
  expect(missed).toEqual([]);
});

test('no line is longer than 100 columns, and no figure is lost', () => {
  const texts = mockRated.map(({ charge, period }) =>
    explainCharge(explanationOf(charge, period), { allWindows: true }),
  );
  const long = texts
    .flatMap((text) => text.split('\n'))
    .filter((line) => line.length > 100 && /\S\s+\S/.test(line.trim()));
  expect(long).toEqual([]);
});
