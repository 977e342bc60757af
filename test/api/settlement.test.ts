/** Payments, credit notes, refunds and write-offs over HTTP. */
import * as support from './support/credited.js';
import { exampleOfEachTest } from './support/test-api.js';

type Json = Readonly<Record<string, unknown>>;

const api = exampleOfEachTest();

const as = (actor: string): Record<string, string> => ({ 'x-reckoner-actor': actor });

const invoiced = (count?: number, period?: string): Promise<Json> => support.invoiced(api, count, period);
const detail = (id: unknown): Promise<Json> => api.expect(200, 'GET', `/invoices/${String(id)}`);
const statusesOf = async (id: unknown): Promise<readonly unknown[]> =>
  ((await detail(id))['transitions'] as readonly Json[]).map(({ status }) => status);
const settlementOf = async (id: unknown): Promise<Json> => (await detail(id))['settlement'] as Json;

const paymentBody = (more: Json = {}): Json => ({
  customer_id: 'cust_1',
  currency: 'USD',
  amount: '10.00',
  received_at: '2024-02-05T09:00:00Z',
  method: 'bank_transfer',
  reference: 'SEPA 77',
  ...more,
});
const pay = (more: Json = {}): Promise<Json> => api.expect(201, 'POST', '/payments', paymentBody(more), as('ada'));
const receivable = async (): Promise<Json> => {
  const { currencies } = (await api.expect(200, 'GET', '/customers/cust_1/receivable')) as { currencies: Json[] };
  return currencies[0] ?? {};
};
const balances = async (): Promise<Readonly<Record<string, number>>> => {
  const { data } = (await api.expect(200, 'GET', '/ledger/accounts')) as { data: readonly Json[] };
  return Object.fromEntries(
    data.flatMap(({ account, balances: own }) =>
      (own as Json[]).map(({ amount }) => [String(account), Number(amount)] as const),
    ),
  );
};
const { lineOf } = support;
const credit = (...of: [Json, string | null, Json?]): Promise<Json> => support.credit(api, ...of);

test('a payment settles an invoice: status, transitions, journal, account', async () => {
  const invoice = await invoiced();
  const id = invoice['invoice_id'];
  const paid = await pay({ allocations: [{ invoice_id: invoice['number'], amount: '4.00' }] });
  expect(paid).toMatchObject({
    amount: '10.00',
    allocated: '4.00',
    unallocated: '6.00',
    settles: [{ invoice_id: id, number: invoice['number'], refund_id: null, amount: '4.00' }],
    reversed: null,
    recorded_by: 'ada',
  });
  expect(await statusesOf(id)).toEqual(['issued', 'partly_paid']);
  expect(await settlementOf(id)).toMatchObject({ open: '6.00', credited: '0.00', settled: '4.00' });
  expect(await receivable()).toEqual({
    currency: 'USD',
    open: '6.00',
    unapplied: '6.00',
    beside_write_offs: '0.00',
    balance: '0.00',
  });
  const url = `/payments/${String(paid['payment_id'])}`;
  await api.expect(200, 'POST', `${url}/allocations`, { allocations: [{ invoice_id: id, amount: '6.00' }] });
  expect(await api.expect(200, 'GET', url)).toMatchObject({ allocated: '10.00', unallocated: '0.00' });
  expect(await detail(id)).toMatchObject({
    status: 'paid',
    settlement: { open: '0.00' },
    transitions: [
      { status: 'issued' },
      { status: 'partly_paid', actor: 'ada', reason: 'payment (bank_transfer, SEPA 77)' },
      { status: 'paid' },
    ],
  });
  expect(await api.all('/invoices?status=paid')).toHaveLength(1);
  expect(await balances()).toMatchObject({ accounts_receivable: 0, cash: 10, revenue: -10 });
  expect(await api.expect(200, 'GET', `/invoices/${String(id)}/verify`)).toMatchObject({ verified: true });

  // By now its due date has passed.
  api.now = Date.parse('2024-04-10T12:00:00Z');
  const bounced = await api.expect(200, 'POST', `${url}/reverse`, { reason: 'no funds' }, as('bob'));
  expect(bounced).toMatchObject({ allocated: '0.00', unallocated: '0.00', reversed: { reason: 'no funds' } });
  expect(await statusesOf(id)).toEqual(['issued', 'partly_paid', 'paid', 'overdue']);
  expect(await balances()).toMatchObject({ accounts_receivable: 10, cash: 0 });
  await api.refused('PAYMENT_REVERSED', 409, 'POST', `${url}/reverse`, { reason: 'again' });
  await api.refused('PAYMENT_REVERSED', 409, 'POST', `${url}/allocations`, {
    allocations: [{ invoice_id: id, amount: '1.00' }],
  });
});

