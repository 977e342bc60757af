/** Credit grants over HTTP: granted, drawn by invoices, taken back. */
import { exampleCalls, exampleOfEachTest } from './support/test-api.js';

type Json = Readonly<Record<string, unknown>>;

const api = exampleOfEachTest();

const as = (actor: string): Record<string, string> => ({ 'x-reckoner-actor': actor });
const body = (more: Json = {}): Json => ({
  customer_id: 'cust_1',
  currency: 'USD',
  amount: '5.00',
  name: 'Spring package',
  effective_from: '2024-01-01T00:00:00Z',
  ...more,
});
const grant = async (more: Json = {}): Promise<Json> =>
  api.expect(201, 'POST', '/credit-grants', body(more), as('ada'));
const close = (customerId = 'cust_1') => api.expect(202, 'POST', `/billing-periods/${customerId}/2024-01/close`);
const invoiceOf = async (): Promise<Json> => {
  const [invoice] = await api.all('/invoices?customer_id=cust_1');
  return invoice ?? {};
};
const balances = async (): Promise<readonly unknown[]> => {
  const { data } = (await api.expect(200, 'GET', '/ledger/accounts')) as { data: readonly Json[] };
  return data
    .map(({ account, balances: own }) => [account, ...(own as Json[]).map(({ amount }) => Number(amount))])
    .filter(({ length }) => length > 1);
};

test('a grant is shown as it was given, with its journal entry', async () => {
  const granted = await grant({
    type: 'promotional',
    priority: 10,
    expires_at: '2024-07-01T00:00:00+02:00',
    roll_over: { cap: '2.50', validity: 'P30D' },
    reason: 'an outage',
  });
  expect(granted).toEqual({
    grant_id: expect.stringMatching(/^[0-9a-f-]{36}$/),
    customer_id: 'cust_1',
    type: 'promotional',
    currency: 'USD',
    amount: '5.00',
    balance: '5.00',
    name: 'Spring package',
    priority: 10,
    effective_from: '2024-01-01T00:00:00.000000Z',
    expires_at: '2024-06-30T22:00:00.000000Z',
    roll_over: { cap: '2.50', validity: 'P30D' },
    rolled_over_from: null,
    void: false,
    reason: 'an outage',
    granted_by: 'ada',
    granted_at: expect.stringMatching(/Z$/),
  });
  const id = String(granted['grant_id']);
  expect(await api.expect(200, 'GET', `/credit-grants/${id}`)).toEqual({
    ...granted,
    draws: [],
    expiries: [],
    voids: [],
  });
  expect(await api.all('/credit-grants?customer_id=cust_1')).toEqual([granted]);
  expect(await api.all('/credit-grants?customer_id=cust_2')).toEqual([]);
  expect(await balances()).toEqual([
    ['customer_credit', -5],
    ['promotional_credit', 5],
  ]);
  expect(await api.all('/ledger/entries?customer_id=cust_1')).toMatchObject([
    {
      source_document: `credit-grant/${id}`,
      invoice_id: null,
      // Whatever its sign, an amount has all digits of its currency.
      postings: expect.arrayContaining([
        expect.objectContaining({ amount: '5.00' }),
        expect.objectContaining({ amount: '-5.00' }),
      ]),
    },
  ]);
  const { data: trial } = await api.expect(200, 'GET', '/ledger/trial-balance');
  expect(trial).toContainEqual(
    expect.objectContaining({ account: 'promotional_credit', debit: '5.00', credit: '0.00', balance: '5.00' }),
  );
});

test('by default it is prepaid, of priority 50, from now on, for ever', async () => {
  const { effective_from: _from, ...rest } = body();
  const granted = await api.expect(201, 'POST', '/credit-grants', rest);
  expect(granted).toMatchObject({ type: 'prepaid', priority: 50, expires_at: null, roll_over: null });
  expect(granted['effective_from']).toBe(new Date(api.now).toISOString().replace('Z', '000Z'));
});

