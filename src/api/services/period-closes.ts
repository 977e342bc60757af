/** Closing many customers' periods: asked for here, carried out by the workflow `periodClose`. */
import { periodCloseWorkflowId } from '../../contracts/names.js';
import { DomainFailure, invariant } from '../../domain/failure.js';
import { defaultLegalEntity } from '../../domain/invoicing/invoice-number.js';
import { unknownLegalEntity } from '../../domain/invoicing/legal-entity.js';
import { msToInstant, utcDay } from '../../domain/time/instant.js';
import { parseLocalDate, parsePeriodName } from '../../domain/time/local-date.js';
import type { LocalDate } from '../../domain/values.js';
import { isUuid } from '../../storage/identifiers.js';
import type { PeriodClose, PeriodCloseScope, Storage } from '../../storage/types.js';
import type { PeriodCloseBody, PeriodCloseWire } from '../schemas/period-closes.js';
import type { TemporalGateway } from '../temporal-gateway.js';
import { idOf } from './asked.js';
import type { Asking } from './asked.js';
import { requireCustomers } from './customers.js';
import { distinct } from './re-rating-scope.js';

export interface PeriodCloseServiceDependencies {
  readonly storage: Pick<Storage, 'periodCloses' | 'reference' | 'numbering'>;
  readonly temporal: TemporalGateway;
  readonly clock: () => number;
}

export class PeriodCloseService {
  constructor(private readonly deps: PeriodCloseServiceDependencies) {}

  /**
   * Stored once, then started; the same request again, under its key, starts it again where Temporal was away.
   * @throws DomainFailure VALIDATION_FAILED, INVALID_PERIOD, INVALID_DATE, PERIOD_NOT_ENDED, UNKNOWN_CUSTOMER,
   *   UNKNOWN_LEGAL_ENTITY, TEMPORAL_UNAVAILABLE
   */
  async create(body: PeriodCloseBody, asking: Asking): Promise<PeriodClose> {
    const { storage, temporal, clock } = this.deps;
    const today = utcDay(msToInstant(clock()));
    const scope = scopeOf(body, today);
    const closeId = idOf('period-close', asking, JSON.stringify(scope));
    if ((await storage.periodCloses.find(closeId)) === null) {
      await requireCustomers(storage, scope.customerIds, '/customer_ids');
      await this.requireLegalEntity(scope.legalEntity);
      const workflowId = periodCloseWorkflowId(closeId);
      await storage.periodCloses.request({ closeId, workflowId, scope, billingDay: today, requestedBy: asking.actor });
    }
    const close = await storage.periodCloses.find(closeId);
    invariant(close !== null, `period close ${closeId} was stored just now`);
    if (!hasEnded(close)) await temporal.startPeriodClose({ closeId, billingDay: close.billingDay });
    return (await storage.periodCloses.find(closeId)) ?? close;
  }

  /** @throws DomainFailure PERIOD_CLOSE_NOT_FOUND */
  async require(closeId: string): Promise<PeriodClose> {
    const found = isUuid(closeId) ? await this.deps.storage.periodCloses.find(closeId) : null;
    if (found !== null) return found;
    throw new DomainFailure('PERIOD_CLOSE_NOT_FOUND', `There is no period close "${closeId}".`);
  }

  /**
   * Nothing more is handed over from the next chunk on. Asked again by the same key it says the same.
   * @throws DomainFailure PERIOD_CLOSE_NOT_FOUND, PERIOD_CLOSE_ENDED
   */
  async cancel(
    closeId: string,
    { actor, reason }: { readonly actor: string; readonly reason: string },
  ): Promise<PeriodClose> {
    const before = await this.require(closeId);
    if (before.cancellation?.by === actor && before.cancellation.reason === reason) return before;
    if (hasEnded(before)) {
      const how = before.cancellation === null ? 'has handed over everything' : 'was cancelled before';
      throw new DomainFailure('PERIOD_CLOSE_ENDED', `The period close "${closeId}" ${how}.`);
    }
    await this.deps.storage.periodCloses.cancel(closeId, { cancelledBy: actor, reason });
    return this.require(closeId);
  }

