import { stubOfEachTest } from './support/stub-api.js';

const api = stubOfEachTest();
const { run, paths, bodyOf } = api;

const payment = {
  ...{ payment_id: 'p1', customer_id: 'acme', currency: 'USD', amount: '10.00', unallocated: '6.00', method: 'card' },
  ...{ received_at: '2024-02-05T00:00:00.000000Z', reference: null, reversed: null },
  settles: [{ invoice_id: 'i1', number: 'INV-000001', refund_id: null, amount: '4.00' }],
};

it('a payment is recorded with what it settles, allocated further, reversed', async () => {
  api.answer(() => ({ status: 201, body: payment }));
  const facts = ['--customer', 'acme', '--amount', '10.00', '--currency', 'USD', '--received', '2024-02-05'];
  const allocate = ['--allocate', 'INV-000001=4.00', '--allocate', 'INV-000002=1'];
  const { out } = await run('payments', 'record', ...facts, '--method', 'card', ...allocate);
  expect(out).toMatch(/Payment +p1[\s\S]*Unallocated +6\.00 USD[\s\S]*INV-000001[^\n]*4\.00/);
  await run('payments', 'allocate', 'p1', '--allocate', 'INV-000001=2');
  await run('payments', 'reverse', 'p1', '--reason', 'no funds');
  expect(paths()).toEqual(['POST /payments', 'POST /payments/p1/allocations', 'POST /payments/p1/reverse']);
  expect(bodyOf(0)).toEqual({
    ...{ customer_id: 'acme', amount: '10.00', currency: 'USD', method: 'card' },
    received_at: '2024-02-05T00:00:00Z',
    allocations: [
      { invoice_id: 'INV-000001', amount: '4.00' },
      { invoice_id: 'INV-000002', amount: '1' },
    ],
  });
  expect(bodyOf(1)).toEqual({ allocations: [{ invoice_id: 'INV-000001', amount: '2' }] });
  expect(bodyOf(2)).toEqual({ reason: 'no funds' });
  expect(new Set(api.requests.map(({ headers }) => headers['idempotency-key'])).size).toBe(3);
});

it('what is no allocation is said before anything is sent', async () => {
  const { code, err } = await run('payments', 'allocate', 'p1', '--allocate', 'INV-000001');
  expect([code, err]).toEqual([2, expect.stringContaining('INV-000001=12.50')]);
  expect(api.requests).toEqual([]);
});

it('credit notes, refunds, write-offs and receivables', async () => {
  const note = {
    ...{ number: 'CN-000001', status: 'issued', invoice_number: 'INV-000001', customer_id: 'acme', currency: 'USD' },
    ...{ tax: '0.00', total: '3.00' },
    lines: [{ description: 'api_calls', reason_code: 'goodwill', original_amount: '10.00', amount: '3.00' }],
  };
  api.answer(({ path }) => ({
    status: 200,
    body: path.startsWith('/customers')
      ? {
          customer_id: 'acme',
          currencies: [
            { currency: 'USD', open: '1.00', unapplied: '0.00', beside_write_offs: '0.00', balance: '1.00' },
          ],
          open_documents: [],
        }
      : note,
  }));
  const { out } = await run(
    'credit-notes',
    'issue',
    'INV-000001',
    '--line',
    'l1',
    '--amount',
    '3.00',
    '--code',
    'goodwill',
  );
  expect(out).toMatch(/CN-000001 \(issued\)[\s\S]*goodwill[^\n]*10\.00[^\n]*3\.00/);
  const refund = ['--customer', 'acme', '--amount', '2', '--currency', 'USD', '--method', 'card', '--reason', 'asked'];
  await run('refunds', 'pay', ...refund);
  await run('invoices', 'write-off', 'INV-000001', '--reason', 'insolvent');
  expect((await run('receivable', 'acme', '--apply')).out).toMatch(/USD[^\n]*1\.00/);
  expect(paths()).toEqual([
    'POST /invoices/INV-000001/credit-notes',
    'POST /refunds',
    'POST /invoices/INV-000001/write-off',
    'POST /customers/acme/apply-credit',
    'GET /customers/acme/receivable',
  ]);
  expect(bodyOf(0)).toEqual({ lines: [{ line_item_id: 'l1', amount: '3.00', reason_code: 'goodwill' }] });
  expect(bodyOf(1)).toMatchObject({ customer_id: 'acme', amount: '2', reason: 'asked' });
  expect(bodyOf(2)).toEqual({ reason: 'insolvent' });
});

