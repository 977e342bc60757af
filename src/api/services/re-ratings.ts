/** Re-ratings: asked for, looked at, decided. The comparing and correcting is the workflow's. */
import { reRatingWorkflowId } from '../../contracts/names.js';
import { hasEnded } from '../../domain/correction/reasons.js';
import type { ReRatingReason, ReRatingStatus } from '../../domain/correction/reasons.js';
import { DomainFailure, invariant } from '../../domain/failure.js';
import { isUuid } from '../../storage/identifiers.js';
import type { Page, PageRequest, PeriodKeyOf, ReRating, ReRatingDecision, Storage } from '../../storage/types.js';
import { parseReason, type ReRatingBody } from '../schemas/corrections.js';
import type { TemporalGateway } from '../temporal-gateway.js';
import { idOf } from './asked.js';
import type { Asking } from './asked.js';
import { resolveReRating } from './re-rating-scope.js';

export interface ReRatingServiceDependencies {
  readonly storage: Pick<Storage, 'reference' | 'periods' | 'reRatings'>;
  readonly temporal: TemporalGateway;
}

export interface ReRatingFilter {
  readonly customerId?: string;
  readonly status?: ReRatingStatus;
  readonly reason?: ReRatingReason;
}

export class ReRatingService {
  constructor(private readonly deps: ReRatingServiceDependencies) {}

  /**
   * Stores the re-rating with its periods, then starts its workflow. With Temporal away it stays stored: the same request
   * under the same key starts it, and so does the daily sweep.
   * @throws DomainFailure the refusals of `resolveReRating`, then TEMPORAL_UNAVAILABLE
   */
  async create(body: ReRatingBody, asking: Asking): Promise<ReRating> {
    const reRatingId = idOf('re-rating', asking, JSON.stringify(body));
    const before = asking.key === null ? null : await this.deps.storage.reRatings.find(reRatingId);
    if (before !== null) {
      if (!hasEnded(before.status)) await this.start(before, null);
      return before;
    }
    const { scope, priceBookId, targets } = await resolveReRating(this.deps.storage, body);
    const { reRatings } = this.deps.storage;
    await reRatings.create(
      {
        reRatingId,
        workflowId: reRatingWorkflowId(reRatingId),
        reason: parseReason(body.reason),
        scope,
        priceBookId,
        dryRun: body.dry_run,
        requestedBy: asking.actor,
      },
      targets,
    );
    const stored = await reRatings.find(reRatingId);
    invariant(stored !== null, `re-rating ${reRatingId} was stored just now`);
    const [only] = targets;
    await this.start(stored, targets.length === 1 && only !== undefined ? only : null);
    return stored;
  }

  /** @throws DomainFailure RE_RATING_NOT_FOUND */
  async require(reRatingId: string): Promise<ReRating> {
    const found = isUuid(reRatingId) ? await this.deps.storage.reRatings.find(reRatingId) : null;
    if (found !== null) return found;
    throw new DomainFailure('RE_RATING_NOT_FOUND', `There is no re-rating "${reRatingId}".`);
  }

  list(filter: ReRatingFilter, page: PageRequest): Promise<Page<ReRating>> {
    return this.deps.storage.reRatings.list(filter, page);
  }

  /**
   * Stores the decision about the current attempt, then tells the workflow. Repeating it tells the workflow again.
   * @throws DomainFailure RE_RATING_NOT_FOUND, OWN_RE_RATING, RE_RATING_ALREADY_DECIDED, RE_RATING_NOT_AWAITING_APPROVAL,
   *   TEMPORAL_UNAVAILABLE; in this precedence
   */
  async decide(reRatingId: string, decision: Omit<ReRatingDecision, 'attempt'>): Promise<ReRating> {
    const { reRatings } = this.deps.storage;
    const reRating = await this.require(reRatingId);
    if (decision.decision === 'approved' && isSamePerson(reRating.requestedBy, decision.decidedBy)) throw own(reRating);
    const { attempt } = reRating;
    if (reRating.status !== 'awaiting_approval') {
      const earlier = await reRatings.decision(reRatingId, attempt);
      throw earlier === null ? notAwaiting(reRating) : alreadyDecided(reRating, earlier);
    }
    const kept = await reRatings.decide(reRatingId, { attempt, ...decision });
    const isSame = kept.decision.decision === decision.decision && kept.decision.decidedBy === decision.decidedBy;
    if (!kept.stored && !isSame) throw alreadyDecided(reRating, kept.decision);
    try {
      await this.deps.temporal.signalDecided(reRating, await this.onlyPeriod(reRating));
    } catch (error) {
      throw stored(error, 'The decision is stored, but Temporal cannot be reached to act on it. Send it again later.');
    }
    return this.require(reRatingId);
  }

  private async start(reRating: ReRating, about: PeriodKeyOf | null): Promise<void> {
    try {
      await this.deps.temporal.startReRating(reRating, about);
    } catch (error) {
      const detail =
        `The re-rating is stored as ${reRating.reRatingId}, but Temporal cannot be reached to start it. Send the same ` +
        'request again with the same Idempotency-Key; without one, the daily sweep starts it.';
      throw stored(error, detail);
    }
  }

  /** The period that the workflow is about when it is about one: operators search by it. */
  private async onlyPeriod({ reRatingId, targets }: ReRating): Promise<PeriodKeyOf | null> {
    if (targets !== 1) return null;
    const { data } = await this.deps.storage.reRatings.comparisons(reRatingId, { limit: 1 });
    const [only] = data;
    return only === undefined ? null : { customerId: only.customerId, period: only.period };
  }
}

/** As the database compares them: neither case nor surrounding space makes another person. */
const isSamePerson = (a: string, b: string): boolean => a.trim().toLowerCase() === b.trim().toLowerCase();

function own({ requestedBy }: ReRating): DomainFailure {
  const detail = `"${requestedBy}" asked for this re-rating; somebody else has to approve it. The header X-Reckoner-Actor says who decides.`;
  return new DomainFailure('OWN_RE_RATING', detail);
}

function notAwaiting({ status }: ReRating): DomainFailure {
  return new DomainFailure('RE_RATING_NOT_AWAITING_APPROVAL', `It does not wait for a decision: it is ${status}.`);
}

function alreadyDecided({ attempt }: ReRating, { decision, decidedBy }: ReRatingDecision): DomainFailure {
  const detail = `Attempt ${attempt} was ${decision} by "${decidedBy}".`;
  return new DomainFailure('RE_RATING_ALREADY_DECIDED', detail);
}

/** With Temporal away the row is there all the same: the caller must know, and what to do. */
function stored(error: unknown, detail: string): unknown {
  const isAway = error instanceof DomainFailure && error.code === 'TEMPORAL_UNAVAILABLE';
  return isAway ? new DomainFailure('TEMPORAL_UNAVAILABLE', detail) : error;
}
