/** The cache of prices is never older than the database, and asks it for what has grown only. */
import { parsePriceBook } from '../../src/domain/rating/parse-price-book.js';
import { openDatabase } from '../../src/storage/database.js';
import type { Database } from '../../src/storage/database.js';
import { createPriceLookup, withVersionsKept } from '../../src/storage/price-lookup.js';
import { createReferenceStore } from '../../src/storage/reference.js';
import type { PriceLookup, PriceLookupResult, ReferenceStore } from '../../src/storage/types.js';
import { createTestDatabase } from '../support/postgres.js';
import { acme } from './usage-fixture.js';

let url: string;
let db: Database;
let drop: () => Promise<void>;
/** What another process writes through. */
let writer: ReferenceStore;
let lookup: PriceLookup;
let results: PriceLookupResult[];
/** Ids of versions that were read from the database. */
let read: string[];

beforeEach(async () => {
  const database = await createTestDatabase();
  ({ url, drop } = database);
  db = openDatabase(url);
  writer = createReferenceStore(db);
  await writer.createMeter(meter('calls'));
  await writer.createPriceBook(book('standard', 'v1', '0.10'));
  await writer.putCustomer('acme', { ...acme, priceBook: 'standard' }, null);
  await writer.assignPriceBook('acme', 'standard', null, { effectiveUntil: null, decidedBy: 'a test' });
  read = [];
  const counting: ReferenceStore = {
    ...writer,
    priceBooksById: (ids) => {
      read.push(...ids);
      return writer.priceBooksById(ids);
    },
  };
  lookup = createPriceLookup(db, withVersionsKept(counting));
  results = [];
  lookup.onLookup((result) => results.push(result));
});
afterEach(async () => {
  await db.close();
  await drop();
});

const meter = (code: string) => ({
  ...{ code, eventType: code, aggregation: 'count' as const, valueProperty: null, groupBy: [], filters: {} },
  ...{ windowSize: 'hour' as const, allowedLateness: 'PT1H', allowNegative: false, maxGroups: 10, effectiveFrom: null },
});
const book = (code: string, version: string, price: string) =>
  parsePriceBook({
    ...{ code, version, currency: 'USD', effective_from: '2024-01-01T00:00:00Z' },
    prices: [{ meter: 'calls', model: 'flat', unit_price: price }],
  });
const known = async (): Promise<readonly string[]> => {
  const prices = await lookup.pricesOf('acme');
  return [...(prices?.versions ?? []), ...(prices?.overrides ?? [])].map(({ code, version }) => `${code} ${version}`);
};

test('what nobody has added to is remembered; a version is read once, whatever else is learned', async () => {
  expect(await known()).toEqual(['standard v1']);
  expect(await known()).toEqual(['standard v1']);
  expect(results).toEqual(['miss', 'hit']);
  await writer.createPriceBook(book('standard', 'v2', '0.20'));
  expect(await known()).toEqual(['standard v1', 'standard v2']);
  expect(results).toEqual(['miss', 'hit', 'miss']);
  expect(new Set(read).size).toBe(read.length);
  expect(read).toHaveLength(2);
});

test('everything that decides a price is seen at once', async () => {
  await known();
  const expectMiss = async (): Promise<void> => {
    results = [];
    await known();
    expect(results).toEqual(['miss']);
    await known();
    expect(results).toEqual(['miss', 'hit']);
  };
  await writer.putCustomer('acme', { ...acme, priceBook: 'standard', name: 'Acme Two' }, null);
  await expectMiss();
  expect((await lookup.pricesOf('acme'))?.customer.name).toBe('Acme Two');
  await writer.createPriceBook(book('other', 'v1', '0.30'));
  results = [];
  await known();
  expect(results).toEqual(['hit']);
  await writer.assignPriceBook('acme', 'other', null, { effectiveUntil: null, decidedBy: 'a test' });
  await expectMiss();
  expect(await known()).toEqual(['standard v1', 'other v1']);
  const { code: _code, version: _version, ...content } = book('own', 'v1', '0.01');
  await writer.putPriceOverride('acme', content, { reason: 'a test', decidedBy: 'ann' });
  await expectMiss();
  expect((await lookup.pricesOf('acme'))?.overrides).toHaveLength(1);
  await writer.createMeter(meter('bytes'));
  await expectMiss();
  expect((await lookup.pricesOf('acme'))?.meterVersions.map(({ code }) => code)).toEqual(['bytes', 'calls']);
});

test('a version that is learned while prices are read is not missed: twenty at once, each seen by the next lookup', async () => {
  const learn = Array.from({ length: 20 }, (_, index) => async () => {
    await writer.createPriceBook(book('standard', `n${index}`, '0.20'));
    expect(await known()).toContain(`standard n${index}`);
  });
  await Promise.all(learn.map((each) => each()));
  expect(await known()).toHaveLength(21);
});

test('nobody is remembered who does not exist, and asking waits no longer than it may', async () => {
  expect(await lookup.pricesOf('nobody')).toBeNull();
  expect(lookup.lastKnownPrices('nobody')).toBeNull();
  expect(lookup.lastKnownPrices('acme')).toBeNull();
  await known();
  expect(lookup.lastKnownPrices('acme')).toMatchObject({ prices: { customer: { customerId: 'acme' } } });
  const other = openDatabase(url);
  await other.transaction(async (client) => {
    await client.query('LOCK TABLE price_books IN ACCESS EXCLUSIVE MODE');
    await expect(lookup.pricesOf('acme', 100)).rejects.toThrow('statement timeout');
  });
  await other.close();
  expect(results.at(-1)).toBe('failure');
  // The time limit was of that question, not of the connection.
  await db.pool.query('SELECT pg_sleep(0.2)');
});
