/** Exchange rates, and customers whose prices are in another currency than their invoices. */
import { callEvent, exampleCalls, exampleCustomer, exampleOfEachTest, examplePriceBook } from './support/test-api.js';

type Json = Readonly<Record<string, unknown>>;

const api = exampleOfEachTest();

const as = (actor: string): Record<string, string> => ({ 'x-reckoner-actor': actor });
const row = (quote: string, rate: string, date = '2024-01-31'): Json => ({ base: 'EUR', quote, date, rate });
const ecb = (...rates: readonly Json[]): Json => ({ source: 'ecb', rates });
const publish = (...rates: readonly Json[]) => api.expect(200, 'POST', '/exchange-rates', ecb(...rates), as('ada'));
const euros: Json = { ...exampleCustomer, currency: 'EUR' };
const converting: Json = { ...euros, currency_conversion: { source: 'ecb' } };
const put = (customer: Json, customerId = 'cust_2') => ['PUT', `/customers/${customerId}`, customer] as const;
const calls = (count: number): readonly Json[] =>
  exampleCalls(count).map((event) => ({ ...event, customer_id: 'cust_2' }));
const close = () => api.expect(202, 'POST', '/billing-periods/cust_2/2024-01/close');
const invoiceOf = async (): Promise<Json> => {
  const period = await api.expect(200, 'GET', '/billing-periods/cust_2/2024-01');
  return api.expect(200, 'GET', `/invoices/${String(period['invoice_id'])}`);
};
const documents = () => api.all('/invoices?customer_id=cust_2');
const only = (list: unknown): Json => (list as readonly Json[])[0] ?? {};

describe('rates', () => {
  test('are added as a list, counted, and listed', async () => {
    const rates = [row('USD', '1.08370'), row('GBP', '0.85435')];
    expect(await publish(...rates)).toEqual({ source: 'ecb', added: 2, changed: 0, unchanged: 0 });
    expect(await publish(row('USD', '1.2'), row('GBP', '0.85435'))).toMatchObject({ changed: 1, unchanged: 1 });
    const listed = {
      ...{ source: 'ecb', base: 'EUR', quote: 'USD', date: '2024-01-31', rate: '1.2', imported_by: 'ada' },
      learned_at: expect.stringMatching(/Z$/),
    };
    expect(await api.all('/exchange-rates?quote=USD&base=EUR&source=ecb&on=2024-02-05')).toEqual([listed]);
    expect(await api.all('/exchange-rates?on=2024-01-30')).toEqual([]);
    expect(await api.all('/exchange-rates?limit=1')).toHaveLength(2);
  });

  test.each<[string, string, string, Json]>([
    ['a currency', 'UNKNOWN_CURRENCY', '/rates/1/quote', row('DEM', '1.95583')],
    ['a rate', 'INVALID_DECIMAL', '/rates/1/rate', row('GBP', 'N/A')],
    ['a rate of 0', 'VALIDATION_FAILED', '/rates/1/rate', row('GBP', '0')],
    ['a day', 'INVALID_DATE', '/rates/1/date', row('GBP', '1', '2023-02-29')],
    ['twice', 'VALIDATION_FAILED', '/rates/1/rate', row('USD', '2')],
  ])('one that is wrong (%s) is named, and none is stored', async (_what, code, pointer, wrong) => {
    const problem = await api.refused(code, 422, 'POST', '/exchange-rates', ecb(row('USD', '1.0837'), wrong));
    expect(only(problem['errors'])['pointer']).toBe(pointer);
    expect(await api.all('/exchange-rates')).toEqual([]);
  });

  test('unreadable requests are refused', async () => {
    await api.refused('VALIDATION_FAILED', 422, 'POST', '/exchange-rates', {
      source: 'The ECB',
      rates: [row('USD', '1')],
    });
    await api.refused('VALIDATION_FAILED', 422, 'POST', '/exchange-rates', ecb());
    await api.refused('INVALID_DATE', 422, 'GET', '/exchange-rates?on=yesterday');
    for (const filter of ['source', 'base', 'quote']) {
      await api.refused('VALIDATION_FAILED', 422, 'GET', `/exchange-rates?${filter}=%00`);
    }
    await api.refused('INVALID_CURSOR', 400, 'GET', '/exchange-rates?cursor=abcd');
  });
});

