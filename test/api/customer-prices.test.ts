/** Assignments of price books, and prices of one customer's own beside them. */
import { callEvent, exampleCalls, exampleCustomer, exampleOfEachTest, examplePriceBook } from './support/test-api.js';

type Json = Readonly<Record<string, unknown>>;

const api = exampleOfEachTest();

const as = (actor: string): Record<string, string> => ({ 'x-reckoner-actor': actor });
const calls = (unitPrice: string): Json => ({ meter: 'api_calls', model: 'flat', unit_price: unitPrice });
const override = (unitPrice: string, more: Json = {}): Json => ({
  effective_from: '2024-01-01',
  prices: [calls(unitPrice)],
  reason: 'three-year contract',
  ...more,
});
const overrides = (customerId = 'cust_1'): string => `/customers/${customerId}/price-overrides`;
const put = (body: Json, customerId?: string) => api.expect(201, 'PUT', overrides(customerId), body, as('ada'));
const cost = async (customerId = 'cust_1'): Promise<Json> =>
  (await api.expect(200, 'GET', `/customers/${customerId}/usage?period=2024-01`))['cost'] as Json;
const close = (customerId = 'cust_1') => api.expect(202, 'POST', `/billing-periods/${customerId}/2024-01/close`);

/** One call an hour from the first of January on: 240 before the 11th. */
const hourly = (count: number, customerId = 'cust_1'): readonly Json[] =>
  Array.from({ length: count }, (_, index) =>
    callEvent(`h${index}`, {
      customer_id: customerId,
      event_time: new Date(Date.parse('2024-01-01T00:30:00Z') + index * 3_600_000).toISOString(),
    }),
  );

