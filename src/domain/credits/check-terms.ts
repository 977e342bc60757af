import { decimal, parseDecimal } from '../decimal.js';
import { DomainFailure } from '../failure.js';
import { findCurrency } from '../money/currency.js';
import { parseDuration } from '../time/duration.js';
import type { DecimalString } from '../values.js';
import type { CreditTerms } from './grant.js';

/**
 * What a grant must be, beyond its shape.
 * @param customerCurrency that of the customer's invoices
 * @throws DomainFailure UNKNOWN_CURRENCY, CURRENCY_MISMATCH, INVALID_DECIMAL, NUMBER_TOO_LONG, INVALID_DURATION, VALIDATION_FAILED
 */
export function requireValidTerms(terms: Omit<CreditTerms, 'grantId'>, customerCurrency: string): void {
  const { currency, amount, effectiveFrom, expiresAt, rollOver } = terms;
  findCurrency(currency, '/currency');
  if (currency !== customerCurrency) {
    const detail = `The customer is invoiced in ${customerCurrency}; credits in ${currency} could never be drawn.`;
    throw new DomainFailure('CURRENCY_MISMATCH', detail, '/currency');
  }
  requireMoney(amount, currency, '/amount');
  if (expiresAt !== null && expiresAt <= effectiveFrom) {
    const detail = `Expires at ${expiresAt}, but is effective from ${effectiveFrom} on: it could never be drawn.`;
    throw new DomainFailure('VALIDATION_FAILED', detail, '/expires_at');
  }
  if (rollOver === null) return;
  if (expiresAt === null) {
    const detail = 'Only what expires rolls over: give expires_at, or leave out roll_over.';
    throw new DomainFailure('VALIDATION_FAILED', detail, '/roll_over');
  }
  requireMoney(rollOver.cap, currency, '/roll_over/cap');
  if (parseDuration(rollOver.validity, '/roll_over/validity') > 0) return;
  const detail = 'What rolls over must hold for some time, such as "P30D".';
  throw new DomainFailure('VALIDATION_FAILED', detail, '/roll_over/validity');
}

/** More than nothing, and no finer than what can be invoiced. */
function requireMoney(amount: DecimalString, currency: string, pointer: string): void {
  const value = decimal(parseDecimal(amount, pointer));
  if (!value.greaterThan(0)) {
    throw new DomainFailure('VALIDATION_FAILED', `Expected an amount above zero, and got ${amount}.`, pointer);
  }
  const { minorUnits } = findCurrency(currency);
  if (value.decimalPlaces() <= minorUnits) return;
  const detail = `${currency} has ${minorUnits} digits after the point; ${amount} could not be invoiced to its last digit.`;
  throw new DomainFailure('VALIDATION_FAILED', detail, pointer);
}
