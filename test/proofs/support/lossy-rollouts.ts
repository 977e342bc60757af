/** The handlers of price rollouts, for `lossy-handlers.ts`. */
import { exampleCalls, exampleCustomer, exampleMeter, examplePriceBook } from '../../api/support/test-api.js';
import type { LossyApi, Request } from './lossy-api.js';
import type { Handler } from './lossy-handlers.js';

const january = '2024-01-01T00:00:00Z';
const decision = { effective_from: january, reason: 'a test' };
const post = (url: string, body: unknown): Request => ({ method: 'POST', url, body, actor: 'ada' });
const start = post('/price-rollouts', {
  price_book: { code: 'standard', version: 'v2' },
  customers: ['cust_1'],
  ...decision,
});

/** A candidate, and a customer who would pay half by it. */
async function candidate(api: LossyApi): Promise<void> {
  await api.ok(post('/meters', exampleMeter));
  await api.ok(post('/price-books', examplePriceBook));
  const prices = [{ meter: 'api_calls', model: 'flat', unit_price: '0.05' }];
  await api.ok(post('/price-books', { ...examplePriceBook, version: 'v2', rollout: true, prices }));
  await api.ok({ method: 'PUT', url: '/customers/cust_1', body: exampleCustomer });
  await api.ok(post('/events', exampleCalls(10)));
}
async function begun(api: LossyApi): Promise<void> {
  await candidate(api);
  await api.ok(start);
}
const at =
  (path: string, body: unknown): Handler['request'] =>
  async (api) => {
    const [rollout] = await api.storage.rollouts.ofPriceBook('standard');
    return post(`/price-rollouts/${String(rollout?.rolloutId)}/${path}`, body);
  };
const sendTo = async (api: LossyApi, path: string, body: unknown): Promise<unknown> =>
  api.ok(await at(path, body)(api));

export const rolloutHandlers: Readonly<Record<string, Handler>> = {
  'POST /price-rollouts': { keyed: true, writes: ['rollouts.start'], before: candidate, request: () => start },
  'POST /price-rollouts/{id}/comparison': {
    keyed: true,
    writes: ['evaluations.request', 'temporal.startEvaluation'],
    before: async (api) => {
      await begun(api);
      await api.ok(post('/billing-periods/cust_1/2024-01/close', {}));
    },
    request: at('comparison', {}),
  },
  'POST /price-rollouts/{id}/stages': {
    keyed: true,
    writes: ['rollouts.decide'],
    before: begun,
    request: at('stages', { kind: 'percentage', percentage: '50', override: true, ...decision }),
  },
  'POST /price-rollouts/{id}/halt': {
    keyed: true,
    writes: ['rollouts.decide'],
    before: begun,
    request: at('halt', { ...decision, effective_from: '2024-02-01T00:00:00Z' }),
  },
  'POST /price-rollouts/{id}/resume': {
    keyed: true,
    writes: ['rollouts.decide'],
    before: async (api) => {
      await begun(api);
      await sendTo(api, 'halt', { ...decision, effective_from: '2024-02-01T00:00:00Z' });
    },
    request: at('resume', { ...decision, effective_from: '2024-02-02T00:00:00Z' }),
  },
  'POST /price-rollouts/{id}/rollback': {
    keyed: true,
    writes: ['findings.store', 'rollouts.decide'],
    before: async (api) => {
      await begun(api);
      await api.ok(post('/billing-periods/cust_1/2024-01/close', {}));
    },
    request: at('rollback', decision),
  },
};
