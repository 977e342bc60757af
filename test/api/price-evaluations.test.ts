/** POST /price-books/evaluate: what if, for quantities, one period, and customers. */
import { exampleCalls, exampleCustomer, examplePriceBook, TestApi } from './support/test-api.js';

type Json = Readonly<Record<string, unknown>>;

let api: TestApi;

const named = { code: 'standard', version: 'v1' };
/** Every call at 0.09: 111.06 for the 1,234 calls that cost 118.72. */
const flat = {
  code: 'idea',
  version: 'draft',
  currency: 'USD',
  effective_from: '2030-01-01',
  prices: [{ meter: 'api_calls', model: 'flat', unit_price: '0.09' }],
};
const evaluate = '/price-books/evaluate';

async function use(customerId: string, count: number): Promise<void> {
  await api.expect(201, 'PUT', `/customers/${customerId}`, exampleCustomer);
  const calls = exampleCalls(count).map((event) => ({ ...event, customer_id: customerId }));
  await api.expect(202, 'POST', '/events', calls);
  await api.expect(200, 'GET', `/customers/${customerId}/usage?period=2024-01`);
}

beforeAll(async () => {
  api = await TestApi.start();
  await api.setUpExample();
  await api.expect(202, 'POST', '/events', exampleCalls(1_234));
  await api.expect(202, 'POST', '/billing-periods/cust_1/2024-01/close');
});
afterAll(async () => {
  await api.close();
});

describe('of quantities', () => {
  test('is answered at once, explained', async () => {
    const quantities = [
      { meter: 'api_calls', quantity: '1000' },
      { meter: 'api_calls', quantity: '234' },
    ];
    expect(await api.expect(200, 'POST', evaluate, { price_book: named, quantities })).toEqual({
      price_book: named,
      currency: 'USD',
      total: '118.72',
      lines: [
        {
          meter: 'api_calls',
          name: null,
          group: {},
          quantity: '1234',
          amount: '118.72',
          formula: '1000 × 0.10 + 234 × 0.08',
          calculations: [
            expect.objectContaining({
              model: 'tiered',
              price_book: 'standard',
              price_book_version: 'v1',
              quantity: '1234',
            }),
          ],
        },
      ],
      problems: [],
    });
  });

  test('takes a version that is not stored, and stores none', async () => {
    const quantities = [{ meter: 'api_calls', quantity: '1234' }];
    expect(await api.expect(200, 'POST', evaluate, { price_book: flat, quantities })).toMatchObject({
      price_book: { code: 'idea', version: 'draft' },
      total: '111.06',
    });
    await api.refused('UNKNOWN_PRICE_BOOK', 404, 'GET', '/price-books/idea');
  });

  test('a fee is due once, and what has no price is told', async () => {
    await api.send('POST', '/meters', { code: 'seats', event_type: 'seat', aggregation: 'max', value_property: 'n' });
    const fees = [
      { model: 'fixed', name: 'Platform', amount: '30.00', billed: 'in_advance', prorate: true },
      { model: 'fixed', name: 'Support', amount: '5.00', billed: 'in_arrears', prorate: true },
    ];
    const priceBook = { ...flat, prices: [...flat.prices, ...fees] };
    const quantities = [
      { meter: 'api_calls', quantity: '100' },
      { meter: 'seats', quantity: '7' },
    ];
    expect(await api.expect(200, 'POST', evaluate, { price_book: priceBook, quantities })).toMatchObject({
      total: '44.00',
      lines: [
        { meter: 'api_calls', amount: '9.00' },
        { meter: null, name: 'Platform', amount: '30.00' },
        { meter: null, name: 'Support', amount: '5.00' },
      ],
      problems: [{ code: 'UNPRICED_METER', meter: 'seats' }],
    });
  });
});

describe('of a period', () => {
  test('stands beside what it costs and what was invoiced', async () => {
    const body = { price_book: flat, customer_id: 'cust_1', period: '2024-01' };
    const answer = await api.expect(200, 'POST', evaluate, body);
    expect(answer).toMatchObject({
      price_book: { code: 'idea', version: 'draft' },
      customer_id: 'cust_1',
      period: { period: '2024-01-01', from: '2024-01-01T00:00:00.000000Z', to: '2024-02-01T00:00:00.000000Z' },
      currency: 'USD',
      comparable: true,
      current: '118.72',
      evaluated: '111.06',
      difference: '-7.66',
      invoiced: '118.72',
      lines: [
        {
          meter: 'api_calls',
          quantity: '1234',
          current_amount: '118.72',
          current_formula: '1000 × 0.10 + 234 × 0.08',
          evaluated_amount: '111.06',
          evaluated_formula: '1234 × 0.09',
          difference: '-7.66',
          calculations: [expect.objectContaining({ price_book: 'idea' })],
        },
      ],
      problems: [],
    });
  });

  test('of which something has no price does not compare', async () => {
    const priceBook = { ...flat, prices: [{ meter: 'seats', model: 'flat', unit_price: '1' }] };
    const body = { price_book: priceBook, customer_id: 'cust_1', period: '2024-01' };
    expect(await api.expect(200, 'POST', evaluate, body)).toMatchObject({
      comparable: false,
      problems: [{ side: 'evaluated', code: 'UNPRICED_METER', meter: 'api_calls' }],
    });
  });
});

