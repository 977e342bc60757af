/** Billing periods as clients name them, and closing one on demand. */
import { randomUUID } from 'node:crypto';
import { setTimeout as wait } from 'node:timers/promises';
import { calendarOf, periodContaining, periodNamed } from '../../calendar/calendar.js';
import type { CalendarSegment } from '../../calendar/calendar.js';
import { startOfLocalDay } from '../../calendar/time-zones.js';
import { DomainFailure } from '../../domain/failure.js';
import { msToInstant } from '../../domain/time/instant.js';
import { parsePeriodName } from '../../domain/time/local-date.js';
import type { Interval, LocalDate } from '../../domain/values.js';
import type { BillingPeriod, BillingPeriodStatus, Customer, Storage } from '../../storage/types.js';
import type { TemporalGateway } from '../temporal-gateway.js';
import { requireCustomer } from './customers.js';

export interface PeriodServiceDependencies {
  readonly storage: Pick<Storage, 'reference' | 'periods' | 'ledger' | 'proof' | 'backfills'>;
  readonly temporal: TemporalGateway;
  readonly clock: () => number;
  /** How long `close` waits for the invoice (ms). */
  readonly closeWaitMs: number;
}

/** How often `close` looks whether the invoice is there. */
const lookEveryMs = 100;

export class PeriodService {
  constructor(private readonly deps: PeriodServiceDependencies) {}

  /**
   * The period of that name with its customer. One that has begun is created when it is missing; the future is not.
   * @param ifNotBegun what to say of a period in the future: nobody can read it, and it cannot be closed yet
   * @throws DomainFailure UNKNOWN_CUSTOMER, INVALID_PERIOD, UNKNOWN_PERIOD, or `ifNotBegun`
   */
  async require(
    customerId: string,
    name: string,
    ifNotBegun: 'UNKNOWN_PERIOD' | 'PERIOD_NOT_ENDED' = 'UNKNOWN_PERIOD',
  ): Promise<{ customer: Customer; period: BillingPeriod }> {
    const wanted = parsePeriodName(name);
    const { reference, periods } = this.deps.storage;
    const customer = await requireCustomer(this.deps.storage, customerId);
    const segments = calendarOf(await reference.customerVersions(customerId));
    const planned = periodNamed(segments, wanted);
    const hasBegun = planned === null || planned.from <= msToInstant(this.deps.clock());
    if (hasBegun && (planned === null || (await this.exists(customer, wanted, { planned, segments })))) {
      const stored = await periods.periodNamed(customerId, wanted);
      if (stored !== null) return { customer, period: stored };
    }
    if (planned === null) {
      throw new DomainFailure('UNKNOWN_PERIOD', `No billing period of customer "${customerId}" begins on ${wanted}.`);
    }
    if (hasBegun) {
      throw new DomainFailure(
        'UNKNOWN_PERIOD',
        `The billing period ${wanted} lies before the customer's billing_from (${customer.billingFrom}) and has no usage.`,
      );
    }
    throw new DomainFailure(
      ifNotBegun,
      `The billing period ${wanted} of customer "${customerId}" has not begun; it begins at ${planned.from}.`,
    );
  }

  /**
   * From `billing_from` on every period exists; before it those of which there is something to bill, usage that the relay has not
   * come to included, and the opening period: asking about it does not make it, but once it is there it is to be seen and closed.
   */
  private async exists(
    customer: Customer,
    name: LocalDate,
    { planned, segments }: { readonly planned: Interval; readonly segments: readonly CalendarSegment[] },
  ): Promise<boolean> {
    const { ledger, periods } = this.deps.storage;
    const { customerId } = customer;
    const { from, to } = planned;
    const billedFrom = startOfLocalDay(customer.billingFrom, customer.timeZone);
    if (to > billedFrom) return true;
    const { data } = await ledger.listEvents({ customerId, from, to }, { limit: 1 });
    if (data.length > 0) return true;
    const isOpening = to === periodContaining(segments, billedFrom).from;
    return isOpening ? (await periods.status(customerId, name)) !== null : periods.isBillable(customerId, name);
  }

