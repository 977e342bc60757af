/**
 * The joint holds among failures: random schedules of many customers' ingest, adjustments, relay, closing, issuing and correcting, in
 * which connections end before a commit, acknowledgements are lost after it, relays take over from each other and signals are
 * told twice. In the end nothing is lost or doubled. Before that each commit of each step meets each failure, with nothing beside it.
 *
 * SEED=… repeats a run; TIMES=10 runs ten times as many schedules.
 */
import type { LocalDate } from '../../src/domain/values.js';
import { CommitFaults, faults } from './support/commit-faults.js';
import type { Commit } from './support/commit-faults.js';
import { runInOrder, seeded } from './support/interleavings.js';
import type { ScheduledStep } from './support/interleavings.js';
import { JointBooks } from './support/joint-books.js';
import { february, january, JointScene } from './support/joint-scene.js';
import type { Call } from './support/joint-scene.js';

const schedules = 12 * Number(process.env['TIMES'] ?? 1);
const stepsOfSchedule = 60;
const customers = 3;
/** Ingest transactions that are open at a time, at most. */
const openMax = 3;
const firstSeed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));

let scene: JointScene;
let commits: CommitFaults;
beforeAll(async () => {
  scene = await JointScene.open();
  commits = new CommitFaults(scene.admin);
});
afterAll(async () => {
  commits.remove();
  await scene.close();
});

/** Draws the steps of one schedule. What a step does is decided when its turn comes, from the state at that moment. */
class Schedule {
  private events = 0;
  private opened = 0;

  constructor(
    private readonly books: readonly JointBooks[],
    private readonly random: () => number,
  ) {}

  steps(): readonly ScheduledStep[] {
    return Array.from({ length: stepsOfSchedule }, () => this.step());
  }

  private pick<T>(values: readonly T[]): T {
    const value = values[Math.floor(this.random() * values.length)];
    if (value === undefined) throw new Error('there is nothing to pick from');
    return value;
  }

  private call(): Call {
    const time = `2024-0${this.pick([1, 1, 2])}-10T1${this.pick([0, 1, 2])}:${this.pick([0, 15, 59])}:00Z`.replace(
      ':0:',
      ':00:',
    );
    return { eventId: `e${(this.events += 1)}`, time, bytes: this.pick([0, 1, 250]) };
  }

  private step(): ScheduledStep {
    const books = this.pick(this.books);
    const period = this.pick([january, january, february]);
    const fault = this.random() < 0.25 ? this.pick(faults) : null;
    const what = this.pick(this.kinds(books, period));
    return {
      name: what.name,
      run: async () => {
        if (fault === null) await what.run();
        else await commits.during(fault, what.run);
      },
    };
  }

  private kinds(books: JointBooks, period: LocalDate): readonly ScheduledStep[] {
    const calls = [this.call(), this.call()];
    const again = this.random();
    const index = this.pick([0, 0, 1]);
    const name = `ingest ${(this.opened += 1)}`;
    const invoicedOnly = async (work: () => Promise<void>): Promise<void> => {
      if (books.isInvoiced(period)) await work();
    };
    const ingest = [
      { name: 'append', run: () => books.append(...calls) },
      { name: 'append again', run: () => books.append(...known(books, again), ...calls) },
      { name: 'draw', run: () => this.draw(books, name, calls) },
      { name: 'commit', run: () => this.commitOldest() },
      { name: 'adjust', run: () => adjustOne(books, again, calls[0] ?? null) },
      { name: 'void', run: () => adjustOne(books, again, null) },
    ];
    return [
      ...ingest,
      ...ingest,
      { name: 'plan', run: () => scene.planOrTakeOver() },
      { name: 'take over', run: async () => void (await scene.takeOver()) },
      { name: 'deliver', run: async () => void (await scene.deliver()) },
      { name: 'deliver without note', run: async () => void (await scene.deliver({ marked: false })) },
      { name: 'close', run: () => books.closeWindows(period, true) },
      { name: 'gate', run: () => books.gate(period) },
      { name: 'compare', run: () => invoicedOnly(() => books.compare(period)) },
      { name: 'compare', run: () => invoicedOnly(() => books.compare(period)) },
      { name: 'correct', run: () => books.correct(period, index) },
      { name: 'correct', run: () => books.correct(period, index) },
    ];
  }

  private async draw(books: JointBooks, name: string, calls: readonly Call[]): Promise<void> {
    const open = this.books.reduce((sum, { openNames }) => sum + openNames.length, 0);
    await (open < openMax ? books.draw(name, ...calls) : this.commitOldest());
  }