test('a paid or partly paid invoice is credited, never voided', async () => {
  const invoice = await invoiced();
  const url = `/invoices/${String(invoice['invoice_id'])}/void`;
  const paid = await pay({ allocations: [{ invoice_id: invoice['number'], amount: '4.00' }] });
  const refusal = await api.refused('INVOICE_TRANSITION_REFUSED', 409, 'POST', url, { reason: 'a mistake' });
  expect(refusal['detail']).toContain(
    'is partly paid and cannot become void; from there it can become issued, paid, overdue',
  );
  await api.expect(200, 'POST', `/payments/${String(paid['payment_id'])}/reverse`, { reason: 'bounced' });
  await api.expect(200, 'POST', url, { reason: 'a mistake' });
  await api.refused('INVOICE_VOID', 409, 'POST', '/payments', {
    ...paymentBody(),
    allocations: [{ invoice_id: invoice['number'], amount: '4.00' }],
  });
});

test('what credits have paid is not offered as creditable; of a void invoice nothing is', async () => {
  await api.expect(201, 'POST', '/credit-grants', {
    ...{ customer_id: 'cust_1', currency: 'USD', amount: '4.00', name: 'a package' },
    effective_from: '2024-01-01T00:00:00Z',
  });
  const invoice = await invoiced();
  const id = invoice['invoice_id'];
  expect(await settlementOf(id)).toMatchObject({ creditable: [{ invoiced: '10.00', creditable: '6.00' }] });
  await credit(invoice, '2.50');
  expect(await settlementOf(id)).toMatchObject({ creditable: [{ credited: '2.50', creditable: '3.50' }] });
  await api.expect(200, 'POST', `/invoices/${String(id)}/void`, { reason: 'a mistake' });
  expect(await settlementOf(id)).toMatchObject({ creditable: [] });
});

test('several credit notes exhaust a line to the last cent, and no more', async () => {
  const invoice = await invoiced();
  const id = invoice['invoice_id'];
  const first = await credit(invoice, '3.33', { reason: 'an outage' });
  expect(first).toMatchObject({
    number: 'CN-000001',
    type: 'credit_note',
    invoice_number: invoice['number'],
    subtotal: '3.33',
    tax: '0.00',
    total: '3.33',
    lines: [{ original_amount: '10.00', amount: '3.33', reason_code: 'goodwill', reason: 'an outage' }],
  });
  await credit(invoice, '3.33');
  expect(await settlementOf(id)).toMatchObject({
    open: '3.34',
    credited: '6.66',
    creditable: [{ invoiced: '10.00', credited: '6.66', creditable: '3.34' }],
    credit_notes: [{ number: 'CN-000001' }, { number: 'CN-000002' }],
  });
  const body = { lines: [{ line_item_id: lineOf(invoice), amount: '3.35', reason_code: 'dispute' }] };
  const refusal = await api.refused('NOT_CREDITABLE', 409, 'POST', `/invoices/${String(id)}/credit-notes`, body);
  expect(refusal['detail']).toContain('at most 3.34 USD');
  // Without an amount: all that is left.
  expect(await credit(invoice, null)).toMatchObject({ number: 'CN-000003', total: '3.34' });
  await api.refused('NOT_CREDITABLE', 409, 'POST', `/invoices/${String(id)}/credit-notes`, body);
  expect(await receivable()).toEqual({});
  expect(await detail(id)).toMatchObject({ status: 'issued', total: '10.00', settlement: { open: '0.00' } });
  expect(await balances()).toMatchObject({ accounts_receivable: 0, revenue: 0 });
  // Re-rating sees nothing of it.
  expect(await api.expect(200, 'GET', `/invoices/${String(id)}/verify`)).toMatchObject({ verified: true });
  const scope = { customer_ids: ['cust_1'] };
  const { re_rating_id: reRating } = await api.expect(202, 'POST', '/re-ratings', { reason: 'manual', scope });
  expect(await api.expect(200, 'GET', `/re-ratings/${String(reRating)}`)).toMatchObject({ status: 'no_difference' });
  const pdf = await api.send('GET', '/credit-notes/CN-000002/pdf');
  expect([pdf.statusCode, pdf.headers['content-type']]).toEqual([200, 'application/pdf']);
  expect(pdf.rawPayload.equals((await api.send('GET', '/credit-notes/CN-000002/pdf')).rawPayload)).toBe(true);
  expect(await api.all(`/credit-notes?invoice_id=${String(invoice['number'])}`)).toHaveLength(3);
});

