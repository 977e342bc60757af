/**
 * The amount of a charge, worked out again from its explanation alone: what a reader of `GET /charges/{id}` can do with
 * pencil and paper. Shares no code with rating, so that agreeing means something.
 */
import { isRetired } from '../domain/correction/retire.js';
import type { PricedCalculation } from './charge-explanation.js';
import { fraction, isZero, minus, over, rounded, roundedUp, sum, times } from './fraction.js';
import type { Fraction } from './fraction.js';

/** One line of the arithmetic; the amounts of all of them add up to the charge. */
export interface Step {
  readonly label: string;
  /** Decimals with ` × `, ` / ` and ` − `, read from left to right; a percentage ends in ` %`. */
  readonly expression: string;
  readonly amount: Fraction;
}

/** @throws Error when the explanation lacks what its model needs, SyntaxError for what is not a decimal */
export function recompute(calculation: PricedCalculation): Fraction {
  return sum(stepsOf(calculation).map(({ amount }) => amount));
}

/** As `recompute`, step by step. */
export function stepsOf(calculation: PricedCalculation): readonly Step[] {
  if (isRetired(calculation)) return [product('nothing is left to be charged', '0')];
  const steps = [...stepsOfModel(calculation)];
  const { discount, limit } = calculation;
  if (discount !== undefined) {
    const taken = times(fraction(discount.of), times(fraction(discount.percent), { n: 1n, d: 100n }));
    const expression = `-${discount.percent} % × ${discount.of}`;
    steps.push({ label: `discount of ${discount.percent} %`, expression, amount: minus(fraction('0'), taken) });
  }
  if (limit !== undefined) {
    const label =
      limit.kind === 'minimum' ? `up to the minimum of ${limit.limit}` : `down to the maximum of ${limit.limit}`;
    const amount = minus(fraction(limit.limit), fraction(limit.line_amount));
    steps.push({ label, expression: difference(limit.limit, limit.line_amount), amount });
  }
  return steps;
}

function difference(a: string, b: string): string {
  return b.startsWith('-') ? `${a} + ${b.slice(1)}` : `${a} − ${b}`;
}

function product(label: string, ...factors: readonly string[]): Step {
  const amount = factors.map((factor) => fraction(factor)).reduce(times);
  return { label, expression: factors.join(' × '), amount };
}

function stepsOfModel(calculation: PricedCalculation): readonly Step[] {
  switch (calculation.model) {
    case 'flat':
      return [
        product('units × unit price', pricedQuantity(calculation), required(calculation.unit_price, 'unit_price')),
      ];
    case 'tiered':
    case 'volume':
    case 'graduated_percentage':
      return tierSteps(calculation);
    case 'package':
      return [packageStep(calculation)];
    case 'percentage':
      return percentageSteps(calculation);
    case 'fixed':
      return [feeStep(calculation)];
    case 'minimum_commitment': {
      const { minimum, lines } = required(calculation.commitment, 'commitment');
      const amount = minus(fraction(minimum), fraction(lines));
      return [{ label: 'minimum less all other lines', expression: difference(minimum, lines), amount }];
    }
  }
}

/** After included units. */
const pricedQuantity = ({ included, quantity }: PricedCalculation): string => included?.quantity ?? quantity;

function required<T>(value: T | null | undefined, name: string): T {
  if (value === null || value === undefined) throw new Error(`the explanation lacks "${name}"`);
  return value;
}

function tierSteps({ tiers, model }: PricedCalculation): readonly Step[] {
  const steps: Step[] = [];
  let below: string | null = null;
  for (const { up_to: upTo, quantity, unit_price: price, flat_fee: fee } of tiers) {
    const tier = model === 'volume' ? tierReached(upTo) : tierName(below, upTo);
    if (!isZero(fraction(quantity)) || fee === undefined) steps.push(product(tier, quantity, price));
    if (fee !== undefined) steps.push(feeOfTier(tier, fee));
    below = upTo;
  }
  return steps.length === 0 ? [product('nothing to be priced', '0')] : steps;
}

function feeOfTier(tier: string, fee: string): Step {
  return product(fee.startsWith('-') ? `flat fee given back: ${tier}` : `flat fee: ${tier}`, fee);
}

function tierName(below: string | null, upTo: string | null): string {
  const above = below === null ? '' : ` above ${below}`;
  return upTo === null ? `tier${above} without upper limit` : `tier${above} up to ${upTo}`;
}

const tierReached = (upTo: string | null): string =>
  upTo === null ? 'all at the price of the last tier' : `all at the price of the tier up to ${upTo}`;

/** Every started package; what is not used starts none. */
function packageStep(calculation: PricedCalculation): Step {
  const { size, price } = required(calculation.package, 'package');
  const quantity = fraction(pricedQuantity(calculation));
  const packages = quantity.n <= 0n ? fraction('0') : roundedUp(over(quantity, fraction(size)));
  return product('packages × price of a package', String(packages.n), price);
}

/** A prorated fee has 12 digits after the point, half-even. */
const proratedPlaces = 12;

function feeStep({ fixed, quantity }: PricedCalculation): Step {
  const { amount, quantity_meter: meter, elapsed_seconds: part, period_seconds: all } = required(fixed, 'fixed');
  const whole = product('fee', ...(meter === null && quantity === '1' ? [amount] : [quantity, amount]));
  if (part === undefined || all === undefined) return whole;
  return {
    label: 'fee for its share of the period, in seconds',
    expression: `${whole.expression} × ${part} / ${all}`,
    amount: rounded(over(times(whole.amount, fraction(part)), fraction(all)), proratedPlaces),
  };
}

function percentageSteps({ percentage }: PricedCalculation): readonly Step[] {
  const { rate, rated, negative, at_minimum: low, at_maximum: high, ...terms } = required(percentage, 'percentage');
  const steps: Step[] = [];
  const add = (label: string, count: string, price: string | null): void => {
    if (price !== null && !isZero(times(fraction(count), fraction(price)))) steps.push(product(label, count, price));
  };
  add('amount × rate', rated.amount, rate);
  add('events × fixed fee', String(rated.events), terms.fixed_fee);
  add('events at the least an event costs', String(low.events), terms.per_event_minimum);
  add('events at the most an event costs', String(high.events), terms.per_event_maximum);
  add('amounts below zero × rate', negative.amount, rate);
  return steps.length === 0 ? [product('nothing to be priced', '0', rate)] : steps;
}

/** Whether an unrounded sum can have been rounded, in any way, to that amount. */
export function roundsTo(total: Fraction, amount: string): boolean {
  const places = (amount.split('.')[1] ?? '').length;
  const unit: Fraction = { n: 1n, d: 10n ** BigInt(places) };
  const apart = minus(fraction(amount), total);
  const size = apart.n < 0n ? { n: -apart.n, d: apart.d } : apart;
  return minus(size, unit).n < 0n;
}
