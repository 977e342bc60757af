import type { LocalDate } from '../../src/domain/values.js';
import { inParallel } from '../../src/relay/in-parallel.js';
import { createStorage } from '../../src/storage/index.js';
import type { Storage } from '../../src/storage/types.js';
import { activitiesOn, askForReRating, gatesAtATime, invoiceAll, reRate } from '../lib/activities.js';
import type { BenchActivities } from '../lib/activities.js';
import type { BenchDatabase } from '../lib/cluster.js';
import { copyAll, copyChunks } from '../lib/copy.js';
import type { BenchEvent } from '../lib/events.js';
import { newEventId } from '../lib/events.js';
import { compare } from '../lib/measure.js';
import type { Side } from '../lib/measure.js';
import { bytesMeter, callsMeter, createCustomer, setUpPrices } from '../lib/setup.js';
import type { Row } from './row.js';

const period = '2024-01-01' as LocalDate;
const monthStart = Date.UTC(2024, 0, 1);
const monthMs = 31 * 86_400_000;
/** In the middle of the month: what comes late falls into this hour. */
const touchedHour = { from: '2024-01-16T12:00:00Z', to: '2024-01-16T13:00:00Z' };

function eventAt(customerId: string, index: number, ms: number): BenchEvent {
  return {
    event_id: newEventId(index),
    event_time: new Date(ms).toISOString(),
    customer_id: customerId,
    event_type: callsMeter.eventType,
    metadata: { region: index % 2 === 0 ? 'eu' : 'us', bytes: String(index % 4096) },
  };
}

const monthOf = (customerId: string, count: number): BenchEvent[] =>
  Array.from({ length: count }, (_, index) => eventAt(customerId, index, monthStart + (index * monthMs) / count));

const lateEvent = (customerId: string): BenchEvent =>
  eventAt(customerId, 0, Date.parse(touchedHour.from) + Math.floor(Math.random() * 3_600_000));

const load = async ({ pool }: BenchDatabase, events: readonly BenchEvent[]): Promise<void> =>
  copyAll(pool, copyChunks(events, 10_000), 4);

/** A customer whose month with so many events is invoiced. */
async function invoicedCustomer(
  database: BenchDatabase,
  { storage, its, events }: { readonly storage: Storage; readonly its: BenchActivities; readonly events: number },
): Promise<string> {
  const customerId = `bench_${events}`;
  await createCustomer(storage, customerId);
  const step = 100_000;
  const all = monthOf(customerId, events);
  for (let from = 0; from < events; from += step) await load(database, all.slice(from, from + step));
  await database.pool.query('VACUUM (ANALYZE) telemetry_events');
  await storage.periods.periodNamed(customerId, period);
  await invoiceAll(storage, its, [{ customerId, period }]);
  await database.pool.query('ANALYZE');
  return customerId;
}

async function correctedAll(its: BenchActivities, reRatingId: string, periods: number): Promise<number> {
  const corrected = await reRate(its, reRatingId);
  if (corrected !== periods) throw new Error(`${corrected} of ${periods} periods were corrected`);
  return corrected;
}

const bareSql = `SELECT date_bin('1 hour', event_time, timestamptz 'epoch'), count(*), sum((metadata ->> 'bytes')::numeric)
  FROM telemetry_events WHERE customer_id = $1 AND event_time >= $2 AND event_time < $3 GROUP BY 1`;

/** One event after the invoice: comparison and correction, which should not depend on how much the period holds. */
export const correction: Row = {
  name: 'correction',
  measure: async ({ cluster, rounds }) => {
    const database = await cluster.newDatabase();
    const storage = createStorage(database.url);
    const its = activitiesOn(storage);
    await setUpPrices(storage, [callsMeter, bytesMeter]);
    const small = await invoicedCustomer(database, { storage, its, events: 1_000 });
    const large = await invoicedCustomer(database, { storage, its, events: 1_000_000 });
    const corrected = (name: string, customerId: string): Side => ({
      name,
      prepare: async () => {
        await load(database, [lateEvent(customerId)]);
        const reRatingId = await askForReRating(storage, [{ customerId, period }], 'late_usage');
        return () => correctedAll(its, reRatingId, 1);
      },
    });
    const bare: Side = {
      name: 'bare GROUP BY of the touched hour',
      prepare: async () => async () => {
        const { rowCount } = await database.pool.query(bareSql, [large, touchedHour.from, touchedHour.to]);
        return rowCount ?? 0;
      },
    };
    const row = 'correction of one late event: compare and correct';
    const ours = corrected('in a period of 1,000,000 events', large);
    const common = { row, unit: 'corrections', ours, rounds, target: null };
    const results = [
      await compare({ ...common, limit: corrected('in a period of 1,000', small) }),
      await compare({ ...common, limit: bare }),
    ];
    await storage.close();
    return results;
  },
};

const customers = 2_000;
const eventsPerCustomer = 10;

/** A re-rating's time grows with what it touches, and with nothing else. */
export const reRating: Row = {
  name: 're-rating',
  measure: async ({ cluster, rounds }) => {
    const database = await cluster.newDatabase();
    const storage = createStorage(database.url);
    const its = activitiesOn(storage);
    await setUpPrices(storage, [callsMeter, bytesMeter]);
    const periods = Array.from({ length: customers }, (_, index) => ({ customerId: `bench_${index}`, period }));
    await inParallel(periods, gatesAtATime, async ({ customerId }) => {
      await createCustomer(storage, customerId);
      await storage.periods.periodNamed(customerId, period);
    });
    await load(
      database,
      periods.flatMap(({ customerId }) => monthOf(customerId, eventsPerCustomer)),
    );
    await database.pool.query('VACUUM (ANALYZE) telemetry_events');
    await invoiceAll(storage, its, periods);
    await database.pool.query('ANALYZE');
    const side = (share: number): Side => ({
      name: `${share * 100} % of ${customers.toLocaleString('en')} customers`,
      prepare: async () => {
        const targets = periods.slice(0, customers * share);
        await load(
          database,
          targets.map(({ customerId }) => lateEvent(customerId)),
        );
        const reRatingId = await askForReRating(storage, targets, 'late_usage');
        return () => correctedAll(its, reRatingId, targets.length);
      },
    });
    const result = await compare({
      row: 're-rating: an event late for each of these customers',
      unit: 'customers',
      ours: side(1),
      limit: side(0.01),
      rounds,
      target: null,
    });
    await storage.close();
    return [result];
  },
};
