import { D, decimal, toDecimalString } from '../decimal.js';
import { invariant } from '../failure.js';
import { parseDuration } from '../time/duration.js';
import { addMs } from '../time/instant.js';
import type { DecimalString } from '../values.js';
import type { CreditTerms } from './grant.js';

/** What becomes of the remainder of an expired grant. */
export interface Expiry {
  /** All of the remainder. */
  readonly amount: DecimalString;
  /** The part of it that goes on as a grant of its own; null: nothing does. */
  readonly rolledOver: Omit<CreditTerms, 'grantId' | 'grantedBy'> | null;
}

/**
 * Expires the remainder of a grant (RULES 38). What rolls over begins when the grant ends, is drawn like it and ends for good.
 * @param rolledOverBefore of the same grant: the cap is one for all of its expiries
 */
export function expire(
  grant: CreditTerms,
  { remainder, rolledOverBefore }: { readonly remainder: DecimalString; readonly rolledOverBefore: DecimalString },
): Expiry {
  const { rollOver, expiresAt } = grant;
  invariant(expiresAt !== null, `credit grant ${grant.grantId} expires`);
  invariant(decimal(remainder).greaterThan(0), `credit grant ${grant.grantId} has something left`);
  if (rollOver === null) return { amount: remainder, rolledOver: null };
  const amount = D.min(decimal(remainder), D.max(decimal(rollOver.cap).minus(decimal(rolledOverBefore)), 0));
  if (amount.isZero()) return { amount: remainder, rolledOver: null };
  const { customerId, currency, type, priority, name, reason, grantId } = grant;
  return {
    amount: remainder,
    rolledOver: {
      ...{ customerId, currency, type, priority, name, reason },
      amount: toDecimalString(amount),
      effectiveFrom: expiresAt,
      expiresAt: addMs(expiresAt, parseDuration(rollOver.validity)),
      rollOver: null,
      rolledOverFrom: grantId,
    },
  };
}
