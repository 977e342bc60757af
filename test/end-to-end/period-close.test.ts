/**
 * A close of many periods survives its crashes (RULES 60): worker and Temporal are killed (-9) in the middle of handing over and of
 * issuing, and started again. Every customer has one invoice, the numbers have no gap, and the close says that it is done.
 */
import pg from 'pg';
import type { LocalDate } from '../../src/domain/values.js';
import { inParallel } from '../../src/relay/in-parallel.js';
import { createStorage } from '../../src/storage/index.js';
import { call, startTestStack, until } from '../support/stack.js';
import type { Part, TestStack } from '../support/stack.js';
import { createCustomer, createFacts } from './support/usage.js';

/** More than one chunk. */
const customers = 620;

let stack: TestStack;
beforeAll(async () => {
  stack = await startTestStack();
}, 180_000);
afterAll(() => stack.stop(), 120_000);

interface Close {
  readonly close_id: string;
  readonly status: string;
  readonly progress: Readonly<
    Record<'planned' | 'requested' | 'issued' | 'already_invoiced' | 'left' | 'remaining', number>
  >;
}

/** Customers without workflows of their own: like those whose workflow wakes later. */
async function addCustomers(): Promise<void> {
  await createFacts(stack.apiUrl);
  await createCustomer(stack.apiUrl, 'first', { billing_from: '2024-01-01' });
  const storage = createStorage(stack.databaseUrl);
  try {
    const facts = await storage.reference.findCustomer('first');
    if (facts === null) throw new Error('no customer');
    const {
      customerId: _id,
      customerVersionId: _version,
      version: _number,
      calendarFrom: _from,
      learnedAt: _at,
      ...rest
    } = facts;
    await inParallel(
      Array.from({ length: customers }, (_, index) => `c${index}`),
      4,
      async (id) => {
        await storage.reference.putCustomer(id, { ...rest, name: id, billingFrom: '2023-11-01' as LocalDate }, null);
        await storage.reference.assignPriceBook(id, rest.priceBook, null, {
          effectiveUntil: null,
          decidedBy: 'a test',
        });
      },
    );
  } finally {
    await storage.close();
  }
}

async function count(sql: string): Promise<number> {
  const client = new pg.Client(stack.databaseUrl);
  await client.connect();
  try {
    const { rows } = await client.query<{ n: number }>(`SELECT count(*)::int AS n FROM ${sql}`);
    return rows[0]?.n ?? 0;
  } finally {
    await client.end();
  }
}

async function killWhen(parts: readonly Part[], reached: () => Promise<boolean>): Promise<void> {
  await until(reached, (isReached) => isReached);
  await Promise.all(parts.map((part) => stack.kill(part)));
  for (const part of [...parts].reverse()) await stack.start(part);
}

test('worker and Temporal are killed while periods are handed over and issued, and nothing is lost or doubled', async () => {
  await addCustomers();
  const ask = () => call<Close>(`${stack.apiUrl}/period-closes`, { body: { period: '2023-11' } });
  // Two of the same periods at once are harmless.
  const closes = await Promise.all([ask(), ask()]);
  await killWhen(['worker'], async () => (await count('period_close_targets')) > 0);
  await killWhen(['worker', 'temporal'], async () => (await count('period_close_steps')) > 0);
  await killWhen(['worker'], async () => (await count('invoices')) > 50);
  await killWhen(['temporal'], async () => (await count('invoices')) > 200);
  for (const { close_id: id } of closes) {
    const done = await until(
      () => call<Close>(`${stack.apiUrl}/period-closes/${id}`),
      ({ status }) => status === 'finished',
      240_000,
    );
    expect(done.progress.remaining).toBe(0);
  }
  expect(await count('invoices')).toBe(customers);
  expect(await count('(SELECT DISTINCT customer_id FROM invoices) AS billed')).toBe(customers);
  expect(await call(`${stack.apiUrl}/number-series`)).toMatchObject({
    holds: true,
    series: [{ series: 'invoice', last_number: customers, documents: customers }],
  });
}, 900_000);
