/** What became of an invoice before and after it was issued: decisions, rejections, write-offs taken back. */
import pg from 'pg';
import { laterDecisions } from '../../src/domain/invoicing/before-issue.js';
import * as support from './support/credited.js';
import { forgetKeys } from './support/forget-keys.js';
import { exampleCalls, exampleCustomer, exampleMeter, TestApi } from './support/test-api.js';

type Json = Readonly<Record<string, unknown>>;

let api: TestApi;
let databaseUrl: string;
beforeEach(async () => {
  api = await TestApi.start({}, (url) => {
    databaseUrl = url;
    return Promise.resolve(url);
  });
  await api.setUpExample();
});
afterEach(() => api.close());

const show = (id: unknown): Promise<Json> => api.expect(200, 'GET', `/invoices/${String(id)}`);
const calls = (count: number, prefix = ''): Promise<Json> =>
  api.expect(
    202,
    'POST',
    '/events',
    exampleCalls(count).map((event) => ({ ...event, event_id: `${prefix}${String(event['event_id'])}` })),
  );
const close = (): Promise<Json> => api.expect(202, 'POST', '/billing-periods/cust_1/2024-01/close');

/** January, held because it has two lines. */
async function held(): Promise<Json> {
  api.temporal.settings.bounds = { linesMax: 1, holdNegative: true, jumpFactor: 0, holdZero: false, trailing: 0 };
  await api.expect(201, 'POST', '/meters', { ...exampleMeter, code: 'others' });
  await api.expect(201, 'POST', '/price-books', {
    code: 'standard',
    version: 'v2',
    currency: 'USD',
    effective_from: '2024-01-01T00:00:00Z',
    prices: ['api_calls', 'others'].map((meter) => ({ meter, model: 'flat', unit_price: '0.10' })),
  });
  await calls(100);
  await close();
  const [found = {}] = await api.all('/invoices?status=held');
  return found;
}
const bodyFor = (invoice: Json, reason: string): Json => ({
  content_hash: (invoice['draft'] as Json)['content_hash'],
  reason,
});
const as = (actor: string): Record<string, string> => ({ 'x-reckoner-actor': actor });

