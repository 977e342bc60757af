import { decimal, toDecimalString } from '../../decimal.js';
import type { D } from '../../decimal.js';
import type { DecimalString } from '../../values.js';
import type { PricedShare } from './priced-share.js';
import { appendTerm } from './tiers.js';

/** Every unit at one price. */
export function priceFlat(unitPrice: DecimalString, quantity: D): PricedShare {
  return {
    amount: quantity.times(decimal(unitPrice)),
    formula: appendTerm('', `${toDecimalString(quantity.abs())} × ${unitPrice}`, quantity.isNegative()),
    unitPrice,
    tiers: [],
  };
}