  /** @throws DomainFailure UNKNOWN_CUSTOMER */
  async current(customerId: string): Promise<{ customer: Customer; period: BillingPeriod }> {
    const customer = await requireCustomer(this.deps.storage, customerId);
    const period = await this.deps.storage.periods.periodAt(customerId, msToInstant(this.deps.clock()));
    return { customer, period };
  }

  /** @throws DomainFailure UNKNOWN_CUSTOMER, INVALID_PERIOD, UNKNOWN_PERIOD */
  async status(customerId: string, name: string): Promise<BillingPeriodStatus> {
    const { period } = await this.require(customerId, name);
    return this.statusOf(period);
  }

  /** Ids of the corrections that count, in order; none without an invoice. */
  async correctionsOf(status: BillingPeriodStatus): Promise<readonly string[]> {
    if (status.invoiceId === null) return [];
    const { documents } = await this.deps.storage.proof.chain(status);
    return documents.filter(({ type }) => type !== 'invoice').map(({ invoiceId }) => invoiceId);
  }

  /**
   * Asks for the period to be closed now, and waits a while for what becomes of it. Everything answered 202 before is
   * included, because the gate reads the ledger up to its own cutoff.
   *
   * @throws DomainFailure UNKNOWN_CUSTOMER, INVALID_PERIOD, UNKNOWN_PERIOD, PERIOD_ALREADY_INVOICED, VALIDATION_FAILED
   *   (forced without a reason), PERIOD_NOT_ENDED, BACKFILL_OPEN (not forced), TEMPORAL_UNAVAILABLE; in this precedence
   */
  async close(
    customerId: string,
    name: string,
    request: { force: boolean; reason: string | null },
  ): Promise<BillingPeriodStatus> {
    const { period } = await this.require(customerId, name, 'PERIOD_NOT_ENDED');
    const before = await this.statusOf(period);
    if (before.invoiceId !== null) {
      const detail = `The billing period ${period.period} is invoiced. Usage that comes later is corrected by a correction invoice.`;
      throw new DomainFailure('PERIOD_ALREADY_INVOICED', detail);
    }
    const forced = this.requireEndedOrForced(period, request);
    if (!request.force) await this.requireUnheld(period);
    await this.deps.temporal.closePeriod(customerId, period.period, {
      requestId: randomUUID(),
      forced,
      reason: request.reason,
    });
    return this.outcome(period, before);
  }

  /** Whether the close is a forced one. */
  private requireEndedOrForced(period: BillingPeriod, request: { force: boolean; reason: string | null }): boolean {
    if (request.force && request.reason === null) {
      throw new DomainFailure(
        'VALIDATION_FAILED',
        'A forced close needs a "reason"; it is kept with the request.',
        '/reason',
      );
    }
    if (msToInstant(this.deps.clock()) >= period.to) return false;
    if (request.force) return true;
    const detail = `The billing period ${period.period} ends at ${period.to}. To close it before, send {"force": true, "reason": "…"}.`;
    throw new DomainFailure('PERIOD_NOT_ENDED', detail);
  }

  private async requireUnheld(period: BillingPeriod): Promise<void> {
    const [first] = await this.deps.storage.backfills.openIn(period.customerId, period);
    if (first === undefined) return;
    const { from, to } = first.range;
    const detail = `The backfill ${first.backfillId} (${from} to ${to}) is open and covers a part of the billing period ${period.period}. Close or revert it, or send {"force": true, "reason": "…"}.`;
    throw new DomainFailure('BACKFILL_OPEN', detail);
  }

  /** The status once the request has shown an effect, or when the time is up. */
  private async outcome(period: BillingPeriod, before: BillingPeriodStatus): Promise<BillingPeriodStatus> {
    const deadline = performance.now() + this.deps.closeWaitMs;
    for (;;) {
      const status = await this.statusOf(period);
      const decided = status.stage === 'invoiced' || status.stage === 'skipped' || status.stage === 'held';
      if ((decided && status.stage !== before.stage) || performance.now() >= deadline) return status;
      await wait(lookEveryMs);
    }
  }

  private async statusOf(period: Pick<BillingPeriod, 'customerId' | 'period'>): Promise<BillingPeriodStatus> {
    const status = await this.deps.storage.periods.status(period.customerId, period.period);
    if (status !== null) return status;
    throw new Error(`invariant broken: stored period ${period.customerId} ${period.period} has no status`);
  }
}
