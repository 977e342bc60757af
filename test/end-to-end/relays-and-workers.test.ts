/**
 * Three workers and two relays at once, one of them a zombie: while events stream in, periods are closed and corrected, a worker
 * is frozen with the relay in its hands and wakes up when another has taken over, and a second relay takes the ledger over
 * again and again. Nothing is lost, nothing is doubled.
 *
 * SEED=… repeats orders and pauses.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { allPartitions, usageRelayWorkflowId } from '../../src/contracts/names.js';
import { startTestStack, until } from '../support/stack.js';
import type { TestStack } from '../support/stack.js';
import { Books } from './support/books.js';
import { query, storedEvents } from './support/ledger-watch.js';
import { startSecondRelay } from './support/second-relay.js';
import { Sender } from './support/sender.js';
import { TemporalWatch } from './support/temporal.js';
import { costInCents, createCustomer, createFacts, randomFrom, shuffled, usageOf } from './support/usage.js';

const seed = Number(process.env['SEED'] ?? Date.now() % 2 ** 31);
const random = randomFrom(seed);
const customers = ['anna', 'berta', 'clara', 'dora'];
const events = 2_000;
/** So many corrections each, at most: some may be gathered into one. */
const lateRounds = 4;
const lateEvents = 150;

let stack: TestStack;
let temporal: TemporalWatch;
let books: Books;

beforeAll(async () => {
  stack = await startTestStack();
  temporal = await TemporalWatch.connect(stack.temporalAddress);
  books = new Books(stack.apiUrl);
  await createFacts(stack.apiUrl);
  for (const customerId of customers) await createCustomer(stack.apiUrl, customerId);
}, 180_000);

afterAll(() => temporal.close());
afterAll(() => stack.stop(), 120_000);

const relay = usageRelayWorkflowId(allPartitions);

async function epoch(): Promise<number> {
  const [row] = await query<{ epoch: string }>(stack.databaseUrl, 'SELECT epoch FROM relay_cursors');
  return Number(row?.epoch ?? 0);
}

/** Stops the process that runs the relay until another one does, then lets it go on where it was. */
async function freezeRelay(): Promise<void> {
  const frozen = await temporal.workerOf(relay);
  const before = await epoch();
  process.kill(frozen, 'SIGSTOP');
  try {
    await temporal.workerOf(relay, [frozen]);
    await until(epoch, (now) => now > before);
  } finally {
    process.kill(frozen, 'SIGCONT');
  }
}

/** A customer's year in short: usage on time, the close, then late usage again and again. */
async function live(customerId: string, sender: Sender): Promise<void> {
  const onTime = usageOf(customerId, 0, events);
  // Everything twice.
  await sender.send(shuffled([...onTime, ...onTime], random), { batch: 50, lanes: 2 });
  await books.close(customerId);
  for (let round = 0; round < lateRounds; round += 1) {
    await sender.send(usageOf(customerId, events + round * lateEvents, lateEvents), { batch: 30, lanes: 2 });
    await sleep(500 + random() * 2_500);
  }
}

test(`two relays and three workers, seed ${seed}`, async () => {
  const workers = [(await stack.pids()).worker, await stack.startWorker(), await stack.startWorker()];
  expect(new Set(workers).size).toBe(3);
  const senders = new Map(customers.map((customerId) => [customerId, new Sender(stack.apiUrl)]));

  const lives = Promise.all([...senders].map(([customerId, sender]) => live(customerId, sender)));
  // Somebody looks at it later.
  lives.catch(() => undefined);
  await freezeRelay();
  const second = startSecondRelay(stack.databaseUrl, temporal.client, random);
  try {
    await lives;
    await freezeRelay();
  } finally {
    await second.stop();
  }
  // Taken over from each other, and both at work.
  expect(second.figures.acquired).toBeGreaterThan(1);
  expect(second.figures.fenced).toBeGreaterThan(0);
  expect(second.figures.delivered).toBeGreaterThan(0);

  const numbers: string[] = [];
  for (const [customerId, { acknowledged, accepted }] of senders) {
    const all = usageOf(customerId, 0, events + lateRounds * lateEvents);
    await until(
      async () => [await books.billedInCents(customerId), await books.unfinished(customerId)],
      ([billed, unfinished]) => billed === costInCents(all) && unfinished === 0,
      240_000,
    );
    const ids = all.map(({ event_id: id }) => id).sort();
    expect([...(await storedEvents(stack.databaseUrl, customerId))].sort()).toEqual(ids);
    expect([...acknowledged].sort()).toEqual(ids);
    expect(accepted).toBe(all.length);
    const documents = await books.documents(customerId);
    expect(documents[0]).toMatchObject({ type: 'invoice' });
    expect(BigInt(documents[0]?.total.replace('.', '') ?? '')).toBe(costInCents(usageOf(customerId, 0, events)));
    expect(new Set(documents.slice(1).map(({ type }) => type))).toEqual(new Set(['correction']));
    expect(await books.unverified(customerId)).toEqual([]);
    numbers.push(...documents.map(({ number }) => number));
  }
  const gapless = (type: string): readonly string[] =>
    numbers
      .filter((number) => number.startsWith(type))
      .map((_, index) => `${type}-${String(index + 1).padStart(6, '0')}`);
  expect(numbers.sort()).toEqual([...gapless('COR'), ...gapless('INV')]);
  expect(gapless('INV')).toHaveLength(customers.length);
  expect(await books.reconciled(customers)).toEqual({ periods: customers.length, different: 0 });
  expect(await books.findings()).toEqual([]);
}, 900_000);
