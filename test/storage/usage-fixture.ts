/** Customers, periods, meters and facts for the tests of usage, relay and gate. */
import { randomUUID } from 'node:crypto';
import { parse } from 'lossless-json';
import type { AggregatedMeter } from '../../src/domain/metering/fold.js';
import type { Metadata } from '../../src/domain/metering/metadata.js';
import type { Meter } from '../../src/domain/metering/meter.js';
import type { UsageEvent } from '../../src/domain/metering/event.js';
import { msToInstant } from '../../src/domain/time/instant.js';
import type { Instant, LocalDate, Position } from '../../src/domain/values.js';
import { contentHashOf } from '../../src/storage/content-hash.js';
import { type Database, openDatabase } from '../../src/storage/database.js';
import { createUsageLedger } from '../../src/storage/ledger.js';
import { partitionOf } from '../../src/storage/partition.js';
import { openLedgerTransaction, safeHorizon } from '../../src/storage/safe-horizon.js';
import type { AppendOutcome, BillingPeriod, CustomerFacts } from '../../src/storage/types.js';
import { createTestDatabase } from '../support/postgres.js';

export interface Fixture {
  readonly db: Database;
  readonly url: string;
  /** A customer with the version its periods refer to. */
  addCustomer(customerId?: string): Promise<string>;
  addPeriod(customerId: string, bounds?: Partial<PeriodBounds>): Promise<BillingPeriod>;
  addMeter(meter: Partial<Meter> & Pick<Meter, 'code'>): Promise<Meter>;
  append(events: readonly UsageEvent[]): Promise<readonly AppendOutcome[]>;
  /** Rows of a backfill, whatever its state. */
  appendToBackfill(backfillId: string, events: readonly UsageEvent[]): Promise<void>;
  addBackfill(customerId: string): Promise<string>;
  decide(backfillId: string, decision: 'closed' | 'reverted'): Promise<Position>;
  adjust(event: UsageEvent, replacement: Replacement | null): Promise<Position>;
  horizon(): Promise<Position>;
  close(): Promise<void>;
}

export interface PeriodBounds {
  readonly period: string;
  readonly from: string;
  readonly to: string;
  readonly cuts: readonly string[];
}

/** null in `adjust` means void. */
export interface Replacement {
  readonly eventType: string;
  readonly eventTime: Instant;
  readonly metadataJson: string;
}

export const january: PeriodBounds = {
  period: '2024-01-01',
  from: '2024-01-01T00:00:00.000000Z',
  to: '2024-02-01T00:00:00.000000Z',
  cuts: [],
};

export const acme: CustomerFacts = {
  name: 'Acme',
  currency: 'USD',
  timeZone: 'UTC',
  billingAnchorDay: 1,
  billingFrom: '2024-01-01' as LocalDate,
  priceBook: 'standard',
  invoiceDelay: 'PT1H',
  lateUsageQuietTime: 'PT1H',
  skipEmptyInvoices: false,
  approvalThreshold: null,
  currencyConversion: null,
  tags: {},
  buyer: {},
};

export const instant = (text: string): Instant =>
  `${text.slice(0, 19)}.${text.slice(20, -1).padEnd(6, '0')}Z` as Instant;

export const metadataOf = (json: string): Metadata => parse(json) as Metadata;

export function usageEvent(
  event: Partial<Omit<UsageEvent, 'eventTime'>> & { customerId: string; eventId: string; eventTime: string },
): UsageEvent {
  const full = { source: '', eventType: 'api_call', metadataJson: '{}', ...event, eventTime: instant(event.eventTime) };
  const contentHash = contentHashOf({ ...full, metadata: metadataOf(full.metadataJson) });
  return { provenance: { requestId: null, userId: null, traceId: null }, contentHash, ...full };
}

