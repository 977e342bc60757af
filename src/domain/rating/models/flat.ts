import { decimal, toDecimalString } from '../../decimal.js';
import type { D } from '../../decimal.js';
import type { DecimalString } from '../../values.js';
import { readPrice } from '../parse-tiers.js';
import { pointerTo } from '../wire-reader.js';
import type { WireObject } from '../wire-reader.js';
import type { PricedShare } from './priced-share.js';
import { appendTerm } from './tiers.js';

export const flatProperties = ['unit_price'] as const;

export function parseFlat(wire: WireObject, pointer: string): { readonly unitPrice: DecimalString } {
  return { unitPrice: readPrice(wire['unit_price'], pointerTo(pointer, 'unit_price')) };
}

/** Every unit at one price. */
export function priceFlat(unitPrice: DecimalString, quantity: D): PricedShare {
  return {
    amount: quantity.times(decimal(unitPrice)),
    formula: appendTerm('', `${toDecimalString(quantity.abs())} × ${unitPrice}`, quantity.isNegative()),
    unitPrice,
    tiers: [],
  };
}