describe('what was rejected is never issued', () => {
  test('neither released nor approved later; other content is', async () => {
    const invoice = await held();
    const url = `/invoices/${String(invoice['invoice_id'])}`;
    await api.expect(200, 'POST', `${url}/reject`, bodyFor(invoice, 'wrong price'), as('ada'));
    const refusal = await api.refused('INVOICE_REJECTED', 409, 'POST', `${url}/release`, bodyFor(invoice, 'fine'));
    expect(refusal['detail']).toMatch(/ada rejected just this content \(wrong price\).*close the period again/);
    await close();
    await api.refused('INVOICE_REJECTED', 409, 'POST', `${url}/release`, bodyFor(invoice, 'fine'));
    expect(await api.all('/invoices')).toEqual([]);
    await calls(1, 'more ');
    const changed = await show(invoice['invoice_id']);
    expect(await api.expect(200, 'POST', `${url}/release`, bodyFor(changed, 'better'), as('bob'))).toMatchObject({
      status: 'issued',
    });
  });

  test('a rejected draft is held at once, with who did it, and no grace wakes it', async () => {
    await api.expect(200, 'PUT', '/customers/cust_1', { ...exampleCustomer, grace_period: 'P2D' });
    await calls(10);
    await close();
    const [draft = {}] = await api.all('/invoices?status=draft');
    const url = `/invoices/${String(draft['invoice_id'])}`;
    const rejected = await api.expect(200, 'POST', `${url}/reject`, bodyFor(draft, 'not yet'), as('ada'));
    expect(rejected).toMatchObject({
      status: 'held',
      draft: { reason: 'rejected by a person', due_at: null },
      life: [
        { event: 'draft', actor: 'invoicing', reason: 'grace period' },
        { event: 'rejected', actor: 'ada', reason: 'not yet' },
        { event: 'held', actor: 'ada', reason: 'rejected by a person' },
      ],
    });
    expect(await api.storage.drafts.requestDue('2024-05-01T00:00:00.000000Z' as never, 10)).toEqual([]);
  });

  test.each(Array.from({ length: 6 }, (_, index) => index))(
    'released and rejected at once: exactly one holds (%i)',
    async (attempt) => {
      const invoice = await held();
      const url = `/invoices/${String(invoice['invoice_id'])}`;
      const paths = attempt % 2 === 0 ? ['release', 'reject'] : ['reject', 'release'];
      const answers = await Promise.all(
        paths.map((path) => api.send('POST', `${url}/${path}`, bodyFor(invoice, path))),
      );
      const statusOf = (path: string): number | undefined => answers[paths.indexOf(path)]?.statusCode;
      const issued = await api.all('/invoices');
      const { decisions = [] } = (await api.storage.drafts.find(String(invoice['invoice_id']))) ?? {};
      const rejected = decisions.some(({ decision }) => decision === 'rejected');
      expect([issued.length, rejected]).toEqual(rejected ? [0, true] : [1, false]);
      expect(statusOf('reject')).toBe(rejected ? 200 : 409);
      expect(decisions.at(-1)?.decision).toBe(rejected ? 'rejected' : 'released');
    },
  );

  test('a rejection waits for the gate that is about to issue it, and is refused then', async () => {
    const invoice = await held();
    const invoiceId = String(invoice['invoice_id']);
    const contentHash = String(bodyFor(invoice, '')['content_hash']);
    const decide = (decision: 'released' | 'rejected'): Promise<unknown> =>
      api.storage.drafts.decide(invoiceId, { decision, contentHash, actor: 'ada', reason: 'x' });
    await decide('released');
    const period = await api.storage.periods.periodNamed('cust_1', '2024-01-01' as never);
    if (period === null) throw new Error('no period');
    const late: Promise<string>[] = [];
    await api.storage.billing.atGate(period, async (gate) => {
      const draft = await gate.draft();
      expect(draft?.decisions.at(-1)?.decision).toBe('released');
      late.push(
        decide('rejected').then(
          () => 'stored',
          () => 'refused',
        ),
      );
      const first = await Promise.race([...late, new Promise((resolve) => setTimeout(resolve, 300, 'waits'))]);
      expect(first).toBe('waits');
    });
    // Nothing was issued: the rejection holds.
    expect(await Promise.all(late)).toEqual(['stored']);
  });

  test('the database knows the same table of decisions', async () => {
    const client = new pg.Client({ connectionString: databaseUrl });
    await client.connect();
    const decisions = ['approved', 'released', 'rejected'] as const;
    for (const before of ['none', ...decisions] as const) {
      for (const after of decisions) {
        const values = [before === 'none' ? null : before, after];
        const { rows } = await client.query<{ may: boolean }>('SELECT draft_may_be($1, $2) AS may', values);
        expect([before, after, rows[0]?.may]).toEqual([before, after, laterDecisions[before].includes(after)]);
      }
    }
    const invoice = await held();
    const url = `/invoices/${String(invoice['invoice_id'])}`;
    await api.expect(200, 'POST', `${url}/reject`, bodyFor(invoice, 'wrong'));
    const insert = `INSERT INTO invoice_decisions (invoice_id, sequence, decision, content_hash, actor, reason)
      VALUES ($1, 2, 'released', $2, 'x', 'y')`;
    const values = [invoice['invoice_id'], bodyFor(invoice, '')['content_hash']];
    await expect(client.query(insert, values)).rejects.toThrow('what was rejected of invoice');
    await client.end();
  });
});

test('an issued invoice tells its whole life: drafts, decisions, and what settled it', async () => {
  const invoice = await held();
  const id = String(invoice['invoice_id']);
  await api.expect(200, 'POST', `/invoices/${id}/release`, bodyFor(invoice, 'two lines are right'), as('ada'));
  await api.expect(200, 'POST', `/invoices/${id}/write-off`, { amount: '1.00', reason: 'insolvent' }, as('bob'));
  const { life } = (await show(id)) as { life: readonly Json[] };
  expect(life).toMatchObject([
    { event: 'held', actor: 'invoicing', reason: 'It has 2 lines; more than 1 are held.' },
    {
      event: 'released',
      actor: 'ada',
      reason: 'two lines are right',
      content_hash: bodyFor(invoice, '')['content_hash'],
    },
    { event: 'issued', actor: 'invoicing' },
    { event: expect.stringMatching(/partly_paid|overdue/), actor: 'bob', reason: 'written off: insolvent' },
  ]);
  expect(life.every(({ at }) => typeof at === 'string')).toBe(true);
});

