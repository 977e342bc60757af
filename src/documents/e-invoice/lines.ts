/** A line's quantity and price as EN 16931 wants them: no price below zero, two digits after the point, quantity × price the line. */
import { decimal, toDecimalString } from '../../domain/decimal.js';
import type { InvoiceLineItem } from '../../domain/invoicing/invoice.js';
import { unitCodeOf } from './unit-codes.js';
import type { DecimalString } from '../../domain/values.js';

export interface PricedQuantity {
  readonly quantity: DecimalString;
  readonly unitCode: string;
  readonly price: string;
  /** The price is that of so many units. */
  readonly base: string;
}

const placesOfAmounts = 2;

/**
 * The line's own quantity and unit price where they make its amount to the cent; else one times the amount, and the formula
 * stands in the line's note.
 * @param sign -1 in a credit note, which says what it takes back without a sign
 */
export function pricedQuantity(line: InvoiceLineItem, sign: 1 | -1): PricedQuantity {
  const amount = decimal(line.amount).times(sign);
  const { unitPrice = null, unit = null } = line.item ?? {};
  if (unitPrice !== null && line.quantity !== null && !decimal(unitPrice).isNegative()) {
    const made = decimal(unitPrice).times(decimal(line.quantity)).times(sign);
    if (made.toDecimalPlaces(placesOfAmounts).equals(amount)) {
      const places = Math.max(0, decimal(unitPrice).decimalPlaces() - placesOfAmounts);
      const base = decimal(`1${'0'.repeat(places)}` as DecimalString);
      return {
        quantity: toDecimalString(decimal(line.quantity).times(sign)),
        unitCode: unitCodeOf(unit),
        price: toDecimalString(decimal(unitPrice).times(base)),
        base: toDecimalString(base),
      };
    }
  }
  const isBelowZero = amount.isNegative() && !amount.isZero();
  return {
    quantity: (isBelowZero ? '-1' : '1') as DecimalString,
    unitCode: 'C62',
    price: amount.abs().toFixed(placesOfAmounts),
    base: '1',
  };
}
