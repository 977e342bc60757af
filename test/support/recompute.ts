/**
 * The amount of a charge, worked out again from its explanation alone, with exact fractions and none of the project's code:
 * what a reader of `GET /charges/{id}` can do with pencil and paper.
 */
import type { Calculation } from '../../src/domain/rating/rating.js';
import { minus, plus, rational, roundHalfEven, sum, times, zero } from './rational-rating.js';
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
      return minus(
        rational(calculation.commitment?.minimum ?? 'none'),
        rational(calculation.commitment?.lines ?? 'none'),
      );
  }
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
