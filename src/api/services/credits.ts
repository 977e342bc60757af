/** Prepaid and promotional credits: granting them, taking them back, what is left. */
import { requireValidTerms } from '../../domain/credits/check-terms.js';
import { isEligible } from '../../domain/credits/eligible.js';
import type { CreditTerms } from '../../domain/credits/grant.js';
import { addDecimals, decimal } from '../../domain/decimal.js';
import { DomainFailure, invariant } from '../../domain/failure.js';
import { formatAmount } from '../../domain/money/rounding.js';
import { parseInstant, utcDay } from '../../domain/time/instant.js';
import type { DecimalString, Instant } from '../../domain/values.js';
import type { CreditGrant, CreditHistory, Storage } from '../../storage/types.js';
import type { CreditGrantBody } from '../schemas/credits.js';
import { idOf } from './asked.js';
import type { Asked } from './asked.js';
import { requireCustomer } from './customers.js';
import { orDoneBefore } from './done-before.js';
import type { Decided } from './done-before.js';

type CreditStorage = Pick<Storage, 'reference' | 'credits'>;

/**
 * @throws DomainFailure UNKNOWN_CUSTOMER, UNKNOWN_CURRENCY, CURRENCY_MISMATCH, INVALID_DURATION, VALIDATION_FAILED
 */
export async function grantCredit(storage: CreditStorage, body: CreditGrantBody, asked: Asked): Promise<CreditGrant> {
  const customer = await requireCustomer(storage, body.customer_id, '/customer_id');
  const terms = creditTermsOf(body, { ...asked, currency: customer.currency });
  const grantId = idOf('credit-grant', asked, JSON.stringify(body));
  await storage.credits.grant({ ...terms, grantId }, utcDay(asked.now));
  return requireGrant(storage, grantId);
}

/** @param currency that of the customer's invoices; @throws DomainFailure as `requireValidTerms` */
export function creditTermsOf(
  body: CreditGrantBody,
  { currency, actor, now }: { readonly currency: string; readonly actor: string; readonly now: Instant },
): Omit<CreditTerms, 'grantId'> {
  const { effective_from: from, expires_at: to, roll_over: rollOver } = body;
  const terms = {
    customerId: body.customer_id,
    currency: body.currency,
    type: body.type,
    amount: body.amount as DecimalString,
    priority: body.priority,
    effectiveFrom: from === undefined ? now : parseInstant(from, '/effective_from'),
    expiresAt: to === null ? null : parseInstant(to, '/expires_at'),
    rollOver: rollOver === null ? null : { cap: rollOver.cap as DecimalString, validity: rollOver.validity },
    name: body.name,
    reason: body.reason,
    rolledOverFrom: null,
    grantedBy: actor,
  };
  requireValidTerms(terms, currency);
  return terms;
}

/** @throws DomainFailure CREDIT_GRANT_NOT_FOUND */
export async function requireGrant({ credits }: Pick<Storage, 'credits'>, grantId: string): Promise<CreditGrant> {
  const found = await credits.find(grantId);
  if (found !== null) return found;
  throw new DomainFailure('CREDIT_GRANT_NOT_FOUND', `There is no credit grant "${grantId}".`);
}

/** @throws DomainFailure CREDIT_GRANT_NOT_FOUND, CREDIT_GRANT_VOID */
export async function voidCreditGrant(
  storage: Pick<Storage, 'credits'>,
  grantId: string,
  { reason, actor, key, now }: Asked & { readonly reason: string },
): Promise<CreditGrant> {
  const decided = async (): Promise<Decided | null> => {
    const [first] = (await storage.credits.historyOf(grantId)).voids;
    return first === undefined ? null : { actor: first.voidedBy, reason: first.reason };
  };
  await orDoneBefore(
    () => storage.credits.voidGrant(grantId, { reason, voidedBy: actor, postingDate: utcDay(now) }),
    { actor, key, reason },
    { refusal: 'CREDIT_GRANT_VOID', decided },
  );
  const found = await storage.credits.find(grantId);
  invariant(found !== null, `credit grant ${grantId} was voided just now`);
  return found;
}

/**
 * What is left, by currency, and what of it a period that ends at `at` may draw.
 * @throws DomainFailure UNKNOWN_CUSTOMER
 */
export async function creditsOfCustomer(storage: CreditStorage, customerId: string, at: Instant): Promise<object> {
  await requireCustomer(storage, customerId);
  const grants = (await storage.credits.ofCustomer(customerId)).filter(({ balance }) => !decimal(balance).isZero());
  const available = new Set(grants.filter((grant) => isEligible(grant, { currency: grant.currency, periodEnd: at })));
  const currencies = [...new Set(grants.map(({ currency }) => currency))].sort();
  return {
    customer_id: customerId,
    at,
    currencies: currencies.map((currency) => {
      const own = grants.filter((grant) => grant.currency === currency);
      const ready = own.filter((grant) => available.has(grant));
      return {
        currency,
        balance: sumOf(own, currency),
        available: sumOf(ready, currency),
        prepaid: sumOf(of(ready, 'prepaid'), currency),
        promotional: sumOf(of(ready, 'promotional'), currency),
      };
    }),
    grants: grants.map((grant) => ({ ...toApiCreditGrant(grant), available: available.has(grant) })),
  };
}

const of = (grants: readonly CreditGrant[], type: CreditGrant['type']): readonly CreditGrant[] =>
  grants.filter((grant) => grant.type === type);

const sumOf = (grants: readonly CreditGrant[], currency: string): string =>
  formatAmount(addDecimals(grants.map(({ balance }) => balance)), currency);

export function toApiCreditGrant(grant: CreditGrant): object {
  const amount = (value: DecimalString): string => formatAmount(value, grant.currency);
  const { rollOver } = grant;
  return {
    grant_id: grant.grantId,
    customer_id: grant.customerId,
    type: grant.type,
    currency: grant.currency,
    amount: amount(grant.amount),
    balance: amount(grant.balance),
    name: grant.name,
    priority: grant.priority,
    effective_from: grant.effectiveFrom,
    expires_at: grant.expiresAt,
    roll_over: rollOver === null ? null : { cap: amount(rollOver.cap), validity: rollOver.validity },
    rolled_over_from: grant.rolledOverFrom,
    void: grant.isVoid,
    reason: grant.reason,
    granted_by: grant.grantedBy,
    granted_at: grant.grantedAt,
  };
}

export function toApiCreditHistory(grant: CreditGrant, { draws, expiries, voids }: CreditHistory): object {
  const amount = (value: DecimalString): string => formatAmount(value, grant.currency);
  return {
    ...toApiCreditGrant(grant),
    draws: draws.map((draw) => ({
      invoice_id: draw.invoiceId,
      number: draw.number,
      entry: draw.entry,
      amount: amount(draw.amount),
      at: draw.drawnAt,
    })),
    expiries: expiries.map((expiry) => ({
      sequence: expiry.sequence,
      amount: amount(expiry.amount),
      rolled_over: amount(expiry.rolledOver),
      rolled_over_to: expiry.rolledOverTo,
      at: expiry.expiredAt,
    })),
    voids: voids.map((taken) => ({
      sequence: taken.sequence,
      amount: amount(taken.amount),
      reason: taken.reason,
      voided_by: taken.voidedBy,
      at: taken.voidedAt,
    })),
  };
}