describe('of customers', () => {
  beforeAll(async () => {
    await use('cust_2', 100);
    await use('cust_3', 10_000);
    await use('cust_4', 0);
  });

  const january = { from: '2024-01-01T00:00:00Z', to: '2024-02-01T00:00:00Z' };

  test('is a run: progress, totals, distribution, winners and losers, customers, periods', async () => {
    const before = await api.storage.journal.trialBalance();
    const started = await api.expect(202, 'POST', evaluate, { price_book: flat, customers: 'all', ...january });
    const id = String(started['evaluation_id']);
    expect(started).toEqual({ evaluation_id: id, workflow_id: `evaluation/${id}`, status: 'running' });
    expect(api.temporal.evaluations.at(-1)).toBe(id);
    const run = await api.expect(200, 'GET', `/price-book-evaluations/${id}`);
    expect(run).toMatchObject({
      status: 'finished',
      price_book: { code: 'idea', version: 'draft' },
      scope: { customer_ids: null, ...{ from: '2024-01-01T00:00:00.000000Z', to: '2024-02-01T00:00:00.000000Z' } },
      progress: { periods: 4, of: 4 },
      totals: [
        {
          currency: 'USD',
          customers: 4,
          not_comparable: 0,
          // 118.72 + 10.00 + 820.00 + 0
          current: '948.72',
          // 111.06 + 9.00 + 900.00 + 0
          evaluated: '1020.06',
          difference: { count: 4, sum: '71.34', min: '-7.66', median: '-1.00', p90: '80.00', max: '80.00' },
          winners: 2,
          losers: 1,
          unchanged: 1,
          top_winners: [
            { customer_id: 'cust_1', difference: '-7.66' },
            { customer_id: 'cust_2', difference: '-1.00' },
          ],
          top_losers: [{ customer_id: 'cust_3', difference: '80.00' }],
        },
      ],
      customers: {
        data: [
          { customer_id: 'cust_1', periods: 1, current: '118.72', evaluated: '111.06', difference: '-7.66' },
          { customer_id: 'cust_2' },
          { customer_id: 'cust_3' },
          { customer_id: 'cust_4', difference: '0.00' },
        ],
      },
    });
    const path = `/price-book-evaluations/${id}`;
    expect((await api.all(`${path}/customers?limit=1`)).map((each) => each['customer_id'])).toEqual([
      'cust_1',
      'cust_2',
      'cust_3',
      'cust_4',
    ]);
    expect(await api.all(`${path}/results?customer_id=cust_1`)).toMatchObject([
      { period: '2024-01-01', result: 'compared', invoiced: '118.72', lines: [{ difference: '-7.66' }] },
    ]);
    expect(await api.all(`${path}/results?result=not_comparable`)).toEqual([]);
    expect((await api.all('/price-book-evaluations?limit=1')).map((each) => each['evaluation_id'])).toContain(id);
    // Nothing of it is money.
    expect(await api.storage.journal.trialBalance()).toEqual(before);
    expect(await api.all('/invoices')).toHaveLength(1);
  });

  test('who cannot be compared is told, and counts in no sum', async () => {
    const priceBook = { ...flat, currency: 'EUR' };
    const body = { price_book: priceBook, customers: ['cust_1', 'cust_4'], ...january };
    const { evaluation_id: id } = await api.expect(202, 'POST', evaluate, body);
    expect(await api.expect(200, 'GET', `/price-book-evaluations/${String(id)}`)).toMatchObject({
      totals: [{ customers: 1, not_comparable: 1, current: '0.00', difference: { count: 1, sum: '0.00' } }],
      customers: { data: [{ customer_id: 'cust_1', not_comparable: 1, current: null }, { customer_id: 'cust_4' }] },
    });
    expect(await api.all(`/price-book-evaluations/${String(id)}/results?result=not_comparable`)).toMatchObject([
      { customer_id: 'cust_1', problems: [{ side: 'evaluated', code: 'CURRENCY_MISMATCH' }] },
    ]);
  });

  test('usage is that of the request, whatever comes in while the run goes on', async () => {
    const { onEvaluation } = api.temporal;
    api.temporal.onEvaluation = async (evaluationId) => {
      const late = exampleCalls(50).map((event, index) => ({
        ...event,
        event_id: `late${index}`,
        customer_id: 'cust_2',
      }));
      await api.expect(202, 'POST', '/events', late);
      await onEvaluation(evaluationId);
    };
    const body = { price_book: flat, customers: ['cust_2'], ...january };
    const { evaluation_id: id } = await api.expect(202, 'POST', evaluate, body);
    api.temporal.onEvaluation = onEvaluation;
    const at = async (run: unknown): Promise<unknown> =>
      (await api.all(`/price-book-evaluations/${String(run)}/customers`)).map(({ current }) => current);
    expect(await at(id)).toEqual(['10.00']);
    expect(await at((await api.expect(202, 'POST', evaluate, body))['evaluation_id'])).toEqual(['15.00']);
  });

  test('the same Idempotency-Key is the same run, also after Temporal was away', async () => {
    const send = () =>
      api.send('POST', evaluate, { price_book: flat, customers: 'all', ...january }, { 'idempotency-key': 'run-1' });
    const runs = (await api.all('/price-book-evaluations')).length;
    api.temporal.away = true;
    expect((await send()).json<Json>()['code']).toBe('TEMPORAL_UNAVAILABLE');
    api.temporal.away = false;
    const first = await send();
    expect(first.statusCode).toBe(202);
    expect((await send()).body).toBe(first.body);
    expect(await api.all('/price-book-evaluations')).toHaveLength(runs + 1);
  });

  test('one that does not exist is not found', async () => {
    for (const id of ['nonsense', '00000000-0000-4000-8000-000000000000']) {
      for (const path of ['', '/customers', '/results'])
        await api.refused('PRICE_EVALUATION_NOT_FOUND', 404, 'GET', `/price-book-evaluations/${id}${path}`);
    }
    await api.refused('INVALID_CURSOR', 400, 'GET', '/price-book-evaluations?cursor=WyJ4Il0');
  });
});