test('an unpaid invoice that is voided takes its credit notes along', async () => {
  const invoice = await invoiced();
  const note = await credit(invoice, '4.00');
  await api.expect(200, 'POST', `/invoices/${String(invoice['invoice_id'])}/void`, { reason: 'wrong customer' });
  expect(await api.expect(200, 'GET', `/credit-notes/${String(note['number'])}`)).toMatchObject({
    status: 'void',
    void: { reason: 'wrong customer' },
  });
  expect(await balances()).toMatchObject({ accounts_receivable: 0, revenue: 0 });
  await api.expect(202, 'POST', '/billing-periods/cust_1/2024-01/close');
  const invoices = await api.all('/invoices?customer_id=cust_1&status=issued');
  expect(invoices).toMatchObject([{ total: '10.00', replaces_invoice_id: invoice['invoice_id'] }]);
  expect(await receivable()).toMatchObject({ balance: '10.00' });
  await api.refused('INVOICE_VOID', 409, 'POST', `/invoices/${String(invoice['invoice_id'])}/credit-notes`, {
    lines: [{ line_item_id: lineOf(invoice), reason_code: 'goodwill' }],
  });
});

test('what a credited invoice that was paid has over is carried to the next one, and the rest refunded', async () => {
  const january = await invoiced();
  await pay({ allocations: [{ invoice_id: january['number'], amount: '10.00' }] });
  await credit(january, '7.00');
  expect(await receivable()).toEqual({
    currency: 'USD',
    open: '0.00',
    unapplied: '7.00',
    beside_write_offs: '0.00',
    balance: '-7.00',
  });
  const february = await invoiced(50, '2024-02');
  expect(february).toMatchObject({ total: '5.00', status: 'paid' });
  expect(await statusesOf(february['invoice_id'])).toEqual(['issued', 'paid']);
  expect(await settlementOf(february['invoice_id'])).toMatchObject({
    settled: '5.00',
    allocations: [{ source: 'invoice', source_id: january['invoice_id'], amount: '5.00', actor: 'invoicing' }],
  });
  const refund = { customer_id: 'cust_1', currency: 'USD', method: 'bank_transfer', reason: 'asked for it' };
  await api.refused('REFUND_EXCEEDS_CREDIT', 409, 'POST', '/refunds', { ...refund, amount: '2.01' });
  const refunded = await api.expect(201, 'POST', '/refunds', { ...refund, amount: '2.00' });
  expect(await api.all('/refunds?customer_id=cust_1')).toEqual([refunded]);
  expect(await receivable()).toEqual({});
  expect(await balances()).toMatchObject({ accounts_receivable: 0, cash: 8, revenue: -8 });
});

test('an open rest is written off, with its reason', async () => {
  const invoice = await invoiced();
  const url = `/invoices/${String(invoice['number'])}/write-off`;
  await api.refused('NOTHING_OPEN', 409, 'POST', url, { amount: '10.01', reason: 'insolvent' });
  expect(await api.expect(200, 'POST', url, { amount: '4.00', reason: 'insolvent' })).toMatchObject({
    status: 'partly_paid',
  });
  expect(await api.expect(200, 'POST', url, { reason: 'insolvent' })).toMatchObject({ status: 'paid' });
  await api.refused('NOTHING_OPEN', 409, 'POST', url, { reason: 'insolvent' });
  expect(await balances()).toMatchObject({ accounts_receivable: 0, write_off: 10, revenue: -10 });
});

test('unapplied credit settles the oldest open invoice on demand', async () => {
  const january = await invoiced();
  await pay({ amount: '12.00' });
  expect(await detail(january['invoice_id'])).toMatchObject({ status: 'issued' });
  const { allocations } = await api.expect(200, 'POST', '/customers/cust_1/apply-credit');
  expect(allocations).toMatchObject([{ source: 'payment', invoice_id: january['invoice_id'], amount: '10.00' }]);
  expect(await detail(january['invoice_id'])).toMatchObject({ status: 'paid' });
  expect(await receivable()).toMatchObject({ unapplied: '2.00' });
});

