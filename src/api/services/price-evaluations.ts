/** What-if: what usage would cost under a price book version, stored or not. */
import { evaluatePeriod } from '../../billing/evaluate-period.js';
import { evaluatedVersion } from '../../billing/evaluated-version.js';
import { evaluationWorkflowId } from '../../contracts/names.js';
import { rateQuantities } from '../../domain/evaluation/rate-quantities.js';
import { DomainFailure, invariant } from '../../domain/failure.js';
import { parsePriceBook, requireMetersOf } from '../../domain/rating/parse-price-book.js';
import type { PriceBookVersion } from '../../domain/rating/price-book.js';
import { priceBookToWire } from '../../domain/rating/price-book-to-wire.js';
import { isLocalDate } from '../../domain/time/effective-from.js';
import { addMs, msPerHour } from '../../domain/time/instant.js';
import type { DecimalString, Instant, Interval } from '../../domain/values.js';
import { isUuid } from '../../storage/identifiers.js';
import type { EvaluationRequest, PriceEvaluation, Storage } from '../../storage/types.js';
import type { EvaluationBody } from '../schemas/price-evaluations.js';
import type { TemporalGateway } from '../temporal-gateway.js';
import { toApiEvaluatedPeriod, toApiQuantities } from '../wire/evaluations-to-api.js';
import { idOf } from './asked.js';
import type { Asking } from './asked.js';
import { requireCustomers } from './customers.js';
import type { PeriodService } from './periods.js';
import { requireVersion } from './price-book-versions.js';
import { distinct, timeOf } from './re-rating-scope.js';

export interface PriceEvaluationServiceDependencies {
  readonly storage: Pick<
    Storage,
    'reference' | 'rollouts' | 'priceLookup' | 'ledger' | 'periods' | 'proof' | 'evaluations'
  >;
  readonly periods: PeriodService;
  readonly temporal: TemporalGateway;
}

/** Either the answer, or a run that goes on by itself. */
export type Evaluated =
  { readonly kind: 'now'; readonly answer: object } | { readonly kind: 'run'; readonly run: PriceEvaluation };

export class PriceEvaluationService {
  constructor(private readonly deps: PriceEvaluationServiceDependencies) {}

  /**
   * @throws DomainFailure VALIDATION_FAILED, UNKNOWN_PRICE_BOOK and the refusals of a price book, UNKNOWN_METER,
   *   UNKNOWN_CUSTOMER, UNKNOWN_PERIOD, NOTHING_TO_EVALUATE, TEMPORAL_UNAVAILABLE
   */
  async evaluate(body: EvaluationBody, asking: Asking): Promise<Evaluated> {
    const asked = whatIsAsked(body);
    const version = await this.versionOf(body.price_book);
    if (asked.kind === 'quantities') return { kind: 'now', answer: await this.quantities(version, asked.quantities) };
    if (asked.kind === 'period') return { kind: 'now', answer: await this.period(version, asked) };
    return { kind: 'run', run: await this.start(version, asked, asking) };
  }

  /** @throws DomainFailure PRICE_EVALUATION_NOT_FOUND */
  async require(evaluationId: string): Promise<PriceEvaluation> {
    const found = isUuid(evaluationId) ? await this.deps.storage.evaluations.find(evaluationId) : null;
    if (found !== null) return found;
    throw new DomainFailure('PRICE_EVALUATION_NOT_FOUND', `There is no evaluation "${evaluationId}".`);
  }

  private async versionOf(wire: EvaluationBody['price_book']): Promise<PriceBookVersion> {
    const { reference } = this.deps.storage;
    if (isInline(wire)) return belowPriceBook(async () => inlineVersion(wire, await reference.meters()));
    return evaluatedVersion(await requireVersion(this.deps.storage, namedIn(wire)));
  }

  private async quantities(
    version: PriceBookVersion,
    quantities: NonNullable<EvaluationBody['quantities']>,
  ): Promise<object> {
    const meters = await this.deps.storage.reference.meters();
    const asked = quantities.map((each) => ({ ...each, quantity: each.quantity as DecimalString }));
    return toApiQuantities(version, rateQuantities(version, asked, { meters, ...monthsFrom(version) }));
  }

  private async period(
    version: PriceBookVersion,
    { customerId, name }: { readonly customerId: string; readonly name: string },
  ): Promise<object> {
    const { storage } = this.deps;
    const { period } = await this.deps.periods.require(customerId, name);
    const cutoff = await storage.ledger.safeHorizon();
    const evaluated = await evaluatePeriod(storage, period, { version, cutoff });
    return toApiEvaluatedPeriod(version, period, { ...evaluated, cutoff });
  }