export async function createFixture(connections = 10): Promise<Fixture> {
  const database = await createTestDatabase();
  const db = openDatabase(database.url, { connections });
  const versions = new Map<string, string>();
  const ledger = createUsageLedger(db, () => Promise.resolve([]));
  return {
    db,
    url: database.url,
    addCustomer: async (customerId = `customer-${randomUUID()}`) => {
      const version = randomUUID();
      versions.set(customerId, version);
      await db.pool.query('INSERT INTO customers (customer_id, partition) VALUES ($1, $2)', [
        customerId,
        partitionOf(customerId),
      ]);
      await db.pool.query(
        `INSERT INTO customer_versions VALUES ($1, $2, 1, 'Test', 'USD', 'UTC', 1, NULL, '2024-01-01', 'standard', 'PT1H', 'PT1H', false, NULL, '{}', '{}')`,
        [version, customerId],
      );
      return customerId;
    },
    addPeriod: async (customerId, bounds = {}) => {
      const { period, from, to, cuts } = { ...january, ...bounds };
      const customerVersionId = versions.get(customerId) ?? '';
      await db.pool.query(
        `INSERT INTO billing_periods (customer_id, period, period_start, period_end, customer_version_id, time_zone, tzdata_version, cuts)
         VALUES ($1, $2, $3, $4, $5, 'UTC', 'test', $6) ON CONFLICT DO NOTHING`,
        [customerId, period, from, to, customerVersionId, cuts],
      );
      return {
        customerId,
        period: period as LocalDate,
        from: instant(from),
        to: instant(to),
        customerVersionId,
        timeZone: 'UTC',
        cuts: cuts.map(instant),
      };
    },
    addMeter: async (meter) => {
      const full = meterOf(meter);
      await db.pool.query('INSERT INTO meters VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)', [
        full.meterId,
        full.code,
        full.version,
        full.eventType,
        full.aggregation,
        full.valueProperty,
        full.groupBy,
        JSON.stringify(full.filters),
        full.windowSize,
        full.allowedLateness,
        full.allowNegative,
      ]);
      return full;
    },
    append: (events) => ledger.append(events, []),
    appendToBackfill: (backfillId, events) =>
      db.transaction(async (client) => {
        for (const event of events) {
          await client.query(
            `INSERT INTO telemetry_events (customer_id, source, event_id, partition, event_type, event_time, content_hash, metadata, backfill_id)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
            [
              event.customerId,
              event.source,
              event.eventId,
              partitionOf(event.customerId),
              event.eventType,
              event.eventTime,
              event.contentHash,
              event.metadataJson,
              backfillId,
            ],
          );
        }
      }, openLedgerTransaction),
    addBackfill: async (customerId) => {
      const id = randomUUID();
      await db.pool.query(
        `INSERT INTO backfills (backfill_id, customer_ids, range_start, range_end, mode) VALUES ($1, $2, '2000-01-01', '2100-01-01', 'add')`,
        [id, [customerId]],
      );
      return id;
    },
    decide: (backfillId, decision) =>
      db.transaction(async (client) => {
        const { rows } = await client.query<{ position: Position }>(
          'INSERT INTO backfill_decisions (backfill_id, decision) VALUES ($1, $2) RETURNING position',
          [backfillId, decision],
        );
        return positionOf(rows);
      }, openLedgerTransaction),
    adjust: (event, replacement) =>
      db.transaction(async (client) => {
        const hash =
          replacement === null
            ? null
            : contentHashOf({ ...event, ...replacement, metadata: metadataOf(replacement.metadataJson) });
        const { rows } = await client.query<{ position: Position }>(
          `INSERT INTO event_adjustments (adjustment_id, customer_id, source, event_id, partition, type, replacement_event_type,
             replacement_event_time, replacement_metadata, replacement_content_hash)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING position`,
          [
            randomUUID(),
            event.customerId,
            event.source,
            event.eventId,
            partitionOf(event.customerId),
            replacement === null ? 'void' : 'amend',
            replacement?.eventType ?? null,
            replacement?.eventTime ?? null,
            replacement?.metadataJson ?? null,
            hash,
          ],
        );
        return positionOf(rows);
      }, openLedgerTransaction),
    horizon: () => safeHorizon(db),
    close: async () => {
      await db.close();
      await database.drop();
    },
  };
}

function positionOf(rows: readonly { readonly position: Position }[]): Position {
  const [row] = rows;
  if (row === undefined) throw new Error('the insert returned no row');
  return row.position;
}

export function meterOf(meter: Partial<AggregatedMeter> & Pick<Meter, 'code'>): AggregatedMeter {
  return {
    meterId: randomUUID(),
    version: 1,
    eventType: 'api_call',
    aggregation: typeof meter.valueProperty === 'string' ? 'sum' : 'count',
    valueProperty: null,
    groupBy: [],
    filters: {},
    windowSize: 'hour',
    allowedLateness: 'PT1H',
    allowNegative: false,
    maxGroups: 1000,
    effectiveFrom: null,
    ...meter,
  };
}

/** Like the real store's `periodAt`, on calendar months of UTC: creates the period unless it exists. */
export function monthAt(fixture: Fixture, customerId: string, at: Instant): Promise<BillingPeriod> {
  const from = new Date(Date.UTC(Number(at.slice(0, 4)), Number(at.slice(5, 7)) - 1, 1));
  const to = new Date(Date.UTC(from.getUTCFullYear(), from.getUTCMonth() + 1, 1));
  const bounds = { from: msToInstant(from.getTime()), to: msToInstant(to.getTime()) };
  return fixture.addPeriod(customerId, { period: `${at.slice(0, 7)}-01`, ...bounds });
}
