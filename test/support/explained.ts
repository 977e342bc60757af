/** Explanations of charges as the API gives them, and what a reader does with the printed text. */
import type { ChargeExplanation } from '../../src/explanation/charge-explanation.js';
import type { RatedCharge } from '../../src/domain/rating/rating.js';
import type { Interval } from '../../src/domain/values.js';
import { minus, plus, rational, sum, times } from './rational-rating.js';
import type { Rational } from './rational-rating.js';

/** As GET /charges/{id} would answer, without windows. */
export function explanationOf(charge: RatedCharge, period: Interval): ChargeExplanation {
  return {
    charge_id: 'c0ffee00-0000-5000-8000-000000000001',
    revision: 1,
    supersedes_charge_id: null,
    provisional: false,
    current_charge_ids: ['c0ffee00-0000-5000-8000-000000000001'],
    price_lookup: 'current',
    prices_as_of: null,
    customer_id: 'cust_1',
    period: period.from.slice(0, 10),
    period_from: period.from,
    period_to: period.to,
    time_zone: 'UTC',
    meter: charge.meter,
    aggregation: charge.meter === null ? null : 'sum',
    group: charge.group,
    amount: charge.amount,
    currency: charge.currency,
    cutoff_position: '1',
    calculation: {
      ...charge.calculation,
      windows: [],
      source_events: { count: charge.eventCount, stands_for: null, digest: charge.digest, first: [], href: '' },
      opening_level: null,
    },
    invoice_lines: [],
  };
}

/** What stands behind the heading of the arithmetic: each `EXPRESSION = AMOUNT`. */
export function arithmeticOf(text: string): readonly { readonly expression: string; readonly amount: string }[] {
  const [, block = ''] = text.split(/^The arithmetic\n-+\n/m);
  // An expression that is too long for it has its amount on the next line.
  const lines = block.replace(/\n {4}= /g, ' = ').split('\n');
  return lines.flatMap((line) => {
    const [, expression, amount] = /^ {2}(\S.*?) += +(-?[\d.]+) /.exec(`${line} `) ?? [];
    return expression === undefined || amount === undefined ? [] : [{ expression, amount }];
  });
}

/** `2 × 3.5`, `-10 % × 20`, `a × b / c` (12 digits), `a − b`. */
export function valueOf(expression: string): Rational {
  const terms = expression.split(/ (?=[+−] )/).map((term) => {
    const [, sign, product = term] = /^([+−]) (.*)$/.exec(term) ?? [];
    const [factors = '', divisor] = product.split(' / ');
    const value = factors
      .split(' × ')
      .map((factor) => (factor.endsWith(' %') ? over100(factor.slice(0, -2)) : rational(factor)))
      .reduce(times, { n: 1n, d: 1n });
    const quotient = divisor === undefined ? value : divided(value, rational(divisor));
    return sign === '−' ? minus({ n: 0n, d: 1n }, quotient) : quotient;
  });
  return terms.reduce(plus);
}

const over100 = (percent: string): Rational => times(rational(percent), { n: 1n, d: 100n });
const divided = (a: Rational, b: Rational): Rational => ({ n: a.n * b.d, d: a.d * b.n });

/** The sum of the printed steps, and what the text calls their sum. */
export function readArithmetic(text: string): { readonly total: Rational; readonly together: string } {
  const rows = arithmeticOf(text);
  const steps = rows.filter(({ expression }) => expression !== 'Together');
  const together = rows.find(({ expression }) => expression === 'Together')?.amount ?? 'missing';
  return { total: sum(steps.map(({ amount }) => rational(amount))), together };
}

/** The quantities of the days with usage. */
export function daysIn(text: string): readonly Rational[] {
  const [, table = ''] = /^ {2}Day .*\n((?: {2}\d.*\n)*)/m.exec(text) ?? [];
  return table.split('\n').flatMap((row) => {
    const quantity = /\d{4} +(-?[\d.]+) +\d+$/.exec(row)?.[1];
    return quantity === undefined ? [] : [rational(quantity)];
  });
}