it('a decision is about what was shown', async () => {
  const draft = { invoice_id: 'i1', number: null, status: 'held', total: '9.00', currency: 'USD' };
  api.answer(({ method }) => ({
    status: 200,
    body:
      method === 'GET'
        ? { ...draft, draft: { content_hash: 'abc', reason: 'too many lines' } }
        : { ...draft, status: 'issued' },
  }));
  const unseen = await run('invoices', 'release', 'i1', '--reason', 'looked at');
  expect([unseen.code, unseen.err]).toEqual([2, expect.stringContaining('9.00 USD now')]);
  expect(unseen.err).toContain('--hash abc');
  expect((await run('invoices', 'release', 'i1', '--reason', 'looked at', '--yes')).out).toMatch(/Status +issued/);
  await run('invoices', 'approve', 'i1', '--hash', 'def');
  expect(paths().slice(1)).toEqual(['GET /invoices/i1', 'POST /invoices/i1/release', 'POST /invoices/i1/approve']);
  expect(bodyOf(2)).toEqual({ content_hash: 'abc', reason: 'looked at' });
  expect(bodyOf(3)).toEqual({ content_hash: 'def' });
  api.answer(() => ({ status: 200, body: { ...draft, status: 'paid' } }));
  expect(await run('invoices', 'reject', 'i1', '--reason', 'x')).toMatchObject({
    code: 1,
    err: expect.stringContaining('issued already'),
  });
});

const line = (number: number) => ({ line_number: number, line_item_id: `id-${number}`, description: `line ${number}` });

it('credits several lines, by number or id', async () => {
  api.answer(({ method }) => ({
    status: 200,
    body:
      method === 'GET'
        ? { lines: [line(1), line(2)] }
        : { number: 'CN-000001', status: 'issued', currency: 'USD', lines: [] },
  }));
  const issue = (...args: string[]) => run('credit-notes', 'issue', 'INV-000001', '--code', 'dispute', ...args);
  const lines = ['--line', '2=1.50', '--line', '7f1c9a52-6d27-5d43-9d1b-0a4a6f0f7c01', '--line', '1'];
  expect(await issue(...lines, '--reason', 'late', '--note-reason', 'agreed')).toMatchObject({ code: 0 });
  expect(paths()).toEqual(['GET /invoices/INV-000001', 'POST /invoices/INV-000001/credit-notes']);
  const why = { reason_code: 'dispute', reason: 'late' };
  expect(bodyOf(1)).toEqual({
    reason: 'agreed',
    lines: [
      { line_item_id: 'id-2', amount: '1.50', ...why },
      { line_item_id: '7f1c9a52-6d27-5d43-9d1b-0a4a6f0f7c01', ...why },
      { line_item_id: 'id-1', ...why },
    ],
  });
  expect(await issue('--line', '3')).toMatchObject({ code: 2, err: expect.stringContaining('no line 3; it has 2') });
  expect(await issue('--line', '1', '--line', '2', '--amount', '1')).toMatchObject({
    code: 2,
    err: expect.stringContaining('--line 1=10.00'),
  });
  expect(await issue('--line', '1=2=3')).toMatchObject({ code: 2 });
  expect(await issue()).toMatchObject({ code: 2 });
  expect(api.requests.filter(({ method }) => method === 'POST')).toHaveLength(1);
});

it('saves a credit note as PDF and e-invoice', async () => {
  api.answer(() => ({ body: {} }));
  await run('credit-notes', 'pdf', 'CN-000001', '-o', '-');
  await run('credit-notes', 'e-invoice', 'CN-000001', '--format', 'cii', '-o', '-');
  expect(api.requests.map(({ path }) => path)).toEqual([
    '/credit-notes/CN-000001/pdf',
    '/credit-notes/CN-000001/e-invoice',
  ]);
});