describe('assigning prices in another currency', () => {
  test('needs a conversion, by a source that quotes both', async () => {
    const problem = await api.refused('CURRENCY_MISMATCH', 422, ...put(euros));
    expect(problem['detail']).toContain('"currency_conversion" such as { "source": "ecb" }');
    await api.refused('EXCHANGE_RATE_MISSING', 422, ...put(converting));
    await publish(row('GBP', '0.85435'));
    await api.refused('EXCHANGE_RATE_MISSING', 422, ...put(converting));
    await publish(row('USD', '1.0837'));
    const created = await api.expect(201, ...put(converting));
    expect(created['currency_conversion']).toEqual({ source: 'ecb', max_age_days: 7 });
    expect((await api.expect(200, 'GET', '/customers/cust_1'))['currency_conversion']).toBeNull();
    // Without it the facts would be refused as they were.
    await api.refused('CURRENCY_MISMATCH', 422, ...put(euros));
  });

  test('holds for overrides', async () => {
    const override = {
      ...{ effective_from: '2024-01-01', currency: 'EUR', reason: 'contract' },
      prices: [{ meter: 'api_calls', model: 'flat', unit_price: '0.05' }],
    };
    const url = '/customers/cust_1/price-overrides';
    const problem = await api.refused('CURRENCY_MISMATCH', 422, 'PUT', url, override);
    expect(only(problem['errors'])['pointer']).toBe('/currency');
    await publish(row('USD', '1.25'));
    await api.expect(200, ...put({ ...exampleCustomer, currency_conversion: { source: 'ecb' } }, 'cust_1'));
    expect((await api.expect(201, 'PUT', url, override))['currency']).toBe('EUR');
    await api.expect(202, 'POST', '/events', exampleCalls(100));
    const { cost } = await api.expect(200, 'GET', '/customers/cust_1/usage?period=2024-01');
    expect(cost).toMatchObject({ total: '6.25', problems: [] });
  });
});

