import { decimal, zero } from '../decimal.js';
import { emptyDigest } from '../metering/digest.js';
import { lineKeyOfCharge } from '../rating/line-key.js';
import type { Calculation, CalculationDetails, RatedCharge } from '../rating/rating.js';

/**
 * Charges of the last rating that the new one no longer has (their usage is gone, or another price book version prices
 * it), as revisions of 0: they supersede the old ones, so that no charge goes on standing for what it no longer bills.
 */
export function retiredCharges(before: readonly RatedCharge[], now: readonly RatedCharge[]): readonly RatedCharge[] {
  const kept = new Set(now.map(keyOf));
  return before.filter((charge) => !kept.has(keyOf(charge)) && !isNothing(charge)).map(retired);
}

const keyOf = (charge: RatedCharge): string => JSON.stringify([lineKeyOfCharge(charge), charge.priceBookId]);

const isNothing = ({ amount, eventCount }: RatedCharge): boolean => eventCount === 0 && decimal(amount).isZero();

function retired(charge: RatedCharge): RatedCharge {
  return {
    ...charge,
    quantity: zero,
    amount: zero,
    eventCount: 0,
    digest: emptyDigest,
    calculation: {
      ...withoutDetails(charge.calculation),
      formula: zero,
      quantity: zero,
      period_quantity: zero,
      quantity_before: zero,
      tiers: [],
    },
  };
}

/** Nothing is left of it: another price has its usage, or it was voided. No price's formula is a bare zero. */
export const isRetired = ({ formula }: Pick<Calculation, 'formula'>): boolean => formula === zero;

/** What explained an amount that is no more. */
function withoutDetails(calculation: Calculation): Calculation {
  const details: Readonly<Record<keyof CalculationDetails, true>> = {
    included: true,
    package: true,
    percentage: true,
    discount: true,
    fixed: true,
    commitment: true,
    limit: true,
    conversion: true,
  };
  const kept = Object.entries(calculation).filter(([name]) => !Object.hasOwn(details, name));
  return Object.fromEntries(kept) as unknown as Calculation;
}
