/**
 * What the price lookup saves: the prices of 1,000 customers' periods of one price book read and rated, from the tables each time
 * (as without it), on the first lookup of each customer, and again. Starts a Postgres of its own.
 *
 *     node --import tsx bench/price-lookup.ts
 *     node --import tsx bench/price-lookup.ts --periods 200 --versions 5 --meters 10
 */
import { parseArgs } from 'node:util';
import { factsFrom, rateWith } from '../src/billing/price-facts.js';
import { parsePriceBook } from '../src/domain/rating/parse-price-book.js';
import { overrideCode } from '../src/domain/rating/overrides.js';
import type { SegmentUsage } from '../src/domain/rating/rating.js';
import { emptyDigest } from '../src/domain/metering/digest.js';
import type { DecimalString, Instant } from '../src/domain/values.js';
import { inParallel } from '../src/relay/in-parallel.js';
import { createStorage } from '../src/storage/index.js';
import { openDatabase } from '../src/storage/database.js';
import { createReferenceStore } from '../src/storage/reference.js';
import type { BillingPeriod, KnownPrices, ReferenceStore } from '../src/storage/types.js';
import { startCluster } from './lib/cluster.js';
import { benchTiers, createCustomer, meterOf, priceBookCode } from './lib/setup.js';

const { values } = parseArgs({
  options: {
    periods: { type: 'string', default: '1000' },
    versions: { type: 'string', default: '20' },
    meters: { type: 'string', default: '50' },
  },
});
const [periods, versions, meters] = [Number(values.periods), Number(values.versions), Number(values.meters)];
const meterCodes = Array.from({ length: meters }, (_, index) => `meter_${index}`);
const customers = Array.from({ length: periods }, (_, index) => `customer_${index}`);

const usage: readonly SegmentUsage[] = [
  {
    ...{ meter: 'meter_0', group: {}, segment: 0, eventCount: 1_234 },
    ...{ quantity: '1234' as DecimalString, digest: emptyDigest },
  },
];

/** As prices were read before: each list with everything in it. */
async function fromTables(reference: ReferenceStore, customerId: string): Promise<KnownPrices | null> {
  const customer = await reference.findCustomer(customerId);
  if (customer === null) return null;
  const meterVersions = await reference.meterVersions();
  const assignments = await reference.assignments(customerId);
  const books = [...new Set(assignments.map(({ priceBook }) => priceBook))];
  const known = (await Promise.all(books.map((code) => reference.priceBookVersions(code)))).flat();
  const overrides = await reference.priceBookVersions(overrideCode(customerId));
  return { customer, assignments, meterVersions, versions: known, overrides };
}

async function run(): Promise<void> {
  const cluster = await startCluster();
  try {
    const { url } = await cluster.newDatabase();
    const storage = createStorage(url);
    for (const code of meterCodes) await storage.reference.createMeter(meterOf({ code }));
    for (let version = 1; version <= versions; version += 1) {
      await storage.reference.createPriceBook(
        parsePriceBook({
          code: priceBookCode,
          version: `v${version}`,
          currency: 'USD',
          effective_from: `2024-01-01T${String(version % 24).padStart(2, '0')}:00:00Z`,
          prices: meterCodes.map((meter) => ({ meter, model: 'tiered', tiers: benchTiers })),
        }),
      );
    }
    await inParallel(customers, 4, (customerId) => createCustomer(storage, customerId));
    const all: BillingPeriod[] = [];
    for (const customerId of customers)
      all.push(await storage.periods.periodAt(customerId, '2024-02-10T00:00:00.000000Z' as Instant));
    const db = openDatabase(url);
    const plain = createReferenceStore(db);
    const measure = async (
      what: string,
      pricesOf: (customerId: string) => Promise<KnownPrices | null>,
    ): Promise<void> => {
      const start = performance.now();
      let reading = 0;
      for (const period of all) {
        const before = performance.now();
        const prices = await pricesOf(period.customerId);
        reading += performance.now() - before;
        const facts = await factsFrom(storage, period, { prices });
        const { lines } = await rateWith(facts, period, {
          usage: () => Promise.resolve(usage),
          groups: () => Promise.resolve(new Map()),
          events: () => Promise.resolve(),
        });
        if (lines.length !== 1) throw new Error(`${lines.length} lines`);
      }
      const total = performance.now() - start;
      process.stdout.write(
        `${what.padEnd(28)} ${(reading / periods).toFixed(2)} ms reading, ${(total / periods).toFixed(2)} ms in all, a period\n`,
      );
    };
    process.stdout.write(`${periods} periods, ${versions} versions of ${meters} tiered prices\n`);
    for (let round = 0; round < 2; round += 1) {
      await measure('from the tables', (customerId) => fromTables(plain, customerId));
      const { priceLookup, close } = createStorage(url);
      await measure('first lookup of a customer', (customerId) => priceLookup.pricesOf(customerId));
      await measure('again', (customerId) => priceLookup.pricesOf(customerId));
      await close();
    }
    await db.close();
    await storage.close();
  } finally {
    await cluster.stop();
  }
}

await run();
