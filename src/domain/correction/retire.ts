import { decimal, zero } from '../decimal.js';
import { groupKeyText } from '../metering/group-key.js';
import { emptyDigest } from '../metering/digest.js';
import type { RatedCharge } from '../rating/rating.js';

/**
 * Charges of the last rating that the new one no longer has (their usage is gone, or another price book version prices
 * it), as revisions of 0: they supersede the old ones, so that no charge goes on standing for what it no longer bills.
 */
export function retiredCharges(before: readonly RatedCharge[], now: readonly RatedCharge[]): readonly RatedCharge[] {
  const kept = new Set(now.map(keyOf));
  return before.filter((charge) => !kept.has(keyOf(charge)) && !isNothing(charge)).map(retired);
}

const keyOf = ({ meter, group, priceBookId }: RatedCharge): string =>
  JSON.stringify([meter, groupKeyText(group), priceBookId]);

const isNothing = ({ amount, eventCount }: RatedCharge): boolean => eventCount === 0 && decimal(amount).isZero();

function retired(charge: RatedCharge): RatedCharge {
  return {
    ...charge,
    quantity: zero,
    amount: zero,
    eventCount: 0,
    digest: emptyDigest,
    calculation: {
      ...charge.calculation,
      formula: zero,
      quantity: zero,
      period_quantity: zero,
      quantity_before: zero,
      tiers: [],
    },
  };
}