  /** The run reads usage as it is now, whatever comes in while it goes on. */
  private async start(
    version: PriceBookVersion,
    { scope }: Extract<Asked, { kind: 'customers' }>,
    asking: Asking,
  ): Promise<PriceEvaluation> {
    await requireCustomers(this.deps.storage, scope.customerIds, '/customers');
    const priceBook = priceBookToWire(version);
    const evaluationId = idOf('price-evaluation', asking, JSON.stringify([priceBook, scope]));
    return this.run({ evaluationId, priceBook, scope, requestedBy: asking.actor });
  }

  /** Stored once, then started; repeating it starts it again where Temporal was away. @throws DomainFailure NOTHING_TO_EVALUATE */
  async run(asked: Omit<EvaluationRequest, 'workflowId' | 'cutoff'>): Promise<PriceEvaluation> {
    const { storage, temporal } = this.deps;
    const { evaluationId } = asked;
    await storage.evaluations.request({
      ...asked,
      workflowId: evaluationWorkflowId(evaluationId),
      cutoff: await storage.ledger.safeHorizon(),
    });
    const run = await storage.evaluations.find(evaluationId);
    invariant(run !== null, `evaluation ${evaluationId} was stored just now`);
    if (run.finishedAt === null) await temporal.startEvaluation(evaluationId);
    return run;
  }
}

type Asked =
  | { readonly kind: 'quantities'; readonly quantities: NonNullable<EvaluationBody['quantities']> }
  | { readonly kind: 'period'; readonly customerId: string; readonly name: string }
  | { readonly kind: 'customers'; readonly scope: PriceEvaluation['scope'] };

/** @throws DomainFailure VALIDATION_FAILED unless exactly one thing is asked about */
function whatIsAsked({ quantities, customer_id: customerId, period, customers, from, to }: EvaluationBody): Asked {
  const isPeriod = customerId !== undefined || period !== undefined;
  if ([quantities !== undefined, isPeriod, customers !== undefined].filter((given) => given).length !== 1) {
    throw refused('Give exactly one of "quantities", "customer_id" with "period", and "customers".', '');
  }
  if (customers === undefined && ((from ?? null) !== null || (to ?? null) !== null)) {
    throw refused('"from" and "to" go with "customers"; one period is named by "period".', '/from');
  }
  if (quantities !== undefined) return { kind: 'quantities', quantities };
  if (customers !== undefined) {
    const customerIds = customers === 'all' ? null : distinct(customers);
    return { kind: 'customers', scope: { customerIds, ...timeOf({ from, to }, '') } };
  }
  if (customerId === undefined) throw refused('"period" needs the "customer_id" whose period it is.', '/customer_id');
  if (period === undefined) throw refused('"customer_id" needs the "period" to look at.', '/period');
  return { kind: 'period', customerId, name: period };
}

const refused = (detail: string, pointer: string): DomainFailure =>
  new DomainFailure('VALIDATION_FAILED', detail, pointer);

/** A whole version has prices; the name of one has not. */
const isInline = (wire: EvaluationBody['price_book']): boolean => 'prices' in wire;

function namedIn(wire: EvaluationBody['price_book']): { readonly code: string; readonly version: string } {
  const { code, version, ...others } = wire;
  const [unknown] = Object.keys(others);
  if (unknown !== undefined) {
    const detail = `"${unknown.slice(0, 100)}" is not known beside the name of a version; a whole version has "prices".`;
    throw new DomainFailure('UNKNOWN_PROPERTY', detail, `/price_book/${unknown.slice(0, 100)}`);
  }
  if (typeof code === 'string' && typeof version === 'string') return { code, version };
  throw refused('Name a version by "code" and "version", or give a whole one with its "prices".', '/price_book');
}

function inlineVersion(
  wire: EvaluationBody['price_book'],
  meters: Awaited<ReturnType<Storage['reference']['meters']>>,
): PriceBookVersion {
  const content = parsePriceBook(wire);
  requireMetersOf(content, meters, wire);
  return evaluatedVersion(content);
}

/** The parsers of the domain point into the price book, which is a part of this body. */
async function belowPriceBook<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof DomainFailure)) throw error;
    throw new DomainFailure(error.code, error.detail, `/price_book${error.pointer ?? ''}`);
  }
}

const monthMs = 30 * 24 * msPerHour;

/** Quantities have no period: thirty days from the version's start stand for one, and as many for the next. */
function monthsFrom({ effectiveFrom }: PriceBookVersion): { readonly period: Interval; readonly next: Interval } {
  const from = isLocalDate(effectiveFrom) ? (`${effectiveFrom}T00:00:00.000000Z` as Instant) : effectiveFrom;
  const to = addMs(from, monthMs);
  return { period: { from, to }, next: { from: to, to: addMs(to, monthMs) } };
}
