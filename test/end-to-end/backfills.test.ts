/**
 * Two backfills over the same days, while other traffic of the customer goes on: sent, closed at once by several callers, reverted, with
 * the API killed (-9) in the middle of a closing and of a reversion. What was asked twice was done once, and what is invoiced and
 * corrected is what it must be.
 *
 * SEED=… repeats the order in which events were sent.
 */
import { call, startTestStack, until } from '../support/stack.js';
import type { TestStack } from '../support/stack.js';
import { Books } from './support/books.js';
import { hold, storedEvents } from './support/ledger-watch.js';
import { Sender } from './support/sender.js';
import { costInCents, createCustomer, createFacts, period, randomFrom, shuffled, usageOf } from './support/usage.js';
import type { Usage } from './support/usage.js';

const seed = Number(process.env['SEED'] ?? Date.now() % 2 ** 31);
const random = randomFrom(seed);
const customerId = 'filled';
const range = { from: '2024-01-10T00:00:00Z', to: '2024-01-20T00:00:00Z' };
const days = { startMs: Date.parse(range.from), lengthMs: Date.parse(range.to) - Date.parse(range.from) };

let stack: TestStack;
let books: Books;
beforeAll(async () => {
  stack = await startTestStack();
  books = new Books(stack.apiUrl);
  await createFacts(stack.apiUrl);
  await createCustomer(stack.apiUrl, customerId);
}, 180_000);
afterAll(() => stack.stop(), 120_000);

interface Backfill {
  readonly backfill_id: string;
  readonly status: 'open' | 'closed' | 'reverted';
  readonly events: number;
  readonly decisions: readonly { readonly decision: string; readonly position: string }[];
}

const open = (mode: 'add' | 'replace'): Promise<Backfill> =>
  call(`${stack.apiUrl}/backfills`, { body: { customer_ids: [customerId], mode, ...range } });
const decide = (id: string, verb: 'close' | 'revert'): Promise<Backfill> =>
  call(`${stack.apiUrl}/backfills/${id}/${verb}`, { body: {} });
const find = (id: string): Promise<Backfill> => call(`${stack.apiUrl}/backfills/${id}`);

/** The API dies while the decision waits to be written, and again nobody knows whether it was. */
async function decideWithKill(id: string, verb: 'close' | 'revert'): Promise<Backfill> {
  const held = await hold(stack.databaseUrl, 'backfill_decisions', null);
  const lost = decide(id, verb).then(
    () => 'answered',
    () => 'lost',
  );
  try {
    await held.reached('true');
    await stack.kill('api');
  } finally {
    await held.release();
  }
  expect(await lost).toBe('lost');
  await stack.start('api');
  return decide(id, verb);
}

const closedAt = ({ decisions }: Backfill): bigint =>
  BigInt(decisions.find(({ decision }) => decision === 'closed')?.position ?? -1);

/** Of several that replace or add, what was closed last holds; a reverted one never was. */
function counting(
  ordinary: readonly Usage[],
  filled: readonly { readonly state: Backfill; readonly replaces: boolean; readonly events: readonly Usage[] }[],
): readonly Usage[] {
  const inForce = filled.filter(({ state: { status } }) => status === 'closed');
  const replacedAt = inForce
    .filter(({ replaces }) => replaces)
    .reduce((last, { state }) => (closedAt(state) > last ? closedAt(state) : last), -1n);
  const isInRange = ({ event_time: time }: Usage): boolean => time >= range.from && time < range.to;
  return [
    ...ordinary.filter((event) => replacedAt < 0n || !isInRange(event)),
    ...inForce.flatMap(({ state, events }) => (closedAt(state) >= replacedAt ? events : [])),
  ];
}

test(`two backfills and a killed API, seed ${seed}`, async () => {
  const ordinary = usageOf(customerId, 0, 3_000);
  const [adding, replacing] = [await open('add'), await open('replace')].map(({ backfill_id: id }) => id);
  if (adding === undefined || replacing === undefined) throw new Error('two backfills');
  const fills = [
    { id: adding, replaces: false, events: usageOf(customerId, 10_000, 1_200, days) },
    { id: replacing, replaces: true, events: usageOf(customerId, 20_000, 800, days) },
  ];
  const traffic = new Sender(stack.apiUrl);
  const sending = traffic.send(shuffled([...ordinary, ...ordinary.slice(0, 500)], random), { batch: 20, lanes: 1 });
  // Somebody looks at it later.
  sending.catch(() => undefined);
  await Promise.all(
    fills.map(({ id, events }) =>
      new Sender(stack.apiUrl, `/events?backfill_id=${id}`).send(
        shuffled([...events, ...events.slice(0, 100)], random),
        {
          batch: 100,
        },
      ),
    ),
  );
  // Neither counts yet, and both hold the period.
  const refused = await fetch(`${stack.apiUrl}/billing-periods/${customerId}/${period}/close`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: '{}',
  });
  expect([refused.status, ((await refused.json()) as { code: string }).code]).toEqual([409, 'BACKFILL_OPEN']);

  await decideWithKill(adding, 'close');
  const answers = await Promise.all([1, 2, 3].flatMap(() => fills.map(({ id }) => decide(id, 'close'))));
  const states = async (): Promise<Parameters<typeof counting>[1]> =>
    Promise.all(fills.map(async ({ id, ...fill }) => ({ ...fill, state: await find(id) })));
  for (const { state, events } of await states()) {
    expect(state).toMatchObject({ status: 'closed', events: events.length, decisions: [{ decision: 'closed' }] });
    expect(answers.filter(({ backfill_id: id }) => id === state.backfill_id)).toEqual([state, state, state]);
  }
  await sending;
  await books.close(customerId);
  expect(await books.billedInCents(customerId)).toBe(costInCents(counting(ordinary, await states())));

  const billed = async (): Promise<void> => {
    const cost = costInCents(counting(ordinary, await states()));
    await until(
      async () => [await books.billedInCents(customerId), await books.unfinished(customerId)],
      ([sum, unfinished]) => sum === cost && unfinished === 0,
    );
  };
  // The one that adds was closed before the one that replaces: reverting that brings both it and the ordinary events back.
  await decideWithKill(replacing, 'revert');
  expect(await decide(replacing, 'revert')).toMatchObject({
    status: 'reverted',
    decisions: [{}, { decision: 'reverted' }],
  });
  await billed();
  await Promise.all([1, 2, 3].map(() => decide(adding, 'revert')));
  await billed();
  expect(await books.billedInCents(customerId)).toBe(costInCents(ordinary));

  const all = [ordinary, ...fills.map(({ events }) => events)].flat();
  expect([...(await storedEvents(stack.databaseUrl, customerId))].sort()).toEqual(
    all.map(({ event_id: id }) => id).sort(),
  );
  expect((await books.documents(customerId)).map(({ type }) => type)).toEqual(['invoice', 'correction', 'credit_note']);
  expect(await books.unverified(customerId)).toEqual([]);
  expect(await books.reconciled([customerId])).toMatchObject({ different: 0 });
  expect(await books.findings()).toEqual([]);
}, 600_000);
