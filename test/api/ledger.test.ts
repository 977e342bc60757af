/** The journal over HTTP: the books at a moment, months, mappings, export. */
import pg from 'pg';
import type { LocalDate } from '../../src/domain/values.js';
import { exampleCalls, exampleCustomer, TestApi } from './support/test-api.js';

let api: TestApi;
let databaseUrl: string;
beforeEach(async () => {
  api = await TestApi.start({}, (url) => Promise.resolve((databaseUrl = url)));
  await api.setUpExample();
  await api.expect(202, 'POST', '/events', exampleCalls(1_234));
  await api.send('POST', '/billing-periods/cust_1/2024-01/close', {});
});
afterEach(() => api.close());

const ann = { 'x-reckoner-actor': 'ann' };
const closeJanuary = (): ReturnType<TestApi['expect']> =>
  api.expect(201, 'POST', '/ledger/months/2024-01/close', { reason: 'month end' }, ann);
const csv = async (query: string): Promise<string> => {
  const response = await api.send('GET', `/ledger/export?${query}`);
  expect([response.statusCode, response.headers['content-type']]).toEqual([200, 'text/csv; charset=utf-8']);
  return response.body;
};
/** By column. */
function rowsOf(text: string): readonly Readonly<Record<string, string>>[] {
  const [header = '', ...lines] = text.split('\r\n').filter((line) => line !== '');
  const names = header.split(',');
  return lines.map((line) => Object.fromEntries(line.split(',').map((field, index) => [names[index] ?? '', field])));
}

test('balances, accounts and trial balance, now and at moments of the past', async () => {
  const now = await api.expect(200, 'GET', '/ledger/balances?customer_id=cust_1');
  expect(now).toEqual({
    data: [
      {
        customer_id: 'cust_1',
        account: 'accounts_receivable',
        currency: 'USD',
        debit: '118.72',
        credit: '0.00',
        balance: '118.72',
        version: 1,
      },
      {
        customer_id: 'cust_1',
        account: 'revenue',
        currency: 'USD',
        debit: '0.00',
        credit: '118.72',
        balance: '-118.72',
        version: 1,
      },
    ],
    next_cursor: null,
  });
  const before = ['posted_through=2024-01-30', 'through_entry=0', 'at=2020-01-01T00:00:00Z'];
  const after = ['posted_through=2024-01-31', 'through_entry=99', 'at=2100-01-01T00:00:00Z', ''];
  for (const query of before) {
    expect(await api.expect(200, 'GET', `/ledger/trial-balance?${query}`)).toEqual({ data: [] });
    expect(await api.expect(200, 'GET', `/ledger/balances?customer_id=cust_1&${query}`)).toEqual({
      data: [],
      next_cursor: null,
    });
  }
  for (const query of after) {
    expect(await api.expect(200, 'GET', `/ledger/trial-balance?${query}`)).toEqual({
      data: [
        { account: 'accounts_receivable', currency: 'USD', debit: '118.72', credit: '0.00', balance: '118.72' },
        { account: 'revenue', currency: 'USD', debit: '0.00', credit: '118.72', balance: '-118.72' },
      ],
    });
    const { data } = await api.expect(200, 'GET', `/ledger/accounts?${query}`);
    expect(
      (data as { account: string; balances: unknown[] }[]).filter(({ balances }) => balances.length > 0),
    ).toMatchObject([
      { account: 'accounts_receivable', balances: [{ currency: 'USD', amount: '118.72' }] },
      { account: 'revenue' },
    ]);
  }
  await api.refused('VALIDATION_FAILED', 422, 'GET', '/ledger/trial-balance?at=2024-01-01T00:00:00Z&through_entry=1');
  await api.refused('VALIDATION_FAILED', 422, 'GET', '/ledger/balances?through_entry=1');
  await api.refused('INSTANT_WITHOUT_OFFSET', 422, 'GET', '/ledger/accounts?at=2024-01-01T00:00:00');
});