describe('a key that is used again after its answer was forgotten', () => {
  const under = (key: string): Record<string, string> => ({ 'x-reckoner-actor': 'bob', 'idempotency-key': key });
  const issued = async (): Promise<string> => {
    await calls(100);
    await close();
    const [invoice = {}] = await api.all('/invoices');
    return String(invoice['invoice_id']);
  };

  test('another write-off of the invoice is made; the same one is not, also once it was taken back', async () => {
    const id = await issued();
    const writeOff = async (body: Json): Promise<Json> => {
      await forgetKeys(databaseUrl);
      return api.expect(200, 'POST', `/invoices/${id}/write-off`, body, under('bad-debt'));
    };
    const writtenOff = async (): Promise<readonly unknown[]> =>
      (await api.all(`/write-offs?invoice_id=${id}`)).map(({ amount, reason, reversed }) => [
        ...[amount, reason, reversed !== null],
      ]);
    const first = { amount: '1.00', reason: 'insolvent' };
    await writeOff(first);
    await writeOff(first);
    expect(await writtenOff()).toEqual([['1.00', 'insolvent', false]]);
    await writeOff({ ...first, amount: '2.00' });
    await writeOff({ ...first, reason: 'small' });
    expect((await show(id))['settlement']).toMatchObject({ settled_by: { written_off: '4.00' } });
    for (const each of await api.all(`/write-offs?invoice_id=${id}`))
      await api.expect(200, 'POST', `/write-offs/${String(each['write_off_id'])}/reverse`, { reason: 'it pays' });
    // Answered as the first request was, which was carried out; a new one has other content, or another key.
    await writeOff(first);
    expect((await show(id))['settlement']).toMatchObject({ open: '10.00' });
    await writeOff({ amount: null, reason: 'insolvent after all' });
    expect((await show(id))['settlement']).toMatchObject({ open: '0.00' });
  });

  test('another allocation of the payment is made; the same one is not', async () => {
    const id = await issued();
    const payment = await api.expect(201, 'POST', '/payments', {
      ...{ customer_id: 'cust_1', currency: 'USD', amount: '9.00', received_at: '2024-02-05T09:00:00Z' },
      ...{ method: 'bank_transfer', reference: 'SEPA 77' },
    });
    const allocate = async (amount: string): Promise<Json> => {
      await forgetKeys(databaseUrl);
      const allocations = [{ invoice_id: id, amount }];
      const url = `/payments/${String(payment['payment_id'])}/allocations`;
      return api.expect(200, 'POST', url, { allocations }, under('allocate'));
    };
    expect(await allocate('1.00')).toMatchObject({ allocated: '1.00' });
    expect(await allocate('1.00')).toMatchObject({ allocated: '1.00' });
    expect(await allocate('2.00')).toMatchObject({ allocated: '3.00', unallocated: '6.00' });
  });
});

test('credit that a write-off keeps is told apart from what can be carried or refunded', async () => {
  const january = await support.invoiced(api);
  const write = (path: string, body: Json): Promise<Json> => api.expect(200, 'POST', path, body);
  const payment = await api.expect(201, 'POST', '/payments', {
    ...{ customer_id: 'cust_1', currency: 'USD', amount: '10.00', received_at: '2024-02-05T09:00:00Z' },
    ...{ method: 'bank_transfer', reference: 'SEPA 77' },
    allocations: [{ invoice_id: 'INV-000001', amount: '10.00' }],
  });
  await support.credit(api, january, '4.00');
  // February takes what January has over; then January is not paid after all, and given up.
  await support.invoiced(api, 50, '2024-02');
  await write(`/payments/${String(payment['payment_id'])}/reverse`, { reason: 'no funds' });
  await write('/invoices/INV-000001/write-off', { amount: null, reason: 'insolvent' });
  await write('/invoices/INV-000002/void', { reason: 'a mistake' });
  const receivable = (): Promise<Json> => api.expect(200, 'GET', '/customers/cust_1/receivable');
  const waits = { currency: 'USD', open: '0.00', unapplied: '0.00', beside_write_offs: '4.00', balance: '-4.00' };
  expect(await receivable()).toMatchObject({ currencies: [waits], open_documents: [], credits: [] });
  expect(await api.all('/receivables')).toMatchObject([{ customer_id: 'cust_1', ...waits }]);
  const refund = { customer_id: 'cust_1', currency: 'USD', amount: '4.00', method: 'card', reason: 'asked for' };
  const refusal = await api.refused('REFUND_EXCEEDS_CREDIT', 409, 'POST', '/refunds', refund);
  expect(refusal['detail']).toMatch(
    /^The customer has 0\.00 USD .* 4\.00 USD more go against what is written off: reverse/,
  );
  expect(await api.storage.settlement.mismatches()).toEqual([]);
  const [writeOff = {}] = await api.all('/write-offs?customer_id=cust_1');
  await write(`/write-offs/${String(writeOff['write_off_id'])}/reverse`, { reason: 'it pays' });
  const open = { currency: 'USD', open: '6.00', unapplied: '0.00', beside_write_offs: '0.00', balance: '6.00' };
  expect(await receivable()).toMatchObject({ currencies: [open] });
});
