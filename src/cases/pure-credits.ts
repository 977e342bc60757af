/** The credit grants of a case in memory: what storage does about them behind the API. A grant's name is its id. */
import { requireValidTerms } from '../domain/credits/check-terms.js';
import { creditPriorities } from '../domain/credits/grant.js';
import type { CreditTerms, DrawableGrant } from '../domain/credits/grant.js';
import { creditsOf } from '../domain/credits/settle.js';
import type { CreditFacts, SettledDocument } from '../domain/credits/settle.js';
import { decimal, toDecimalString } from '../domain/decimal.js';
import { DomainFailure } from '../domain/failure.js';
import { firstInstant, parseInstant } from '../domain/time/instant.js';
import type { DecimalString } from '../domain/values.js';
import type { CaseCreditGrant } from './format.js';

export class PureCredits {
  private readonly grants = new Map<string, CreditTerms>();
  private readonly voided = new Set<string>();
  /** By period's name: the documents of its chain. */
  private readonly chains = new Map<string, readonly SettledDocument[]>();

  constructor(private readonly customerCurrency: string) {}

  /** @throws DomainFailure what the terms are refused for */
  grant(given: CaseCreditGrant): void {
    const { effective_from: from = firstInstant, expires_at: to = null, roll_over: rollOver = null } = given;
    const terms = {
      customerId: 'case',
      currency: given.currency ?? this.customerCurrency,
      type: given.type ?? 'prepaid',
      amount: given.amount as DecimalString,
      priority: given.priority ?? creditPriorities.byDefault,
      effectiveFrom: parseInstant(from, '/effective_from'),
      expiresAt: to === null ? null : parseInstant(to, '/expires_at'),
      rollOver: rollOver === null ? null : { ...rollOver, cap: rollOver.cap as DecimalString },
      name: given.name,
      reason: null,
      rolledOverFrom: null,
      grantedBy: 'case',
    };
    requireValidTerms(terms, this.customerCurrency);
    this.grants.set(given.name, { ...terms, grantId: given.name });
  }

  /** @throws DomainFailure CREDIT_GRANT_NOT_FOUND, CREDIT_GRANT_VOID */
  voidGrant(name: string): void {
    if (!this.grants.has(name)) throw new DomainFailure('CREDIT_GRANT_NOT_FOUND', `The case has no grant "${name}".`);
    if (this.voided.has(name)) throw new DomainFailure('CREDIT_GRANT_VOID', `The grant "${name}" is void already.`);
    this.voided.add(name);
  }

  /** For the next document of a period. */
  factsOf(period: string): CreditFacts {
    const draws = [...this.chains.values()].flat().flatMap((document) => document.creditDraws);
    const grants = [...this.grants.values()].map((grant): DrawableGrant => {
      const own = draws.filter(({ grantId }) => grantId === grant.grantId);
      const balance = toDecimalString(decimal(grant.amount).minus(decimal(creditsOf(own))));
      return { ...grant, balance, isVoid: this.voided.has(grant.grantId) };
    });
    return { grants, earlier: this.chains.get(period) ?? [] };
  }

  issued(period: string, document: SettledDocument): void {
    this.chains.set(period, [...(this.chains.get(period) ?? []), document]);
  }

  /** What its documents have drawn is left again. */
  documentsVoided(period: string): void {
    this.chains.delete(period);
  }
}
