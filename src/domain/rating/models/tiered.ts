import { toDecimalString } from '../../decimal.js';
import type { D } from '../../decimal.js';
import type { TierCalculation } from '../rating.js';
import type { PricedShare } from './priced-share.js';
import { add, amountText, appendTerm, ZERO } from './tiers.js';
import type { CompiledTier } from './tiers.js';

/**
 * One stretch in which a version is in force: the line's cumulative quantity before and after it. The flat fee of the
 * first tier is due from the first unit on, or from the start where the price charges when zero (RULES 12), so whether
 * it is due at a cumulative of zero is known only to the caller.
 */
export interface CumulativeStep {
  readonly before: D;
  readonly after: D;
  readonly firstFeeDueBefore: boolean;
  readonly firstFeeDueAfter: boolean;
}

/**
 * Each unit at the price of the tier it falls into: the sum of F(after) − F(before) over the steps, where F is the whole
 * price function with flat fees (RULES 20). Below zero F goes on at the first tier's price without its fee (RULES 8).
 */
export function priceTiered(
  tiers: readonly CompiledTier[],
  steps: readonly CumulativeStep[],
  minorDigits: number,
): PricedShare {
  const used: TierCalculation[] = [];
  let amount = ZERO;
  let formula = '';
  for (const tier of tiers) {
    const { units, fees } = shareOfTier(tier, steps);
    if (fees === 0 && units === tier.width) {
      // Most quantities fill all tiers but their last; what a full tier says is the same for everybody.
      const full = fullTier(tier, minorDigits);
      amount = add(amount, full.amount);
      formula = appendTerm(formula, full.formula, false);
      used.push(full.calculation);
      continue;
    }
    if (units.isZero() && fees === 0) continue;
    const fee = fees === 0 ? ZERO : tier.flatFee.times(fees);
    const tierAmount = add(units.times(tier.unitPrice), fee);
    amount = add(amount, tierAmount);
    const quantity = toDecimalString(units);
    if (!units.isZero()) {
      const negative = units.isNegative();
      formula = appendTerm(formula, `${negative ? quantity.slice(1) : quantity} × ${tier.tier.unitPrice}`, negative);
    }
    if (!fee.isZero()) formula = appendTerm(formula, feeText(tier, fees), fees < 0);
    used.push({
      up_to: tier.tier.upTo,
      quantity,
      unit_price: tier.tier.unitPrice,
      ...(fee.isZero() ? {} : { flat_fee: toDecimalString(fee) }),
      amount: amountText(tierAmount, minorDigits),
    });
  }
  const [first] = tiers;
  if (formula === '' && first !== undefined) formula = `0 × ${first.tier.unitPrice}`;
  return { amount, formula, unitPrice: null, tiers: used };
}

interface FullTier {
  readonly minorDigits: number;
  readonly amount: D;
  readonly formula: string;
  readonly calculation: TierCalculation;
}

/** Compiled tiers never change, and a price book has one currency. */
const fullTiers = new WeakMap<CompiledTier, FullTier>();

function fullTier(tier: CompiledTier, minorDigits: number): FullTier {
  const known = fullTiers.get(tier);
  if (known?.minorDigits === minorDigits) return known;
  const units = tier.width ?? ZERO;
  const amount = units.times(tier.unitPrice);
  const { upTo, unitPrice } = tier.tier;
  const quantity = toDecimalString(units);
  const full = {
    minorDigits,
    amount,
    formula: `${quantity} × ${unitPrice}`,
    calculation: { up_to: upTo, quantity, unit_price: unitPrice, amount: amountText(amount, minorDigits) },
  };
  fullTiers.set(tier, full);
  return full;
}

/** Units that fall into the tier, and how many times its flat fee becomes due (negative: is given back). */
function shareOfTier(tier: CompiledTier, steps: readonly CumulativeStep[]): { units: D; fees: number } {
  let units = ZERO;
  let fees = 0;
  for (const step of steps) {
    const before = unitsIn(tier, step.before);
    const after = unitsIn(tier, step.after);
    units = add(units, before.isZero() ? after : after.minus(before));
    if (tier.flatFee.isZero()) continue;
    const dueAfter = tier.first ? step.firstFeeDueAfter : step.after.gt(tier.lower);
    const dueBefore = tier.first ? step.firstFeeDueBefore : step.before.gt(tier.lower);
    fees += Number(dueAfter) - Number(dueBefore);
  }
  return { units, fees };
}

function unitsIn(tier: CompiledTier, cumulative: D): D {
  if (cumulative.isZero()) return ZERO;
  if (cumulative.lte(tier.lower)) return tier.first ? cumulative : ZERO;
  return tier.upper === null || tier.width === null || cumulative.lt(tier.upper)
    ? cumulative.minus(tier.lower)
    : tier.width;
}

function feeText(tier: CompiledTier, fees: number): string {
  const times = Math.abs(fees);
  return times === 1 ? tier.tier.flatFee : `${times} × ${tier.tier.flatFee}`;
}
