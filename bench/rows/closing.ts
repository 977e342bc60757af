import type { DecimalString, Instant, Position } from '../../src/domain/values.js';
import { digestOf } from '../../src/domain/metering/digest.js';
import { createStorage } from '../../src/storage/index.js';
import type { AccumulatedWindow, Storage } from '../../src/storage/types.js';
import type { BenchDatabase } from '../lib/cluster.js';
import { copyAll, copyChunks, loadInParts } from '../lib/copy.js';
import { newEvents } from '../lib/events.js';
import { compare } from '../lib/measure.js';
import type { Figure, Ratio, Side } from '../lib/measure.js';
import { bytesMeter, callsMeter, createCustomer, januaryOf, setUpPrices } from '../lib/setup.js';
import type { Row } from './row.js';

const meters = [callsMeter, bytesMeter];
const month = { from: Date.UTC(2024, 0, 1), to: Date.UTC(2024, 1, 1) };
const hour = { from: Date.UTC(2024, 0, 15, 10), ms: 3_600_000 };
const windowStart = '2024-01-15T10:00:00.000000Z' as Instant;
const windowEnd = '2024-01-15T11:00:00.000000Z' as Instant;
const windows = meters.map(({ code }) => ({ meter: code, windowStart, windowEnd }));

/** A customer, and how many events it has in the hour that is closed and in the rest of its month. */
interface Closing {
  readonly customerId: string;
  readonly inWindow: number;
  readonly outside: number;
}

/** What rows of this file work on. */
interface Ledger {
  readonly database: BenchDatabase;
  readonly storage: Storage;
}

async function loadBetween(
  { pool }: BenchDatabase,
  { customerId, count, from, to }: { customerId: string; count: number; from: number; to: number },
): Promise<void> {
  const share = (to - from) / count;
  await loadInParts(pool, count, (size, loaded) =>
    newEvents(size, { customers: customerId, from: from + loaded * share, spanMs: size * share }),
  );
}

/** In the order in which it happened: half of what is outside, the hour, the other half. */
async function loadCustomer(database: BenchDatabase, { customerId, inWindow, outside }: Closing): Promise<void> {
  const end = hour.from + hour.ms;
  const half = outside / 2;
  await loadBetween(database, { customerId, count: half, from: month.from, to: hour.from });
  await loadBetween(database, { customerId, count: inWindow, from: hour.from, to: end });
  await loadBetween(database, { customerId, count: half, from: end, to: month.to });
}

async function setUp(database: BenchDatabase, storage: Storage, customers: readonly Closing[]): Promise<Ledger> {
  await setUpPrices(storage, meters);
  for (const customer of customers) {
    await createCustomer(storage, customer.customerId);
    await loadCustomer(database, customer);
  }
  await database.pool.query('VACUUM (ANALYZE) telemetry_events');
  await database.pool.query('CHECKPOINT');
  return {
    database,
    storage,
  };
}

/** What the signals of a workflow that missed nothing add up to. */
async function accumulatedNow({ pool }: BenchDatabase, customerId: string): Promise<readonly AccumulatedWindow[]> {
  const { rows } = await pool.query<{ n: number; bytes: string; hashes: string }>(
    `SELECT count(*)::int AS n, sum((metadata ->> 'bytes')::numeric)::text AS bytes, sum(content_hash)::text AS hashes
     FROM telemetry_events WHERE customer_id = $1 AND event_time >= $2 AND event_time < $3`,
    [customerId, windowStart, windowEnd],
  );
  const { n = 0, bytes = '0', hashes = '0' } = rows[0] ?? {};
  const quantities = { [callsMeter.code]: String(n), [bytesMeter.code]: bytes };
  return meters.map(({ code }) => ({
    m: code,
    w: windowStart,
    since: '0' as Position,
    n,
    q: (quantities[code] ?? '0') as DecimalString,
    d: digestOf([hashes]),
  }));
}

