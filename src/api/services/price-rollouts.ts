/** Rollouts: begun, compared, widened, held up, taken back. Each decision is a fact; the domain says which may follow. */
import { rolloutAnswer } from '../../billing/rollout-flags.js';
import type { RolloutAnswer } from '../../billing/rollout-flags.js';
import { evaluatedVersion } from '../../billing/evaluated-version.js';
import { DomainFailure, invariant } from '../../domain/failure.js';
import { currentAssignments, holdsUntil } from '../../domain/rating/assignments.js';
import type { PriceBookVersion } from '../../domain/rating/price-book.js';
import { priceBookToWire } from '../../domain/rating/price-book-to-wire.js';
import type { StageKind } from '../../domain/rollout/rollout.js';
import { isOpen, orderOf, requireStage, stateOf } from '../../domain/rollout/transitions.js';
import type { PlannedStage } from '../../domain/rollout/transitions.js';
import { parseEffectiveFrom } from '../../domain/time/effective-from.js';
import { addMs, msPerHour, msToInstant, startOfHour } from '../../domain/time/instant.js';
import type { Instant, LocalDate } from '../../domain/values.js';
import { isUuid, uuidOf } from '../../storage/identifiers.js';
import type { NewRolloutStage, RolloutComparison, Storage, StoredRollout } from '../../storage/types.js';
import type { ComparisonBody, RolloutBody, StageBody, StopBody } from '../schemas/price-rollouts.js';
import { idOf } from './asked.js';
import type { Asking } from './asked.js';
import { requireCustomers } from './customers.js';
import { requireVersion } from './price-book-versions.js';
import type { PriceEvaluationService } from './price-evaluations.js';
import { distinct, timeOf } from './re-rating-scope.js';
import { rollbackOffer, storeOffer } from './rollback-offers.js';
import { membersOf } from './rollout-members.js';

export interface PriceRolloutServiceDependencies {
  readonly storage: Pick<Storage, 'reference' | 'rollouts' | 'evaluations' | 'reRatings' | 'findings'>;
  readonly evaluations: PriceEvaluationService;
  /** Epoch milliseconds. */
  readonly clock: () => number;
}

export class PriceRolloutService {
  constructor(private readonly deps: PriceRolloutServiceDependencies) {}

  /**
   * @throws DomainFailure UNKNOWN_PRICE_BOOK, UNKNOWN_CUSTOMER, CANARY_NOT_ON_PRICE_BOOK, NOT_A_CANDIDATE, ROLLOUT_OPEN,
   *   ROLLOUT_CONFLICT, and those of `parseEffectiveFrom`
   */
  async start(
    body: RolloutBody,
    asking: Asking,
  ): Promise<{ readonly rollout: StoredRollout; readonly created: boolean }> {
    const { storage } = this.deps;
    const candidate = await requireVersion(storage, body.price_book);
    const { code, priceBookId } = candidate;
    const rolloutId = uuidOf('price-rollout', code, candidate.version);
    const stageId = stageIdOf(rolloutId, body, asking);
    const known = await storage.rollouts.find(rolloutId);
    if (known?.stages[0]?.stageId === stageId) return { rollout: known, created: false };
    if (known !== null) throw rolledOutBefore(known);
    const stage = this.planned('canary', body);
    await this.requireCanaries(code, stage);
    const decision = { stageId, evaluationId: null, override: false, reason: body.reason, decidedBy: asking.actor };
    const started = await storage.rollouts.start(
      { rolloutId, priceBookId, code, startedBy: asking.actor },
      { ...stage, ...decision },
    );
    if (!started.created && started.rollout.stages[0]?.stageId !== stageId) throw rolledOutBefore(started.rollout);
    return started;
  }

  /** @throws DomainFailure ROLLOUT_NOT_FOUND */
  async require(rolloutId: string): Promise<StoredRollout> {
    const found = isUuid(rolloutId) ? await this.deps.storage.rollouts.find(rolloutId) : null;
    if (found !== null) return found;
    throw new DomainFailure('ROLLOUT_NOT_FOUND', `There is no rollout "${rolloutId}".`);
  }

  /**
   * Includes further customers; by percentage and for all only after the members so far were compared.
   * @throws DomainFailure ROLLOUT_NOT_FOUND, ROLLOUT_TRANSITION_REFUSED, ROLLOUT_NOT_WIDER, ROLLOUT_NOT_COMPARED,
   *   ROLLOUT_CHANGED, UNKNOWN_CUSTOMER, CANARY_NOT_ON_PRICE_BOOK, VALIDATION_FAILED
   */
  async widen(rolloutId: string, body: StageBody, asking: Asking): Promise<StoredRollout> {
    requireParts(body);
    return this.decide(rolloutId, { kind: body.kind, body, asking });
  }

