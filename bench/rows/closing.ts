import type { Instant, LocalDate } from '../../src/domain/values.js';
import { createStorage } from '../../src/storage/index.js';
import type { AccumulatedWindow, BillingPeriod, Storage } from '../../src/storage/types.js';
import type { BenchDatabase } from '../lib/cluster.js';
import { copyAll, copyChunks } from '../lib/copy.js';
import type { BenchEvent } from '../lib/events.js';
import { newEventId } from '../lib/events.js';
import { compare } from '../lib/measure.js';
import { bytesMeter, callsMeter, createCustomer, setUpPrices } from '../lib/setup.js';
import type { Row } from './row.js';

const customerId = 'bench_large';
const eventsInHour = 1_000_000;
const hour = Date.UTC(2024, 0, 15, 10);
const hourMs = 3_600_000;
const windowStart = '2024-01-15T10:00:00.000000Z' as Instant;
const windowEnd = '2024-01-15T11:00:00.000000Z' as Instant;

function eventsOfHour(count: number): BenchEvent[] {
  return Array.from({ length: count }, (_, index) => ({
    event_id: newEventId(index),
    event_time: new Date(hour + (index * hourMs) / count).toISOString(),
    customer_id: customerId,
    event_type: callsMeter.eventType,
    metadata: { region: index % 2 === 0 ? 'eu' : 'us', bytes: String(index % 4096) },
  }));
}

const bareSql = `SELECT date_bin('1 hour', event_time, timestamptz 'epoch'), count(*), sum((metadata ->> 'bytes')::numeric)
  FROM telemetry_events WHERE customer_id = $1 AND event_time >= $2 AND event_time < $3 GROUP BY 1`;

/** A customer's hour with its events, settled as the hours after a burst leave it. */
async function setUp({ pool }: BenchDatabase, storage: Storage): Promise<BillingPeriod> {
  await setUpPrices(storage, [callsMeter, bytesMeter]);
  await createCustomer(storage, customerId);
  const chunk = 100_000;
  for (let loaded = 0; loaded < eventsInHour; loaded += chunk) {
    await copyAll(pool, copyChunks(eventsOfHour(chunk), 10_000), 4);
  }
  await pool.query('VACUUM (ANALYZE) telemetry_events');
  const period = await storage.periods.periodNamed(customerId, '2024-01-01' as LocalDate);
  if (period === null) throw new Error('the customer has no period 2024-01-01');
  return period;
}

/** What the signals of a workflow that missed nothing add up to. */
async function accumulatedNow(storage: Storage, period: BillingPeriod): Promise<readonly AccumulatedWindow[]> {
  const { windows } = await storage.usage.liveUsage(period);
  const since = '0' as AccumulatedWindow['since'];
  return windows.map(({ meter, quantity, eventCount, digest }) => ({
    m: meter,
    w: windowStart,
    since,
    n: eventCount,
    q: quantity,
    d: digest,
  }));
}

/** Cutoff, aggregation of two meters, comparison with the accumulated sums, revision rows; against the bare GROUP BY. */
export const closing: Row = {
  name: 'closing',
  measure: async ({ cluster, rounds }) => {
    const database = await cluster.newDatabase();
    const storage = createStorage(database.url);
    const period = await setUp(database, storage);
    const windows = [callsMeter, bytesMeter].map(({ code }) => ({ meter: code, windowStart, windowEnd }));
    const result = await compare({
      row: 'closing one customer-hour of 1,000,000 events, a count and a sum',
      unit: 'closings',
      ours: {
        name: 'closeWindows',
        prepare: async () => {
          // One event more, so that there is something to append.
          await copyAll(database.pool, copyChunks(eventsOfHour(1), 1), 1);
          const accumulated = await accumulatedNow(storage, period);
          const through = await storage.ledger.safeHorizon();
          return async () => {
            const { revisions, differences } = await storage.usage.closeWindows(period, windows, accumulated, through);
            if (revisions !== windows.length || differences.length > 0)
              throw new Error('the windows were not closed as they should');
            return 1;
          };
        },
      },
      limit: {
        name: 'bare GROUP BY of the same rows',
        prepare: async () => async () => {
          const { rowCount } = await database.pool.query(bareSql, [customerId, windowStart, windowEnd]);
          if (rowCount !== 1) throw new Error('the hour is not one row');
          return 1;
        },
      },
      rounds,
      target: { atMost: 2.5 },
    });
    await storage.close();
    return [result];
  },
};
