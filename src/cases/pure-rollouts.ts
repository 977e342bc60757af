/** Rollouts of a case in memory: what storage and the API do, on the domain alone. */
import { DomainFailure } from '../domain/failure.js';
import type { PriceBookVersion } from '../domain/rating/price-book.js';
import type { Memberships } from '../domain/rating/segments.js';
import { membershipOf } from '../domain/rollout/inclusion.js';
import type { RolloutCustomer } from '../domain/rollout/inclusion.js';
import type { PriceRollout } from '../domain/rollout/rollout.js';
import { requireNoRollout, requireStart } from '../domain/rollout/start.js';
import type { RolloutOf } from '../domain/rollout/start.js';
import { requireStage } from '../domain/rollout/transitions.js';
import { parseEffectiveFrom } from '../domain/time/effective-from.js';
import { firstInstant, msToInstant } from '../domain/time/instant.js';
import { caseCustomer } from './engine.js';
import type { CaseRolloutStage } from './format.js';

export class PureRollouts {
  private readonly rollouts: PriceRollout[] = [];

  constructor(private readonly versions: readonly PriceBookVersion[]) {}

  /** Before the version is learned. @throws DomainFailure ROLLOUT_OPEN */
  allow(version: PriceBookVersion): void {
    if (version.isCandidate === true) return;
    requireNoRollout(version, this.beside(version.code));
  }

  /** @throws DomainFailure UNKNOWN_PRICE_BOOK, and the refusals of `requireStart` and `requireStage` */
  decide({ price_book: { code, version }, kind, customers = [], ...facts }: CaseRolloutStage): void {
    const candidate = this.versions.find((each) => each.code === code && each.version === version);
    if (candidate === undefined) throw new DomainFailure('UNKNOWN_PRICE_BOOK', `There is no ${code} ${version}.`);
    const { priceBookId } = candidate;
    const effectiveFrom = parseEffectiveFrom(facts.effective_from, '/effective_from');
    const planned = { kind, effectiveFrom, customerIds: customers, percentage: null };
    const known = this.rollouts.findIndex((each) => each.priceBookId === priceBookId);
    const { rolloutId, stages } = this.rollouts[known] ?? { rolloutId: priceBookId, stages: [] };
    if (known < 0) requireStart(candidate, planned, { versions: this.ofCode(code), others: this.beside(code) });
    else requireStage(stages, planned, msToInstant(Date.now()));
    // Only percentages and halts ask when something was decided, and a case has one customer, who was always there.
    const stage = { ...planned, sequence: stages.length + 1, decidedAt: firstInstant };
    const decided = { rolloutId, priceBookId, stages: [...stages, stage] };
    if (known < 0) this.rollouts.push(decided);
    else this.rollouts[known] = decided;
  }

  memberships(startOfDay: RolloutCustomer['startOfDay']): Memberships {
    const customer = { customerId: caseCustomer, bucket: 0, assignedFrom: null, knownSince: firstInstant, startOfDay };
    return new Map(this.rollouts.map((rollout) => [rollout.priceBookId, membershipOf(rollout, customer, startOfDay)]));
  }

  private ofCode(code: string): readonly PriceBookVersion[] {
    return this.versions.filter((version) => version.code === code);
  }

  private beside(code: string): readonly RolloutOf[] {
    return this.rollouts.flatMap((rollout) => {
      const candidate = this.ofCode(code).find(({ priceBookId }) => priceBookId === rollout.priceBookId);
      return candidate === undefined ? [] : [{ rollout, candidate }];
    });
  }
}
