import { decimal, parseDecimal } from '../decimal.js';
import { DomainFailure } from '../failure.js';
import type { DecimalString } from '../values.js';
import { findCurrency } from './currency.js';

/**
 * An amount of money that changes hands: more than nothing, and no finer than the currency's minor unit.
 * @param refused what is wrong with one that is finer
 * @throws DomainFailure INVALID_DECIMAL, NUMBER_TOO_LONG, UNKNOWN_CURRENCY, VALIDATION_FAILED
 */
export function requireMoney(
  amount: DecimalString,
  currency: string,
  { pointer, refused = 'cannot be paid' }: { readonly pointer: string; readonly refused?: string },
): void {
  const value = decimal(parseDecimal(amount, pointer));
  if (!value.greaterThan(0)) {
    throw new DomainFailure('VALIDATION_FAILED', `Expected an amount above zero, and got ${amount}.`, pointer);
  }
  const { minorUnits } = findCurrency(currency, '/currency');
  if (value.decimalPlaces() <= minorUnits) return;
  const detail = `${currency} has ${minorUnits} digits after the point; ${amount} ${refused} to its last digit.`;
  throw new DomainFailure('VALIDATION_FAILED', detail, pointer);
}
