/**
 * What is closed does not depend on signals: lost, told twice, in another order, told to a run that knows nothing, or not told for
 * hours. The workflow's state machine runs on a clock of the test's, with the real activities, relay and Postgres.
 *
 * SEED=… repeats a run; TIMES=10 tells ten times as many histories.
 */
import { messageOf } from '../../src/relay/deliver.js';
import type { UsageRecorded } from '../../src/contracts/billing-period.js';
import { seeded } from './support/interleavings.js';
import type { JointBooks } from './support/joint-books.js';
import { january, JointScene } from './support/joint-scene.js';
import { PeriodDriver } from './support/period-driver.js';

let scene: JointScene;
beforeAll(async () => {
  scene = await JointScene.open();
});
afterAll(() => scene.close());

const minute = 60_000;
const hour = 60 * minute;
const nine = Date.parse('2024-01-10T09:00:00Z');
const isoOf = (ms: number): string => new Date(ms).toISOString().replace('.000Z', 'Z');
const callAt = (eventId: string, ms: number) => ({ eventId, time: isoOf(ms), bytes: 1 });

interface Watched {
  readonly books: JointBooks;
  readonly driver: PeriodDriver;
}

async function watched(nowMs: number): Promise<Watched> {
  const books = await scene.newCustomer();
  return { books, driver: new PeriodDriver(scene.fixture, { customerId: books.customerId, period: january }, nowMs) };
}

/** What the relay has to tell these customers now; it is noted as delivered. */
async function told(): Promise<ReadonlyMap<string, UsageRecorded>> {
  await scene.plan();
  return new Map((await scene.deliver()).map((range) => [range.customerId, messageOf(range)]));
}

interface ClosedWindow {
  readonly window: string;
  readonly n: string;
  readonly q: string;
  readonly finals: string;
  /** Whether nothing came after its final revision. */
  readonly closed: boolean;
}

/** Windows of a customer at their latest revision, and how many final revisions each has. */
async function closedWindows({ books }: Watched): Promise<readonly ClosedWindow[]> {
  const { rows } = await scene.admin.query<ClosedWindow>(
    `SELECT m.code || ' ' || to_char(window_start, 'HH24:MI') AS window, (array_agg(event_count ORDER BY revision DESC))[1] AS n,
       (array_agg(quantity ORDER BY revision DESC))[1] AS q, count(*) FILTER (WHERE is_final) AS finals,
       (array_agg(is_final ORDER BY revision DESC))[1] AS closed
     FROM aggregated_usage JOIN meters m USING (meter_id) WHERE customer_id = $1 GROUP BY m.code, window_start ORDER BY 1`,
    [books.customerId],
  );
  return rows;
}

async function expectSettled({ books, driver }: Watched): Promise<void> {
  const [period] = books.periods;
  expect(period === undefined ? null : await scene.storage.periods.openWindows(period)).toEqual([]);
  expect(driver.differences).toBe(0);
  await books.finish();
  expect(await books.state()).toEqual(books.expected());
}

const firstSeed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const histories = 8 * Number(process.env['TIMES'] ?? 1);

test.each(Array.from({ length: histories }, (_, index) => firstSeed + index))(
  'whatever becomes of signals and runs, the same windows are closed with the same usage (SEED=%i)',
  async (seed) => {
    const random = seeded(seed);
    const [faithful, unlucky] = [await watched(nine), await watched(nine)];
    let nowMs = nine;
    let delayed: readonly UsageRecorded[] = [];
    for (let round = 0; round < 40; round += 1) {
      nowMs += Math.floor(random() * 20) * minute;
      const lateMs = random() < 0.2 ? Math.floor(random() * 4 * hour) : 0;
      const call = callAt(`e${round}`, nowMs - lateMs);
      for (const { books } of [faithful, unlucky]) await books.append(call);
      if (random() < 0.6) {
        const ranges = await told();
        for (const { books, driver } of [faithful]) receive(driver, ranges.get(books.customerId));
        const range = ranges.get(unlucky.books.customerId);
        const fate = random();
        if (range !== undefined && fate < 0.6) delayed = [...delayed, range]; // and lost otherwise
        if (range !== undefined && fate < 0.2) delayed = [range, ...delayed, range];
        if (random() < 0.5) {
          for (const late of delayed) unlucky.driver.receive(late);
          delayed = random() < 0.3 ? delayed : [];
        }
      }
      const accident = random();
      if (accident < 0.08) unlucky.driver.restart();
      else if (accident < 0.16) unlucky.driver.continueAsNew();
      for (const { driver } of [faithful, unlucky]) await driver.advanceTo(nowMs);
    }
    // The daily sweep starts whatever does not run; a run begins by reading.
    const ranges = await told();
    receive(faithful.driver, ranges.get(faithful.books.customerId));
    unlucky.driver.restart();
    for (const each of [faithful, unlucky]) {
      await each.driver.advanceTo(nowMs + minute);
      await each.driver.advanceTo(nowMs + 12 * hour);
    }
    const [expected, found] = [await closedWindows(faithful), await closedWindows(unlucky)];
    const usage = (windows: typeof expected): unknown => windows.map(({ window, n, q }) => `${window} ${n} ${q}`);
    expect(usage(found)).toEqual(usage(expected));
    for (const each of [faithful, unlucky]) await expectSettled(each);
  },
  120_000,
);

function receive(driver: PeriodDriver, range: UsageRecorded | undefined): void {
  if (range !== undefined) driver.receive(range);
}

test.each([
  ['an hour', 1, false],
  ['five hours', 5, false],
  ['five hours, and the workflow was restarted meanwhile', 5, true],
])(
  `a relay that was away for %s catches up without late revisions (SEED=${firstSeed})`,
  async (_name, hours, restarted) => {
    const its = await watched(nine);
    const [awayFrom, awayTo] = [nine + 90 * minute, nine + 90 * minute + hours * hour];
    const end = awayTo + 4 * hour;
    const random = seeded(firstSeed);
    for (let nowMs = nine; nowMs < end; nowMs += 5 * minute) {
      // On time, and late by less than what is allowed.
      await its.books.append(callAt(`e${nowMs}`, nowMs));
      await its.books.append(callAt(`d${nowMs}`, Math.max(nine, nowMs - Math.floor(random() * 50) * minute)));
      const isAway = nowMs >= awayFrom && nowMs < awayTo;
      if (!isAway) receive(its.driver, (await told()).get(its.books.customerId));
      if (restarted && nowMs === awayFrom + hour) its.driver.restart();
      await its.driver.advanceTo(nowMs);
    }
    await its.driver.advanceTo(end + 6 * hour);
    const windows = await closedWindows(its);
    expect(windows).toHaveLength(2 * Math.ceil((end - nine) / hour));
    expect(windows.filter(({ finals, closed }) => finals !== '1' || !closed)).toEqual([]);
    await expectSettled(its);
    const { data: findings } = await scene.storage.findings.list({ customerId: its.books.customerId }, { limit: 10 });
    expect(findings).toEqual([]);
  },
  120_000,
);
