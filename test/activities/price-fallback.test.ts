/**
 * RULES 43 on a real Postgres whose price tables somebody else has locked, or whose connection is cut: estimates and provisional
 * charges go on with marked last known prices and are rated again; nothing is ever issued with them.
 */
import { randomUUID } from 'node:crypto';
import type { Client } from '@temporalio/client';
import pg from 'pg';
import { createActivities } from '../../src/activities/index.js';
import { explainCharge } from '../../src/api/services/charge-explanation.js';
import { usageOf } from '../../src/api/services/usage.js';
import { defaultPriceFallback, priceFactsOrLastKnown } from '../../src/billing/price-fallback.js';
import { parsePriceBook } from '../../src/domain/rating/parse-price-book.js';
import type { LocalDate } from '../../src/domain/values.js';
import { createStorage } from '../../src/storage/index.js';
import { StorageUnavailable } from '../../src/storage/errors.js';
import type { BillingPeriod, PriceLookupResult, Storage } from '../../src/storage/types.js';
import { BreakableProxy } from '../api/support/breakable-proxy.js';
import { createActivityFixture, issuedAt, january, settings } from './fixture.js';
import type { ActivityFixture } from './fixture.js';

const billingDay = '2024-02-01' as LocalDate;
let fixture: ActivityFixture;
let results: PriceLookupResult[];

beforeEach(async () => {
  fixture = await createActivityFixture();
  await fixture.addCustomer('acme');
  results = [];
  fixture.storage.priceLookup.onLookup((result) => results.push(result));
});
afterEach(() => fixture.close());

const flat = (version: string, unitPrice: string, meter = 'api_calls') =>
  parsePriceBook({
    code: 'standard',
    version,
    currency: 'USD',
    effective_from: '2024-01-01T00:00:00Z',
    prices: [{ meter, model: 'flat', unit_price: unitPrice }],
  });

const closing = {
  ...{ customerId: 'acme', period: january, nowMs: Date.parse('2024-01-20T00:00:00Z') },
  ...({ scope: 'listed', windows: [], accumulatedThrough: null, rate: true } as const),
};
const rate = (activities = fixture.activities) => fixture.run(activities.closeWindows, closing);

async function query<T extends pg.QueryResultRow>(text: string): Promise<readonly T[]> {
  const client = new pg.Client(fixture.url);
  await client.connect();
  try {
    return (await client.query<T>(text)).rows;
  } finally {
    await client.end();
  }
}

/** As a migration or a VACUUM FULL would. */
async function whileLocked(table: string, work: () => Promise<void>): Promise<void> {
  const client = new pg.Client(fixture.url);
  await client.connect();
  try {
    await client.query(`BEGIN; LOCK TABLE ${table} IN ACCESS EXCLUSIVE MODE`);
    await work();
  } finally {
    await client.end();
  }
}

const latestCharge = async () => {
  const [row] = await query<{ charge_id: string }>(
    'SELECT charge_id FROM rated_charges ORDER BY revision DESC LIMIT 1',
  );
  return explainCharge(fixture.storage, row?.charge_id ?? '');
};
const checks = () => query<{ differed: boolean }>('SELECT differed FROM price_fallback_checks');
const findings = async (code: string) =>
  (await fixture.storage.findings.list({ customerId: 'acme', code }, { limit: 10 })).data;

async function periodOf(storage: Storage): Promise<BillingPeriod> {
  const period = await storage.periods.periodNamed('acme', january);
  if (period === null) throw new Error('January exists');
  return period;
}

test('while prices are locked a provisional charge has the last known ones, says so, and is found to be right afterwards', async () => {
  await fixture.addCalls('acme', 10);
  await rate();
  expect(await latestCharge()).toMatchObject({
    amount: '1.00',
    price_lookup: 'current',
    prices_as_of: null,
    provisional: true,
  });
  await fixture.addCalls('acme', 10, '2024-01-11T00:00:00Z');
  const before = new Date().toISOString();
  await whileLocked('price_book_assignments', async () => {
    await rate();
  });
  expect(results.slice(-2)).toEqual(['failure', 'fallback']);
  const marked = await latestCharge();
  expect(marked).toMatchObject({ amount: '2.00', price_lookup: 'fallback', provisional: true });
  expect(marked.prices_as_of ?? '').toMatch(/^\d{4}-.*Z$/);
  expect((marked.prices_as_of ?? before) < before).toBe(true);
  expect(await checks()).toEqual([]);

  await rate();
  expect(await checks()).toEqual([{ differed: false }]);
  expect(await latestCharge()).toMatchObject({
    charge_id: marked.charge_id,
    price_lookup: 'current',
    prices_as_of: null,
  });
  expect(await findings('PRICE_FALLBACK_DIFFERED')).toEqual([]);
});