  private async commitOldest(): Promise<void> {
    const books = this.books.find(({ openNames }) => openNames.length > 0);
    await books?.commit(books.openNames[0] ?? '');
  }
}

const known = (books: JointBooks, share: number): readonly Call[] => {
  const calls = [...books.sent.values()];
  return calls.slice(Math.floor(share * calls.length));
};

async function adjustOne(books: JointBooks, share: number, to: Call | null): Promise<void> {
  const ids = [...books.facts.keys()];
  const eventId = ids[Math.floor(share * ids.length)];
  if (eventId !== undefined) await books.adjust(eventId, to);
}

/** Every step that commits, in an order in which each of them has something to do. */
const course = (books: JointBooks): readonly ScheduledStep[] => {
  const calls = Array.from({ length: 6 }, (_, index) => ({
    eventId: `e${index}`,
    time: `2024-01-10T1${index % 3}:00:00Z`,
    bytes: index,
  }));
  return [
    { name: 'append', run: () => books.append(...calls.slice(0, 2)) },
    { name: 'append again', run: () => books.append(...calls.slice(0, 3)) },
    { name: 'draw', run: () => books.draw('drawn', ...calls.slice(3, 4)) },
    { name: 'commit', run: () => books.commit('drawn') },
    { name: 'adjust', run: () => books.adjust('e0', { eventId: 'e0', time: '2024-01-10T12:15:00Z', bytes: 100 }) },
    { name: 'void', run: () => books.adjust('e1', null) },
    { name: 'take over', run: async () => void (await scene.takeOver()) },
    { name: 'plan', run: () => scene.planOrTakeOver() },
    { name: 'deliver', run: async () => void (await scene.deliver()) },
    { name: 'close', run: () => books.closeWindows(january, true) },
    { name: 'gate', run: () => books.gate(january) },
    { name: 'append late', run: () => books.append(...calls.slice(4)) },
    { name: 'compare', run: () => books.compare(january) },
    { name: 'correct', run: () => books.correct(january) },
  ];
};
/** What makes durable what each of them is for. Drawing makes nothing durable: its transaction stays open. */
const durableBy = [
  ['append', 'copy'],
  ['append again', 'copy'],
  ['commit', 'COMMIT'],
  ['adjust', 'COMMIT'],
  ['void', 'COMMIT'],
  ['take over', 'statement'],
  ['plan', 'COMMIT'],
  ['deliver', 'statement'],
  ['close', 'COMMIT'],
  ['gate', 'COMMIT'],
  ['append late', 'copy'],
  ['compare', 'COMMIT'],
  ['correct', 'COMMIT'],
] as const satisfies readonly (readonly [string, Commit])[];

describe.each(faults)('%s, of one step:', (fault) => {
  /** The course, one commit of the step meeting the fault; answers what kind of commit that was. */
  async function courseWith(step: string, passing: number): Promise<Commit | null> {
    const books = await scene.newCustomer([january]);
    let met: Commit | null = null;
    for (const { name, run } of course(books)) {
      if (name === step) met = await commits.during(fault, run, passing);
      else await run();
    }
    await books.finish();
    expect(await books.state()).toEqual(books.expected());
    return met;
  }

  test.each(durableBy)('%s', async (step, kind) => {
    const met: (Commit | null)[] = [await courseWith(step, 0)];
    while (met.at(-1) !== null) met.push(await courseWith(step, met.length));
    expect(met).toContain(kind);
  });
});

test('there is no step without a commit but drawing', () => {
  const books = new JointBooks(scene, 'nobody', []);
  const names = course(books).map(({ name }) => name);
  expect(names.filter((name) => !durableBy.some(([step]) => step === name))).toEqual(['draw']);
});

test.each(Array.from({ length: schedules }, (_, index) => firstSeed + index))(
  'a random schedule among failures (SEED=%i)',
  async (seed) => {
    const books: JointBooks[] = [];
    for (let index = 0; index < customers; index += 1) books.push(await scene.newCustomer([january, february]));
    const before = commits.met;
    const commitAll = async (): Promise<void> => void (await Promise.all(books.map((each) => each.commitAll())));
    await runInOrder(new Schedule(books, seeded(seed)).steps(), scene.watch, commitAll);
    expect(commits.met).toBeGreaterThan(before);
    for (const each of books) await each.finish();
    for (const each of books) expect(await each.state()).toEqual(each.expected());
  },
  120_000,
);