test('entries name product, document and place', async () => {
  const { data } = await api.expect(200, 'GET', '/ledger/entries?customer_id=cust_1');
  const [entry] = data as { invoice_id: string; posting_date: string; postings: object[] }[];
  expect(entry).toMatchObject({ entry_order: expect.stringMatching(/^\d+$/), posting_date: '2024-01-31' });
  expect(entry?.postings).toMatchObject([
    { account: 'accounts_receivable', product: null, invoice_id: entry?.invoice_id },
    { account: 'revenue', product: 'api_calls', invoice_id: entry?.invoice_id },
  ]);
});

test('a month is closed when it is over everywhere, in order, once, and says who and why', async () => {
  await api.refused('ACCOUNTING_MONTH_NOT_OVER', 409, 'POST', '/ledger/months/2024-03/close', { reason: 'early' });
  await api.refused('INVALID_PERIOD', 422, 'POST', '/ledger/months/2024-13/close', { reason: 'x' });
  // Before the first posting: decades of empty months would have to be closed after it.
  await api.refused('ACCOUNTING_MONTH_OUT_OF_ORDER', 409, 'POST', '/ledger/months/1970-01/close', { reason: 'x' });
  expect(await api.expect(200, 'GET', '/ledger/months')).toEqual({ closed_through: null, first_open: null, data: [] });
  await closeJanuary();
  await closeJanuary(); // the same again
  await api.refused('ACCOUNTING_MONTH_CLOSED', 409, 'POST', '/ledger/months/2024-01/close', { reason: 'again' }, ann);
  expect(await api.expect(200, 'GET', '/ledger/months')).toMatchObject({
    closed_through: '2024-01',
    first_open: '2024-02',
    data: [{ month: '2024-01', closed_by: 'ann', reason: 'month end' }],
  });
  const { data } = await api.expect(200, 'GET', '/ledger/snapshots');
  expect(data).toMatchObject([
    { posted_through: null, taken_by: 'ann' },
    { posted_through: '2024-01-31', through_entry: null },
  ]);
  expect(await api.expect(200, 'GET', '/ledger/check')).toEqual({ data: [] });
  api.now = Date.parse('2024-04-01T11:59:59Z');
  await api.refused('ACCOUNTING_MONTH_NOT_OVER', 409, 'POST', '/ledger/months/2024-03/close', { reason: 'x' });
  api.now = Date.parse('2024-04-01T12:00:00Z');
  await api.refused('ACCOUNTING_MONTH_OUT_OF_ORDER', 409, 'POST', '/ledger/months/2024-03/close', { reason: 'x' });
});

test('what is issued after the close is posted in the first open month', async () => {
  await closeJanuary();
  const { data } = await api.expect(200, 'GET', '/invoices?customer_id=cust_1');
  const [{ invoice_id: id } = { invoice_id: '' }] = data as { invoice_id: string }[];
  await api.expect(200, 'POST', `/invoices/${id}/void`, { reason: 'a mistake' });
  const { data: entries } = await api.expect(200, 'GET', '/ledger/entries?customer_id=cust_1');
  expect(entries).toMatchObject([
    { posting_date: '2024-01-31' },
    { posting_date: '2024-02-01', service_period: { from: '2024-01-01T00:00:00.000000Z' } },
  ]);
});

test('the check names what differs, the rebuild mends it', async () => {
  const { customers } = await api.expect(200, 'POST', '/ledger/rebuild', {});
  expect(customers).toBe(1);
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  await client.query(`UPDATE account_balances SET credit = credit + 1.005 WHERE account = 'revenue'`);
  await client.end();
  const differs = { model: 'account_balances', customer_id: 'cust_1', account: 'revenue', currency: 'USD' };
  expect(await api.expect(200, 'GET', '/ledger/check?customer_id=cust_1')).toEqual({
    data: [{ ...differs, expected: { debit: '0.00', credit: '118.72' }, found: { debit: '0.00', credit: '119.725' } }],
  });
  expect(await api.expect(200, 'POST', '/ledger/rebuild', {})).toMatchObject({ corrected: [differs], unresolved: [] });
  expect(await api.expect(200, 'GET', '/ledger/check')).toEqual({ data: [] });
});

test('journal entries of an invoice, by its number', async () => {
  const { data } = await api.expect(200, 'GET', '/ledger/entries?invoice_id=INV-000001');
  expect(data).toEqual([expect.objectContaining({ customer_id: 'cust_1' })]);
  await api.refused('INVOICE_NOT_FOUND', 404, 'GET', '/ledger/entries?invoice_id=INV-000009');
});

