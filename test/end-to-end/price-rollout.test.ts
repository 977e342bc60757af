/**
 * A price goes to a canary, then to all, then back, on the whole stack (RULES 42): before each widening a run over the members'
 * real usage says what they pay under both versions, also when the worker is killed (-9) meanwhile; invoices follow the stages.
 */
import { call, startTestStack, until } from '../support/stack.js';
import type { TestStack } from '../support/stack.js';

let stack: TestStack;
beforeAll(async () => {
  stack = await startTestStack();
}, 180_000);
afterAll(() => stack.stop(), 120_000);

interface Total {
  readonly customers: number;
  readonly current: string;
  readonly evaluated: string;
  readonly winners: number;
  readonly losers: number;
}
interface Rollout {
  readonly rollout_id: string;
  readonly state: string;
  readonly comparison: { readonly status: string; readonly totals?: readonly Total[] } | null;
}
interface Page<T> {
  readonly data: readonly T[];
}

const ask = <T>(path: string, body?: object, method?: string): Promise<T> =>
  call<T>(`${stack.apiUrl}${path}`, { ...(body !== undefined && { body }), ...(method !== undefined && { method }) });

/** Calls of each customer in January, and again in February; 0.10 each under v1, 0.07 under v2. */
const calls = { canary: 30, second: 20, third: 10 } as const;
const customers = Object.keys(calls) as readonly (keyof typeof calls)[];
const january = '2024-01-01T00:00:00Z';
const reason = 'the new price';

const book = (version: string, price: string, more: object): object => ({
  ...{ code: 'standard', version, currency: 'USD', effective_from: january, ...more },
  prices: [{ meter: 'calls', model: 'flat', unit_price: price }],
});

async function setUp(): Promise<void> {
  await ask('/meters', { code: 'calls', event_type: 'api_call', aggregation: 'count' });
  await ask('/price-books', book('v1', '0.10', {}));
  for (const customer of customers) {
    await ask(`/customers/${customer}`, { name: customer, currency: 'USD', price_book: 'standard' }, 'PUT');
    for (const month of ['2024-01', '2024-02']) {
      const events = Array.from({ length: calls[customer] }, (_, index) => ({
        ...{ event_id: `${month}/${index}`, customer_id: customer, event_type: 'api_call' },
        event_time: `${month}-10T00:00:${String(index).padStart(2, '0')}Z`,
      }));
      await ask('/events', events);
    }
  }
  // A run covers the periods that the relay has opened for what was accepted.
  for (const customer of customers) {
    for (const month of ['2024-01', '2024-02']) {
      await until(
        () => ask<{ stage: string }>(`/billing-periods/${customer}/${month}`),
        () => true,
      );
    }
  }
  await ask('/price-books', book('v2', '0.07', { effective_from: '2024-01-01T01:00:00Z', rollout: true }));
}

/** Asks for the run and answers what it found; the worker dies while it goes on where that is asked for. */
async function compare(id: string, { killed = false } = {}): Promise<Total> {
  await ask(`/price-rollouts/${id}/comparison`, {});
  if (killed) {
    await stack.kill('worker');
    await stack.start('worker');
  }
  const done = await until(
    () => ask<Rollout>(`/price-rollouts/${id}`),
    ({ comparison }) => comparison?.status === 'finished',
  );
  const [total, ...others] = done.comparison?.totals ?? [];
  if (total === undefined || others.length > 0) throw new Error(`one currency: ${JSON.stringify(done)}`);
  return total;
}

async function invoiced(month: string): Promise<Readonly<Record<string, string>>> {
  const totals: Record<string, string> = {};
  for (const customer of customers) {
    await ask(`/billing-periods/${customer}/${month}/close`, {});
    const { data } = await until(
      () => ask<Page<{ total: string }>>(`/invoices?customer_id=${customer}&period=${month}`),
      (page) => page.data.length > 0,
    );
    totals[customer] = data.map(({ total }) => total).join(' ');
  }
  return totals;
}

test('a candidate is compared, widened, halted, rolled back; each invoice has the price that its customer had', async () => {
  await setUp();
  const { rollout_id: id } = await ask<Rollout>('/price-rollouts', {
    ...{ price_book: { code: 'standard', version: 'v2' }, customers: ['canary'] },
    ...{ effective_from: '2024-01-01T01:00:00Z', reason },
  });
  const stage = (body: object) => ask<Rollout>(`/price-rollouts/${id}/stages`, { reason, ...body });
  const all = { kind: 'all', effective_from: '2024-02-01T00:00:00Z' };
  await expect(stage(all)).rejects.toThrow(/ROLLOUT_NOT_COMPARED/);

  // Two months of thirty calls: 6.00 without the candidate, 4.20 under it.
  expect(await compare(id)).toMatchObject({ customers: 1, current: '6.00', evaluated: '4.20', winners: 1, losers: 0 });
  expect(await invoiced('2024-01')).toEqual({ canary: '2.10', second: '2.00', third: '1.00' });

  const more = { kind: 'canary', customers: ['second'], effective_from: '2024-02-01T00:00:00Z' };
  expect(await stage(more)).toMatchObject({ state: 'canary', comparison: null });
  await expect(stage(all)).rejects.toThrow(/ROLLOUT_NOT_COMPARED/);
  await ask(`/price-rollouts/${id}/halt`, { reason });
  await expect(stage(all)).rejects.toThrow(/ROLLOUT_TRANSITION_REFUSED/);
  await ask(`/price-rollouts/${id}/resume`, { reason });
  // What both would have paid for all of their usage, whenever they became members.
  expect(await compare(id, { killed: true })).toMatchObject({ customers: 2, current: '10.00', evaluated: '7.00' });

  expect(await ask(`/price-rollouts/${id}/rollback`, { reason, effective_from: '2024-02-01T00:00:00Z' })).toMatchObject(
    { state: 'rolled_back' },
  );
  expect(await invoiced('2024-02')).toEqual({ canary: '3.00', second: '2.00', third: '1.00' });
}, 600_000);
