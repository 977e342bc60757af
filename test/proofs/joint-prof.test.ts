/**
 * The joint holds in every order: ingest that draws its positions and commits later, the relay's plan, window close, gate, comparison
 * and correction lose and double nothing, whatever happens first and whoever has to wait for whom.
 */
import type { JointBooks } from './support/joint-books.js';
import { january, JointScene } from './support/joint-scene.js';
import { chained, interleavings, runInOrder } from './support/interleavings.js';
import type { ScheduledStep } from './support/interleavings.js';

let scene: JointScene;
beforeAll(async () => {
  scene = await JointScene.open();
});
afterAll(() => scene.close());

const first = { eventId: 'first', time: '2024-01-10T10:00:00Z', bytes: 5 };
const early = { eventId: 'early', time: '2024-01-10T10:15:00Z', bytes: 7 };
const one = { eventId: 'one', time: '2024-01-10T10:30:00Z', bytes: 11 };
const two = { eventId: 'two', time: '2024-01-10T11:30:00Z', bytes: 13 };

const prof = [0, 0, 0, 0, 0];
type Steps = Readonly<Record<string, (books: JointBooks) => Promise<void>>>;

const steps = {
  'draw 1': (books) => books.draw('1', one),
  'commit 1': (books) => books.commit('1'),
  'draw 2': (books) => books.draw('2', two),
  'commit 2': (books) => books.commit('2'),
  'draw void': (books) => books.drawVoid('void', early.eventId),
  'commit void': (books) => books.commit('void'),
  plan: () => scene.plan(),
  close: (books) => books.closeWindows(january),
  gate: (books) => books.gate(january),
  compare: (books) => books.compare(january),
  correct: (books) => books.correct(january),
} satisfies Steps;
type StepName = keyof typeof steps;

/** One customer a schedule: runs it, lets the rest run to the end, and says what is not as it must be. */
async function failureOf(chains: readonly (readonly StepName[])[], order: readonly StepName[]): Promise<unknown> {
  const t0 = performance.now();
  const books = await scene.newCustomer();
  await books.append(first, early);
  const scheduled = chains.flatMap((chain) => chained(chain.map((name) => ({ name, run: () => steps[name](books) }))));
  const byName = new Map(scheduled.map((step) => [step.name, step]));
  const inOrder = order.map((name) => byName.get(name)).filter((step): step is ScheduledStep => step !== undefined);
  const t1 = performance.now();
  const log: string[] = []; const begin = performance.now();
  const timed = inOrder.map((step) => ({ name: step.name, run: async () => { const s0 = performance.now(); await step.run(); log.push(`${step.name} ${(s0 - begin).toFixed(0)}-${(performance.now() - begin).toFixed(0)}`); } }));
  await runInOrder(timed, { watch: scene.watch, canBlock: () => scene.openTransactions > 0 });
  if (performance.now() - begin > 700) process.stderr.write(log.join('; ') + '\n');
  const t2 = performance.now();
  await books.finish();
  const t3 = performance.now();
  const [state, expected] = [await books.state(), books.expected()];
  const t4 = performance.now();
  prof[0] += t1 - t0; prof[1] += t2 - t1; prof[2] += t3 - t2; prof[3] += t4 - t3; prof[4] += 1;
  if (prof[4] % 30 === 0) process.stderr.write(prof.map((x) => (x / prof[4]).toFixed(0)).join(' ') + '\n');
  return JSON.stringify(state) === JSON.stringify(expected) ? null : { order, state, expected };
}

/** Every order of the chains; those that differ only in which of two like actors is called the first are left out. */
async function everyOrder(chains: readonly (readonly StepName[])[], alike?: readonly [StepName, StepName]): Promise<number> {
  let orders = 0;
  for (const order of interleavings(chains)) {
    if (alike !== undefined && order.indexOf(alike[0]) > order.indexOf(alike[1])) continue;
    orders += 1; if (orders > 62) break;
    expect(await failureOf(chains, order)).toBeNull();
  }
  return orders;
}

const minutes = 60_000;

test(
  'two ingests, a plan, a close and the gate: all 630 orders',
  async () => {
    const chains = [['draw 1', 'commit 1'], ['draw 2', 'commit 2'], ['plan'], ['close'], ['gate']] as const;
    expect(await everyOrder(chains, ['draw 1', 'draw 2'])).toBe(630);
  },
  15 * minutes,
);

test(
  'an ingest and a void around gate, comparison and correction: all 210 orders',
  async () => {
    const chains = [['draw 1', 'commit 1'], ['draw void', 'commit void'], ['gate', 'compare', 'correct']] as const;
    expect(await everyOrder(chains)).toBe(210);
  },
  15 * minutes,
);

test(
  'an ingest, a plan, a close, the gate, comparison and correction: all 420 orders',
  async () => {
    const chains = [['draw 1', 'commit 1'], ['plan'], ['close'], ['gate', 'compare', 'correct']] as const;
    expect(await everyOrder(chains)).toBe(420);
  },
  15 * minutes,
);
