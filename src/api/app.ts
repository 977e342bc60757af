/** The HTTP API as a Fastify instance: everything but the process around it. */
import { randomUUID } from 'node:crypto';
import Fastify, { LogController, type FastifyInstance } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import { DomainFailure } from '../domain/failure.js';
import { Admission } from './ingest/admission.js';
import { defaultDuplicateFloodLimits, DuplicateFlood } from './ingest/duplicate-flood.js';
import { EventIngest } from './ingest/event-ingest.js';
import { defaultGroupCommitLimits, GroupCommit } from './ingest/group-commit.js';
import { KnownCustomers } from './ingest/known-customers.js';
import { KnownMeters } from './ingest/known-meters.js';
import { KnownSchemas } from './ingest/known-schemas.js';
import { KnownTags } from './ingest/known-tags.js';
import { KnownBackfills } from './ingest/backfilled.js';
import { EventReceiver } from './ingest/receive-events.js';
import { registerActor } from './plugins/actor.js';
import { answerBrokenRequest, registerErrors, sendProblem } from './plugins/errors.js';
import { registerIdempotency } from './plugins/idempotency.js';
import { registerJsonBody } from './plugins/json-body.js';
import { registerMetrics } from './plugins/metrics.js';
import { registerStoredMetrics } from './plugins/stored-metrics.js';
import { registerOpenApi } from './plugins/openapi.js';
import { registerRouteMethods } from './plugins/route-methods.js';
import { registerSchemas } from './plugins/schemas.js';
import { adjustmentRoutes } from './routes/adjustments.js';
import { auditProofRoutes, auditRoutes } from './routes/audit.js';
import { backfillDecisionRoutes, backfillRoutes } from './routes/backfills.js';
import { billingPeriodRoutes, chargeRoutes } from './routes/billing.js';
import type { RouteContext } from './routes/context.js';
import { creditGrantRoutes, creditReadRoutes } from './routes/credits.js';
import { creditNoteDocumentRoutes } from './routes/credit-note-documents.js';
import { creditNoteReadRoutes, creditNoteRoutes } from './routes/credit-notes.js';
import { customerPriceRoutes } from './routes/customer-prices.js';
import { customerRoutes, usageRoutes } from './routes/customers.js';
import { deadLetterReplayRoute, deadLetterRoutes } from './routes/dead-letters.js';
import { draftRoutes } from './routes/drafts.js';
import { eventRoutes, ingestRoute } from './routes/events.js';
import { eventSchemaReadRoutes, eventSchemaRoutes } from './routes/event-schemas.js';
import { exchangeRateRoutes } from './routes/exchange-rates.js';
import { findingRoutes } from './routes/findings.js';
import { invoiceDocumentRoutes } from './routes/invoice-documents.js';
import { invoiceProofRoutes, invoiceRoutes } from './routes/invoices.js';
import { journalRoutes } from './routes/journal.js';
import { accountingMonthRoutes, balanceRoutes, ledgerExportRoutes, snapshotRoutes } from './routes/ledger.js';
import { legalEntityRoutes, numberSeriesRoutes } from './routes/legal-entities.js';
import { operationRoutes } from './routes/operations.js';
import { periodCloseDecisionRoutes, periodCloseRoutes } from './routes/period-closes.js';
import { priceEvaluationRoutes, priceEvaluationRunRoutes } from './routes/price-evaluations.js';
import { priceRolloutDecisionRoutes, priceRolloutMemberRoutes, priceRolloutRoutes } from './routes/price-rollouts.js';
import { reRatingDecisionRoutes, reRatingRoutes } from './routes/re-ratings.js';
import { reconciliationRoutes } from './routes/reconciliations.js';
import { meterRoutes, priceBookRoutes } from './routes/reference.js';
import { receivablesRoutes } from './routes/receivables.js';
import { writeOffReadRoutes, writeOffRoutes } from './routes/write-offs.js';
import { paymentReadRoutes, paymentRoutes, receivableRoutes, refundRoutes } from './routes/settlement.js';
import { tagRoutes } from './routes/tags.js';
import { AdjustmentService } from './services/adjustments.js';
import { BackfillService } from './services/backfills.js';
import { CustomerService } from './services/customers.js';
import { DeadLetterService } from './services/dead-letters.js';
import { DraftService } from './services/drafts.js';
import { EventSchemaService } from './services/event-schemas.js';
import { PeriodCloseService } from './services/period-closes.js';
import { PeriodService } from './services/periods.js';
import { PriceEvaluationService } from './services/price-evaluations.js';
import { PriceRolloutService } from './services/price-rollouts.js';
import { ReRatingService } from './services/re-ratings.js';
import { ReconciliationService } from './services/reconciliations.js';
import type { Api, ApiDependencies } from './types.js';

/**
 * Builds the API. Closing the instance stops taking requests, commits what was accepted, and leaves storage and Temporal
 * to whoever opened them.
 */
export function buildApi(deps: ApiDependencies): FastifyInstance {
  const app = createFastify(deps);
  registerSchemas(app);
  registerRouteMethods(app);
  registerErrors(app);
  registerActor(app);
  registerIdempotency(app, deps.storage.idempotency);
  const context = createContext(app, deps);
  registerOpenApi(app);
  registerJsonBody(app);
  app.addHook('onRequest', (request, reply, done) => {
    reply.header('x-request-id', request.id);
    done();
  });
  for (const routes of allRoutes)
    void app.register((scope: Api) => routes(scope.withTypeProvider<ZodTypeProvider>(), context));
  return app;
}

