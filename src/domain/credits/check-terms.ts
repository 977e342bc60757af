import { DomainFailure } from '../failure.js';
import { findCurrency } from '../money/currency.js';
import { requireMoney } from '../money/require-money.js';
import { parseDuration } from '../time/duration.js';
import type { CreditTerms } from './grant.js';

/** Of a cap or a grant that is finer than what can be invoiced. */
const refused = 'could not be invoiced';

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
  requireMoney(amount, currency, { pointer: '/amount', refused });
  if (expiresAt !== null && expiresAt <= effectiveFrom) {
    const detail = `Expires at ${expiresAt}, but is effective from ${effectiveFrom} on: it could never be drawn.`;
    throw new DomainFailure('VALIDATION_FAILED', detail, '/expires_at');
  }
  if (rollOver === null) return;
  if (expiresAt === null) {
    const detail = 'Only what expires rolls over: give expires_at, or leave out roll_over.';
    throw new DomainFailure('VALIDATION_FAILED', detail, '/roll_over');
  }
  requireMoney(rollOver.cap, currency, { pointer: '/roll_over/cap', refused });
  if (parseDuration(rollOver.validity, '/roll_over/validity') > 0) return;
  const detail = 'What rolls over must hold for some time, such as "P30D".';
  throw new DomainFailure('VALIDATION_FAILED', detail, '/roll_over/validity');
}