test('before a month is closed it is said what of it is not in the books; it warns and refuses nothing', async () => {
  expect(await api.expect(200, 'GET', '/ledger/months/2024-01/checklist')).toEqual({
    ...{ month: '2024-01', drafts: 0, unbilled: 0, held: 0, unapplied_payments: 0, data: [] },
  });
  const february = exampleCalls(10).map((event) => ({
    ...event,
    event_id: `february ${String(event['event_id'])}`,
    event_time: String(event['event_time']).replace('2024-01', '2024-02'),
  }));
  await api.expect(202, 'POST', '/events', february);
  await api.storage.periods.periodNamed('cust_1', '2024-02-01' as LocalDate);
  const unbilled = { kind: 'unbilled', customer_id: 'cust_1', period: '2024-02-01', id: null, detail: 'closing' };
  const checklist = (): Promise<unknown> => api.expect(200, 'GET', '/ledger/months/2024-02/checklist');
  expect(await checklist()).toMatchObject({ unbilled: 1, data: [unbilled] });
  const finding = { customerId: 'cust_1', period: '2024-02-01' as LocalDate, subject: {}, detail: 'a finding' };
  await api.storage.findings.store({ ...finding, code: 'UNREADABLE_VALUE' });
  const client = new pg.Client({ connectionString: databaseUrl });
  await client.connect();
  await client.query(
    `WITH asked AS (INSERT INTO invoicing_requests (request_id, customer_id, period, billing_day, forced)
       VALUES (gen_random_uuid(), 'cust_1', '2024-02-01', '2024-03-10', false) RETURNING request_id)
     INSERT INTO invoicing_outcomes (request_id, outcome) SELECT request_id, 'held' FROM asked`,
  );
  await client.end();
  expect(await checklist()).toMatchObject({
    ...{ unbilled: 1, held: 1 },
    data: [{ kind: 'unbilled', detail: 'held', held_by: ['UNREADABLE_VALUE'] }],
  });
  await api.expect(200, 'PUT', '/customers/cust_1', { ...exampleCustomer, invoice_approval: 'required' });
  await api.expect(202, 'POST', '/billing-periods/cust_1/2024-02/close');
  await api.expect(201, 'POST', '/payments', {
    ...{
      customer_id: 'cust_1',
      currency: 'USD',
      amount: '500',
      received_at: '2024-02-05T09:00:00Z',
      method: 'cash',
    },
  });
  expect(await checklist()).toMatchObject({
    ...{ drafts: 1, unbilled: 0, unapplied_payments: 1 },
    data: [
      { kind: 'draft', period: '2024-02-01', detail: 'draft' },
      { kind: 'unapplied_payment', period: null, detail: '500.00 USD' },
    ],
  });
  await api.refused('INVALID_PERIOD', 422, 'GET', '/ledger/months/2024-13/checklist');
  await api.expect(201, 'POST', '/ledger/months/2024-02/close', { reason: 'all the same' });
});

