/** Invoices before they are issued: drafts, grace, approval, safety bounds, decisions. */
import { exampleCalls, exampleCustomer, exampleMeter, exampleOfEachTest } from './support/test-api.js';
import type { TestApi } from './support/test-api.js';

type Json = Readonly<Record<string, unknown>>;

const api = exampleOfEachTest();

const customer = (more: Json): Promise<Json> =>
  api.expect(200, 'PUT', '/customers/cust_1', { ...exampleCustomer, ...more });
const calls = (count: number, period = '2024-01', prefix = ''): Promise<Json> =>
  api.expect(
    202,
    'POST',
    '/events',
    exampleCalls(count).map((event) => ({
      ...event,
      event_id: `${prefix}${period}/${String(event['event_id'])}`,
      event_time: String(event['event_time']).replace('2024-01', period),
    })),
  );
const close = (period = '2024-01'): Promise<Json> => api.expect(202, 'POST', `/billing-periods/cust_1/${period}/close`);
const list = (status: string): Promise<readonly Json[]> => api.all(`/invoices?status=${status}`);
const show = (id: unknown): Promise<Json> => api.expect(200, 'GET', `/invoices/${String(id)}`);
const hashOf = (invoice: Json): unknown => (invoice['draft'] as Json)['content_hash'];
const decide = (invoice: Json, path: string, more: Json = {}, actor = 'ada'): Parameters<TestApi['expect']> => [
  200,
  'POST',
  `/invoices/${String(invoice['invoice_id'])}/${path}`,
  { content_hash: hashOf(invoice), reason: 'looked at it', ...more },
  { 'x-reckoner-actor': actor },
];
const statusesOf = async (id: unknown): Promise<readonly unknown[]> =>
  ((await show(id))['transitions'] as readonly Json[]).map(({ status }) => status);

describe('approval', () => {
  test('a draft is computed on read under the id of the invoice, and issued once it is approved', async () => {
    await customer({ invoice_approval: 'required' });
    await calls(100);
    expect(await close()).toMatchObject({ stage: 'held', invoice_id: null });
    const [draft = {}] = await list('draft');
    expect(draft).toMatchObject({
      number: null,
      status: 'draft',
      total: '10.00',
      document_hash: null,
      lines: [{ amount: '10.00', charge_ids: [] }],
      draft: { reason: 'waits for approval', due_at: null, problems: [], decisions: [] },
    });
    expect(await api.all('/invoices')).toEqual([]);
    expect(await list('held')).toEqual([]);
    // Usage settles: the draft follows, and what was seen before is approved no more.
    await calls(50, '2024-01', 'more ');
    expect(await show(draft['invoice_id'])).toMatchObject({ total: '15.00', settlement: null });
    const changed = decide(draft, 'approve');
    await api.refused('INVOICE_CHANGED', 409, 'POST', changed[2], changed[3]);
    const now = await show(draft['invoice_id']);
    const issued = await api.expect(...decide(now, 'approve'));
    expect(issued).toMatchObject({
      invoice_id: draft['invoice_id'],
      number: 'INV-000001',
      status: 'issued',
      total: '15.00',
      transitions: [
        { status: 'draft', actor: 'invoicing', reason: 'waits for approval' },
        { status: 'issued', actor: 'invoicing' },
      ],
    });
    expect(await list('draft')).toEqual([]);
    const again = decide(now, 'approve');
    const refusal = await api.refused('INVOICE_TRANSITION_REFUSED', 409, 'POST', again[2], again[3]);
    expect(refusal['detail']).toContain('INV-000001 is issued');
    expect(await api.expect(200, 'GET', '/invoices/INV-000001/verify')).toMatchObject({ verified: true });
  });

  test('approved twice at once is issued once', async () => {
    await customer({ invoice_approval: 'required' });
    await calls(100);
    await close();
    const [draft = {}] = await list('draft');
    const [, , url, body] = decide(draft, 'approve');
    const answers = await Promise.all([1, 2, 3].map(() => api.send('POST', url, body)));
    expect(answers.map(({ statusCode }) => statusCode).every((status) => [200, 409].includes(status))).toBe(true);
    expect(answers.some(({ statusCode }) => statusCode === 200)).toBe(true);
    expect(await api.all('/invoices')).toMatchObject([{ number: 'INV-000001', total: '10.00' }]);
    const draftOf = await api.storage.drafts.find(String(draft['invoice_id']));
    expect(draftOf?.decisions).toHaveLength(1);
  });

  test('rejected, it is not issued as it is, whoever closes the period again', async () => {
    await customer({ invoice_approval: 'required' });
    await calls(100);
    await close();
    const [draft = {}] = await list('draft');
    expect(await api.expect(...decide(draft, 'reject'))).toMatchObject({
      draft: { decisions: [{ decision: 'rejected', actor: 'ada', reason: 'looked at it' }] },
    });
    await close();
    expect(await list('held')).toMatchObject([{ draft: { reason: 'rejected by a person' } }]);
    // Another content is another invoice, which waits for a person all the same.
    await calls(1, '2024-01', 'more ');
    await close();
    const [changed = {}] = await list('held');
    expect(changed).toMatchObject({ total: '10.10', draft: { reason: expect.stringContaining('rejected before') } });
    expect(await statusesOf(draft['invoice_id'])).toEqual(['draft', 'held', 'held']);
    expect(await api.all('/invoices')).toEqual([]);
    expect(await api.expect(...decide(changed, 'release'))).toMatchObject({ status: 'issued', total: '10.10' });
  });
});

