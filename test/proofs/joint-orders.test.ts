/**
 * The joint holds in every order: ingest that draws its positions and commits later, the relay's plan, window close, gate, comparison
 * and correction lose and double nothing, whatever happens first and whoever has to wait for whom.
 *
 * SEED=… repeats what is drawn; TIMES=10 draws ten times as many.
 */
import type { JointBooks } from './support/joint-books.js';
import { january, JointScene } from './support/joint-scene.js';
import { chained, interleavings, runInOrder, seeded } from './support/interleavings.js';
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

type Chains = readonly (readonly StepName[])[];

/** One customer a schedule: runs it, lets the rest run to the end, and says what is not as it must be. */
async function failureOf(chains: Chains, order: readonly StepName[]): Promise<unknown> {
  const books = await scene.newCustomer();
  await books.append(first, early);
  const scheduled = chains.flatMap((chain) => chained(chain.map((name) => ({ name, run: () => steps[name](books) }))));
  const byName = new Map(scheduled.map((step) => [step.name, step]));
  const inOrder = order.map((name) => byName.get(name)).filter((step): step is ScheduledStep => step !== undefined);
  await runInOrder(inOrder, scene.watch);
  await books.finish();
  const [state, expected] = [await books.state(), books.expected()];
  return JSON.stringify(state) === JSON.stringify(expected) ? null : { order, state, expected };
}

const expectEachToHold = async (chains: Chains, orders: Iterable<readonly StepName[]>): Promise<number> => {
  let count = 0;
  for (const order of orders) {
    count += 1;
    expect(await failureOf(chains, order)).toBeNull();
  }
  return count;
};

/** The two ingests are alike: of two orders that differ only in which is called the first, one is enough. */
const oneBeforeTwo = (order: readonly StepName[]): boolean => order.indexOf('draw 1') < order.indexOf('draw 2');
const twoIngests = [
  ['draw 1', 'commit 1'],
  ['draw 2', 'commit 2'],
] as const;
const correction = ['gate', 'compare', 'correct'] as const;
const minutes = 60_000;

test.each<[string, Chains, number]>([
  ['two ingests, a plan and the gate', [...twoIngests, ['plan'], ['gate']], 90],
  ['two ingests, a close and the gate', [...twoIngests, ['close'], ['gate']], 90],
  ['an ingest and a void around a correction', [['draw 1', 'commit 1'], ['draw void', 'commit void'], correction], 210],
  ['an ingest, a plan, a close and a correction', [['draw 1', 'commit 1'], ['plan'], ['close'], correction], 420],
])(
  '%s: every order',
  async (_name, chains, count) => {
    const orders = [...interleavings(chains)].filter((order) => !order.includes('draw 2') || oneBeforeTwo(order));
    expect(await expectEachToHold(chains, orders)).toBe(count);
  },
  15 * minutes,
);

const drawn = 60 * Number(process.env['TIMES'] ?? 1);
const seed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));

test(
  `two ingests, a plan, a close and a correction: ${drawn} of 7,560 orders (SEED=${seed})`,
  async () => {
    const chains = [...twoIngests, ['plan'], ['close'], correction] as const;
    const orders = [...interleavings<StepName>(chains)].filter(oneBeforeTwo);
    expect(orders).toHaveLength(7_560);
    const random = seeded(seed);
    const chosen = Array.from({ length: drawn }, () => orders[Math.floor(random() * orders.length)] ?? []);
    await expectEachToHold(chains, chosen);
  },
  15 * minutes,
);
