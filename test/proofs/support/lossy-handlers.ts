/** Every handler that writes: what happened before, the request that is repeated, and what it writes. */
import {
  callEvent,
  exampleCalls,
  exampleCustomer,
  exampleMeter,
  examplePriceBook,
} from '../../api/support/test-api.js';
import type { Json, LossyApi, Request } from './lossy-api.js';
import { ledgerHandlers } from './lossy-ledger.js';
import { periodCloseHandlers } from './lossy-period-closes.js';
import { rolloutHandlers } from './lossy-rollouts.js';
import { settlementHandlers } from './lossy-settlement.js';

/** What happened before, and the request that is repeated. */
export interface Handler {
  readonly before: (api: LossyApi) => Promise<unknown>;
  readonly request: (api: LossyApi) => Request | Promise<Request>;
  /** Whether it takes an Idempotency-Key. */
  readonly keyed: boolean;
  /**
   * What it writes itself, and what it asks of Temporal: their acknowledgements are what can be lost. Of the ledger also the second
   * time, `ledger.append 2`.
   */
  readonly writes: readonly string[];
  /** Under its key it answers as if for the first time, also where the first answer was not kept. */
  readonly knowsItself?: boolean;
  /** Columns of what the request was answered, which the attempt that was lost would have said in another way. */
  readonly answers?: readonly string[];
}

const put = (customerId: string, more: Json = {}): Request => ({
  method: 'PUT',
  url: `/customers/${customerId}`,
  body: { ...exampleCustomer, ...more },
});
const post = (url: string, body: unknown = {}, actor = 'ada'): Request => ({ method: 'POST', url, body, actor });
const close = post('/billing-periods/cust_1/2024-01/close');
const reRate = post('/re-ratings', { reason: 'late_usage', scope: { customer_ids: ['cust_1'] } });

async function example(api: LossyApi, customer: Json = {}): Promise<void> {
  await api.ok(post('/meters', exampleMeter));
  await api.ok(post('/price-books', examplePriceBook));
  await api.ok(put('cust_1', customer));
  await api.ok(post('/events', exampleCalls(10)));
}

async function invoiced(api: LossyApi, customer: Json = {}): Promise<string> {
  await example(api, customer);
  await api.ok(close);
  const { data } = (await api.storage.billing.listInvoices({}, { limit: 1 })) as {
    data: readonly { invoiceId: string }[];
  };
  await api.ok(post('/events', callEvent('late')));
  return String(data[0]?.invoiceId);
}

/** A re-rating that waits for a decision, asked for by ada. Its id is made of its key: the same on every database. */
async function waiting(api: LossyApi): Promise<void> {
  await invoiced(api, { approval_threshold: '0' });
  await api.send(reRate, 'asked');
}
const decision =
  (path: string): Handler['request'] =>
  async (api) => {
    const { data } = await api.storage.reRatings.list({}, { limit: 1 });
    return post(`/re-ratings/${String(data[0]?.reRatingId)}/${path}`, { reason: 'looked at' }, 'grace');
  };

/** A backfill with some events, sent for it; and its id, which is made of its key. */
async function openBackfill(api: LossyApi): Promise<void> {
  await invoiced(api);
  await api.send(openRequest, 'opened');
  await api.ok(post(`/events?backfill_id=${await backfillId(api)}`, filled));
}
const openRequest = post('/backfills', {
  customer_ids: ['cust_1'],
  mode: 'replace',
  from: '2024-01-01T00:00:00Z',
  to: '2024-02-01T00:00:00Z',
});
const filled = exampleCalls(5).map((event) => ({ ...event, source: 'mended' }));
async function backfillId(api: LossyApi): Promise<string> {
  const { data } = await api.storage.backfills.list({}, { limit: 1 });
  return String(data[0]?.backfillId);
}

