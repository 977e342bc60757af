/** Price books of every model over HTTP: taken, given back, refused with a pointer, and what usage costs now under them. */
import { TestApi } from './support/test-api.js';

let api: TestApi;
beforeAll(async () => {
  api = await TestApi.start();
  api.now = Date.parse('2024-01-20T12:00:00Z');
  const meter = { aggregation: 'sum', value_property: 'n', group_by: ['region'] };
  for (const code of ['calls', 'files', 'payments', 'volume'])
    await api.expect(201, 'POST', '/meters', { ...meter, code, event_type: code });
  await api.expect(201, 'POST', '/meters', {
    code: 'seats',
    event_type: 'seats',
    aggregation: 'max',
    value_property: 'n',
  });
});
afterAll(() => api.close());

const everything = {
  code: 'everything',
  version: 'v1',
  currency: 'USD',
  effective_from: '2024-01-01T00:00:00Z',
  minimum_commitment: '50.00',
  prices: [
    {
      meter: 'calls',
      model: 'flat',
      unit_price: '0.10',
      match: { region: 'eu' },
      discount_percent: '10',
      minimum: '1',
      price_by: [],
    },
    { meter: 'calls', model: 'flat', unit_price: '0.20', included: '10', maximum: '99' },
    { meter: 'files', model: 'package', package_size: '100', package_price: '5.00' },
    {
      meter: 'payments',
      model: 'percentage',
      rate: '0.02',
      fixed_fee: '1.00',
      free_events: 1,
      per_event_maximum: '9',
      price_by: [],
    },
    { meter: 'volume', model: 'graduated_percentage', tiers: [{ up_to: null, rate: '0.01', flat_fee: '0' }] },
    {
      model: 'fixed',
      name: 'Platform fee',
      amount: '30.00',
      billed: 'in_arrears',
      prorate: false,
      quantity_meter: 'seats',
    },
  ],
};

const shown = { ...everything, effective_from: '2024-01-01T00:00:00.000000Z' };

test('a price book of every model is taken, and given back as it was sent', async () => {
  const created = await api.expect(201, 'POST', '/price-books', everything);
  expect(created).toMatchObject(shown);
  await api.expect(200, 'POST', '/price-books', everything);
  expect(await api.expect(200, 'GET', '/price-books/everything?at=2024-02-01T00:00:00Z')).toMatchObject(shown);
});

test.each<[string, object, string, string]>([
  [
    'prices that could hold for one event alike',
    { prices: [everything.prices[1], everything.prices[1]] },
    'DUPLICATE_PRICE',
    '/prices/1',
  ],
  [
    'a match of what the meter does not group by',
    { prices: [{ ...everything.prices[1], match: { tier: 'x' } }] },
    'VALIDATION_FAILED',
    '/prices/0/match/tier',
  ],
  [
    'a fee counted by a priced meter',
    { prices: [everything.prices[2], { ...everything.prices[5], quantity_meter: 'files' }] },
    'VALIDATION_FAILED',
    '/prices/1/quantity_meter',
  ],
])('refused: %s', async (_name, more, code, pointer) => {
  const problem = await api.refused(code, 422, 'POST', '/price-books', { ...everything, ...more, version: 'v2' });
  expect(problem['errors']).toMatchObject([{ pointer }]);
});

test('what usage costs now shows every line, fees and commitment too', async () => {
  await api.expect(201, 'PUT', '/customers/acme', {
    name: 'Acme',
    currency: 'USD',
    price_book: 'everything',
    billing_from: '2024-01-01',
  });
  const event = (type: string, n: string, more: object = {}): object => ({
    event_id: `${type}/${n}/${JSON.stringify(more)}`,
    event_time: '2024-01-15T10:00:00Z',
    customer_id: 'acme',
    event_type: type,
    metadata: { n, ...more },
  });
  await api.expect(202, 'POST', '/events', {
    events: [
      event('calls', '100', { region: 'eu' }),
      event('calls', '60', { region: 'us' }),
      event('files', '101', { region: 'us' }),
      event('payments', '100'),
      event('payments', '200'),
      event('seats', '1'),
    ],
  });
  const { cost } = await api.expect(200, 'GET', '/customers/acme/usage?period=2024-01');
  expect(cost).toMatchObject({
    total: '64.00',
    problems: [],
    lines: [
      { meter: 'calls', group: { region: 'eu' }, amount: '9.00' },
      { meter: 'calls', group: { region: 'us' }, amount: '10.00' },
      { meter: 'files', amount: '10.00', formula: '2 × 5.00' },
      { meter: 'payments', amount: '5.00', formula: '200 × 0.02 + 1 × 1.00' },
      { description: 'Platform fee', meter: null, amount: '30.00' },
    ],
  });
});