  /**
   * Holds up whoever is not included yet.
   * @throws DomainFailure ROLLOUT_NOT_FOUND, ROLLOUT_TRANSITION_REFUSED, ROLLOUT_CHANGED, VALIDATION_FAILED
   */
  halt(rolloutId: string, body: StopBody, asking: Asking): Promise<StoredRollout> {
    return this.decide(rolloutId, { kind: 'halt', body, asking });
  }

  /** @throws DomainFailure as `halt` does */
  resume(rolloutId: string, body: StopBody, asking: Asking): Promise<StoredRollout> {
    return this.decide(rolloutId, { kind: 'resume', body, asking });
  }

  /**
   * Ends the candidate for everybody. What is issued stays; a finding offers to re-rate it.
   * @throws DomainFailure as `halt` does
   */
  async rollBack(rolloutId: string, body: StopBody, asking: Asking): Promise<StoredRollout> {
    const { storage } = this.deps;
    const rollout = await this.decide(rolloutId, { kind: 'rollback', body, asking });
    await storeOffer(storage, rollout, await rollbackOffer(storage, rollout));
    return rollout;
  }

  /**
   * Starts an evaluation of the members: what they used, under the candidate and without it.
   * @throws DomainFailure ROLLOUT_NOT_FOUND, ROLLOUT_TRANSITION_REFUSED, NOTHING_TO_EVALUATE, TEMPORAL_UNAVAILABLE
   */
  async compare(
    rolloutId: string,
    body: ComparisonBody,
    asking: Asking,
  ): Promise<RolloutComparison & { readonly customers: number }> {
    const { evaluations, storage } = this.deps;
    const rollout = await this.require(rolloutId);
    const { sequence, state } = { sequence: rollout.stages.length, state: stateOf(rollout.stages) };
    if (!isOpen(state)) {
      const detail = `The rollout is ${state.replace('_', ' ')}: there is nobody left to compare before a widening.`;
      throw new DomainFailure('ROLLOUT_TRANSITION_REFUSED', detail);
    }
    const { members } = await membersOf(storage, rollout);
    if (members.length === 0) {
      throw new DomainFailure('NOTHING_TO_EVALUATE', 'The rollout includes no customer whose price book it is.');
    }
    const scope = { customerIds: members, ...timeOf(body, '') };
    const content = JSON.stringify([rolloutId, sequence, scope.from, scope.to]);
    const evaluationId = idOf('price-rollout-comparison', asking, content);
    const priceBook = priceBookToWire(evaluatedVersion(await this.candidateOf(rollout)));
    const comparisonOf = { rolloutId, sequence };
    const run = await evaluations.run({ evaluationId, priceBook, scope, requestedBy: asking.actor, comparisonOf });
    const { requestedAt, finishedAt } = run;
    return { evaluationId, rolloutId, sequence, requestedAt, finishedAt, customers: members.length };
  }

  /** The newest one since the last stage; null: none was asked for. */
  async comparisonOf(rollout: StoredRollout): Promise<RolloutComparison | null> {
    const known = await this.deps.storage.rollouts.comparisons(rollout.rolloutId);
    return known.find(({ sequence }) => sequence === rollout.stages.length) ?? null;
  }

  /** @throws DomainFailure ROLLOUT_NOT_FOUND, UNKNOWN_CUSTOMER */
  async member(
    rolloutId: string,
    customerId: string,
    at: Instant | null,
  ): Promise<RolloutAnswer & { readonly at: Instant }> {
    const rollout = await this.require(rolloutId);
    const instant = at ?? this.now();
    return { ...(await rolloutAnswer(this.deps.storage, rollout, { customerId, at: instant })), at: instant };
  }

  private async decide(
    rolloutId: string,
    { kind, body, asking }: { readonly kind: StageKind; readonly body: StageBody | StopBody; readonly asking: Asking },
  ): Promise<StoredRollout> {
    const rollout = await this.require(rolloutId);
    const stageId = idOf('price-rollout-stage', asking, JSON.stringify([rolloutId, kind, body]));
    if (rollout.stages.some((stage) => stage.stageId === stageId)) return rollout;
    const planned = this.planned(kind, body);
    requireStage(rollout.stages, planned, this.now());
    if (kind === 'canary') await this.requireCanaries(rollout.code, planned);
    const isCompared = kind === 'percentage' || kind === 'all';
    const evaluationId = isCompared ? await this.comparedBy(rollout, body) : null;
    const stage: NewRolloutStage = {
      ...planned,
      stageId,
      evaluationId,
      override: isCompared && evaluationId === null,
      reason: body.reason,
      decidedBy: asking.actor,
    };
    return this.deps.storage.rollouts.decide(rolloutId, rollout.stages.length + 1, stage);
  }

