import { toDecimalString } from '../../decimal.js';
import type { D } from '../../decimal.js';
import { invariant } from '../../failure.js';
import type { PricedShare } from './priced-share.js';
import { add, amountText, appendTerm, ZERO } from './tiers.js';
import type { CompiledTier } from './tiers.js';

export interface VolumeShare {
  /** Units that this version prices. */
  readonly quantity: D;
  /** Units of the line in the whole period: they choose the tier. */
  readonly periodQuantity: D;
  /** The tier's flat fee is charged once, by the version at the period's end (RULES 20), and not below zero (RULES 8). */
  readonly withFlatFee: boolean;
}

/** Every unit at the price of the tier that the period's total reaches; crossing a bound may make the total cheaper. */
export function priceVolume(tiers: readonly CompiledTier[], share: VolumeShare, minorDigits: number): PricedShare {
  const reached = tiers.find(({ upper }) => upper === null || share.periodQuantity.lte(upper));
  invariant(reached !== undefined, 'the last tier has no upper bound');
  const { tier } = reached;
  const fee = share.withFlatFee ? reached.flatFee : ZERO;
  const amount = add(share.quantity.times(reached.unitPrice), fee);
  const quantity = toDecimalString(share.quantity);
  const negative = share.quantity.isNegative();
  const units = appendTerm('', `${negative ? quantity.slice(1) : quantity} × ${tier.unitPrice}`, negative);
  return {
    amount,
    formula: fee.isZero() ? units : appendTerm(units, tier.flatFee, false),
    unitPrice: tier.unitPrice,
    tiers: [
      {
        up_to: tier.upTo,
        quantity,
        unit_price: tier.unitPrice,
        ...(fee.isZero() ? {} : { flat_fee: tier.flatFee }),
        amount: amountText(amount, minorDigits),
      },
    ],
  };
}
