/**
 * The joint holds among failures: random schedules of many customers' ingest, adjustments, relay, closing, issuing and correcting, in
 * which connections end before a commit, acknowledgements are lost after it, relays take over from each other and signals are
 * told twice. In the end nothing is lost or doubled.
 *
 * SEED=… repeats a run; TIMES=10 runs ten times as many schedules.
 */
import type { LocalDate } from '../../src/domain/values.js';
import { CommitFaults, faults } from './support/commit-faults.js';
import { runInOrder, seeded } from './support/interleavings.js';
import type { ScheduledStep } from './support/interleavings.js';
import type { JointBooks } from './support/joint-books.js';
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
        if (fault !== null) commits.arm(fault);
        await what.run();
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

test.each(Array.from({ length: schedules }, (_, index) => firstSeed + index))(
  'a random schedule among failures (SEED=%i)',
  async (seed) => {
    const books: JointBooks[] = [];
    for (let index = 0; index < customers; index += 1) books.push(await scene.newCustomer([january, february]));
    const before = commits.count;
    const commitAll = async (): Promise<void> => void (await Promise.all(books.map((each) => each.commitAll())));
    await runInOrder(new Schedule(books, seeded(seed)).steps(), scene.watch, commitAll);
    commits.disarm();
    expect(commits.count).toBeGreaterThan(before);
    for (const each of books) await each.finish();
    for (const each of books) expect(await each.state()).toEqual(each.expected());
  },
  120_000,
);
