/** Handlers of closes of many periods, and of legal entities. */
import { exampleCalls, exampleCustomer, exampleMeter, examplePriceBook } from '../../api/support/test-api.js';
import type { Handler } from './lossy-handlers.js';
import type { LossyApi, Request } from './lossy-api.js';

const post = (url: string, body: unknown): Request => ({ method: 'POST', url, body, actor: 'ada' });
const closeAll = post('/period-closes', { period: '2024-01', customer_ids: ['cust_1'] });

async function example(api: LossyApi): Promise<void> {
  await api.ok(post('/meters', exampleMeter));
  await api.ok(post('/price-books', examplePriceBook));
  await api.ok({ method: 'PUT', url: '/customers/cust_1', body: exampleCustomer });
  await api.ok(post('/events', exampleCalls(10)));
}

/** Asked for, and stuck before it has planned anything. */
async function underWay(api: LossyApi): Promise<void> {
  await example(api);
  const scope = { period: '2024-01-01' as never, endedOn: null, customerIds: ['cust_1'], legalEntity: null };
  const close = { closeId: '7b8f2c1e-0000-4000-8000-000000000001', workflowId: 'period-close/test', scope };
  await api.storage.periodCloses.request({ ...close, billingDay: '2024-03-10' as never, requestedBy: 'ada' });
}

export const periodCloseHandlers: Readonly<Record<string, Handler>> = {
  'PUT /legal-entities/{code}': {
    keyed: false,
    writes: ['numbering.putEntity'],
    before: () => Promise.resolve(),
    request: () => ({
      method: 'PUT',
      url: '/legal-entities/acme-de',
      body: { number_prefix: 'ACME-DE', name: 'Acme GmbH' },
    }),
    answers: ['defined_at'],
  },
  'POST /period-closes': {
    keyed: true,
    writes: ['periodCloses.request', 'temporal.startPeriodClose'],
    before: example,
    request: () => closeAll,
  },
  'POST /period-closes/{id}/cancel': {
    keyed: true,
    writes: ['periodCloses.cancel'],
    before: underWay,
    request: () => post('/period-closes/7b8f2c1e-0000-4000-8000-000000000001/cancel', { reason: 'a mistake' }),
  },
};
