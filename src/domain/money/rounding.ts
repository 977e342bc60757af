import { D, decimal, decimalRounding, toDecimalString } from '../decimal.js';
import { invariant } from '../failure.js';
import type { RoundingMode } from '../rating/price-book.js';
import type { DecimalString } from '../values.js';
import { isCurrency, minorUnits } from './currency.js';

/**
 * The amount in the currency's minor unit. Rounding happens once, at the invoice line (RULES 24): whoever calls this for
 * anything else is about to drift.
 *
 * @throws DomainFailure UNKNOWN_CURRENCY
 */
export function roundMoney(amount: DecimalString | D, currency: string, mode: RoundingMode): DecimalString {
  const exact = typeof amount === 'string' ? decimal(amount) : amount;
  return toDecimalString(exact.toDecimalPlaces(minorUnits(currency), decimalRounding[mode]));
}

/**
 * A rounded amount with all digits of its minor unit (`118.72`, `0.00`), for documents and the API. It never rounds: an
 * amount finer than the minor unit is a defect, not a matter of presentation.
 *
 * @throws DomainFailure UNKNOWN_CURRENCY
 */
export function formatAmount(amount: DecimalString | D, currency: string): string {
  const places = minorUnits(currency);
  const value = new D(amount);
  invariant(value.decimalPlaces() <= places, `${value.toFixed()} ${currency} is finer than its minor unit`);
  return value.isZero() ? new D(0).toFixed(places) : value.toFixed(places);
}

/** The same for what may be wrong: an amount that is finer than the minor unit, or of no known currency, as it is. */
export function formatFoundAmount(amount: DecimalString, currency: string): string {
  const isWhole = isCurrency(currency) && decimal(amount).decimalPlaces() <= minorUnits(currency);
  return isWhole ? formatAmount(amount, currency) : amount;
}
