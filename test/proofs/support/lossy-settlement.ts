/** The handlers that settle a customer's account, and those that decide about drafts. */
import { exampleCalls, exampleCustomer, exampleMeter, examplePriceBook } from '../../api/support/test-api.js';
import type { Json, LossyApi, Request } from './lossy-api.js';
import type { Handler } from './lossy-handlers.js';

const post = (url: string, body: unknown = {}): Request => ({ method: 'POST', url, body, actor: 'ada' });

/** cust_1 with January's invoice of 1.00, or its draft. */
async function closed(api: LossyApi, customer: Json = {}, meters: readonly string[] = ['api_calls']): Promise<void> {
  const prices = meters.map((meter) => ({ meter, model: 'flat', unit_price: '0.10' }));
  await api.ok(post('/meters', exampleMeter));
  await api.ok(post('/price-books', { ...examplePriceBook, prices }));
  await api.ok({ method: 'PUT', url: '/customers/cust_1', body: { ...exampleCustomer, ...customer } });
  await api.ok(post('/events', exampleCalls(10)));
  await api.ok(post('/billing-periods/cust_1/2024-01/close'));
}

const payment = (amount: string, allocated: readonly string[] = []): Request =>
  post('/payments', {
    ...{ customer_id: 'cust_1', currency: 'USD', amount, received_at: '2024-02-05T09:00:00Z', method: 'card' },
    allocations: allocated.map((part) => ({ invoice_id: 'INV-000001', amount: part })),
  });

const paid =
  (amount: string, allocated: readonly string[] = []) =>
  async (api: LossyApi): Promise<void> => {
    await closed(api);
    await api.send(payment(amount, allocated), 'paid');
  };
const paymentUrl = async (api: LossyApi): Promise<string> => {
  const { data } = await api.storage.settlement.listPayments({}, { limit: 1 });
  return `/payments/${String(data[0]?.paymentId)}`;
};
const lineItem = async (api: LossyApi): Promise<string> => {
  const invoice = await api.storage.billing.findInvoice('INV-000001');
  return String(invoice?.lines[0]?.lineItemId);
};

const account = { keyed: true, writes: ['settlement.atReceivable'], knowsItself: true } as const;

/** Its content is what the API shows: the draft of the only customer. */
const decision =
  (status: 'draft' | 'held', path: string): Handler['request'] =>
  async (api) => {
    const { data } = await api.storage.drafts.list({ status }, { limit: 1 });
    const [draft] = data;
    const hash = draft?.transitions.at(-1)?.contentHash;
    return post(`/invoices/${String(draft?.invoiceId)}/${path}`, { content_hash: hash, reason: 'looked at' });
  };
const drafted = (api: LossyApi): Promise<void> => closed(api, { invoice_approval: 'required' });

/** It has more lines than are issued without a person. */
async function held(api: LossyApi): Promise<void> {
  const bounds = { linesMax: 1, holdNegative: true, jumpFactor: 0, holdZero: false, trailing: 0 };
  api.temporal.settings.bounds = bounds;
  await api.ok(post('/meters', { ...exampleMeter, code: 'others' }));
  await closed(api, {}, ['api_calls', 'others']);
}

async function writtenOff(api: LossyApi): Promise<void> {
  await closed(api);
  await api.send(post('/invoices/INV-000001/write-off', { amount: '0.50', reason: 'insolvent' }), 'written-off');
}

export const settlementHandlers: Readonly<Record<string, Handler>> = {
  'POST /payments': { ...account, before: closed, request: () => payment('5.00', ['0.40']) },
  'POST /payments/{id}/allocations': {
    ...account,
    before: paid('5.00'),
    request: async (api) =>
      post(`${await paymentUrl(api)}/allocations`, { allocations: [{ invoice_id: 'INV-000001', amount: '0.30' }] }),
  },
  'POST /payments/{id}/reverse': {
    ...account,
    before: paid('5.00', ['1.00']),
    request: async (api) => post(`${await paymentUrl(api)}/reverse`, { reason: 'no funds' }),
  },
  'POST /refunds': {
    ...account,
    before: paid('5.00'),
    request: () =>
      post('/refunds', { customer_id: 'cust_1', currency: 'USD', amount: '2.00', method: 'card', reason: 'asked for' }),
  },
  'POST /invoices/{id}/credit-notes': {
    ...account,
    before: closed,
    request: async (api) =>
      post('/invoices/INV-000001/credit-notes', {
        lines: [{ line_item_id: await lineItem(api), amount: '0.25', reason_code: 'goodwill' }],
      }),
  },
  'POST /invoices/{id}/write-off': {
    ...account,
    before: closed,
    request: () => post('/invoices/INV-000001/write-off', { amount: '0.50', reason: 'insolvent' }),
  },
  'POST /write-offs/{id}/reverse': {
    ...account,
    before: writtenOff,
    request: async (api) => {
      const { data } = await api.storage.settlement.listWriteOffs({}, { limit: 1 });
      return post(`/write-offs/${String(data[0]?.writeOffId)}/reverse`, { reason: 'paid after all' });
    },
  },
  'POST /customers/{customer_id}/apply-credit': {
    ...account,
    before: paid('0.70'),
    request: () => post('/customers/cust_1/apply-credit'),
  },
  'POST /invoices/{id}/approve': {
    keyed: true,
    writes: ['drafts.decide', 'periods.periodNamed', 'temporal.closePeriod'],
    before: drafted,
    request: decision('draft', 'approve'),
  },
  'POST /invoices/{id}/release': {
    keyed: true,
    writes: ['drafts.decide', 'findings.resolve', 'periods.periodNamed', 'temporal.closePeriod'],
    before: held,
    request: decision('held', 'release'),
  },
  'POST /invoices/{id}/reject': {
    keyed: true,
    writes: ['drafts.decide', 'periods.periodNamed'],
    before: drafted,
    request: decision('draft', 'reject'),
  },
};