  private planned(kind: StageKind, body: RolloutBody | StageBody | StopBody): PlannedStage {
    const customers = 'customers' in body ? distinct(body.customers) : null;
    const percentage = 'percentage' in body && body.percentage !== undefined ? hundredthsOf(body.percentage) : null;
    return { kind, effectiveFrom: this.effectiveFrom(body), customerIds: customers ?? [], percentage };
  }

  private effectiveFrom({
    effective_from: text,
  }: {
    readonly effective_from?: string | undefined;
  }): Instant | LocalDate {
    if (text !== undefined) return parseEffectiveFrom(text, '/effective_from');
    return addMs(startOfHour(this.now()), msPerHour);
  }

  private now(): Instant {
    return msToInstant(this.deps.clock());
  }

  /** The finished comparison that a widening rests on; null: it is overridden. @throws DomainFailure ROLLOUT_NOT_COMPARED */
  private async comparedBy(rollout: StoredRollout, body: StageBody | StopBody): Promise<string | null> {
    const { evaluations, rollouts } = this.deps.storage;
    const since = (await rollouts.comparisons(rollout.rolloutId)).filter(
      ({ sequence }) => sequence === rollout.stages.length,
    );
    const finished = since.find(({ finishedAt }) => finishedAt !== null);
    const path = `/price-rollouts/${rollout.rolloutId}`;
    if (finished !== undefined) {
      const totals = await evaluations.totals(finished.evaluationId);
      if (totals.some(({ customers }) => customers > 0)) return finished.evaluationId;
    }
    if ('override' in body && body.override === true) return null;
    const detail =
      finished !== undefined
        ? `Of no member does every period compare, so evaluation ${finished.evaluationId} shows nothing: look at the problems that it names.`
        : since[0] !== undefined
          ? `Evaluation ${since[0].evaluationId} of the members is still running.`
          : `What the members would pay under both versions was not looked at since stage ${rollout.stages.length}: reckoner prices rollout compare ${rollout.rolloutId} (POST ${path}/comparison).`;
    throw new DomainFailure('ROLLOUT_NOT_COMPARED', `${detail} To widen without it: --override ("override": true).`);
  }

  private async candidateOf({ priceBookId }: StoredRollout): Promise<PriceBookVersion> {
    const [candidate] = await this.deps.storage.reference.priceBooksById([priceBookId]);
    invariant(candidate !== undefined, 'the candidate of a rollout exists: versions are never deleted');
    return candidate;
  }

  /** @throws DomainFailure UNKNOWN_CUSTOMER, CANARY_NOT_ON_PRICE_BOOK */
  private async requireCanaries(code: string, { customerIds, effectiveFrom }: PlannedStage): Promise<void> {
    const { reference } = this.deps.storage;
    await requireCustomers(this.deps.storage, customerIds, '/customers');
    for (const [index, customerId] of customerIds.entries()) {
      const assignments = currentAssignments(await reference.assignments(customerId));
      const isOn = assignments.some((each) => {
        const until = holdsUntil(each, assignments);
        return each.priceBook === code && (until === null || until > orderOf(effectiveFrom));
      });
      if (isOn) continue;
      const detail = `The customer "${customerId}" does not have the price book "${code}" then; a candidate goes to customers who have its price book.`;
      throw new DomainFailure('CANARY_NOT_ON_PRICE_BOOK', detail, `/customers/${index}`);
    }
  }
}

/** A candidate is rolled out once, so what begins it needs no key to be told from another beginning. */
const stageIdOf = (rolloutId: string, body: RolloutBody, { actor }: Asking): string =>
  uuidOf('price-rollout-start', rolloutId, actor, JSON.stringify(body));

function rolledOutBefore({ code, version, rolloutId }: StoredRollout): DomainFailure {
  const detail = `Version "${version}" of the price book "${code}" was rolled out before (${rolloutId}). To try again create another version.`;
  return new DomainFailure('NOT_A_CANDIDATE', detail, '/price_book/version');
}

/** @throws DomainFailure VALIDATION_FAILED */
function requireParts({ kind, customers, percentage }: StageBody): void {
  const refused = (detail: string, pointer: string): DomainFailure =>
    new DomainFailure('VALIDATION_FAILED', detail, pointer);
  if ((kind === 'canary') !== (customers !== undefined))
    throw refused('"customers" go with "canary", and with nothing else.', '/customers');
  if ((kind === 'percentage') !== (percentage !== undefined))
    throw refused('"percentage" goes with the kind "percentage", and with nothing else.', '/percentage');
}

/** "12.5" → 1250, without a float on the way. */
function hundredthsOf(text: string): number {
  const [whole = '', fraction = ''] = text.split('.');
  return Number(`${whole}${fraction.padEnd(2, '0')}`);
}
