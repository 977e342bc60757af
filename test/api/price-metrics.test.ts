/** What /metrics says of prices, and what an estimate says whose prices cannot be read. */
import { Registry } from 'prom-client';
import pg from 'pg';
import { registerPriceMetrics } from '../../src/api/plugins/price-metrics.js';
import type { PriceLookupResult } from '../../src/storage/types.js';
import { exampleCalls, TestApi } from './support/test-api.js';

let api: TestApi;
let url: string;
beforeEach(async () => {
  api = await TestApi.start({ priceFallback: { maxWaitMs: 300 } }, (database) => {
    url = database;
    return Promise.resolve(database);
  });
  await api.setUpExample();
  await api.expect(202, 'POST', '/events', exampleCalls());
});
afterEach(() => api.close());

const usage = '/customers/cust_1/usage?period=2024-01';
const metrics = async (): Promise<string> => (await api.send('GET', '/metrics')).body;

test('an estimate goes on while prices are locked, says so, and is counted', async () => {
  await api.expect(200, 'GET', usage);
  await api.expect(200, 'GET', usage);
  const client = new pg.Client(url);
  await client.connect();
  await client.query('BEGIN; LOCK TABLE price_books IN ACCESS EXCLUSIVE MODE');
  const estimate = await api.expect(200, 'GET', usage);
  await client.end();
  expect(estimate['cost']).toMatchObject({
    ...{ total: '118.72', provisional: true, price_lookup: 'fallback' },
    prices_as_of: expect.stringMatching(/Z$/),
  });
  const text = await metrics();
  for (const [result, count] of Object.entries({ hit: 1, miss: 1, fallback: 1, failure: 1 }))
    expect(text).toContain(`reckoner_price_lookups_total{result="${result}"} ${count}\n`);
  expect(await api.expect(200, 'GET', usage)).toMatchObject({ cost: { price_lookup: 'current', prices_as_of: null } });
});

test('an unpriced meter is a problem of the estimate, and counted once it is a finding', async () => {
  await api.expect(201, 'POST', '/meters', {
    ...{ code: 'calls_too', event_type: 'api_call', aggregation: 'count', window: 'hour' },
  });
  expect(await api.expect(200, 'GET', usage)).toMatchObject({
    cost: { problems: [{ code: 'UNPRICED_METER', meter: 'calls_too' }] },
  });
  const subject = { customer_id: 'cust_1', period: '2024-01-01', group: {} };
  const finding = { code: 'UNPRICED_METER', customerId: 'cust_1', period: null, detail: 'of a test' } as const;
  for (const meter of ['calls_too', 'calls_too', 'another'])
    await api.storage.findings.store({ ...finding, subject: { ...subject, meter } });
  expect(await metrics()).toMatch(/^reckoner_unpriced_meters 2$/m);
});

test('without a database the gauge is no number, and the counters stay', async () => {
  const registry = new Registry();
  const listeners: ((result: PriceLookupResult) => void)[] = [];
  registerPriceMetrics(registry, {
    priceLookup: { onLookup: (listener) => void listeners.push(listener) },
    findings: { openMeters: () => Promise.reject(new Error('away')) },
  });
  for (const listener of listeners) listener('fallback');
  const text = await registry.metrics();
  expect(text).toMatch(/^reckoner_unpriced_meters Nan$/m);
  expect(text).toContain('reckoner_price_lookups_total{result="fallback"} 1');
});