test('an invoice draws on it: in the document, its PDF, its proof, the journal and the balance', async () => {
  const granted = await grant();
  const id = String(granted['grant_id']);
  await api.expect(202, 'POST', '/events', exampleCalls(100));
  await close();
  const invoice = await invoiceOf();
  expect(invoice).toMatchObject({
    subtotal: '10.00',
    credits: '5.00',
    credit_draws: [{ grant_id: id, amount: '5.00' }],
    tax: '0.00',
    total: '5.00',
  });
  const invoiceId = String(invoice['invoice_id']);
  expect(await api.expect(200, 'GET', `/invoices/${invoiceId}/verify`)).toMatchObject({
    verified: true,
    total: { expected: '5.00', found: '5.00' },
    credits: { expected: '5.00', found: '5.00', difference: '0.00' },
  });
  expect((await api.send('GET', `/invoices/${invoiceId}/pdf`)).statusCode).toBe(200);
  expect(await balances()).toEqual([
    ['accounts_receivable', 5],
    ['cash', 5],
    ['customer_credit', 0],
    ['revenue', -10],
  ]);
  expect(await api.expect(200, 'GET', `/credit-grants/${id}`)).toMatchObject({
    balance: '0.00',
    draws: [{ invoice_id: invoiceId, number: invoice['number'], entry: 'issued', amount: '5.00' }],
  });

  await api.expect(200, 'POST', `/invoices/${invoiceId}/void`, { reason: 'a mistake' });
  expect(await api.expect(200, 'GET', `/credit-grants/${id}`)).toMatchObject({
    balance: '5.00',
    draws: [
      { entry: 'issued', amount: '5.00' },
      { entry: 'voided', amount: '-5.00' },
    ],
  });
  expect(await balances()).toEqual([
    ['accounts_receivable', 0],
    ['cash', 5],
    ['customer_credit', -5],
    ['revenue', 0],
  ]);
  // A void document shows what it had drawn, and its hash says that nothing was changed.
  expect(await api.expect(200, 'GET', `/invoices/${invoiceId}/verify`)).toMatchObject({ verified: true });
});

test('a document without credits says nothing of draws', async () => {
  await api.expect(202, 'POST', '/events', exampleCalls(10));
  await close();
  const invoice = await invoiceOf();
  expect(invoice).toMatchObject({ credits: '0.00', total: '1.00' });
  expect(invoice).not.toHaveProperty('credit_draws');
});

test('what is left, by currency, and what a period that ends at an instant may draw of it', async () => {
  await grant({ name: 'first half', amount: '3.00', expires_at: '2024-07-01T00:00:00Z' });
  await grant({ name: 'given', amount: '2.00', type: 'promotional', priority: 1 });
  await grant({ name: 'later', amount: '7.00', effective_from: '2025-01-01T00:00:00Z' });
  const at = async (instant: string): Promise<Json> =>
    api.expect(200, 'GET', `/customers/cust_1/credits?at=${instant}`);
  const january = await at('2024-02-01T00:00:00Z');
  expect(january).toMatchObject({
    customer_id: 'cust_1',
    at: '2024-02-01T00:00:00.000000Z',
    currencies: [{ currency: 'USD', balance: '12.00', available: '5.00', prepaid: '3.00', promotional: '2.00' }],
  });
  expect((january['grants'] as Json[]).map(({ name, available }) => [name, available])).toEqual([
    ['given', true],
    ['first half', true],
    ['later', false],
  ]);
  expect(await at('2024-07-01T00:00:00Z')).toMatchObject({ currencies: [{ available: '5.00' }] });
  expect(await at('2024-07-01T00:00:00.000001Z')).toMatchObject({ currencies: [{ available: '2.00' }] });
  api.now = Date.parse('2025-06-01T00:00:00Z');
  expect(await api.expect(200, 'GET', '/customers/cust_1/credits')).toMatchObject({
    currencies: [{ available: '9.00' }],
  });
});

