import { cli, startStubApi } from './support/stub-api.js';
import type { CliRun, StubApi } from './support/stub-api.js';

let api: StubApi;
beforeEach(async () => {
  api = await startStubApi();
});
afterEach(() => api.close());

const run = (...args: string[]): Promise<CliRun> => cli([...args, '--url', api.url]);
const bodyOf = (index: number): unknown => JSON.parse(api.requests[index]?.body ?? '');
const paths = () => api.requests.map(({ method, path }) => `${method} ${path}`);

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
          currencies: [{ currency: 'USD', open: '1.00', unapplied: '0.00', balance: '1.00' }],
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
  expect((await run('invoices', 'release', 'i1', '--reason', 'looked at')).out).toMatch(/Status +issued/);
  await run('invoices', 'approve', 'i1', '--hash', 'def');
  expect(paths()).toEqual(['GET /invoices/i1', 'POST /invoices/i1/release', 'POST /invoices/i1/approve']);
  expect(bodyOf(1)).toEqual({ content_hash: 'abc', reason: 'looked at' });
  expect(bodyOf(2)).toEqual({ content_hash: 'def' });
  api.answer(() => ({ status: 200, body: { ...draft, status: 'paid' } }));
  expect(await run('invoices', 'reject', 'i1', '--reason', 'x')).toMatchObject({
    code: 1,
    err: expect.stringContaining('issued already'),
  });
});