describe('wrong input', () => {
  test.each([
    ['an amount of nothing', { amount: '0' }, 'VALIDATION_FAILED', '/amount'],
    ['an amount below zero', { amount: '-1.00' }, 'VALIDATION_FAILED', '/amount'],
    ['a fraction of a cent', { amount: '1.001' }, 'VALIDATION_FAILED', '/amount'],
    ['no decimal', { amount: '1e3' }, 'INVALID_DECIMAL', '/amount'],
    ['no currency', { currency: 'XXZ' }, 'UNKNOWN_CURRENCY', '/currency'],
    ['no instant', { received_at: '2024-02-05' }, 'INVALID_INSTANT', '/received_at'],
    ['an unknown customer', { customer_id: 'nobody' }, 'UNKNOWN_CUSTOMER', '/customer_id'],
    [
      'an unknown invoice',
      { allocations: [{ invoice_id: 'INV-9', amount: '1.00' }] },
      'INVOICE_NOT_FOUND',
      '/allocations/0/invoice_id',
    ],
  ])('%s', async (_what, more, code, pointer) => {
    const problem = await api.refused(code, 422, 'POST', '/payments', paymentBody(more));
    expect((problem['errors'] as Json[])[0]).toMatchObject({ pointer });
    expect(await api.all('/payments')).toEqual([]);
  });

  test('more than is open, more than was paid, twice the same invoice, another currency', async () => {
    const { number } = await invoiced();
    const parts = (...amounts: string[]): Json => ({
      allocations: amounts.map((amount) => ({ invoice_id: number, amount })),
    });
    await api.refused(
      'ALLOCATION_EXCEEDS_OPEN',
      409,
      'POST',
      '/payments',
      paymentBody({ amount: '20.00', ...parts('10.01') }),
    );
    await api.refused(
      'ALLOCATION_EXCEEDS_PAYMENT',
      422,
      'POST',
      '/payments',
      paymentBody({ amount: '5.00', ...parts('5.01') }),
    );
    await api.refused('VALIDATION_FAILED', 422, 'POST', '/payments', paymentBody(parts('1.00', '2.00')));
    await api.refused(
      'CURRENCY_MISMATCH',
      422,
      'POST',
      '/payments',
      paymentBody({ currency: 'EUR', ...parts('1.00') }),
    );
    expect(await api.all('/payments')).toEqual([]);
    await api.refused('PAYMENT_NOT_FOUND', 404, 'GET', '/payments/none');
    await api.refused('CREDIT_NOTE_NOT_FOUND', 404, 'GET', '/credit-notes/CN-9');
    await api.refused('REFUND_NOT_FOUND', 404, 'GET', '/refunds/none');
  });

  test('a credit note names lines of the invoice, each once, with a reason of the list', async () => {
    const invoice = await invoiced();
    const url = `/invoices/${String(invoice['invoice_id'])}/credit-notes`;
    const line = { line_item_id: lineOf(invoice), amount: '1.00', reason_code: 'goodwill' };
    for (const lines of [
      [],
      [{ ...line, reason_code: 'because' }],
      [{ ...line, line_item_id: '5b0a9d3e-6d5c-4c61-b1b8-0d1f4c0a9a11' }],
      [line, line],
      [{ ...line, amount: '0' }],
    ]) {
      await api.refused('VALIDATION_FAILED', 422, 'POST', url, { lines });
    }
    expect(await api.all('/credit-notes')).toEqual([]);
  });
});