test('a void takes back what is left, once', async () => {
  const { grant_id: id } = await grant();
  await api.expect(202, 'POST', '/events', exampleCalls(20));
  await close();
  const path = `/credit-grants/${String(id)}/void`;
  const voided = await api.expect(200, 'POST', path, { reason: 'not paid' }, as('grace'));
  expect(voided).toMatchObject({ balance: '0.00', void: true });
  expect(await api.expect(409, 'POST', path, { reason: 'not paid' })).toMatchObject({ code: 'CREDIT_GRANT_VOID' });
  expect(await api.expect(200, 'GET', `/credit-grants/${String(id)}`)).toMatchObject({
    voids: [{ sequence: 1, amount: '3.00', reason: 'not paid', voided_by: 'grace' }],
  });
  expect(await balances()).toEqual(
    [
      ['accounts_receivable', 0],
      ['cash', 2],
      ['customer_credit', 0],
      ['revenue', -2],
    ].filter(([account]) => account !== 'accounts_receivable'),
  );
  expect(await api.expect(200, 'GET', '/customers/cust_1/credits')).toMatchObject({ currencies: [], grants: [] });
});

test('the same key grants once', async () => {
  const headers = { 'idempotency-key': 'spring' };
  const first = await api.expect(201, 'POST', '/credit-grants', body(), headers);
  expect(await api.expect(201, 'POST', '/credit-grants', body(), headers)).toEqual(first);
  expect(await api.all('/credit-grants')).toHaveLength(1);
});

const refused: readonly (readonly [string, Json, string, string])[] = [
  ['an unknown customer', { customer_id: 'nobody' }, 'UNKNOWN_CUSTOMER', '/customer_id'],
  ['another currency than the customer’s', { currency: 'EUR' }, 'CURRENCY_MISMATCH', '/currency'],
  ['no currency', { currency: 'usd' }, 'UNKNOWN_CURRENCY', '/currency'],
  ['nothing', { amount: '0.00' }, 'VALIDATION_FAILED', '/amount'],
  ['less than nothing', { amount: '-1' }, 'VALIDATION_FAILED', '/amount'],
  ['less than a cent', { amount: '0.001' }, 'VALIDATION_FAILED', '/amount'],
  ['no number', { amount: '1e3' }, 'INVALID_DECIMAL', '/amount'],
  ['an end before the beginning', { expires_at: '2024-01-01T00:00:00Z' }, 'VALIDATION_FAILED', '/expires_at'],
  [
    'a roll-over of what never expires',
    { roll_over: { cap: '1', validity: 'P1D' } },
    'VALIDATION_FAILED',
    '/roll_over',
  ],
  [
    'a roll-over for a month of no fixed length',
    { expires_at: '2025-01-01T00:00:00Z', roll_over: { cap: '1', validity: 'P1M' } },
    'INVALID_DURATION',
    '/roll_over/validity',
  ],
  ['a priority above 100', { priority: 101 }, 'VALIDATION_FAILED', '/priority'],
  ['another type', { type: 'gift' }, 'VALIDATION_FAILED', '/type'],
];
test.each(refused)('%s is refused', async (_, more, code, pointer) => {
  const answer = await api.expect(422, 'POST', '/credit-grants', body(more));
  expect(answer).toMatchObject({ code, errors: [{ pointer, code }] });
  expect(await api.all('/credit-grants')).toEqual([]);
  expect(await balances()).toEqual([]);
});

test('what does not exist is not found', async () => {
  for (const id of ['nonsense', '00000000-0000-4000-8000-000000000000']) {
    expect(await api.expect(404, 'GET', `/credit-grants/${id}`)).toMatchObject({ code: 'CREDIT_GRANT_NOT_FOUND' });
    expect(await api.expect(404, 'POST', `/credit-grants/${id}/void`, { reason: 'x' })).toMatchObject({
      code: 'CREDIT_GRANT_NOT_FOUND',
    });
  }
  expect(await api.expect(404, 'GET', '/customers/nobody/credits')).toMatchObject({ code: 'UNKNOWN_CUSTOMER' });
});

test('a what-if compares with what was invoiced before credits', async () => {
  await grant();
  await api.expect(202, 'POST', '/events', exampleCalls(100));
  await close();
  expect(await invoiceOf()).toMatchObject({ subtotal: '10.00', credits: '5.00', total: '5.00' });
  const asked = { price_book: { code: 'standard', version: 'v1' }, customer_id: 'cust_1', period: '2024-01' };
  expect(await api.expect(200, 'POST', '/price-books/evaluate', asked)).toMatchObject({
    ...{ current: '10.00', evaluated: '10.00', invoiced: '10.00' },
  });
});
