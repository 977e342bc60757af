/** The steps at the joint, one customer a schedule: what is not as it must be when all have run, in whatever order. */
import type { BackfillMode } from '../../../src/storage/types.js';
import { InTwoHalves } from './horizon-pause.js';
import { chained, runInOrder } from './interleavings.js';
import type { ScheduledStep } from './interleavings.js';
import type { JointBooks } from './joint-books.js';
import { january } from './joint-scene.js';
import type { JointScene } from './joint-scene.js';

const first = { eventId: 'first', time: '2024-01-10T10:00:00Z', bytes: 5 };
const early = { eventId: 'early', time: '2024-01-10T10:15:00Z', bytes: 7 };
const one = { eventId: 'one', time: '2024-01-10T10:30:00Z', bytes: 11 };
const two = { eventId: 'two', time: '2024-01-10T11:30:00Z', bytes: 13 };

/** What is between its halves, of each books. */
const inTwoHalves = new WeakMap<JointBooks, Map<string, InTwoHalves>>();

function firstHalf(books: JointBooks, name: string, work: () => Promise<void>): Promise<void> {
  const known = inTwoHalves.get(books) ?? new Map<string, InTwoHalves>();
  const halves = new InTwoHalves(work);
  inTwoHalves.set(books, known.set(name, halves));
  return halves.first();
}

async function secondHalf(books: JointBooks, name: string): Promise<void> {
  await inTwoHalves.get(books)?.get(name)?.second();
}

type Steps = Readonly<Record<string, (books: JointBooks, scene: JointScene) => Promise<void>>>;

/** `scene` is whose the books are. */
const steps = {
  'draw 1': (books) => books.draw('1', one),
  'commit 1': (books) => books.commit('1'),
  'draw 2': (books) => books.draw('2', two),
  'commit 2': (books) => books.commit('2'),
  'draw void': (books) => books.drawVoid('void', early.eventId),
  'commit void': (books) => books.commit('void'),
  'draw filled': (books) => books.drawFill('filled', { ...two, eventId: 'filled' }),
  'commit filled': (books) => books.commit('filled'),
  'close backfill': (books) => books.decide('closed'),
  'revert backfill': (books) => books.decide('reverted'),
  plan: (_books, scene) => scene.plan(),
  close: (books) => books.closeWindows(january),
  'plan: horizon': (books, scene) => firstHalf(books, 'plan', () => scene.plan()),
  'plan: rest': (books) => secondHalf(books, 'plan'),
  'close: horizon': (books) => firstHalf(books, 'close', () => books.closeWindows(january)),
  'close: rest': (books) => secondHalf(books, 'close'),
  gate: (books) => books.gate(january),
  compare: (books) => books.compare(january),
  correct: (books) => books.correct(january),
} satisfies Steps;
export type StepName = keyof typeof steps;

export type Chains = readonly (readonly StepName[])[];
export interface Schedules {
  readonly chains: Chains;
  /** Of the customer's open backfill; absent: it has none. */
  readonly mode?: BackfillMode | null;
}

/** One customer a schedule: runs it, lets the rest run to the end, and says what is not as it must be. */
async function failureOf(
  scene: JointScene,
  { chains, mode = null }: Schedules,
  order: readonly StepName[],
): Promise<unknown> {
  const books = await scene.newCustomer();
  await books.append(first, early);
  // Over all of these but 'first'.
  if (mode !== null) await books.openBackfill(mode, '2024-01-10T10:15:00Z', '2024-01-10T12:00:00Z');
  const scheduled = chains.flatMap((chain) =>
    chained(chain.map((name) => ({ name, run: () => steps[name](books, scene) }))),
  );
  const byName = new Map(scheduled.map((step) => [step.name, step]));
  const inOrder = order.map((name) => byName.get(name)).filter((step): step is ScheduledStep => step !== undefined);
  await runInOrder(inOrder, scene.watch);
  await books.finish();
  const [state, expected] = [await books.state(), books.expected()];
  return JSON.stringify(state) === JSON.stringify(expected) ? null : { order, state, expected };
}

/** How many orders there were. */
export async function expectEachToHold(
  scene: JointScene,
  schedules: Schedules,
  orders: Iterable<readonly StepName[]>,
): Promise<number> {
  let count = 0;
  for (const order of orders) {
    count += 1;
    expect(await failureOf(scene, schedules, order)).toBeNull();
  }
  return count;
}

/** A commit can come between a horizon and what is read below it. They need `installHorizonPauses`. */
export const planInHalves = ['plan: horizon', 'plan: rest'] as const;
export const closeInHalves = ['close: horizon', 'close: rest'] as const;
export const correction = ['gate', 'compare', 'correct'] as const;
