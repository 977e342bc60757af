import type { FastifyRequest } from 'fastify';
import { msToInstant } from '../../domain/time/instant.js';
import type { EventIngest } from '../ingest/event-ingest.js';
import type { KnownMeters } from '../ingest/known-meters.js';
import type { KnownTags } from '../ingest/known-tags.js';
import type { EventReceiver } from '../ingest/receive-events.js';
import { idempotencyKeyOf } from '../plugins/idempotency.js';
import type { ApiMetrics } from '../plugins/metrics.js';
import type { AdjustmentService } from '../services/adjustments.js';
import type { Asked, Asking } from '../services/asked.js';
import type { BackfillService } from '../services/backfills.js';
import type { CustomerService } from '../services/customers.js';
import type { DeadLetterService } from '../services/dead-letters.js';
import type { DraftService } from '../services/drafts.js';
import type { EventSchemaService } from '../services/event-schemas.js';
import type { PeriodCloseService } from '../services/period-closes.js';
import type { PeriodService } from '../services/periods.js';
import type { PriceEvaluationService } from '../services/price-evaluations.js';
import type { PriceRolloutService } from '../services/price-rollouts.js';
import type { ReRatingService } from '../services/re-ratings.js';
import type { ReconciliationService } from '../services/reconciliations.js';
import type { ApiDependencies } from '../types.js';

/** What the routes work with: the dependencies of the app, and what was made of them. */
export interface RouteContext extends ApiDependencies {
  readonly ingest: EventIngest;
  readonly receiver: EventReceiver;
  readonly knownMeters: KnownMeters;
  readonly eventSchemas: EventSchemaService;
  readonly knownTags: KnownTags;
  readonly metrics: ApiMetrics;
  readonly customers: CustomerService;
  readonly periods: PeriodService;
  readonly adjustments: AdjustmentService;
  readonly backfills: BackfillService;
  readonly deadLetters: DeadLetterService;
  readonly reRatings: ReRatingService;
  readonly reconciliations: ReconciliationService;
  readonly periodCloses: PeriodCloseService;
  readonly evaluations: PriceEvaluationService;
  readonly rollouts: PriceRolloutService;
  readonly drafts: DraftService;
}

/** @throws DomainFailure IDEMPOTENCY_KEY_INVALID */
export function askingOf(request: FastifyRequest): Asking {
  return { actor: request.actor, key: idempotencyKeyOf(request) };
}

/**
 * @param clock epoch milliseconds
 * @throws DomainFailure IDEMPOTENCY_KEY_INVALID
 */
export function askedOf(request: FastifyRequest, clock: () => number): Asked {
  return { ...askingOf(request), now: msToInstant(clock()) };
}