const allRoutes = [
  ingestRoute,
  eventRoutes,
  adjustmentRoutes,
  backfillRoutes,
  backfillDecisionRoutes,
  deadLetterRoutes,
  deadLetterReplayRoute,
  customerRoutes,
  customerPriceRoutes,
  creditGrantRoutes,
  creditReadRoutes,
  paymentRoutes,
  paymentReadRoutes,
  refundRoutes,
  writeOffRoutes,
  writeOffReadRoutes,
  receivableRoutes,
  receivablesRoutes,
  creditNoteRoutes,
  creditNoteReadRoutes,
  creditNoteDocumentRoutes,
  usageRoutes,
  meterRoutes,
  eventSchemaRoutes,
  eventSchemaReadRoutes,
  tagRoutes,
  priceBookRoutes,
  exchangeRateRoutes,
  priceEvaluationRoutes,
  priceEvaluationRunRoutes,
  priceRolloutRoutes,
  priceRolloutMemberRoutes,
  priceRolloutDecisionRoutes,
  billingPeriodRoutes,
  periodCloseRoutes,
  periodCloseDecisionRoutes,
  invoiceRoutes,
  invoiceDocumentRoutes,
  invoiceProofRoutes,
  draftRoutes,
  legalEntityRoutes,
  numberSeriesRoutes,
  chargeRoutes,
  reRatingRoutes,
  reRatingDecisionRoutes,
  reconciliationRoutes,
  journalRoutes,
  balanceRoutes,
  snapshotRoutes,
  accountingMonthRoutes,
  ledgerExportRoutes,
  findingRoutes,
  auditRoutes,
  auditProofRoutes,
  operationRoutes,
] as const;

function createFastify({ logger }: ApiDependencies): Api {
  return Fastify({
    loggerInstance: logger,
    // A line a request would cost more than taking an event; /metrics counts them, and failures are logged.
    logController: new LogController({ disableRequestLogging: true }),
    genReqId: () => randomUUID(),
    requestIdHeader: false,
    // Identifiers have 128 characters, each up to 9 when percent-encoded.
    routerOptions: { maxParamLength: 128 * 9 },
    clientErrorHandler: answerBrokenRequest,
    frameworkErrors: (error, request, reply) => {
      void sendProblem(request, reply, new DomainFailure('ROUTE_NOT_FOUND', 'The path is not a valid URL.'));
      request.log.debug({ err: error }, 'refused by the router');
    },
  }).withTypeProvider<ZodTypeProvider>();
}

const defaultEventStreams = 16;
const defaultParties = { seller: { name: '' }, paymentTermsDays: 14 } as const;

function createContext(app: Api, deps: ApiDependencies): RouteContext {
  const { storage, temporal, clock, config, logger } = deps;
  const limits = { ...defaultGroupCommitLimits, ...config.groupCommit };
  const admission = new Admission({ bytes: limits.bytesWaiting, streams: config.eventStreams ?? defaultEventStreams });
  const floodLimits = config.duplicateFlood ?? defaultDuplicateFloodLimits;
  const flood = new DuplicateFlood({ limits: floodLimits, clock, findings: storage.findings });
  const metrics = registerMetrics(app, {
    ofProcess: config.processMetrics ?? false,
    queueDepth: () => groupCommit.depth,
    admission,
    flood,
  });
  const groupCommit = new GroupCommit(storage.ledger, limits, metrics.commits);
  const knownMeters = new KnownMeters(storage.reference);
  const knownSchemas = new KnownSchemas(storage.eventSchemas);
  const knownTags = new KnownTags(storage.tags);
  const ingest = new EventIngest({
    groupCommit,
    ledger: storage.ledger,
    customers: new KnownCustomers(storage.reference),
    meters: knownMeters,
    schemas: knownSchemas,
    tags: knownTags,
    backfills: new KnownBackfills(storage.backfills),
    flood,
    observer: metrics,
    clock,
    futureToleranceMs: config.futureToleranceMs,
  });
  const receiver = new EventReceiver(ingest, admission);
  const customers = new CustomerService({ storage, temporal, clock, logger });
  const periods = new PeriodService({ storage, temporal, clock, closeWaitMs: config.closeWaitMs ?? 10_000 });
  const adjustments = new AdjustmentService({
    storage,
    meters: knownMeters,
    schemas: knownSchemas,
    tags: knownTags,
    clock,
    futureToleranceMs: config.futureToleranceMs,
  });
  const eventSchemas = new EventSchemaService({ storage, known: knownSchemas });
  const backfills = new BackfillService(storage);
  const deadLetters = new DeadLetterService({ storage, ingest });
  registerStoredMetrics(metrics.registry, { storage, clock });
  const reRatings = new ReRatingService({ storage, temporal });
  const reconciliations = new ReconciliationService({ storage, temporal });
  app.addHook('onClose', async () => {
    await groupCommit.close();
    await customers.settled();
  });
  return {
    ...deps,
    ingest,
    receiver,
    knownMeters,
    eventSchemas,
    knownTags,
    metrics,
    customers,
    periods,
    adjustments,
    backfills,
    deadLetters,
    reRatings,
    reconciliations,
    ...servicesOnPeriods(deps, periods),
  };
}

function servicesOnPeriods(
  { storage, temporal, clock, config }: ApiDependencies,
  periods: PeriodService,
): Pick<RouteContext, 'evaluations' | 'rollouts' | 'drafts' | 'periodCloses'> {
  const evaluations = new PriceEvaluationService({ storage, periods, temporal });
  return {
    evaluations,
    periodCloses: new PeriodCloseService({ storage, temporal, clock }),
    rollouts: new PriceRolloutService({ storage, evaluations, clock }),
    drafts: new DraftService({
      ...{ storage, temporal, waitMs: config.closeWaitMs ?? 10_000 },
      parties: config.parties ?? defaultParties,
    }),
  };
}
