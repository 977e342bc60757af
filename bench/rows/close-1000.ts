import { inParallel } from '../../src/relay/in-parallel.js';
import type { LocalDate } from '../../src/domain/values.js';
import { createStorage } from '../../src/storage/index.js';
import type { BenchDatabase, FullStack } from '../lib/cluster.js';
import { copyAll, copyChunks } from '../lib/copy.js';
import { cpuSeconds } from '../lib/cpu.js';
import { createCustomer, setUpPrices } from '../lib/setup.js';
import { eventsOf, meters } from './gates.js';
import type { Row } from './row.js';

const customers = 1_000;
const period = '2024-01-01' as LocalDate;
const requestsAtATime = 64;

/** Customers with a month of usage that the relay has told their workflows of. */
async function setUp({ pool, url }: BenchDatabase): Promise<readonly string[]> {
  const storage = createStorage(url);
  await setUpPrices(storage, meters);
  const ids = Array.from({ length: customers }, (_, index) => `bench_${index}`);
  await inParallel(ids, 4, async (customerId) => {
    await createCustomer(storage, customerId);
    await storage.periods.periodNamed(customerId, period);
  });
  await storage.close();
  await copyAll(pool, copyChunks(ids.flatMap(eventsOf), 1_000), 4);
  await until(async () => {
    const { rows } = await pool.query<{ told: boolean }>(
      `SELECT count(DISTINCT customer_id) = $1 AND bool_and(delivered_at IS NOT NULL) AS told FROM usage_ranges`,
      [customers],
    );
    return rows[0]?.told === true;
  });
  return ids;
}

async function until(reached: () => Promise<boolean>): Promise<void> {
  while (!(await reached())) await new Promise((resolve) => setTimeout(resolve, 100));
}

async function closeAll(stack: FullStack, ids: readonly string[]): Promise<void> {
  await inParallel(ids, requestsAtATime, async (id) => {
    const url = `${stack.apiUrl}/billing-periods/${id}/${period.slice(0, 7)}/close`;
    const headers = { 'content-type': 'application/json' };
    const response = await fetch(url, { method: 'POST', headers, body: '{}' });
    if (!response.ok) throw new Error(`${url} was answered ${response.status}: ${await response.text()}`);
  });
  await until(async () => {
    const { rows } = await stack.database.pool.query<{ n: number }>('SELECT count(*)::int AS n FROM invoices');
    return rows[0]?.n === customers;
  });
}

/** The month's end on the whole stack: each customer closed through the API, its workflow and that of invoicing. */
export const close1000: Row = {
  name: 'close-1000',
  measure: async ({ cluster }) => {
    const stack = await cluster.startFullStack();
    try {
      const ids = await setUp(stack.database);
      const [before, start] = [cpuSeconds(stack.pids), performance.now()];
      await closeAll(stack, ids);
      const [after, seconds] = [cpuSeconds(stack.pids), (performance.now() - start) / 1_000];
      const used = (part: keyof typeof after): number => after[part] - before[part];
      const shares = [
        ['Temporal', used('temporal')],
        ['Postgres', used('postgres')],
        ['API', used('api')],
        ['worker', used('worker')],
      ] as const;
      const total = shares.reduce((sum, [, share]) => sum + share, 0);
      const note = shares.map(
        ([name, share]) => `${name} ${share.toFixed(1)} s (${Math.round((100 * share) / total)} %)`,
      );
      return [
        {
          kind: 'figure',
          row: `closing ${customers.toLocaleString('en')} customers on the whole stack`,
          value: `${seconds.toFixed(1)} s, ${(customers / seconds).toFixed(0)} customers/s`,
          note: `${requestsAtATime} requests to close at a time; processor time ${total.toFixed(1)} s: ${note.join(', ')}`,
        },
      ];
    } finally {
      await stack.stop();
    }
  },
};