test('prices that were learned meanwhile are a finding once the sweep has rated again, and the charge is replaced', async () => {
  await fixture.addCalls('acme', 10);
  await rate();
  // By somebody else: this process has not looked since.
  const other = createStorage(fixture.url);
  await other.reference.createPriceBook(flat('v2', '0.30'));
  await other.close();
  await fixture.addCalls('acme', 10, '2024-01-11T00:00:00Z');
  await whileLocked('price_book_assignments', async () => {
    await rate();
  });
  const wrong = await latestCharge();
  expect(wrong).toMatchObject({ amount: '2.00', price_lookup: 'fallback' });

  await fixture.run(fixture.activities.sweepPeriods);
  const [finding, ...more] = await findings('PRICE_FALLBACK_DIFFERED');
  expect(more).toEqual([]);
  expect(finding?.detail).toMatch(/came to 2\.00 USD with them, and comes to 6\.00 USD with the prices that hold/);
  expect(finding?.subject).toMatchObject({ customer_id: 'acme', period: january });
  expect(await checks()).toEqual([{ differed: true }]);
  const rows = await query<{ amount: string }>(
    `SELECT amount::text FROM rated_charges ORDER BY cutoff_position, amount`,
  );
  expect(rows.map(({ amount }) => amount)).toContain('6.00');
  // What was wrong stays marked: it was shown to somebody.
  expect(await explainCharge(fixture.storage, wrong.charge_id)).toMatchObject({ price_lookup: 'fallback' });
  await fixture.run(fixture.activities.sweepPeriods);
  expect(await checks()).toHaveLength(1);
});

test('a period that is invoiced before it was rated again is compared with its invoice, whose prices were read', async () => {
  await fixture.addCalls('acme', 10);
  await rate();
  await whileLocked('price_book_assignments', async () => {
    await fixture.addCalls('acme', 10, '2024-01-11T00:00:00Z');
    await rate();
  });
  await fixture.storage.reference.createPriceBook(flat('v2', '0.30'));
  await fixture.request('acme', randomUUID());
  await fixture.run(fixture.activities.issueChunk, { billingDay, limit: 10 });
  const { data } = await fixture.storage.billing.listInvoices({ customerId: 'acme' }, { limit: 10 });
  expect(data.map(({ total }) => Number(total))).toEqual([6]);
  // Two workers at once: one check, one finding.
  await Promise.all([1, 2].map(() => fixture.run(fixture.activities.sweepPeriods)));
  expect(await checks()).toEqual([{ differed: true }]);
  expect(await findings('PRICE_FALLBACK_DIFFERED')).toHaveLength(1);
});

test.each(['price_book_assignments', 'price_books', 'meters'])(
  'issuing waits while %s is locked, however fresh the known prices are',
  async (table) => {
    await fixture.addCalls('acme', 10);
    const storage = createStorage(fixture.url, { statementTimeoutMs: 700 });
    const activities = createActivities({ storage, client: silent, settings, now: () => issuedAt });
    await rate(activities);
    await fixture.request('acme', randomUUID());
    const chunk = { billingDay, limit: 10 };
    await whileLocked(table, async () => {
      await expect(fixture.run(activities.issueChunk, chunk)).rejects.toThrow(StorageUnavailable);
    });
    expect((await storage.billing.listInvoices({ customerId: 'acme' }, { limit: 10 })).data).toEqual([]);
    await fixture.run(activities.issueChunk, chunk);
    expect((await storage.billing.listInvoices({ customerId: 'acme' }, { limit: 10 })).data).toHaveLength(1);
    await storage.close();
  },
);