/** Cutoff, aggregation of two meters, comparison with the accumulated sums, revision rows. */
function closeSide(name: string, { database, storage }: Ledger, customerId: string): Side {
  return {
    name,
    prepare: async () => {
      const period = await januaryOf(storage, customerId);
      // One event more, so that there is something to append.
      const event = newEvents(1, { customers: customerId, from: hour.from, spanMs: hour.ms });
      await copyAll(database.pool, copyChunks(event, 1), 1);
      const accumulated = await accumulatedNow(database, customerId);
      const through = await storage.ledger.safeHorizon();
      return async () => {
        const { revisions, differences } = await storage.usage.closeWindows(period, windows, accumulated, through);
        if (revisions !== windows.length || differences.length > 0)
          throw new Error('the windows were not closed as they should');
        return 1;
      };
    },
  };
}

const bareSql = `SELECT date_bin('1 hour', event_time, timestamptz 'epoch'), count(*), sum((metadata ->> 'bytes')::numeric)
  FROM telemetry_events WHERE customer_id = $1 AND event_time >= $2 AND event_time < $3 GROUP BY 1`;

const bareSide = ({ pool }: BenchDatabase, customerId: string): Side => ({
  name: 'bare GROUP BY of the same rows',
  prepare: async () => async () => {
    const { rowCount } = await pool.query(bareSql, [customerId, windowStart, windowEnd]);
    if (rowCount !== 1) throw new Error('the hour is not one row');
    return 1;
  },
});

/** A row on a ledger of these customers. */
function closingRow<T extends Ratio | Figure>(
  name: string,
  customers: readonly Closing[],
  measure: (ledger: Ledger, rounds: number) => Promise<readonly T[]>,
): Row {
  return {
    name,
    measure: async ({ cluster, rounds }) => {
      const database = await cluster.newDatabase();
      const storage = createStorage(database.url);
      const results = await measure(await setUp(database, storage, customers), rounds);
      await storage.close();
      await cluster.dropDatabase(database);
      return results;
    },
  };
}

const customerWith = (inWindow: number, outside: number): Closing => ({
  customerId: `bench_${inWindow}_${outside}`,
  inWindow,
  outside,
});
const count = (events: number): string => events.toLocaleString('en');

/** Against the least that Postgres can do with the same rows. */
const sizes = [1_000, 10_000, 100_000, 1_000_000].map((inWindow) => customerWith(inWindow, 0));
export const closing = closingRow('closing', sizes, async (ledger, rounds) => {
  const results: Ratio[] = [];
  for (const { customerId, inWindow } of sizes) {
    const isLargest = inWindow === 1_000_000;
    results.push(
      await compare({
        row: `closing one customer-hour of ${count(inWindow)} events, a count and a sum`,
        unit: 'closings',
        ours: closeSide('closeWindows', ledger, customerId),
        limit: bareSide(ledger.database, customerId),
        rounds: isLargest ? rounds : rounds * 4,
        // Below, the constant share of a closing weighs: locks, cutoff, commit.
        target: isLargest ? { atMost: 2.5 } : null,
      }),
    );
  }
  return results;
});

/** What lies outside the window must not matter. */
const few = customerWith(10_000, 10_000);
const more = [100_000, 1_000_000, 4_000_000].map((outside) => customerWith(10_000, outside));
export const closingOutside = closingRow('closing-outside', [few, ...more], async (ledger, rounds) => {
  const results: Ratio[] = [];
  for (const { customerId, inWindow, outside } of more) {
    results.push(
      await compare({
        row: `closing one customer-hour of ${count(inWindow)} events in a period of ${count(outside)} others`,
        unit: 'closings',
        ours: closeSide('closeWindows', ledger, customerId),
        limit: closeSide(`the same in a period of ${count(few.outside)} others`, ledger, few.customerId),
        rounds: rounds * 4,
        target: { atMost: 1.5 },
      }),
    );
  }
  return results;
});