it('money moves under a key of its own, or under the one that is given', async () => {
  api.answer(() => ({ status: 201, body: payment }));
  const facts = ['--customer', 'acme', '--amount', '10.00', '--currency', 'USD', '--method', 'card'];
  const key = ['--idempotency-key', 'k1'];
  await run('payments', 'record', ...facts, '--received', '2024-02-05', ...key, '--allow-duplicate');
  await run('refunds', 'pay', ...facts, '--reason', 'asked', ...key);
  await run('invoices', 'write-off', 'INV-000001', '--reason', 'insolvent', ...key);
  await run('write-offs', 'reverse', 'w1', '--reason', 'paid', ...key);
  expect(api.requests.map(({ headers }) => headers['idempotency-key'])).toEqual(['k1', 'k1', 'k1', 'k1']);
  expect(bodyOf(0)).toMatchObject({ allow_duplicate: true });
  expect(bodyOf(1)).not.toHaveProperty('idempotencyKey');
  expect(bodyOf(2)).toEqual({ reason: 'insolvent' });
  expect(paths()[3]).toBe('POST /write-offs/w1/reverse');
});

it('what all owe, and what was given up', async () => {
  const overdue = { days_0_30: '1.00', days_31_60: '2.00', days_61_90: '0.00', days_over_90: '4.00' };
  let beside = '0.00';
  const owed = { customer_id: 'acme', currency: 'USD', open: '7.00', not_due: '0.00', overdue, unapplied: '0.00' };
  api.answer(({ path }) => ({
    status: 200,
    body: {
      data: path.startsWith('/receivables')
        ? [{ ...owed, beside_write_offs: beside, balance: '7.00' }]
        : [{ number: 'INV-000001', amount: '1.00', currency: 'USD', reversed: { reason: 'paid' }, write_off_id: 'w1' }],
      next_cursor: null,
    },
  }));
  expect((await run('receivable', '--overdue')).out).toMatch(/acme[^\n]*7\.00[^\n]*1\.00[^\n]*2\.00[^\n]*4\.00/);
  expect((await run('receivable')).out).not.toContain('Beside write-offs');
  beside = '3.00';
  expect((await run('receivable')).out).toMatch(/Beside write-offs . +Balance[^\n]*\n[^\n]*\n[^\n]*3\.00 . +7\.00/);
  expect((await run('write-offs', 'list', '--customer', 'acme')).out).toMatch(/INV-000001[^\n]*paid[^\n]*w1/);
  expect((await run('receivable', '--apply')).code).toBe(2);
  expect(paths()).toHaveLength(4);
});

it('a period whose invoice is a draft is closed: it says what the draft waits for', async () => {
  const draft = { invoice_id: 'i1', draft: { reason: 'waits for approval', due_at: null } };
  let status = 'draft';
  api.answer(({ path, query }) => ({
    status: 200,
    body: path.startsWith('/invoices')
      ? { data: query['status'] === status ? [draft] : [], next_cursor: null }
      : { customer_id: 'acme', period: '2024-01-01', stage: 'held' },
  }));
  const closed = await run('periods', 'close', 'acme', '2024-01');
  expect([closed.code, closed.err]).toEqual([0, expect.stringContaining('a draft waits (waits for approval)')]);
  status = 'held';
  const held = await run('periods', 'close', 'acme', '2024-01');
  expect([held.code, held.err]).toEqual([1, expect.stringContaining('the invoice is held: waits for approval')]);
  status = 'none';
  const found = await run('periods', 'close', 'acme', '2024-01');
  expect([found.code, found.err]).toEqual([1, expect.stringContaining('findings list')]);
});

it('a draft is shown with why it waits, until when, its hash and what was decided', async () => {
  const decisions = [{ decision: 'rejected', actor: 'ada', reason: 'wrong price' }];
  const draft = {
    content_hash: 'abc',
    reason: 'grace period',
    due_at: '2024-03-12T12:00:00.000000Z',
    problems: [],
    decisions,
  };
  const life = [
    { event: 'draft', actor: 'invoicing', at: '2024-03-10T12:00:00.000000Z', reason: 'grace period' },
    { event: 'rejected', actor: 'ada', at: '2024-03-11T12:00:00.000000Z', reason: 'wrong price' },
  ];
  const invoice = { invoice_id: 'i1', number: null, type: 'invoice', status: 'draft', lines: [], draft, life };
  api.answer(() => ({ status: 200, body: invoice }));
  const { out } = await run('invoices', 'show', 'i1');
  expect(out).toMatch(/Why +grace period[\s\S]*2024-03-12[\s\S]*abc[\s\S]*rejected by ada: wrong price/);
  expect(out).not.toMatch(/^Due/m);
  api.answer(() => ({ status: 200, body: { data: [], next_cursor: null, waiting: { draft: 2, held: 0 } } }));
  expect((await run('invoices', 'list')).err).toContain('Not issued yet: 2 draft');
});
