/** Rollouts through OpenFeature's SDK: the provider says what rating does, in the words of the standard. */
import { OpenFeature } from '@openfeature/server-sdk';
import type { Client } from '@openfeature/server-sdk';
import { PriceRolloutProvider } from '../../src/billing/rollout-flags.js';
import { bucketOf } from '../../src/billing/price-rollouts.js';
import { exampleCustomer, examplePriceBook, TestApi } from './support/test-api.js';

let api: TestApi;
let client: Client;
let rolloutId: string;

const flag = 'price-rollout/standard';
const customers = Array.from({ length: 12 }, (_, index) => `cust_${index + 1}`);
const at = '2024-02-01T00:00:00Z';

beforeAll(async () => {
  api = await TestApi.start();
  await api.setUpExample();
  for (const customer of customers.slice(1)) await api.expect(201, 'PUT', `/customers/${customer}`, exampleCustomer);
  const prices = [{ meter: 'api_calls', model: 'flat', unit_price: '0.20' }];
  await api.expect(201, 'POST', '/price-books', { ...examplePriceBook, version: 'v2', rollout: true, prices });
  const provider = new PriceRolloutProvider({ storage: api.storage, clock: () => api.now });
  await OpenFeature.setProviderAndWait('rollouts', provider);
  client = OpenFeature.getClient('rollouts');
});
afterAll(async () => {
  await OpenFeature.close();
  await api.close();
});

const stage = (body: object): Promise<unknown> =>
  api.expect(200, 'POST', `/price-rollouts/${rolloutId}/stages`, {
    ...{ effective_from: '2024-01-10', reason: 'a test', override: true, ...body },
  });

test('a flag that no rollout stands for has its default, and says why', async () => {
  expect(await client.getBooleanDetails(flag, true, { targetingKey: 'cust_1' })).toMatchObject({
    ...{ value: true, reason: 'ERROR', errorCode: 'FLAG_NOT_FOUND' },
  });
});

test('a canary is a targeting match; another customer has the default version', async () => {
  const started = await api.expect(201, 'POST', '/price-rollouts', {
    price_book: { code: 'standard', version: 'v2' },
    customers: ['cust_1'],
    effective_from: '2024-01-05',
    reason: 'a test',
  });
  rolloutId = String(started['rollout_id']);
  expect(started['flag']).toBe(flag);
  expect(await client.getBooleanDetails(flag, false, { targetingKey: 'cust_1' })).toEqual({
    flagKey: flag,
    value: true,
    variant: 'v2',
    reason: 'TARGETING_MATCH',
    flagMetadata: { rollout_id: rolloutId, candidate: 'v2', since: '2024-01-05T00:00:00.000000Z', stage: 1 },
  });
  expect(await client.getStringDetails(flag, 'none', { targetingKey: 'cust_2' })).toMatchObject({
    ...{ value: 'v1', variant: 'v1', reason: 'DEFAULT' },
  });
});

test('asks about another instant by "at"', async () => {
  const before = { targetingKey: 'cust_1', at: '2024-01-04T23:00:00Z' };
  expect(await client.getStringValue(flag, 'none', before)).toBe('v1');
  expect(await client.getBooleanValue(flag, true, { ...before, at: new Date('2024-01-04T23:00:00Z') })).toBe(false);
  expect(await client.getStringValue(flag, 'none', { ...before, at: '2023-01-01T00:00:00Z' })).toBe('none');
});

test('a percentage is a split, by the customer’s bucket, and the same as the API and the prices say', async () => {
  await stage({ kind: 'percentage', percentage: '50' });
  const split: string[] = [];
  for (const customerId of customers) {
    const details = await client.getBooleanDetails(flag, false, { targetingKey: customerId, at });
    const member = await api.expect(200, 'GET', `/price-rollouts/${rolloutId}/customers/${customerId}?at=${at}`);
    expect([details.value, details.reason, details.variant]).toEqual([
      ...[member['included'], member['reason'], member['version']],
    ]);
    const prices = await api.expect(200, 'GET', `/customers/${customerId}/price-books?at=${at}`);
    expect(prices['in_force']).toMatchObject({ version: details.variant });
    if (details.reason === 'SPLIT') split.push(customerId);
  }
  const below = customers.filter((id) => id !== 'cust_1' && bucketOf(rolloutId, id) < 5_000);
  expect(split).toEqual(below);
  expect(below.length).toBeGreaterThan(0);
});

test('what it cannot answer is an error of the standard, with the default', async () => {
  expect(await client.getBooleanDetails(flag, false)).toMatchObject({ errorCode: 'TARGETING_KEY_MISSING' });
  expect(await client.getBooleanDetails(flag, false, { targetingKey: 'nobody' })).toMatchObject({
    ...{ value: false, errorCode: 'INVALID_CONTEXT' },
  });
  expect(await client.getBooleanDetails(flag, false, { targetingKey: 'cust_1', at: 'soon' })).toMatchObject({
    ...{ value: false, errorCode: 'INVALID_CONTEXT' },
  });
  expect(await client.getBooleanDetails('another', false, { targetingKey: 'cust_1' })).toMatchObject({
    ...{ errorCode: 'FLAG_NOT_FOUND' },
  });
  expect(await client.getNumberDetails(flag, 7, { targetingKey: 'cust_1' })).toMatchObject({
    ...{ value: 7, errorCode: 'TYPE_MISMATCH' },
  });
  expect(await client.getObjectDetails(flag, { a: 1 }, { targetingKey: 'cust_1' })).toMatchObject({
    ...{ value: { a: 1 }, errorCode: 'TYPE_MISMATCH' },
  });
});

test('for all it is static; rolled back everybody has the default again', async () => {
  await stage({ kind: 'all' });
  const outside = customers.find((id) => bucketOf(rolloutId, id) >= 5_000 && id !== 'cust_1') ?? '';
  expect(await client.getBooleanDetails(flag, false, { targetingKey: outside, at })).toMatchObject({
    ...{ value: true, reason: 'STATIC' },
  });
  const body = { effective_from: '2024-01-20', reason: 'a test' };
  await api.expect(200, 'POST', `/price-rollouts/${rolloutId}/rollback`, body);
  for (const targetingKey of ['cust_1', outside])
    expect(await client.getBooleanDetails(flag, true, { targetingKey, at })).toMatchObject({
      ...{ value: false, variant: 'v1', reason: 'DEFAULT' },
    });
});
