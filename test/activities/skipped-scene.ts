/** A customer that skips empty invoices, with prices for two meters that are not there yet; and who may ask again about what was skipped. */
import { randomUUID } from 'node:crypto';
import { createActivities } from '../../src/activities/index.js';
import { parsePriceBook } from '../../src/domain/rating/parse-price-book.js';
import type { Instant, LocalDate } from '../../src/domain/values.js';
import type { BillingPeriod, CustomerFacts, InvoicingRequest } from '../../src/storage/types.js';
import { usageEvent } from '../storage/usage-fixture.js';
import { createActivityFixture, issuedAt, seatsMeter, settings } from './fixture.js';
import type { ActivityFixture } from './fixture.js';

/** The day of the sweep. */
export const today = '2024-02-01' as LocalDate;
export const uploads = {
  ...seatsMeter,
  code: 'uploads',
  eventType: 'upload',
  aggregation: 'count',
  valueProperty: null,
} as const;

const prices = ['seats', 'uploads'].map((code) => ({ meter: code, model: 'flat', unit_price: '1.00' }));
const acme = { priceBook: 'all', skipEmptyInvoices: true };

export class SkippedScene {
  constructor(readonly fixture: ActivityFixture) {}

  static async create(more: Partial<CustomerFacts> = {}): Promise<SkippedScene> {
    const scene = new SkippedScene(await createActivityFixture());
    await scene.publish('v1', '2023-01-01T00:00:00Z');
    await scene.fixture.addCustomer('acme', { ...acme, ...more });
    return scene;
  }

  get storage(): ActivityFixture['storage'] {
    return this.fixture.storage;
  }

  publish(version: string, effectiveFrom: string, more: readonly object[] = [], code = 'all'): Promise<unknown> {
    const content = { code, version, currency: 'USD', effective_from: effectiveFrom, prices: [...prices, ...more] };
    return this.storage.reference.createPriceBook(parsePriceBook(content));
  }

  /** @returns its id */
  async send(eventType: string, eventTime: string, metadata: object = {}): Promise<string> {
    const eventId = randomUUID();
    const event = { customerId: 'acme', eventId, eventType, eventTime, metadataJson: JSON.stringify(metadata) };
    await this.storage.ledger.append([usageEvent(event)], []);
    await this.plan();
    return eventId;
  }

  changeSeats(eventTime: string, seats: number): Promise<string> {
    return this.send('seat_change', eventTime, { seats });
  }

  async voidEvent(eventId: string): Promise<void> {
    const key = { customerId: 'acme', source: '', eventId };
    await this.storage.adjustments.adjust({ ...key, type: 'void', replacement: null, reason: null });
    await this.plan();
  }

  /** Over the first days of January. @returns its id */
  async openBackfill(): Promise<string> {
    const range = { from: '2024-01-01T00:00:00.000000Z', to: '2024-01-20T00:00:00.000000Z' } as never;
    const asked = { backfillId: randomUUID(), customerIds: ['acme'], range, mode: 'add', reason: null } as const;
    await this.storage.backfills.create({ ...asked, createdBy: 'ann' });
    return asked.backfillId;
  }

  async closeBackfill(backfillId: string): Promise<void> {
    await this.storage.backfills.decide(backfillId, { decision: 'closed', decidedBy: 'ann', reason: null });
    await this.plan();
  }

  async plan(): Promise<void> {
    const { relay } = this.storage;
    await relay.plan('all', (await relay.acquire('all')).epoch);
  }

  async periodOf(period: LocalDate): Promise<BillingPeriod> {
    const found = await this.storage.periods.periodNamed('acme', period);
    if (found === null) throw new Error(`no period ${period}`);
    return found;
  }

  /** A request of that period, which nobody has worked off. */
  async ask(period: LocalDate, more: Partial<InvoicingRequest> = {}): Promise<string> {
    await this.periodOf(period);
    const request = { customerId: 'acme', period, billingDay: today, forced: false, reason: null, ...more };
    const requestId = randomUUID();
    await this.storage.periods.requestInvoicing({ ...request, requestId });
    return requestId;
  }

  async invoice(...periods: readonly LocalDate[]): Promise<void> {
    for (const period of periods) {
      await this.ask(period);
      await this.issuePending();
    }
  }

  async issuePending(): Promise<void> {
    await this.fixture.run(this.fixture.activities.issueChunk, { billingDay: today, limit: 10 });
  }

  stages(...periods: readonly LocalDate[]): Promise<readonly (string | undefined)[]> {
    return Promise.all(periods.map(async (period) => (await this.storage.periods.status('acme', period))?.stage));
  }

  async totals(): Promise<readonly string[]> {
    const { data } = await this.storage.billing.listInvoices({ customerId: 'acme' }, { limit: 50 });
    return data.map(({ period, total }) => `${period} ${total}`).sort();
  }

  /** What a month's checklist says is not billed. */
  async unbilled(month: LocalDate): Promise<unknown> {
    const { items } = await this.storage.journal.checklist(month);
    return items.map(({ period, detail }) => [period, detail]);
  }

  /** Asks for a close of many. @returns its id */
  async askClose(period: LocalDate): Promise<string> {
    const closeId = randomUUID();
    const scope = { period, endedOn: null, customerIds: null, legalEntity: null };
    const asked = { closeId, workflowId: `period-close/${closeId}`, scope, billingDay: today, requestedBy: 'ann' };
    await this.storage.periodCloses.request(asked);
    return closeId;
  }

  /** What a close of many, left alone with what it finds, says of the period. */
  async closeMany(period: LocalDate): Promise<unknown> {
    const { periodCloses } = this.storage;
    const closeId = await this.askClose(period);
    await periodCloses.plan(closeId);
    await periodCloses.handOver(closeId, 10);
    const { data } = await periodCloses.targets(closeId, {}, { limit: 10 });
    return data.map(({ state, reason }) => [state, reason]);
  }

  /** What the daily sweep of that instant has started. */
  async swept(now: () => Instant = () => issuedAt): Promise<readonly string[]> {
    const { storage, client, run, temporal } = this.fixture;
    temporal.length = 0;
    await run(createActivities({ storage, client, settings, now }).sweepPeriods);
    return temporal.map(({ workflowId }) => workflowId);
  }
}
