import { inParallel } from '../../src/relay/in-parallel.js';
import type { LocalDate } from '../../src/domain/values.js';
import { createStorage } from '../../src/storage/index.js';
import type { BenchDatabase, Cluster, FullStack } from '../lib/cluster.js';
import { copyAll, copyChunks } from '../lib/copy.js';
import { cpuSeconds } from '../lib/cpu.js';
import type { BenchEvent } from '../lib/events.js';
import { newEventId } from '../lib/events.js';
import type { Figure } from '../lib/measure.js';
import { createCustomer, setUpPrices } from '../lib/setup.js';
import { meters } from './gates.js';
import type { Row } from './row.js';

const period = '2024-01-01' as LocalDate;
/** Events that are copied at once. */
const eventsAtOnce = 50_000;
/** Temporal has nothing left to do when it used less of a processor than this for so long. */
const idle = { share: 0.05, ms: 3_000 };

/** Which hours of the month have usage: each is a window in each of the five meters. */
interface Usage {
  readonly customers: number;
  readonly windows: number;
  readonly hoursApart: number;
}

/** A smaller number tries a row out. */
const atMost = (customers: number): number =>
  Math.min(customers, Number(process.env['RECKONER_BENCH_CLOSE_CUSTOMERS'] ?? customers));

/** A call and a job in each hour that has usage. */
function eventsOf(customerId: string, { windows, hoursApart }: Usage): BenchEvent[] {
  return Array.from({ length: windows * 2 }, (_, index) => ({
    event_id: newEventId(index),
    event_time: new Date(Date.UTC(2024, 0, 1, Math.floor(index / 2) * hoursApart, index % 2)).toISOString(),
    customer_id: customerId,
    event_type: index % 2 === 0 ? 'call' : 'job',
    metadata: { region: 'eu', bytes: String(index * 31), seconds: `${index}.5` },
  }));
}

/** Customers with a month of usage that the relay has told their workflows of. */
async function setUp({ database: { pool, url }, pids }: FullStack, usage: Usage): Promise<void> {
  const storage = createStorage(url);
  await setUpPrices(storage, meters);
  const ids = Array.from({ length: usage.customers }, (_, index) => `bench_${index}`);
  await inParallel(ids, 4, async (customerId) => {
    await createCustomer(storage, customerId);
    await storage.periods.periodNamed(customerId, period);
  });
  await storage.close();
  const customersAtOnce = Math.ceil(eventsAtOnce / (usage.windows * 2));
  for (let at = 0; at < ids.length; at += customersAtOnce) {
    const events = ids.slice(at, at + customersAtOnce).flatMap((id) => eventsOf(id, usage));
    await copyAll(pool, copyChunks(events, 1_000), 4);
  }
  await until(async () => {
    const { rows } = await pool.query<{ told: boolean }>(
      `SELECT count(DISTINCT customer_id) = $1 AND bool_and(delivered_at IS NOT NULL) AS told FROM usage_ranges`,
      [usage.customers],
    );
    return rows[0]?.told === true;
  });
  // What their workflows do with it is over long before a month ends.
  await until(async () => {
    const before = cpuSeconds(pids).temporal;
    await new Promise((resolve) => setTimeout(resolve, idle.ms));
    return cpuSeconds(pids).temporal - before < (idle.share * idle.ms) / 1_000;
  });
  await pool.query('VACUUM (ANALYZE)');
}

async function until(reached: () => Promise<boolean>): Promise<void> {
  while (!(await reached())) await new Promise((resolve) => setTimeout(resolve, 250));
}

async function json(url: string, init?: RequestInit): Promise<Readonly<Record<string, unknown>>> {
  const response = await fetch(url, init);
  if (!response.ok) throw new Error(`${url} was answered ${response.status}: ${await response.text()}`);
  return (await response.json()) as Readonly<Record<string, unknown>>;
}

async function closeAll({ apiUrl, database: { pool } }: FullStack, { customers }: Usage): Promise<void> {
  const headers = { 'content-type': 'application/json' };
  const body = JSON.stringify({ period: period.slice(0, 7) });
  const { close_id: id } = await json(`${apiUrl}/period-closes`, { method: 'POST', headers, body });
  await until(async () => (await json(`${apiUrl}/period-closes/${String(id)}`))['status'] === 'finished');
  const { rows } = await pool.query<{ n: number }>('SELECT count(*)::int AS n FROM invoices');
  if (rows[0]?.n !== customers) throw new Error(`${rows[0]?.n ?? 0} invoices of ${customers} customers`);
}

const written = [
  'aggregated_usage',
  'rated_charges',
  'invoicing_requests',
  'invoices',
  'invoice_line_items',
  'invoice_transitions',
  'journal_entries',
  'postings',
  'period_ratings',
  'invoicing_outcomes',
] as const;

/** The least that Postgres can do with the same rows: one transaction, indexes, and no key to another table. */
async function plainSeconds({ pool }: BenchDatabase): Promise<number> {
  for (const table of written) await pool.query(`CREATE TABLE plain_${table} (LIKE ${table} INCLUDING ALL)`);
  await pool.query('CHECKPOINT');
  const client = await pool.connect();
  try {
    const start = performance.now();
    await client.query('BEGIN');
    for (const table of written) {
      await client.query(`INSERT INTO plain_${table} OVERRIDING SYSTEM VALUE SELECT * FROM ${table}`);
    }
    await client.query('COMMIT');
    return (performance.now() - start) / 1_000;
  } finally {
    client.release();
  }
}

/** A month's end through one close of many periods, on the whole stack. */
async function measure(cluster: Cluster, usage: Usage): Promise<readonly Figure[]> {
  const stack = await cluster.startFullStack();
  try {
    await setUp(stack, usage);
    const [before, start] = [cpuSeconds(stack.pids), performance.now()];
    await closeAll(stack, usage);
    const [after, seconds] = [cpuSeconds(stack.pids), (performance.now() - start) / 1_000];
    const plain = await plainSeconds(stack.database);
    const used = (part: keyof typeof after): number => after[part] - before[part];
    const shares = [
      ['Temporal', used('temporal')],
      ['Postgres', used('postgres')],
      ['ours', used('api') + used('worker')],
    ] as const;
    const total = shares.reduce((sum, [, share]) => sum + share, 0);
    const note = shares.map(
      ([name, share]) => `${name} ${share.toFixed(1)} s (${Math.round((100 * share) / total)} %)`,
    );
    const { customers, windows } = usage;
    return [
      {
        kind: 'figure',
        row: `closing ${customers.toLocaleString('en')} customers (${meters.length} meters × ${windows} windows) at once, on the whole stack`,
        value: `${seconds.toFixed(1)} s, ${(customers / seconds).toFixed(0)} invoices/s`,
        note: `processor time ${total.toFixed(1)} s: ${note.join(', ')}; the same rows by plain INSERT … SELECT in one transaction: ${plain.toFixed(1)} s, ${(customers / plain).toFixed(0)} invoices/s`,
      },
    ];
  } finally {
    await stack.stop();
  }
}

const rowOf = (name: string, usage: Usage): Row => ({ name, measure: ({ cluster }) => measure(cluster, usage) });

/** Windows of every hour of the month. */
export const close744 = rowOf('close-744', { customers: atMost(1_000), windows: 744, hoursApart: 1 });
/** A window a day. */
export const close10000 = rowOf('close-10000', { customers: atMost(10_000), windows: 31, hoursApart: 24 });