const one = [{ meter: 'api_calls', quantity: '1' }];

test.each<[string, Json, string, string]>([
  ['nothing asked', { price_book: named }, 'VALIDATION_FAILED', ''],
  ['two things asked', { price_book: named, quantities: one, customers: 'all' }, 'VALIDATION_FAILED', ''],
  ['a customer without a period', { price_book: named, customer_id: 'cust_1' }, 'VALIDATION_FAILED', '/period'],
  ['a period without a customer', { price_book: named, period: '2024-01' }, 'VALIDATION_FAILED', '/customer_id'],
  [
    'a time for quantities',
    { price_book: named, quantities: one, from: '2024-01-01T00:00:00Z' },
    'VALIDATION_FAILED',
    '/from',
  ],
  ['no version', { price_book: { code: 'standard' }, quantities: one }, 'VALIDATION_FAILED', '/price_book'],
  [
    'an unknown price book',
    { price_book: { code: 'x', version: 'v1' }, quantities: one },
    'UNKNOWN_PRICE_BOOK',
    '/price_book/code',
  ],
  [
    'an unknown version',
    { price_book: { ...named, version: 'v9' }, quantities: one },
    'UNKNOWN_PRICE_BOOK',
    '/price_book/version',
  ],
  ['a name with more', { price_book: { ...named, at: 'x' }, quantities: one }, 'UNKNOWN_PROPERTY', '/price_book/at'],
  [
    'a version that is wrong in itself',
    { price_book: { ...flat, prices: [{ ...flat.prices[0], unit_price: '1e3' }] }, quantities: one },
    'INVALID_DECIMAL',
    '/price_book/prices/0/unit_price',
  ],
  [
    'a version of an unknown meter',
    { price_book: { ...flat, prices: [{ ...flat.prices[0], meter: 'x' }] }, quantities: one },
    'UNKNOWN_METER',
    '/price_book/prices/0/meter',
  ],
  [
    'an unknown meter',
    { price_book: named, quantities: [{ meter: 'x', quantity: '1' }] },
    'UNKNOWN_METER',
    '/quantities/0/meter',
  ],
  [
    'a group that the meter has not',
    { price_book: named, quantities: [{ ...one[0], group: { region: 'eu' } }] },
    'VALIDATION_FAILED',
    '/quantities/0/group',
  ],
  [
    'a number',
    { price_book: named, quantities: [{ meter: 'api_calls', quantity: 1 }] },
    'VALIDATION_FAILED',
    '/quantities/0/quantity',
  ],
  ['an unknown customer', { price_book: named, customers: ['cust_1', 'nobody'] }, 'UNKNOWN_CUSTOMER', '/customers/1'],
  [
    'no period in the scope',
    { price_book: named, customers: 'all', to: '2001-01-01T00:00:00Z' },
    'NOTHING_TO_EVALUATE',
    '/customers',
  ],
  ['an unknown property', { price_book: named, quantities: one, dry_run: true }, 'UNKNOWN_PROPERTY', '/dry_run'],
])('is refused for %s', async (_name, body, code, pointer) => {
  const problem = await api.refused(code, 422, 'POST', evaluate, body);
  expect(problem['errors']).toMatchObject([{ pointer }]);
});

test('a period that does not exist is not found', async () => {
  const body = { price_book: named, customer_id: 'cust_1', period: '2031-01' };
  await api.refused('UNKNOWN_PERIOD', 404, 'POST', evaluate, body);
  await api.refused('UNKNOWN_CUSTOMER', 404, 'POST', evaluate, { ...body, customer_id: 'nobody' });
  expect(examplePriceBook.version).toBe(named.version);
});