test('in its grace an invoice stays a draft; afterwards it is issued', async () => {
  await customer({ grace_period: 'P2D' });
  await calls(100);
  await close();
  const [draft = {}] = await list('draft');
  expect(draft).toMatchObject({
    draft: { reason: 'grace period', due_at: '2024-03-12T12:00:00.000000Z', ready_at: '2024-03-10T12:00:00.000000Z' },
  });
  api.now += 86_400_000;
  await close();
  expect(await list('draft')).toHaveLength(1);
  await calls(10, '2024-01', 'more ');
  const { storage } = api;
  const [due] = await storage.drafts.requestDue('2024-03-12T11:59:59.000000Z' as never, 10);
  expect(due).toBeUndefined();
  api.now += 86_400_000;
  const at = '2024-03-12T12:00:00.000000Z' as never;
  expect(await storage.drafts.requestDue(at, 10)).toEqual([{ customerId: 'cust_1', period: '2024-01-01' }]);
  expect(await storage.drafts.requestDue(at, 10)).toEqual([]);
  const pending = await storage.periods.pendingInvoicing('2024-03-12' as never, 10);
  expect(pending).toMatchObject([{ customerId: 'cust_1', reason: 'the grace period has passed' }]);
  await close();
  expect(await api.all('/invoices')).toMatchObject([{ invoice_id: draft['invoice_id'], total: '11.00' }]);
});

test('without grace and approval nothing is a draft', async () => {
  await calls(100);
  expect(await close()).toMatchObject({ stage: 'invoiced' });
  const [invoice = {}] = await api.all('/invoices');
  expect(await statusesOf(invoice['invoice_id'])).toEqual(['issued']);
  expect(await list('draft')).toEqual([]);
});

