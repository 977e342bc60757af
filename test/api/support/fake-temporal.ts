import type { Client } from '@temporalio/client';
import { issueInvoice } from '../../../src/activities/issue-invoice.js';
import type { TemporalGateway } from '../../../src/api/temporal-gateway.js';
import type { CloseRequested } from '../../../src/contracts/billing-period.js';
import { DomainFailure } from '../../../src/domain/failure.js';
import { msToInstant } from '../../../src/domain/time/instant.js';
import type { LocalDate } from '../../../src/domain/values.js';
import type { Storage } from '../../../src/storage/types.js';

/** Temporal as the API sees it: remembers what it was told and, when it is there, issues an invoice at once. */
export class FakeTemporal implements TemporalGateway {
  readonly started: string[] = [];
  readonly closed: { readonly customerId: string; readonly period: LocalDate; readonly request: CloseRequested }[] = [];
  away = false;
  /** What happens on a close; the default issues through the real gate. */
  onClose: (customerId: string, period: LocalDate, request: CloseRequested) => Promise<void>;

  constructor(
    private readonly storage: Storage,
    private readonly clock: () => number,
  ) {
    this.onClose = (customerId, period, request) => this.issue(customerId, period, request);
  }

  async startBillingPeriod(customerId: string, period: LocalDate): Promise<void> {
    await this.reach();
    this.started.push(`${customerId} ${period}`);
  }

  async closePeriod(customerId: string, period: LocalDate, request: CloseRequested): Promise<void> {
    await this.reach();
    this.closed.push({ customerId, period, request });
    await this.onClose(customerId, period, request);
  }

  async health(): Promise<void> {
    await this.reach();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  private reach(): Promise<void> {
    return this.away
      ? Promise.reject(new DomainFailure('TEMPORAL_UNAVAILABLE', 'Temporal is away.'))
      : Promise.resolve();
  }

  private async issue(
    customerId: string,
    period: LocalDate,
    { requestId, forced, reason }: CloseRequested,
  ): Promise<void> {
    const request = { requestId, customerId, period, billingDay: period, forced, reason };
    await this.storage.periods.requestInvoicing(request);
    const settings = {
      outOfOrdernessMs: 0,
      idleTimeoutMs: 0,
      signalIntervalMs: 0,
      relayTickMs: 0,
      ratingCadence: 0,
      seller: { name: 'Seller Ltd.' },
      paymentTermsDays: 14,
    };
    const client = undefined as unknown as Client; // issuing starts no workflow
    await issueInvoice({ storage: this.storage, client, settings, now: () => msToInstant(this.clock()) }, request);
  }
}
