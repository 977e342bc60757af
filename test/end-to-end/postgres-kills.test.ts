/**
 * A 202 means stored (DESIGN 2, invariants 1, 2 and 4): Postgres is killed (-9) more than twenty times while events come in every
 * way there is. After each kill all that was acknowledged is there; in the end nothing is doubled, every conflict was told, the
 * sums are right, and the API has come back by itself every time.
 *
 * SEED=… repeats the moments.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { call, startTestStack, until } from '../support/stack.js';
import type { TestStack } from '../support/stack.js';
import { query, storedEvents } from './support/ledger-watch.js';
import {
  Backfilled,
  CompressedStreams,
  FreshBatches,
  MixedBatches,
  Singles,
  type SteadySender,
  Traffic,
} from './support/steady-senders.js';
import { costInCents, createCustomer, createFacts, randomFrom } from './support/usage.js';
import type { Usage } from './support/usage.js';

const seed = Number(process.env['SEED'] ?? Date.now() % 2 ** 31);
const random = randomFrom(seed);
const killsMin = 21;
/** Kills go on until each way of sending has been interrupted; this only ends a test that would never end. */
const killsMax = 60;

let stack: TestStack;
beforeAll(async () => {
  // Temporal only so that customers can be made. No worker: the relay has proofs of its own.
  stack = await startTestStack({
    parts: ['postgres', 'temporal', 'api'],
    env: { RECKONER_DUPLICATE_FLOOD_DUPLICATES: '100000000' },
  });
  await createFacts(stack.apiUrl);
}, 180_000);
afterAll(() => stack.stop(), 120_000);

const isInterrupted = ({ refused, repeated }: SteadySender): boolean => refused > 0 && repeated > 0;

/** Of these events of customers, those that are not in the ledger. */
async function missing(acknowledged: ReadonlyMap<string, readonly string[]>): Promise<readonly string[]> {
  const rows = await query<{ event: string }>(
    stack.databaseUrl,
    `SELECT a.customer_id || ' ' || a.event_id AS event
     FROM jsonb_each($1::jsonb) AS c (customer_id, ids), jsonb_array_elements_text(c.ids) AS e (event_id)
     CROSS JOIN LATERAL (SELECT c.customer_id, e.event_id) AS a
     WHERE NOT EXISTS (SELECT FROM telemetry_events t
       WHERE t.customer_id = a.customer_id AND t.source = '' AND t.event_id = a.event_id)`,
    [JSON.stringify(Object.fromEntries(acknowledged))],
  );
  return rows.map(({ event }) => event);
}

interface CustomerUsage {
  readonly meters: readonly { readonly meter: string; readonly quantity: string }[];
  readonly cost: { readonly total: string };
}

/** By meter, groups added up. */
function sumsByMeter({ meters }: CustomerUsage): Readonly<Record<string, number>> {
  const sums: Record<string, number> = {};
  for (const { meter, quantity } of meters) sums[meter] = (sums[meter] ?? 0) + Number(quantity);
  return sums;
}

function sumsOf(events: readonly Usage[]): Readonly<Record<string, number>> {
  const bytes = events.reduce((sum, { metadata }) => sum + Number(metadata.bytes), 0);
  const premium = events.filter(({ metadata }) => metadata.plan === 'premium').length;
  const calls = events.length;
  return { bytes, bytes_by_region: bytes, calls, calls_by_region: calls, premium_calls: premium };
}

test(`Postgres is killed again and again, seed ${seed}`, async () => {
  const { apiUrl } = stack;
  const backfilled = new Backfilled('backfilled', apiUrl);
  const senders: readonly (readonly [SteadySender, number])[] = [
    [new FreshBatches('fresh', apiUrl), 2],
    [new MixedBatches('mixed', apiUrl), 2],
    [new Singles('singles', apiUrl), 8],
    [new CompressedStreams('streamed', apiUrl), 1],
    [backfilled, 1],
  ];
  for (const [{ customerId }] of senders) await createCustomer(apiUrl, customerId);
  const range = { from: '2024-01-01T00:00:00Z', to: '2024-02-01T00:00:00Z' };
  const body = { customer_ids: [backfilled.customerId], ...range };
  backfilled.backfillId = (await call<{ backfill_id: string }>(`${apiUrl}/backfills`, { body })).backfill_id;
  const { api } = await stack.pids();

  const traffic = new Traffic();
  const running = Promise.all(senders.map(([sender, lanes]) => sender.run(lanes, traffic)));
  // Whoever fails ends the kills.
  running.catch(() => (traffic.stopped = true));
  const all = senders.map(([sender]) => sender);
  const checked = new Map(all.map(({ customerId }) => [customerId, 0]));
  const acknowledgedCount = (): number => all.reduce((sum, { acknowledged }) => sum + acknowledged.size, 0);
  let kills = 0;
  while (!traffic.stopped && kills < killsMax && (kills < killsMin || !all.every(isInterrupted))) {
    const before = acknowledgedCount();
    // It works again before it is killed again, by itself.
    await until(
      () => Promise.resolve(acknowledgedCount()),
      (count) => count > before + 200 || traffic.stopped,
    );
    await sleep(random() * 150);
    const acknowledged = new Map(
      all.map(({ customerId, acknowledged: ids }) => [customerId, [...ids].slice(checked.get(customerId))]),
    );
    await stack.kill('postgres');
    kills += 1;
    await stack.start('postgres');
    await traffic.standsDuring(async () => expect(await missing(acknowledged)).toEqual([]));
    for (const [customerId, ids] of acknowledged) checked.set(customerId, (checked.get(customerId) ?? 0) + ids.length);
  }
  traffic.stopped = true;
  await running;
  expect(kills).toBeGreaterThanOrEqual(killsMin);
  expect(all.filter((sender) => !isInterrupted(sender)).map(({ customerId }) => customerId)).toEqual([]);
  expect((await stack.pids()).api).toBe(api);

  await call(`${apiUrl}/backfills/${backfilled.backfillId}/close`, { body: {} });
  for (const { customerId, sent, acknowledged, accepted } of all) {
    const ids = sent.map(({ event_id: id }) => id).sort();
    expect([...(await storedEvents(stack.databaseUrl, customerId))].sort()).toEqual(ids);
    expect([...acknowledged].sort()).toEqual(ids);
    // An answer that was lost may have told of accepted events; none is told twice.
    expect(accepted).toBeLessThanOrEqual(ids.length);
    const usage = await call<CustomerUsage>(`${apiUrl}/customers/${customerId}/usage?period=2024-01`);
    expect(sumsByMeter(usage)).toEqual(sumsOf(sent));
    expect(BigInt(usage.cost.total.replace('.', ''))).toBe(costInCents(sent));
  }
  const [letters] = await query<{ count: string }>(
    stack.databaseUrl,
    `SELECT count(*) AS count FROM dead_letters WHERE code = 'EVENT_ID_REUSED' AND customer_id = 'mixed'`,
  );
  const mixed = all.find(({ customerId }) => customerId === 'mixed');
  expect(mixed?.conflicts).toBeGreaterThan(0);
  expect(Number(letters?.count)).toBe(mixed?.conflicts);
}, 600_000);