describe('safety bounds', () => {
  const bounds = { linesMax: 10, holdNegative: true, jumpFactor: 3, holdZero: true, trailing: 2 };
  const findings = (): Promise<readonly Json[]> => api.all('/findings?code=INVOICE_HELD');

  test('a jump against the trailing mean is held, with a finding, and released as it was seen', async () => {
    api.temporal.settings.bounds = bounds;
    api.now = Date.parse('2024-05-10T12:00:00Z');
    // The first ones are not compared.
    for (const [count, period] of [
      [10, '2024-01'],
      [30, '2024-02'],
    ] as const) {
      await calls(count, period);
      await close(period);
    }
    expect(await api.all('/invoices')).toHaveLength(2);
    await calls(60, '2024-03');
    await close('2024-03');
    // Three times the mean is not more than three times the mean.
    expect(await api.all('/invoices')).toHaveLength(3);
    await calls(136, '2024-04');
    expect(await close('2024-04')).toMatchObject({ stage: 'held' });
    const [held = {}] = await list('held');
    expect(held).toMatchObject({ status: 'held', total: '13.60', period: { name: '2024-04-01' } });
    expect(await findings()).toMatchObject([
      { customer_id: 'cust_1', period: '2024-04-01', subject: { bound: 'jump' }, resolution: null },
    ]);
    const approve = decide(held, 'approve');
    const refusal = await api.refused('INVOICE_TRANSITION_REFUSED', 409, 'POST', approve[2], approve[3]);
    expect(refusal['detail']).toContain('It can be released or rejected.');

    // What has changed since is held again, and is a finding of its own.
    await calls(1, '2024-04', 'more ');
    const release = decide(held, 'release');
    await api.refused('INVOICE_CHANGED', 409, 'POST', release[2], release[3]);
    await close('2024-04');
    expect(await findings()).toHaveLength(2);
    const now = await show(held['invoice_id']);
    expect(await api.expect(...decide(now, 'release'))).toMatchObject({ status: 'issued', total: '13.70' });
    expect(await statusesOf(held['invoice_id'])).toEqual(['held', 'held', 'issued']);
    const resolved = await api.all('/findings?code=INVOICE_HELD&resolved=true');
    expect(resolved).toMatchObject([{ resolution: { resolution: 'accepted', resolved_by: 'ada' } }]);
  });

  test('a release is for what was seen: usage that comes before the gate holds it again', async () => {
    api.temporal.settings.bounds = { ...bounds, linesMax: 1, trailing: 0, jumpFactor: 0 };
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
    const [held = {}] = await list('held');
    expect(held).toMatchObject({ draft: { reason: 'It has 2 lines; more than 1 are held.' } });
    // Between the decision and the gate.
    const issue = api.temporal.onClose;
    api.temporal.onClose = async (...closing) => {
      await calls(1, '2024-01', 'late ');
      await issue(...closing);
    };
    expect(await api.expect(...decide(held, 'release'))).toMatchObject({ status: 'held', total: '20.20' });
    api.temporal.onClose = issue;
    expect(await api.all('/invoices')).toEqual([]);
    const now = await show(held['invoice_id']);
    const [, , url, body] = decide(now, 'release');
    const answers = await Promise.all([1, 2].map(() => api.send('POST', url, body)));
    expect(answers.some(({ statusCode }) => statusCode === 200)).toBe(true);
    expect(await api.all('/invoices')).toMatchObject([{ number: 'INV-000001', total: '20.20' }]);
  });

  test('0 after what was never 0 is held', async () => {
    api.temporal.settings.bounds = bounds;
    api.now = Date.parse('2024-05-10T12:00:00Z');
    for (const period of ['2024-01', '2024-02']) {
      await calls(10, period);
      await close(period);
    }
    await close('2024-03');
    expect(await list('held')).toMatchObject([
      { total: '0.00', draft: { reason: 'It comes to 0; none of the last 2 did.' } },
    ]);
  });
});

describe('wrong input', () => {
  test('a hash that is none, no reason, what does not exist', async () => {
    await customer({ invoice_approval: 'required' });
    await calls(10);
    await close();
    const [draft = {}] = await list('draft');
    const url = `/invoices/${String(draft['invoice_id'])}`;
    await api.refused('VALIDATION_FAILED', 422, 'POST', `${url}/approve`, { content_hash: 'x' });
    await api.refused('VALIDATION_FAILED', 422, 'POST', `${url}/reject`, { content_hash: hashOf(draft) });
    await api.refused('INVOICE_CHANGED', 409, 'POST', `${url}/approve`, { content_hash: '0'.repeat(64) });
    const body = { content_hash: '0'.repeat(64), reason: 'x' };
    await api.refused('INVOICE_NOT_FOUND', 404, 'POST', '/invoices/none/release', body);
    await api.refused('VALIDATION_FAILED', 422, 'PUT', '/customers/cust_1', {
      ...exampleCustomer,
      invoice_approval: 'maybe',
    });
    await api.refused('INVALID_DURATION', 422, 'PUT', '/customers/cust_1', {
      ...exampleCustomer,
      grace_period: '2 days',
    });
    await api.refused('INVOICE_NOT_ISSUED', 409, 'GET', `${url}/pdf`);
  });
});