test('with the versions themselves locked no charge can be stored, known prices or not: closing is tried again', async () => {
  const storage = createStorage(fixture.url, { statementTimeoutMs: 700 });
  const activities = createActivities({ storage, client: silent, settings, now: () => issuedAt });
  await fixture.addCalls('acme', 10);
  await rate(activities);
  await fixture.addCalls('acme', 10, '2024-01-11T00:00:00Z');
  await whileLocked('price_books', async () => {
    await expect(rate(activities)).rejects.toThrow(StorageUnavailable);
  });
  expect(await query('SELECT FROM price_fallbacks')).toEqual([]);
  await rate(activities);
  expect(await latestCharge()).toMatchObject({ amount: '2.00', price_lookup: 'current' });
  await storage.close();
});

test('an estimate goes on, too, with whole price books locked, and says with prices of when', async () => {
  await fixture.addCalls('acme', 10);
  const period = await periodOf(fixture.storage);
  expect(await usageOf(fixture.storage, period)).toMatchObject({ total: '1.00', pricesAsOf: null });
  await whileLocked('price_books, price_book_assignments, price_overrides', async () => {
    const usage = await usageOf(fixture.storage, period, { fallback: { maxAgeMs: 60_000, maxWaitMs: 300 } });
    expect(usage).toMatchObject({ total: '1.00', finality: 'estimated' });
    expect(usage.pricesAsOf).toMatch(/Z$/);
    await expect(usageOf(fixture.storage, period, { fallback: { maxAgeMs: 0, maxWaitMs: 300 } })).rejects.toThrow(
      StorageUnavailable,
    );
  });
});

test('prices from a database whose connection is cut: provisional charges go on, for a customer who was looked up before', async () => {
  const proxy = new BreakableProxy();
  const prices = createStorage(await proxy.through(fixture.url));
  const storage = { ...fixture.storage, priceLookup: prices.priceLookup };
  const activities = createActivities({ storage, client: silent, settings, now: () => issuedAt });
  await fixture.addCalls('acme', 10);
  await rate(activities);
  await fixture.addCustomer('unseen');
  await fixture.addCalls('unseen', 10);
  await fixture.addCalls('acme', 10, '2024-01-11T00:00:00Z');
  proxy.cut();
  await rate(activities);
  expect(await latestCharge()).toMatchObject({ amount: '2.00', price_lookup: 'fallback' });
  await expect(fixture.run(activities.closeWindows, { ...closing, customerId: 'unseen' })).rejects.toThrow(
    StorageUnavailable,
  );
  await prices.close();
  await proxy.close();
});

test('a defect is no reason to fall back', async () => {
  const period = await periodOf(fixture.storage);
  const { priceLookup } = fixture.storage;
  await priceLookup.pricesOf('acme');
  const broken = { ...priceLookup, pricesOf: () => Promise.reject(new TypeError('of a test')) };
  const storage = { ...fixture.storage, priceLookup: broken };
  await expect(priceFactsOrLastKnown(storage, period, defaultPriceFallback)).rejects.toThrow(TypeError);
});

test('usage without a price is a finding at the first provisional rating already, one for the invoice that is held', async () => {
  await fixture.storage.reference.createPriceBook(flat('v2', '0.10', 'something_else'));
  await fixture.addCalls('acme', 10);
  await rate();
  expect(await findings('UNPRICED_METER')).toMatchObject([{ subject: { meter: 'api_calls' } }]);
  expect(await fixture.storage.findings.openMeters(['UNPRICED_METER'])).toBe(1);
  expect(await usageOf(fixture.storage, await periodOf(fixture.storage))).toMatchObject({
    problems: [{ code: 'UNPRICED_METER', meter: 'api_calls' }],
  });
  await fixture.request('acme', randomUUID());
  await fixture.run(fixture.activities.issueChunk, { billingDay, limit: 10 });
  expect(await findings('UNPRICED_METER')).toHaveLength(1);
  const [finding] = await findings('UNPRICED_METER');
  await fixture.storage.findings.resolve(finding?.findingId ?? '', {
    resolution: 'fixed',
    reason: 'priced',
    resolvedBy: 'ann',
  });
  expect(await fixture.storage.findings.openMeters(['UNPRICED_METER'])).toBe(0);
});

const silent = {
  workflow: { start: () => Promise.resolve({}), signalWithStart: () => Promise.resolve({}) },
} as unknown as Client;
