/**
 * The amount of a charge, worked out again from its explanation alone, with exact fractions and none of the project's code:
 * what a reader of `GET /charges/{id}` can do with pencil and paper.
 */
import type { Calculation } from '../../src/domain/rating/rating.js';
import { compare, minus, plus, rational, roundHalfEven, sum, times, zero } from './rational-rating.js';
import type { Rational } from './rational-rating.js';

const product = (a: string, b: string): Rational => times(rational(a), rational(b));

export function recompute(calculation: Calculation): Rational {
  let amount = ofModel(calculation);
  const { discount, limit } = calculation;
  if (discount !== undefined) {
    const hundredth: Rational = { n: rational(discount.percent).n, d: rational(discount.percent).d * 100n };
    amount = minus(amount, times(rational(discount.of), hundredth));
  }
  if (limit !== undefined) amount = plus(amount, minus(rational(limit.limit), rational(limit.line_amount)));
  return amount;
}

function ofModel(calculation: Calculation): Rational {
  switch (calculation.model) {
    case 'flat':
      return product(calculation.included?.quantity ?? calculation.quantity, calculation.unit_price ?? 'none');
    case 'tiered':
    case 'volume':
    case 'graduated_percentage':
      return sum(
        calculation.tiers.map(({ quantity, unit_price: price, flat_fee: fee }) =>
          plus(product(quantity, price), rational(fee ?? '0')),
        ),
      );
    case 'package': {
      const { size, price } = calculation.package ?? { size: 'none', price: 'none' };
      return times(
        packagesIn(rational(calculation.included?.quantity ?? calculation.quantity), rational(size)),
        rational(price),
      );
    }
    case 'percentage':
      return ofPercentage(calculation);
    case 'fixed':
      return ofFixed(calculation);
    case 'minimum_commitment':
      return ofCommitment(calculation);
  }
}

type Applied = NonNullable<Calculation['conversion']>;

/** The amount in the invoice's currency, not rounded: that in the currency of the price at the rate that is recorded. */
export function recomputeInvoiced(calculation: Calculation): Rational {
  const amount = recompute(calculation);
  const { conversion } = calculation;
  return conversion === undefined ? amount : times(amount, recomputeRate(conversion));
}

/** The rate, made again of what was published: `from` into `to`, a leg an input; 15 digits where it was divided for. */
export function recomputeRate({ from, to, inputs }: Omit<Applied, 'amount'>): Rational {
  let [at, value, divided] = [from, { n: 1n, d: 1n }, inputs.length > 1];
  for (const { base, quote, rate } of inputs) {
    const published = rational(rate);
    const isInverse = quote === at;
    if (!isInverse && base !== at) throw new Error(`${base}/${quote} does not lead on from ${at}`);
    value = times(value, isInverse ? { n: published.d, d: published.n } : published);
    divided ||= isInverse;
    at = isInverse ? base : quote;
  }
  if (at !== to) throw new Error(`the inputs lead to ${at} and not to ${to}`);
  return divided ? toSignificantDigits(value, 15) : value;
}

function toSignificantDigits(value: Rational, digits: number): Rational {
  const power = (places: number): Rational =>
    places < 0 ? { n: 1n, d: 10n ** BigInt(-places) } : { n: 10n ** BigInt(places), d: 1n };
  let exponent = 0;
  while (compare(value, power(exponent + 1)) >= 0) exponent += 1;
  while (compare(value, power(exponent)) < 0) exponent -= 1;
  const places = digits - 1 - exponent;
  return times({ n: roundHalfEven(times(value, power(places)), 0), d: 1n }, power(-places));
}

/** A prorated fee has 12 digits after the point, half-even. */
function ofFixed({ fixed, quantity }: Calculation): Rational {
  if (fixed === undefined) throw new Error('a fee is not explained');
  const whole = product(quantity, fixed.amount);
  if (fixed.elapsed_seconds === undefined || fixed.period_seconds === undefined) return whole;
  const [part, all] = [rational(fixed.elapsed_seconds), rational(fixed.period_seconds)];
  const share = times(whole, { n: part.n * all.d, d: part.d * all.n });
  return { n: roundHalfEven(share, 12), d: 10n ** 12n };
}

/** In another currency it is converted and rounded first. Which digits the invoice's currency has, its text shows. */
function ofCommitment({ commitment }: Calculation): Rational {
  if (commitment === undefined) throw new Error('a commitment is not explained');
  const { converted, lines } = commitment;
  let minimum = rational(commitment.minimum);
  if (converted !== undefined) {
    if (converted.rounding !== 'half_even') throw new Error('only half-even is worked out here');
    const places = commitment.minimum.split('.')[1]?.length ?? 0;
    const due = times(rational(converted.price), recomputeRate(converted));
    minimum = { n: roundHalfEven(due, places), d: 10n ** BigInt(places) };
  }
  return minus(minimum, rational(lines));
}

function packagesIn(quantity: Rational, size: Rational): Rational {
  if (quantity.n <= 0n) return zero;
  const [n, d] = [quantity.n * size.d, quantity.d * size.n];
  return { n: (n + d - 1n) / d, d: 1n };
}

function ofPercentage({ percentage }: Calculation): Rational {
  if (percentage === undefined) throw new Error('a percentage is not explained');
  const { rate, rated, negative, at_minimum: atMinimum, at_maximum: atMaximum } = percentage;
  const each = (count: number, price: string | null): Rational => product(String(count), price ?? '0');
  return sum([
    times(plus(rational(rated.amount), rational(negative.amount)), rational(rate)),
    each(rated.events, percentage.fixed_fee),
    each(atMinimum.events, percentage.per_event_minimum),
    each(atMaximum.events, percentage.per_event_maximum),
  ]);
}