describe('a customer who is invoiced in another currency', () => {
  beforeEach(async () => {
    await publish(row('USD', '1.25'), row('GBP', '0.80'));
    await api.expect(201, ...put(converting));
  });

  test('live usage, invoice, charge, journal and reconciliation are in it', async () => {
    await api.expect(202, 'POST', '/events', calls(1_234));
    const { cost, currency } = await api.expect(200, 'GET', '/customers/cust_2/usage?period=2024-01');
    expect({ cost, currency }).toMatchObject({ cost: { total: '94.98', problems: [] }, currency: 'EUR' });
    await close();
    const invoice = await invoiceOf();
    const conversion = {
      ...{ from: 'USD', to: 'EUR', rate: '0.8', rate_date: '2024-01-31', source: 'ecb' },
      inputs: [{ base: 'EUR', quote: 'USD', rate: '1.25' }],
    };
    // 118.72 USD × 0.8
    expect(invoice).toMatchObject({ currency: 'EUR', total: '94.98' });
    expect(invoice['pinned_versions']).toMatchObject({ exchange_rates: [conversion] });
    const line = only(invoice['lines']);
    expect(line).toMatchObject({
      amount: '94.98',
      calculation: {
        formula: '[1000 × 0.10 + 234 × 0.08] × 0.8',
        charges: [{ formula: '1000 × 0.10 + 234 × 0.08', conversion: { ...conversion, amount: '94.976' } }],
      },
    });
    const chargeId = String((line['charge_ids'] as readonly string[])[0]);
    expect(await api.expect(200, 'GET', `/charges/${chargeId}`)).toMatchObject({
      ...{ amount: '118.72', currency: 'USD' },
      calculation: { conversion: { ...conversion, amount: '94.976' } },
    });
    const [entry] = await api.all('/ledger/entries?customer_id=cust_2');
    expect((entry?.['postings'] as readonly Json[]).map((posting) => [posting['currency'], posting['amount']])).toEqual(
      [
        ['EUR', '94.98'],
        ['EUR', '-94.98'],
      ],
    );
    expect(await api.expect(200, 'GET', `/invoices/${String(invoice['invoice_id'])}/verify`)).toMatchObject({
      verified: true,
    });
    expect((await api.send('GET', `/invoices/${String(invoice['invoice_id'])}/pdf`)).statusCode).toBe(200);
  });

  test('a missing rate is shown by live usage and holds the invoice; importing it and closing again releases it', async () => {
    await api.expect(202, 'POST', '/events', [
      callEvent('f', { customer_id: 'cust_2', event_time: '2024-02-10T00:00:00Z' }),
    ]);
    const { cost } = await api.expect(200, 'GET', '/customers/cust_2/usage?period=2024-02');
    expect(cost).toMatchObject({ total: '0.00', lines: [], problems: [{ code: 'EXCHANGE_RATE_MISSING' }] });
    const closing = '/billing-periods/cust_2/2024-02';
    await api.expect(202, 'POST', `${closing}/close`);
    expect(await api.expect(200, 'GET', closing)).toMatchObject({ stage: 'held', invoice_id: null });
    const [finding] = await api.all('/findings?customer_id=cust_2&code=EXCHANGE_RATE_MISSING');
    expect(finding?.['detail']).toMatch(
      /^"ecb" has no exchange rate from USD to EUR of 2024-02-29 or the 7 days before\. Import/,
    );
    await publish(row('USD', '1.00', '2024-02-28'));
    await api.expect(202, 'POST', `${closing}/close`);
    expect(await api.expect(200, 'GET', closing)).toMatchObject({ stage: 'invoiced' });
    expect((await documents()).map(({ total, currency }) => [total, currency])).toEqual([['0.10', 'EUR']]);
  });

  test('re-rating to prices in a third currency takes that one’s rate of the period, and keeps the one that is pinned', async () => {
    await api.expect(202, 'POST', '/events', calls(100));
    await close();
    await publish(row('USD', '2'), row('GBP', '0.50', '2024-02-01'));
    const pounds = {
      ...{ ...examplePriceBook, code: 'pounds', currency: 'GBP' },
      prices: [{ meter: 'api_calls', model: 'flat', unit_price: '0.10' }],
    };
    await api.expect(201, 'POST', '/price-books', pounds);
    const scope = { customer_ids: ['cust_2'] };
    const named = (code: string): Json => ({ reason: 'price_correction', scope, price_book: { code, version: 'v1' } });
    await api.expect(202, 'POST', '/re-ratings', named('pounds'));
    await api.expect(202, 'POST', '/re-ratings', named('standard'));
    // 10.00 USD × 0.8, 10.00 GBP / 0.80, and back at the first rate although another is known.
    expect((await documents()).map(({ type, total }) => [type, total]).sort()).toEqual([
      ['correction', '4.50'],
      ['credit_note', '-4.50'],
      ['invoice', '8.00'],
    ]);
    for (const { invoice_id: id } of await documents()) {
      const verified = await api.expect(200, 'GET', `/invoices/${String(id)}/verify`);
      expect(verified['verified']).toBe(true);
    }
    const yen = { ...pounds, code: 'yen', currency: 'JPY' };
    await api.expect(201, 'POST', '/price-books', yen);
    await api.refused('EXCHANGE_RATE_MISSING', 422, 'POST', '/re-ratings', named('yen'));
  });

  test('an invoice at a wrong rate is voided, and closing again takes the one that is known now', async () => {
    await api.expect(202, 'POST', '/events', calls(100));
    await close();
    await publish(row('USD', '2'));
    await api.expect(202, 'POST', '/re-ratings', { reason: 'manual', scope: { customer_ids: ['cust_2'] } });
    const { invoice_id: wrong } = await invoiceOf();
    await api.expect(200, 'POST', `/invoices/${String(wrong)}/void`, { reason: 'a wrong rate' });
    await close();
    expect(await invoiceOf()).toMatchObject({ total: '5.00', replaces_invoice_id: wrong });
    expect(await documents()).toHaveLength(2);
  });

  test('what if: another currency is converted in the same way, or said not to be comparable', async () => {
    await api.expect(202, 'POST', '/events', calls(100));
    const idea = (currency: string): Json => ({
      price_book: {
        ...{ code: 'idea', version: 'draft', currency, effective_from: '2024-01-01' },
        prices: [{ meter: 'api_calls', model: 'flat', unit_price: '0.20' }],
      },
      ...{ customer_id: 'cust_2', period: '2024-01' },
    });
    expect(await api.expect(200, 'POST', '/price-books/evaluate', idea('GBP'))).toMatchObject({
      ...{ currency: 'EUR', current: '8.00', evaluated: '25.00', difference: '17.00' },
    });
    expect(await api.expect(200, 'POST', '/price-books/evaluate', idea('EUR'))).toMatchObject({ evaluated: '20.00' });
    expect(await api.expect(200, 'POST', '/price-books/evaluate', idea('JPY'))).toMatchObject({
      comparable: false,
      problems: [{ code: 'EXCHANGE_RATE_MISSING', side: 'evaluated' }],
    });
    await api.expect(202, 'POST', '/events', [callEvent('one')]);
    const plain = { ...idea('EUR'), customer_id: 'cust_1' };
    expect(await api.expect(200, 'POST', '/price-books/evaluate', plain)).toMatchObject({
      problems: [{ code: 'CURRENCY_MISMATCH', side: 'evaluated' }],
    });
  });
});