describe('export', () => {
  const map = (accounts: readonly object[], status = 201): ReturnType<TestApi['expect']> =>
    api.expect(status, 'POST', '/ledger/account-mappings', { mapping: 'datev', accounts });

  test('a month, or a stretch of the journal, as CSV', async () => {
    const rows = rowsOf(await csv('month=2024-01'));
    expect(
      rows.map((row) => [row['account'], row['product'], row['external_account'], row['debit'], row['credit']]),
    ).toEqual([
      ['accounts_receivable', '', 'accounts_receivable', '118.72', '0.00'],
      ['revenue', 'api_calls', 'revenue', '0.00', '118.72'],
    ]);
    expect(rows[0]).toMatchObject({
      posting_date: '2024-01-31',
      customer_id: 'cust_1',
      invoice_number: 'INV-000001',
      currency: 'USD',
    });
    expect(rowsOf(await csv('month=2024-02'))).toEqual([]);
    const { entry = '' } = rows[0] ?? {};
    expect(rowsOf(await csv(`from_entry=${entry}`))).toEqual(rows);
    expect(rowsOf(await csv(`from_entry=${entry}&to_entry=${entry}`))).toEqual(rows);
    expect(rowsOf(await csv(`from_entry=${Number(entry) + 1}`))).toEqual([]);
    for (const query of ['', 'month=2024-01&from_entry=1', 'to_entry=5', 'month=2024', 'from_entry=-1'])
      await api.refused('VALIDATION_FAILED', 422, 'GET', `/ledger/export?${query}`);
  });

  test('an account without a mapping is named; a product has its own, or the default', async () => {
    await map([{ account: 'accounts_receivable', external_account: '1400' }]);
    const refused = await api.refused(
      'LEDGER_MAPPING_MISSING',
      409,
      'GET',
      '/ledger/export?month=2024-01&mapping=datev',
    );
    expect(refused['detail']).toContain('account revenue, product "api_calls", on 2024-01-31');
    await map([{ account: 'revenue', external_account: '8000' }]);
    expect(rowsOf(await csv('month=2024-01&mapping=datev')).map((row) => row['external_account'])).toEqual([
      '1400',
      '8000',
    ]);
    await map([{ account: 'revenue', product: 'api_calls', external_account: '8400', effective_from: '2024-01-15' }]);
    expect(rowsOf(await csv('month=2024-01&mapping=datev')).map((row) => row['external_account'])).toEqual([
      '1400',
      '8400',
    ]);
    expect(await api.expect(200, 'GET', '/ledger/account-mappings?mapping=datev')).toMatchObject({
      mappings: [{ mapping: 'datev', rows: 3 }],
      data: [
        { account: 'accounts_receivable' },
        { product: null },
        { product: 'api_calls', effective_from: '2024-01-15' },
      ],
    });
  });

  test('while no month is closed a mapping is superseded from the beginning', async () => {
    await map([{ account: 'accounts_receivable', external_account: '1400' }]);
    await map([{ account: 'revenue', external_account: '8400' }]);
    await map([{ account: 'revenue', product: 'api_calls', external_account: '8401' }]);
    await map([{ account: 'accounts_receivable', external_account: '1410' }]);
    expect(rowsOf(await csv('month=2024-01&mapping=datev')).map((row) => row['external_account'])).toEqual([
      '1410',
      '8401',
    ]);
  });

  test('of a closed month it is the same bytes for ever: what would change it is refused, a gap may be filled', async () => {
    await map([{ account: 'accounts_receivable', external_account: '1400' }]);
    await closeJanuary();
    await map([{ account: 'revenue', external_account: '8000' }]); // the gap
    const before = await csv('month=2024-01&mapping=datev');
    for (const row of [
      { account: 'revenue', external_account: '9' },
      { account: 'revenue', product: 'api_calls', external_account: '9' },
      { account: 'accounts_receivable', external_account: '9', effective_from: '2024-01-31' },
    ])
      await api.refused('ACCOUNTING_MONTH_CLOSED', 409, 'POST', '/ledger/account-mappings', {
        mapping: 'datev',
        accounts: [row],
      });
    await map([{ account: 'revenue', external_account: '8001', effective_from: '2024-02-01' }]);
    const { data } = await api.expect(200, 'GET', '/invoices?customer_id=cust_1');
    const [{ invoice_id: id } = { invoice_id: '' }] = data as { invoice_id: string }[];
    await api.expect(200, 'POST', `/invoices/${id}/void`, { reason: 'a mistake' });
    expect(await csv('month=2024-01&mapping=datev')).toBe(before);
    expect(rowsOf(await csv('month=2024-02&mapping=datev')).map((row) => row['external_account'])).toEqual([
      '1400',
      '8001',
    ]);
  });

  test('what others have written is no formula, and no second column', async () => {
    await api.expect(201, 'PUT', '/customers/=cmd', { name: 'x', currency: 'USD', price_book: 'standard' });
    const grant = { customer_id: '=cmd', amount: '5.00', currency: 'USD', name: 'a "b", c' };
    await api.expect(201, 'POST', '/credit-grants', grant);
    const text = await csv('from_entry=1');
    expect(text).toContain(`,'=cmd,`);
    expect(text).toContain(`"Credit grant ""a ""b"", c"" (prepaid)"`);
  });
});
