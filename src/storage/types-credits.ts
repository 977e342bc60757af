/** Prepaid and promotional credits. Part of types.ts. */
import type { CreditTerms } from '../domain/credits/grant.js';
import type { DecimalString, Instant, LocalDate } from '../domain/values.js';
import type { Page, PageRequest } from './types-paging.js';

/** A grant with what is left of it. */
export interface CreditGrant extends CreditTerms {
  readonly grantedAt: Instant;
  /** Granted − drawn − expired − taken back. */
  readonly balance: DecimalString;
  readonly isVoid: boolean;
}

export interface StoredDraw {
  readonly invoiceId: string;
  readonly number: string;
  /** `voided`: the document was voided, and what it had taken came back. */
  readonly entry: 'issued' | 'voided';
  /** Positive drawn, negative given back. */
  readonly amount: DecimalString;
  readonly drawnAt: Instant;
}

export interface StoredExpiry {
  readonly sequence: number;
  readonly amount: DecimalString;
  readonly rolledOver: DecimalString;
  readonly rolledOverTo: string | null;
  readonly expiredAt: Instant;
}

export interface StoredCreditVoid {
  readonly sequence: number;
  readonly amount: DecimalString;
  readonly reason: string;
  readonly voidedBy: string;
  readonly voidedAt: Instant;
}

/** All that ever happened to a grant, each in order. */
export interface CreditHistory {
  readonly draws: readonly StoredDraw[];
  readonly expiries: readonly StoredExpiry[];
  readonly voids: readonly StoredCreditVoid[];
}

/** A customer whose account `customer_credit` is not what the grants have left. */
export interface CreditMismatch {
  readonly customerId: string;
  readonly currency: string;
  readonly balances: DecimalString;
  /** Positive for what is owed to the customer. */
  readonly account: DecimalString;
}

export interface CreditStore {
  /** Stores the grant and its journal entry; `created` false: the same id was stored before, nothing is changed. */
  grant(terms: CreditTerms, postingDate: LocalDate): Promise<{ readonly created: boolean }>;
  find(grantId: string): Promise<CreditGrant | null>;
  historyOf(grantId: string): Promise<CreditHistory>;
  /** The newest first. */
  list(filter: { customerId?: string }, page: PageRequest): Promise<Page<CreditGrant>>;
  /** All of a customer, in the order in which they are drawn. */
  ofCustomer(customerId: string): Promise<readonly CreditGrant[]>;
  /**
   * Takes back what is left, with its journal entry. The grant is never drawn again.
   * @throws DomainFailure CREDIT_GRANT_NOT_FOUND, CREDIT_GRANT_VOID
   */
  voidGrant(grantId: string, decision: { reason: string; voidedBy: string; postingDate: LocalDate }): Promise<void>;
  /**
   * Grants that have something left which nothing can draw any more, in order of id: expired, with no period before that could
   * still be invoiced; or void, and something was restored.
   */
  endable(now: Instant, page: { after: string; limit: number }): Promise<readonly string[]>;
  /**
   * Expires what is left of such a grant, rolls over what its terms say, and posts it; of a void one what is left is taken back.
   * Nothing is changed when it is no such grant any more.
   */
  end(grantId: string, at: { now: Instant; postingDate: LocalDate }): Promise<void>;
  /** In one snapshot. Empty: the journal agrees. */
  mismatches(): Promise<readonly CreditMismatch[]>;
}