  /** Of a close that planned nothing. */
  async hintOf({ plannedAt, progress, scope }: PeriodClose): Promise<string | null> {
    if (plannedAt === null || progress.planned > 0) return null;
    if (progress.notReady > 0) return 'No period was ready; the targets with state not_ready say why.';
    const { period, endedOn } = scope;
    const near = await this.deps.storage.periodCloses.nearest(period ?? endedOn ?? utcDay(msToInstant(0)), 5);
    const found = near.map((named) => `${named.period} to ${named.lastDay} (${named.count})`);
    const asked = period === null ? `ends on ${String(endedOn)}, its last day` : `begins on ${period}`;
    return `No period of these customers ${asked}. ${
      found.length === 0 ? 'There are no periods yet.' : `Periods near it: ${found.join(', ')}.`
    }`;
  }

  private async requireLegalEntity(code: string | null): Promise<void> {
    if (code === null || code === defaultLegalEntity) return;
    const versions = await this.deps.storage.numbering.entityVersions(code);
    if (versions.length === 0) throw unknownLegalEntity(code, '/legal_entity');
  }
}

function scopeOf(body: PeriodCloseBody, today: LocalDate): PeriodCloseScope {
  const { period, ended_on: endedOn, customer_ids: customerIds, legal_entity: legalEntity } = body;
  if ((period === undefined) === (endedOn === undefined)) {
    const detail =
      'Give "period" (the periods of that name) or "ended_on" (those whose last local day it is), not both.';
    throw new DomainFailure('VALIDATION_FAILED', detail, '/period');
  }
  const scope = {
    period: period === undefined ? null : parsePeriodName(period),
    endedOn: endedOn === undefined ? null : parseLocalDate(endedOn),
    customerIds: distinct(customerIds),
    legalEntity: legalEntity ?? null,
  };
  requirePast(scope, today);
  return scope;
}

/** Nothing of it can have ended anywhere; whether each has is decided period by period. */
function requirePast({ period, endedOn }: PeriodCloseScope, today: LocalDate): void {
  const [day, pointer] = period !== null ? [period, '/period'] : [endedOn ?? today, '/ended_on'];
  const isFuture = period !== null ? day >= today : day > today;
  if (!isFuture) return;
  const detail = `No billing period ${period !== null ? `that begins on ${day}` : `ends by ${day}`} has ended yet. Only ended periods are closed together.`;
  throw new DomainFailure('PERIOD_NOT_ENDED', detail, pointer);
}

/** Nothing is left to hand over, or nothing more may be. */
function hasEnded({ plannedAt, cancellation, progress }: PeriodClose): boolean {
  return cancellation !== null || (plannedAt !== null && progress.requested + progress.left === progress.planned);
}

export function toApiPeriodClose(close: PeriodClose, hint: string | null = null): PeriodCloseWire {
  const { scope, progress } = close;
  return {
    close_id: close.closeId,
    workflow_id: close.workflowId,
    status: statusOf(close),
    scope: {
      period: scope.period,
      ended_on: scope.endedOn,
      customer_ids: scope.customerIds === null ? null : [...scope.customerIds],
      legal_entity: scope.legalEntity,
    },
    billing_day: close.billingDay,
    progress: {
      planned: progress.planned,
      not_ready: progress.notReady,
      requested: progress.requested,
      left: progress.left,
      issued: progress.issued,
      held: progress.held,
      skipped: progress.skipped,
      already_invoiced: progress.alreadyInvoiced,
      remaining: progress.remaining,
    },
    hint,
    cancellation: close.cancellation,
    requested_by: close.requestedBy,
    requested_at: close.requestedAt,
    planned_at: close.plannedAt,
  };
}

function statusOf(close: PeriodClose): PeriodCloseWire['status'] {
  if (close.cancellation !== null) return 'cancelled';
  if (close.plannedAt === null) return 'planning';
  if (close.progress.remaining === 0) return 'finished';
  return hasEnded(close) ? 'invoicing' : 'requesting';
}
