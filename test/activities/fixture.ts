/** Activities on a database of their own, with the seed's tiered price; Temporal's client only takes notes. */
import type { Meter } from '../../src/domain/metering/meter.js';
import type { Client } from '@temporalio/client';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { createActivities } from '../../src/activities/index.js';
import type { Activities, ActivitySettings } from '../../src/activities/index.js';
import { parsePriceBook } from '../../src/domain/rating/parse-price-book.js';
import type { Instant, LocalDate } from '../../src/domain/values.js';
import { createStorage } from '../../src/storage/index.js';
import type { CustomerFacts, InvoicingRequest, Storage } from '../../src/storage/types.js';
import { usageEvent } from '../storage/usage-fixture.js';
import { createTestDatabase } from '../support/postgres.js';

export const settings: ActivitySettings = {
  outOfOrdernessMs: 60_000,
  idleTimeoutMs: 300_000,
  signalIntervalMs: 50,
  relayTickMs: 10,
  ratingCadence: 'every_close',
  seller: { name: 'Reckoner Test Ltd', address: 'Harbour Street 1' },
  paymentTermsDays: 14,
  priceFallbackMaxAgeMs: 3_600_000,
  closeJitterMs: 0,
};

export const january = '2024-01-01' as LocalDate;
export const issuedAt = '2024-02-01T01:00:00.000000Z' as Instant;

const facts: CustomerFacts = {
  name: 'Acme',
  currency: 'USD',
  timeZone: 'UTC',
  billingAnchorDay: 1,
  billingFrom: january,
  priceBook: 'standard',
  invoiceDelay: 'PT1H',
  lateUsageQuietTime: 'PT1H',
  skipEmptyInvoices: false,
  approvalThreshold: null,
  currencyConversion: null,
  tags: {},
  buyer: { address: 'Road 2' },
};

export interface TemporalCall {
  readonly method: 'start' | 'signalWithStart';
  readonly type: string;
  readonly workflowId: string;
}

export interface ActivityFixture {
  readonly storage: Storage;
  readonly url: string;
  /** Only takes notes. */
  readonly client: Client;
  readonly activities: Activities;
  /** What the activities asked of Temporal. */
  readonly temporal: TemporalCall[];
  addCustomer(customerId: string, more?: Partial<CustomerFacts>): Promise<void>;
  /** `count` calls, one a minute from `from` on. */
  addCalls(customerId: string, count: number, from?: string): Promise<void>;
  /** @param period by default 2024-01-01 */
  request(customerId: string, requestId: string, period?: string): Promise<InvoicingRequest>;
  /** Runs an activity as a worker would. */
  run<P extends unknown[], R>(activity: (...parameters: P) => Promise<R>, ...parameters: P): Promise<R>;
  close(): Promise<void>;
}

/** A level, by event: changes of it. */
export const seatsMeter: Omit<Meter, 'meterId' | 'version'> = {
  code: 'seats',
  eventType: 'seat_change',
  aggregation: 'weighted_sum',
  valueProperty: 'seats',
  groupBy: [],
  filters: {},
  windowSize: 'hour',
  allowedLateness: 'PT1H',
  allowNegative: false,
  maxGroups: 1000,
  effectiveFrom: null,
};

export async function createActivityFixture(): Promise<ActivityFixture> {
  const database = await createTestDatabase();
  const storage = createStorage(database.url);
  await storage.reference.createMeter({
    ...seatsMeter,
    code: 'api_calls',
    eventType: 'api_call',
    aggregation: 'count',
    valueProperty: null,
  });
  await storage.reference.createPriceBook(
    parsePriceBook({
      code: 'standard',
      version: 'v1',
      currency: 'USD',
      effective_from: '2024-01-01T00:00:00Z',
      prices: [
        {
          meter: 'api_calls',
          model: 'tiered',
          tiers: [
            { up_to: '1000', unit_price: '0.10' },
            { up_to: null, unit_price: '0.08' },
          ],
        },
      ],
    }),
  );
  const temporal: TemporalCall[] = [];
  const client = noting(temporal);
  const activities = createActivities({ storage, client, settings, now: () => issuedAt });
  return {
    storage,
    client,
    url: database.url,
    activities,
    temporal,
    addCustomer: async (customerId, more = {}) => {
      const all = { ...facts, ...more };
      await storage.reference.putCustomer(customerId, all, null);
      await storage.reference.assignPriceBook(customerId, all.priceBook, null, {
        effectiveUntil: null,
        decidedBy: 'a test',
      });
    },
    addCalls: async (customerId, count, from = '2024-01-10T00:00:00Z') => {
      const events = Array.from({ length: count }, (_, index) => {
        const eventTime = new Date(Date.parse(from) + index * 60_000).toISOString();
        return usageEvent({ customerId, eventId: `${from}/${index}`, eventTime });
      });
      await storage.ledger.append(events, []);
      await storage.periods.periodAt(customerId, from.replace('Z', '.000000Z') as Instant);
    },
    request: async (customerId, requestId, period = january) => {
      const request = {
        requestId,
        customerId,
        period: period as LocalDate,
        billingDay: '2024-02-01' as LocalDate,
        forced: false,
        reason: null,
      };
      await storage.periods.periodNamed(customerId, period as LocalDate);
      await storage.periods.requestInvoicing(request);
      return request;
    },
    // Some tests let activities fail on purpose: their warnings are noise.
    run: <P extends unknown[], R>(activity: (...parameters: P) => Promise<R>, ...parameters: P) =>
      new MockActivityEnvironment({}, { logger: new DefaultLogger('ERROR') }).run<P, R, typeof activity>(
        activity,
        ...parameters,
      ),
    close: async () => {
      await storage.close();
      await database.drop();
    },
  };
}

/** Every call answers at once, as a server that is there does. */
function noting(calls: TemporalCall[]): Client {
  const note = (method: TemporalCall['method']) => (type: string, options: { workflowId: string }) => {
    calls.push({ method, type, workflowId: options.workflowId });
    return Promise.resolve({});
  };
  return { workflow: { start: note('start'), signalWithStart: note('signalWithStart') } } as unknown as Client;
}