describe('an override', () => {
  test('holds instead of the price book, for its customer alone, and is named by charges', async () => {
    await api.expect(201, 'PUT', '/customers/cust_2', exampleCustomer);
    for (const id of ['cust_1', 'cust_2']) await api.expect(202, 'POST', '/events', hourly(100, id));
    expect(await put(override('0.01'))).toEqual({
      customer_id: 'cust_1',
      version: 1,
      price_book: 'override:cust_1',
      currency: 'USD',
      effective_from: '2024-01-01',
      effective_until: null,
      rounding: 'half_even',
      minimum_commitment: undefined,
      prices: [calls('0.01')],
      reason: 'three-year contract',
      decided_by: 'ada',
      decided_at: expect.stringMatching(/Z$/),
    });
    expect(await cost()).toMatchObject({
      total: '1.00',
      lines: [
        { calculations: [{ price_book: 'override:cust_1', price_book_version: '1', effective_date: '2024-01-01' }] },
      ],
    });
    expect(await cost('cust_2')).toMatchObject({ total: '10.00' });
  });

  test('in mid-period acts as a change of version: one line, a charge each', async () => {
    await api.expect(202, 'POST', '/events', hourly(300));
    await put(override('0.01', { effective_from: '2024-01-11T00:00:00Z', prices: [{ ...calls('0.01') }] }));
    // The price book is tiered and the override flat: a change of model, for which the one at the period's end holds (RULES 20).
    expect(await cost()).toMatchObject({ total: '3.00' });
    const tiers = [{ up_to: null, unit_price: '0.01' }];
    await put(
      override('', {
        effective_from: '2024-01-11T00:00:00Z',
        prices: [{ meter: 'api_calls', model: 'tiered', tiers }],
      }),
    );
    const changed = await cost();
    expect(changed).toMatchObject({ total: '24.60', lines: [{ quantity: '300' }] });
    const [line] = changed['lines'] as readonly Json[];
    expect(
      (line?.['calculations'] as Json[]).map((each) => [
        each['price_book'],
        each['price_book_version'],
        each['quantity'],
      ]),
    ).toEqual([
      ['standard', 'v1', '240'],
      ['override:cust_1', '2', '60'],
    ]);
  });

  test('that has ended gives way to the price book, and so does one that prices nothing', async () => {
    await api.expect(202, 'POST', '/events', hourly(300));
    const tiers = [{ up_to: null, unit_price: '0.01' }];
    const prices = [{ meter: 'api_calls', model: 'tiered', tiers }];
    await put(override('', { prices, effective_until: '2024-01-11T00:00:00Z' }));
    // 240 × 0.01 + 60 × 0.10
    expect(await cost()).toMatchObject({ total: '8.40' });
    await put(override('', { prices: [] }));
    expect(await cost()).toMatchObject({ total: '30.00' });
  });

  test('ends on a local date as the assignment of a price book does, also where midnight is on no full hour', async () => {
    await api.expect(201, 'PUT', '/customers/cust_in', { ...exampleCustomer, time_zone: 'Asia/Kolkata' });
    const bounds = { effective_from: '2024-01-05', effective_until: '2024-01-11' };
    expect(await put(override('0.01', bounds), 'cust_in')).toMatchObject({
      ...{ effective_from: '2024-01-05', effective_until: '2024-01-10T18:30:00.000000Z' },
    });
    for (const until of ['2024-01-05', '2024-01-04', '2024-02-30']) {
      const body = override('0.01', { ...bounds, effective_until: until });
      const code = until === '2024-02-30' ? 'INVALID_DATE' : 'VALIDATION_FAILED';
      expect(await api.refused(code, 422, 'PUT', overrides('cust_in'), body)).toMatchObject({
        errors: [{ pointer: '/effective_until' }],
      });
    }
  });

  test('is pinned by the invoice: verified, kept by corrections of usage, moved only by a re-rating', async () => {
    await api.expect(202, 'POST', '/events', hourly(100));
    await put(override('0.01'));
    await close();
    const [invoice] = await api.all('/invoices');
    expect(invoice).toMatchObject({ total: '1.00' });
    const verified = `/invoices/${String(invoice?.['invoice_id'])}/verify`;
    expect(await api.expect(200, 'GET', verified)).toMatchObject({ verified: true });

    await put(override('0.50'));
    await api.expect(202, 'POST', '/events', hourly(110));
    const scope = { customer_ids: ['cust_1'], from: '2024-01-01T00:00:00Z', to: '2024-02-01T00:00:00Z' };
    await api.expect(202, 'POST', '/re-ratings', { reason: 'usage_correction', scope }, as('ada'));
    expect(await api.all('/invoices?type=correction')).toMatchObject([{ total: '0.10' }]);

    // A correction of the price book is beside the point for a meter that the override prices.
    const fixed = { ...examplePriceBook, version: 'v1-fixed', supersedes: 'v1', prices: [calls('9')] };
    await api.expect(201, 'POST', '/price-books', fixed);
    const priceBook = { code: 'standard', version: 'v1-fixed' };
    await api.expect(
      202,
      'POST',
      '/re-ratings',
      { reason: 'price_correction', scope, price_book: priceBook },
      as('ada'),
    );
    expect(await api.all('/invoices?type=correction')).toHaveLength(1);

    await api.expect(202, 'POST', '/re-ratings', { reason: 'dispute', scope }, as('ada'));
    const corrections = await api.all('/invoices?type=correction');
    // 110 × 0.50 − 1.10
    expect(corrections.map(({ total }) => total).sort()).toEqual(['0.10', '53.90']);
    for (const { invoice_id: id } of [...corrections, ...(invoice === undefined ? [] : [invoice])])
      expect(await api.expect(200, 'GET', `/invoices/${String(id)}/verify`)).toMatchObject({ verified: true });
    const run = await api.expect(202, 'POST', '/reconciliations', { customer_ids: ['cust_1'] });
    expect(await api.expect(200, 'GET', `/reconciliations/${String(run['run_id'])}`)).toMatchObject({ different: 0 });
  });

  test('stays beside a price book that is only evaluated', async () => {
    await api.expect(202, 'POST', '/events', hourly(100));
    await put(override('0.01'));
    const body = {
      price_book: { ...examplePriceBook, prices: [calls('9')] },
      customer_id: 'cust_1',
      period: '2024-01',
    };
    expect(await api.expect(200, 'POST', '/price-books/evaluate', body)).toMatchObject({
      current: '1.00',
      evaluated: '1.00',
      difference: '0.00',
    });
  });

  test('versions are kept, numbered one after the other also when they are sent at once; the same again changes nothing', async () => {
    const sent = ['0.01', '0.02', '0.03', '0.04'];
    const answers = await Promise.all(sent.map((price) => api.send('PUT', overrides(), override(price), as('ada'))));
    expect(answers.map(({ statusCode }) => statusCode)).toEqual([201, 201, 201, 201]);
    expect(answers.map((answer) => answer.json<Json>()['version']).sort()).toEqual([1, 2, 3, 4]);
    const { data } = await api.expect(200, 'GET', overrides());
    const last = (data as readonly Json[]).at(-1);
    expect((data as readonly Json[]).map(({ version }) => version)).toEqual([1, 2, 3, 4]);
    // The one learned last holds.
    await api.expect(202, 'POST', '/events', hourly(100));
    const [price] = last?.['prices'] as readonly Json[];
    expect(await cost()).toMatchObject({ total: (Number(price?.['unit_price']) * 100).toFixed(2) });
    const again = override(String(price?.['unit_price']), { reason: 'the same' });
    expect(await api.expect(200, 'PUT', overrides(), again)).toEqual(last);
  });

  test.each<[string, Json, string, string]>([
    ['without a reason', override('1', { reason: undefined }), 'VALIDATION_FAILED', '/reason'],
    [
      'of an unknown meter',
      override('1', { prices: [{ ...calls('1'), meter: 'x' }] }),
      'UNKNOWN_METER',
      '/prices/0/meter',
    ],
    [
      'that begins within an hour',
      override('1', { effective_from: '2024-01-01T00:30:00Z' }),
      'EFFECTIVE_FROM_NOT_ALIGNED',
      '/effective_from',
    ],
    ['with a wrong price', override('1e3'), 'INVALID_DECIMAL', '/prices/0/unit_price'],
    [
      'of a fee',
      override('1', {
        prices: [{ model: 'fixed', name: 'Platform', amount: '1', billed: 'in_arrears', prorate: true }],
      }),
      'VALIDATION_FAILED',
      '/prices',
    ],
    ['in a currency that is not converted', override('1', { currency: 'EUR' }), 'CURRENCY_MISMATCH', '/currency'],
    ['in no currency', override('1', { currency: 'EUX' }), 'UNKNOWN_CURRENCY', '/currency'],
  ])('%s is refused', async (_name, body, code, pointer) => {
    const problem = await api.refused(code, 422, 'PUT', overrides(), body);
    expect(problem['errors']).toMatchObject([{ pointer }]);
    expect(await api.expect(200, 'GET', overrides())).toEqual({ data: [] });
  });

  test('is made in one way only, and is nobody else’s price book', async () => {
    await put(override('0.01'));
    const own = 'override:cust_1';
    await api.refused('VALIDATION_FAILED', 422, 'POST', '/price-books', {
      ...examplePriceBook,
      code: own,
      version: '2',
    });
    await api.refused('UNKNOWN_PRICE_BOOK', 422, 'PUT', '/customers/cust_9', { ...exampleCustomer, price_book: own });
    const scope = { customer_ids: ['cust_1'] };
    const named = { reason: 'manual', scope, price_book: { code: own, version: '1' } };
    await api.refused('VALIDATION_FAILED', 422, 'POST', '/re-ratings', named);
    await api.refused('UNKNOWN_CUSTOMER', 404, 'PUT', overrides('nobody'), override('1'));
    await api.refused('UNKNOWN_CUSTOMER', 404, 'GET', overrides('nobody'));
  });
});

