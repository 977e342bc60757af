/** The trail of an invoice: decisions, issuing, payments, credit notes and corrections, each with who did it. */
import { exampleCalls, exampleCustomer, exampleOfEachTest } from './support/test-api.js';

type Json = Readonly<Record<string, unknown>>;

const api = exampleOfEachTest();

const as = (actor: string): Record<string, string> => ({ 'x-reckoner-actor': actor });

async function decide(path: string, actor: string): Promise<void> {
  const [held = {}] = [...(await api.all('/invoices?status=draft')), ...(await api.all('/invoices?status=held'))];
  const { content_hash: hash } = held['draft'] as Json;
  const body = { content_hash: hash, reason: 'looked at it' };
  await api.expect(200, 'POST', `/invoices/${String(held['invoice_id'])}/${path}`, body, as(actor));
}

const pay = (amount: string, invoiceId: unknown, actor: string): Promise<Json> =>
  api.expect(
    201,
    'POST',
    '/payments',
    {
      ...{
        customer_id: 'cust_1',
        currency: 'USD',
        amount,
        received_at: '2024-02-05T09:00:00Z',
        method: 'bank_transfer',
      },
      allocations: [{ invoice_id: invoiceId, amount }],
    },
    as(actor),
  );

test('everything that concerns the invoice is in its trail, and nothing else', async () => {
  await api.expect(200, 'PUT', '/customers/cust_1', { ...exampleCustomer, invoice_approval: 'required' });
  await api.expect(202, 'POST', '/events', exampleCalls(100));
  await api.expect(202, 'POST', '/billing-periods/cust_1/2024-01/close');
  await decide('approve', 'ann');
  const [invoice = {}] = await api.all('/invoices');
  const { invoice_id: id } = invoice;
  await pay('2.00', id, 'bob');
  const second = await pay('3.00', id, 'cleo');
  const { lines } = await api.expect(200, 'GET', `/invoices/${String(id)}`);
  const line = { line_item_id: (lines as Json[])[0]?.['line_item_id'], amount: '1.00', reason_code: 'goodwill' };
  const note = await api.expect(201, 'POST', `/invoices/${String(id)}/credit-notes`, { lines: [line] }, as('dan'));
  await api.expect(
    201,
    'POST',
    '/credit-grants',
    { customer_id: 'cust_1', currency: 'USD', amount: '1', name: 'not of the invoice' },
    as('eve'),
  );
  await api.expect(200, 'POST', `/payments/${String(second['payment_id'])}/reverse`, { reason: 'bounced' }, as('finn'));

  const trail = (await api.all(`/audit?invoice_id=${String(invoice['number'])}`)).map(({ actor, changes }) => ({
    actor,
    tables: (changes as Json[]).map(({ table }) => table),
  }));
  const by = (actor: string): readonly unknown[] =>
    trail.filter((entry) => entry.actor === actor).flatMap(({ tables }) => tables);
  expect(by('ann')).toContain('invoice_decisions');
  expect(by('bob')).toEqual(expect.arrayContaining(['payments', 'allocations']));
  expect(by('cleo')).toEqual(expect.arrayContaining(['payments', 'allocations']));
  expect(by('dan')).toContain('credit_notes');
  expect(by('finn')).toContain('payment_reversals');
  expect(by('eve')).toEqual([]);
  expect(trail.flatMap(({ tables }) => tables)).toEqual(expect.arrayContaining(['invoices', 'invoice_drafts']));
  expect(note).toMatchObject({ issued_by: 'dan' });
});