/** Two that nobody could take; the customer of both is known by now. */
async function rejected(api: LossyApi): Promise<void> {
  await example(api);
  await api.ok(
    post(
      '/events',
      exampleCalls(2).map((event) => ({ ...event, customer_id: 'cust_2' })),
    ),
  );
  await api.ok(put('cust_2'));
}
const oneDeadLetter =
  (path: string, body: Json): Handler['request'] =>
  async (api) => {
    const [letter] = await api.storage.deadLetters.toReplay({}, 1);
    return post(`/dead-letters/${String(letter?.deadLetterId)}/${path}`, body);
  };

const grantRequest = post('/credit-grants', {
  customer_id: 'cust_1',
  currency: 'USD',
  amount: '5.00',
  name: 'a package',
  effective_from: '2024-01-01T00:00:00Z',
});

const finding = { code: 'LATE_USAGE', customerId: null, period: null, subject: { test: 1 }, detail: 'of a test' };
const dollar = (rate: string, date = '2024-01-31'): Json => ({ base: 'EUR', quote: 'USD', date, rate });
const none = (): Promise<void> => Promise.resolve();

export const handlers: Readonly<Record<string, Handler>> = {
  'POST /meters': {
    keyed: true,
    writes: ['reference.createMeter'],
    before: none,
    request: () => post('/meters', exampleMeter),
  },
  'POST /price-books': {
    keyed: true,
    writes: ['reference.createPriceBook'],
    before: (api) => api.ok(post('/meters', exampleMeter)),
    request: () => post('/price-books', examplePriceBook),
  },
  'PUT /customers/{customer_id}': {
    keyed: false,
    writes: ['reference.assignPriceBook', 'reference.putCustomer', 'temporal.startBillingPeriod'],
    before: example,
    request: () => put('cust_2', { name: 'Another' }),
  },
  'PUT /customers/{customer_id}/price-overrides': {
    keyed: false,
    writes: ['reference.putPriceOverride'],
    before: example,
    request: () => ({
      method: 'PUT',
      url: '/customers/cust_1/price-overrides',
      body: {
        effective_from: '2024-01-01',
        prices: [{ meter: 'api_calls', model: 'flat', unit_price: '0.05' }],
        reason: 'a contract',
      },
    }),
  },
  'POST /exchange-rates': {
    keyed: true,
    writes: ['reference.addExchangeRates'],
    before: (api) => api.ok(post('/exchange-rates', { source: 'ecb', rates: [dollar('1.0846')] })),
    request: () => post('/exchange-rates', { source: 'ecb', rates: [dollar('1.0837'), dollar('1.1', '2024-01-30')] }),
  },
  'POST /price-books/evaluate': {
    keyed: true,
    writes: ['evaluations.request', 'temporal.startEvaluation'],
    before: invoiced,
    request: () => post('/price-books/evaluate', { price_book: { code: 'standard', version: 'v1' }, customers: 'all' }),
  },
  ...rolloutHandlers,
  ...ledgerHandlers,
  ...settlementHandlers,
  ...periodCloseHandlers,
  'POST /events': {
    keyed: false,
    // What contradicts the ledger shows in the first commit, and is kept by a second one.
    writes: ['ledger.append', 'ledger.append 2'],
    before: example,
    // Taken, taken before, altered, and not to be taken.
    request: () =>
      post('/events', [
        ...exampleCalls(20),
        callEvent('e2', { metadata: { altered: true } }),
        callEvent('e1', { customer_id: 'nobody' }),
      ]),
  },
  'POST /event-adjustments': {
    keyed: true,
    writes: ['adjustments.adjust'],
    knowsItself: true,
    before: invoiced,
    request: () => post('/event-adjustments', { customer_id: 'cust_1', event_id: 'e1', type: 'void' }),
  },
  'POST /billing-periods/{customer_id}/{period}/close': {
    keyed: true,
    writes: ['periods.periodNamed', 'temporal.closePeriod'],
    before: example,
    request: () => close,
  },
  'POST /re-ratings': {
    keyed: true,
    writes: ['reRatings.create', 'temporal.startReRating'],
    before: invoiced,
    request: () => reRate,
  },
  'POST /re-ratings/{id}/approve': {
    keyed: true,
    writes: ['reRatings.decide', 'temporal.signalDecided'],
    before: waiting,
    request: decision('approve'),
  },
  'POST /re-ratings/{id}/reject': {
    keyed: true,
    writes: ['reRatings.decide', 'temporal.signalDecided'],
    before: waiting,
    request: decision('reject'),
  },
  'POST /reconciliations': {
    keyed: true,
    writes: ['reconciliation.request', 'temporal.startReconciliation'],
    before: invoiced,
    request: () => post('/reconciliations', { customer_ids: ['cust_1'] }),
  },
  'POST /findings/{id}/resolve': {
    keyed: true,
    writes: ['findings.resolve'],
    before: (api) => api.storage.findings.store(finding),
    request: async (api) => {
      const id = await api.storage.findings.store(finding);
      return post(`/findings/${id}/resolve`, { resolution: 'accepted', reason: 'it is a test' });
    },
  },
  'POST /event-schemas': {
    keyed: true,
    writes: ['eventSchemas.append'],
    before: example,
    request: () => post('/event-schemas', { event_type: 'api_call', schema: { type: 'object' } }),
  },
  'PUT /tags/{key}': {
    keyed: false,
    writes: ['tags.put'],
    before: none,
    request: () => ({ method: 'PUT', url: '/tags/team', body: { values: ['blue'] } }),
  },
  'POST /backfills': {
    keyed: true,
    writes: ['backfills.create'],
    before: invoiced,
    request: () => openRequest,
  },
  'POST /backfills/{id}/close': {
    keyed: true,
    writes: ['backfills.decide'],
    before: openBackfill,
    request: async (api) => post(`/backfills/${await backfillId(api)}/close`),
  },
  'POST /backfills/{id}/revert': {
    keyed: true,
    writes: ['backfills.decide'],
    before: async (api) => {
      await openBackfill(api);
      await api.ok(post(`/backfills/${await backfillId(api)}/close`));
    },
    request: async (api) => post(`/backfills/${await backfillId(api)}/revert`),
  },
  'POST /dead-letters/{id}/replay': {
    keyed: true,
    writes: ['deadLetters.replay'],
    before: rejected,
    request: oneDeadLetter('replay', { reason: 'the customer was missing' }),
  },
  'POST /dead-letters/replay': {
    keyed: true,
    writes: ['deadLetters.replay'],
    before: rejected,
    request: () => post('/dead-letters/replay', { code: 'UNKNOWN_CUSTOMER' }),
  },
  'POST /dead-letters/{id}/discard': {
    keyed: true,
    writes: ['deadLetters.discard'],
    before: rejected,
    request: oneDeadLetter('discard', { reason: 'a test system' }),
  },
  'POST /credit-grants': {
    keyed: true,
    writes: ['credits.grant'],
    before: example,
    request: () => grantRequest,
  },
  'POST /credit-grants/{id}/void': {
    keyed: true,
    writes: ['credits.voidGrant'],
    knowsItself: true,
    before: async (api) => {
      await example(api);
      await api.send(grantRequest, 'granted');
    },
    request: async (api) => {
      const { data } = await api.storage.credits.list({}, { limit: 1 });
      return post(`/credit-grants/${String(data[0]?.grantId)}/void`, { reason: 'not paid' });
    },
  },
  'POST /invoices/{id}/void': {
    keyed: true,
    writes: ['billing.atGate', 'periods.periodNamed'],
    knowsItself: true,
    before: invoiced,
    request: async (api) => {
      const { data } = await api.storage.billing.listInvoices({}, { limit: 1 });
      return post(`/invoices/${String(data[0]?.invoiceId)}/void`, { reason: 'a mistake' });
    },
  },
  'POST /audit/anchor': {
    keyed: true,
    writes: ['temporal.anchorAudit'],
    before: example,
    request: () => post('/audit/anchor', undefined),
  },
  'POST /audit/seal': {
    keyed: true,
    writes: ['audit.seal'],
    before: example,
    request: () => post('/audit/seal', { sign: false }),
  },
};