describe('assignments', () => {
  const customer = (more: Json): Json => ({ ...exampleCustomer, ...more });
  const assign = (more: Json, actor = 'ada') => api.expect(200, 'PUT', '/customers/cust_1', customer(more), as(actor));
  const at = (instant: string) => api.expect(200, 'GET', `/customers/cust_1/price-books?at=${instant}`);

  beforeEach(async () => {
    await api.expect(201, 'POST', '/price-books', { ...examplePriceBook, code: 'promo', prices: [calls('0.01')] });
    await api.expect(201, 'POST', '/price-books', {
      ...examplePriceBook,
      version: 'v2',
      effective_from: '2024-01-20',
      prices: [calls('0.02')],
    });
  });

  test('are kept with who decided; what holds at an instant is told, and one that ends gives way', async () => {
    const february = '2024-02-01T00:00:00.000000Z';
    const promo = await assign(
      { price_book: 'promo', price_book_from: '2024-01-10T00:00:00Z', price_book_until: '2024-02-01' },
      'bob',
    );
    expect(promo).toMatchObject({ price_book_from: '2024-01-10T00:00:00.000000Z', price_book_until: february });
    await put(override('0.05', { effective_from: '2024-01-25' }));
    expect(await at('2024-01-15T00:00:00Z')).toEqual({
      customer_id: 'cust_1',
      at: '2024-01-15T00:00:00.000000Z',
      in_force: { price_book: 'promo', version: 'v1', effective_from: '2024-01-01T00:00:00.000000Z' },
      override: null,
      assignments: [
        {
          price_book: 'standard',
          from: null,
          until: null,
          ends_at: null,
          replaced: false,
          in_force: false,
          decided_by: 'anonymous',
          decided_at: expect.stringMatching(/Z$/),
        },
        {
          price_book: 'promo',
          from: '2024-01-10T00:00:00.000000Z',
          until: february,
          ends_at: february,
          replaced: false,
          in_force: true,
          decided_by: 'bob',
          decided_at: expect.stringMatching(/Z$/),
        },
      ],
    });
    expect(await at('2024-01-05T00:00:00Z')).toMatchObject({ in_force: { price_book: 'standard', version: 'v1' } });
    expect(await at(february)).toMatchObject({
      in_force: { price_book: 'standard', version: 'v2', effective_from: '2024-01-20' },
      override: { price_book: 'override:cust_1', version: '1' },
    });
  });

  test('without a price book in force usage is held, never free', async () => {
    await assign({ price_book_until: '2024-01-11' });
    expect(await at('2024-01-11T00:00:00Z')).toMatchObject({
      in_force: null,
      assignments: [{ replaced: true }, { replaced: false, in_force: false, until: '2024-01-11T00:00:00.000000Z' }],
    });
    await api.expect(202, 'POST', '/events', hourly(300));
    expect(await cost()).toMatchObject({ problems: [{ code: 'METER_DROPPED_FROM_PRICE_BOOK' }] });
    await close();
    expect(await api.all('/invoices')).toEqual([]);
  });

  test('what is left out stays; another price book without bounds begins at the beginning', async () => {
    const bounds = { price_book_from: '2024-01-10', price_book_until: '2024-02-01' };
    await assign({ price_book: 'promo', ...bounds });
    const kept = await assign({ price_book: 'promo', name: 'Acme Ltd.' });
    expect(kept).toMatchObject({
      price_book_from: '2024-01-10T00:00:00.000000Z',
      price_book_until: '2024-02-01T00:00:00.000000Z',
    });
    expect((await at('2024-01-15T00:00:00Z'))['assignments']).toHaveLength(2);
    expect(await assign({ price_book: 'promo', price_book_until: null })).toMatchObject({ price_book_until: null });
    expect(await assign({ price_book: 'standard' })).toMatchObject({ price_book_from: null, price_book_until: null });
  });

  test('an end at or before the start is refused, and nothing is stored', async () => {
    const body = customer({ name: 'New', price_book_from: '2024-01-10', price_book_until: '2024-01-10' });
    const problem = await api.refused('VALIDATION_FAILED', 422, 'PUT', '/customers/cust_1', body);
    expect(problem['errors']).toMatchObject([{ pointer: '/price_book_until' }]);
    expect(await api.expect(200, 'GET', '/customers/cust_1')).toMatchObject({ name: 'Acme', version: 1 });
    await api.refused('UNKNOWN_CUSTOMER', 404, 'GET', '/customers/nobody/price-books');
    await api.refused('INVALID_INSTANT', 422, 'GET', '/customers/cust_1/price-books?at=2024-01-15');
    expect(exampleCalls(1)).toHaveLength(1);
  });
});
