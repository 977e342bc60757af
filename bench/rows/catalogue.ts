import { createStorage } from '../../src/storage/index.js';
import type { BillingPeriod, Storage } from '../../src/storage/types.js';
import type { BenchDatabase, Cluster } from '../lib/cluster.js';
import { copyAll, copyChunks, loadInParts } from '../lib/copy.js';
import { newEvents } from '../lib/events.js';
import { compare } from '../lib/measure.js';
import type { Side } from '../lib/measure.js';
import { bytesMeter, callsMeter, createCustomer, januaryOf, meterOf, setUpPrices } from '../lib/setup.js';
import type { Row } from './row.js';

const customerId = 'bench_customer';
const events = 1_000;
const month = { from: Date.UTC(2024, 0, 1), spanMs: 31 * 86_400_000 };
const small = 2;
const large = 500;

interface Catalogue {
  readonly database: BenchDatabase;
  readonly storage: Storage;
  readonly period: BillingPeriod;
}

/** A customer of two meters, where there are `count` meters in all, each other one of an event type of its own. */
async function setUp(cluster: Cluster, count: number): Promise<Catalogue> {
  const database = await cluster.newDatabase();
  const storage = createStorage(database.url);
  const others = Array.from({ length: count - small }, (_, i) =>
    meterOf({ code: `other_${i}`, eventType: `other_${i}` }),
  );
  await setUpPrices(storage, [callsMeter, bytesMeter, ...others]);
  await createCustomer(storage, customerId);
  await loadInParts(database.pool, events, (size) => newEvents(size, { customers: customerId, ...month }));
  await database.pool.query('VACUUM (ANALYZE)');
  return { database, storage, period: await januaryOf(storage, customerId) };
}

/** What a period's workflow and its readers ask for: open windows, closing them all, live usage. */
const side = (name: string, { database, storage, period }: Catalogue): Side => ({
  name,
  prepare: async () => {
    await copyAll(database.pool, copyChunks(newEvents(1, { customers: customerId, ...month }), 1), 1);
    return async () => {
      const open = await storage.periods.openWindows(period);
      const { revisions } = await storage.usage.closeWindows(period, null, [], null);
      const { windows } = await storage.usage.liveUsage(period);
      if (open.length === 0 || revisions < open.length || windows.length < open.length)
        throw new Error('a new event opens a window in both meters');
      return 1;
    };
  },
});

/** Meters are of all customers; what one costs must not grow with those that it does not use. */
export const catalogue: Row = {
  name: 'catalogue',
  measure: async ({ cluster, rounds }) => {
    const [few, many] = [await setUp(cluster, small), await setUp(cluster, large)];
    const ratio = await compare({
      row: `open windows, closing, live usage of a customer with ${events.toLocaleString('en')} events of 2 meters, where there are ${large}`,
      unit: 'rounds',
      ours: side(`${large} meters`, many),
      limit: side(`${small} meters`, few),
      rounds: rounds * 4,
      target: { atMost: 2 },
    });
    for (const { storage, database } of [few, many]) {
      await storage.close();
      await cluster.dropDatabase(database);
    }
    return [ratio];
  },
};
