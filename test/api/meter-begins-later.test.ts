/** A price's minimum on a meter that begins later (RULES 15): estimate, invoice, correction and what-if, beside other prices. */
import { exampleCalls, TestApi } from './support/test-api.js';

type Json = Readonly<Record<string, unknown>>;

let api: TestApi;
const prices = (unitPrice: string): readonly Json[] => [
  { meter: 'api_calls', model: 'flat', unit_price: unitPrice },
  { meter: 'later', model: 'flat', unit_price: '0.10', minimum: '10.00' },
];
const book = (unitPrice: string, more: Json = {}): Json => ({
  ...{ code: 'standard', version: 'v1', currency: 'USD', effective_from: '2024-01-01T00:00:00Z' },
  minimum_commitment: '100.00',
  prices: prices(unitPrice),
  ...more,
});

beforeEach(async () => {
  api = await TestApi.start();
  await api.expect(201, 'POST', '/meters', { code: 'api_calls', event_type: 'api_call', aggregation: 'count' });
  const later = { code: 'later', event_type: 'later', aggregation: 'count', effective_from: '2024-02-15' };
  await api.expect(201, 'POST', '/meters', later);
  await api.expect(201, 'POST', '/price-books', book('0.10'));
  await api.expect(201, 'PUT', '/customers/cust_1', {
    ...{ name: 'Acme', currency: 'USD', price_book: 'standard', billing_from: '2024-01-01' },
  });
  await api.expect(202, 'POST', '/events', exampleCalls(100));
});
afterEach(() => api.close());

const amounts = (lines: unknown, key = 'amount'): readonly (readonly [unknown, unknown])[] =>
  (lines as readonly Json[]).map((line) => [line['meter'], line[key]]);
const cost = async (month: string): Promise<Json> =>
  (await api.expect(200, 'GET', `/customers/cust_1/usage?period=${month}`))['cost'] as Json;
const close = (month: string) => api.expect(202, 'POST', `/billing-periods/cust_1/${month}/close`);
const documents = async (): Promise<readonly Json[]> => {
  const found: Json[] = [];
  for (const { invoice_id: id } of await api.all('/invoices?customer_id=cust_1')) {
    expect(await api.expect(200, 'GET', `/invoices/${String(id)}/verify`)).toMatchObject({ verified: true });
    found.push(await api.expect(200, 'GET', `/invoices/${String(id)}`));
  }
  return found;
};

test('is not due before it begins, beside an override as without one, and due in the period in which it begins', async () => {
  const plain = await cost('2024-01');
  expect(plain).toMatchObject({ total: '100.00', problems: [] });
  expect(amounts(plain['lines'])).toEqual([
    ['api_calls', '10.00'],
    [null, '90.00'],
  ]);
  await api.expect(201, 'PUT', '/customers/cust_1/price-overrides', {
    ...{ effective_from: '2024-01-01', prices: prices('0.30').slice(0, 1), reason: 'contract' },
  });
  const overridden = [
    ['api_calls', '30.00'],
    [null, '70.00'],
  ];
  expect(amounts((await cost('2024-01'))['lines'])).toEqual(overridden);
  expect(amounts((await cost('2024-02'))['lines'])).toEqual([
    ['later', '10.00'],
    [null, '90.00'],
  ]);
  await close('2024-01');
  await close('2024-02');
  const invoices = new Map((await documents()).map((invoice) => [(invoice['period'] as Json)['from'], invoice]));
  expect(amounts(invoices.get('2024-01-01T00:00:00.000000Z')?.['lines'])).toEqual(overridden);
  expect(invoices.get('2024-02-01T00:00:00.000000Z')).toMatchObject({ total: '100.00' });
});

test('a re-rating limited to another meter and a what-if keep to it', async () => {
  await close('2024-01');
  await api.expect(201, 'POST', '/price-books', book('0.20', { version: 'v2', supersedes: 'v1' }));
  const scope = {
    customer_ids: ['cust_1'],
    meters: ['api_calls'],
    from: '2024-01-01T00:00:00Z',
    to: '2024-02-01T00:00:00Z',
  };
  await api.expect(202, 'POST', '/re-ratings', { reason: 'price_correction', scope }, { 'x-reckoner-actor': 'ada' });
  const body = { price_book: { code: 'standard', version: 'v1' }, customer_id: 'cust_1', period: '2024-01' };
  const compared = await api.expect(200, 'POST', '/price-books/evaluate', body);
  expect(compared).toMatchObject({ comparable: true, current: '100.00', evaluated: '100.00', problems: [] });
  for (const side of ['current_amount', 'evaluated_amount']) {
    const lines = amounts(compared['lines'], side);
    expect(lines.map(([name]) => name)).toEqual(['api_calls', null]);
    expect(lines.reduce((sum, [, amount]) => sum + Number(amount), 0)).toBe(100);
  }
  await documents();
});