test('a write-off is taken back: the rest is open again, and the books say so', async () => {
  const invoice = await invoiced();
  const id = String(invoice['invoice_id']);
  await pay({ amount: '4.00', allocations: [{ invoice_id: id, amount: '4.00' }] });
  await api.expect(200, 'POST', `/invoices/${id}/write-off`, { reason: 'insolvent' }, as('ada'));
  expect(await detail(id)).toMatchObject({
    status: 'paid',
    settlement: { open: '0.00', settled_by: { paid: '4.00', credited: '0.00', written_off: '6.00' } },
  });
  const [writeOff = {}] = await api.all('/write-offs?customer_id=cust_1');
  expect(writeOff).toMatchObject({ number: invoice['number'], amount: '6.00', reason: 'insolvent', reversed: null });
  expect(await balances()).toMatchObject({ accounts_receivable: 0, write_off: 6 });
  const url = `/write-offs/${String(writeOff['write_off_id'])}`;
  // By now its due date has passed.
  api.now = Date.parse('2024-04-10T12:00:00Z');
  const answers = await Promise.all([1, 2].map(() => api.send('POST', `${url}/reverse`, { reason: 'it pays' })));
  expect(answers.map(({ statusCode }) => statusCode).sort()).toEqual([200, 409]);
  await api.refused('WRITE_OFF_REVERSED', 409, 'POST', `${url}/reverse`, { reason: 'again' });
  expect(await api.expect(200, 'GET', url)).toMatchObject({ reversed: { reason: 'it pays' } });
  expect(await detail(id)).toMatchObject({
    status: 'overdue',
    settlement: { open: '6.00', settled_by: { paid: '4.00', written_off: '0.00' } },
  });
  expect(await balances()).toMatchObject({ accounts_receivable: 6, write_off: 0 });
  expect(await api.storage.settlement.mismatches()).toEqual([]);
  await api.refused('WRITE_OFF_NOT_FOUND', 404, 'POST', '/write-offs/none/reverse', { reason: 'x' });
  expect(await api.all('/write-offs?invoice_id=INV-000001')).toHaveLength(1);
});

test('a payment that is on record is refused, unless it came twice; so is one of the future', async () => {
  const first = await pay();
  const refusal = await api.refused('PAYMENT_REFERENCE_KNOWN', 409, 'POST', '/payments', paymentBody());
  expect(refusal['detail']).toContain(String(first['payment_id']));
  await api.refused('PAYMENT_REFERENCE_KNOWN', 409, 'POST', '/payments', paymentBody({ amount: '10' }));
  await pay({ received_at: '2024-02-06T09:00:00Z' });
  await pay({ amount: '9.00' });
  await pay({ allow_duplicate: true });
  // One that has bounced comes again.
  await pay({ reference: 'SEPA 78' }).then(({ payment_id: id }) =>
    api.expect(200, 'POST', `/payments/${String(id)}/reverse`, { reason: 'no funds' }),
  );
  const twice = await Promise.all(
    [1, 2].map(() => api.send('POST', '/payments', paymentBody({ reference: 'SEPA 78' }))),
  );
  expect(twice.map(({ statusCode }) => statusCode).sort()).toEqual([201, 409]);
  const future = await api.refused('VALIDATION_FAILED', 422, 'POST', '/payments', {
    ...paymentBody({ reference: 'SEPA 79' }),
    received_at: '2024-03-11T12:00:01Z',
  });
  expect(future['detail']).toContain('once it is received');
  expect(await api.all('/payments')).toHaveLength(6);
});

test('a payment is posted on the day that it was received, and the journal names its reference', async () => {
  await invoiced();
  await pay({ allocations: [{ invoice_id: 'INV-000001', amount: '4.00' }] });
  const csv = await api.send('GET', '/ledger/export?month=2024-02');
  expect(csv.body).toContain('2024-02-05');
  expect(csv.body).toContain('Payment received (SEPA 77) for INV-000001');
});

test('what all customers owe, by age', async () => {
  await invoiced();
  expect(await api.all('/receivables')).toMatchObject([
    { customer_id: 'cust_1', currency: 'USD', open: '10.00', not_due: '10.00', unapplied: '0.00', balance: '10.00' },
  ]);
  expect(await api.all('/receivables?overdue=true')).toEqual([]);
  const { due_at: dueAt } = await detail('INV-000001');
  const none = { days_0_30: '0.00', days_31_60: '0.00', days_61_90: '0.00', days_over_90: '0.00' };
  for (const [days, bucket] of [
    [1, 'days_0_30'],
    [30, 'days_0_30'],
    [31, 'days_31_60'],
    [90, 'days_61_90'],
    [91, 'days_over_90'],
  ] as const) {
    api.now = Date.parse(String(dueAt)) + days * 86_400_000 + 1;
    expect(await api.all('/receivables?overdue=true')).toMatchObject([
      { open: '10.00', not_due: '0.00', overdue: { ...none, [bucket]: '10.00' } },
    ]);
  }
  await pay({ allocations: [{ invoice_id: 'INV-000001', amount: '10.00' }] });
  expect(await api.all('/receivables')).toEqual([]);
});
