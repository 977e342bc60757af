/**
 * Late is not lost (DESIGN 2, invariant 5): whatever happens to a customer in whatever order, what was invoiced and corrected adds
 * up to the invoice that would have been issued had everything been known on time, line by line.
 *
 * SEED=… repeats a run; TIMES=10 tells ten times as many histories.
 */
import fc from 'fast-check';
import { createActivityFixture } from '../activities/fixture.js';
import type { ActivityFixture } from '../activities/fixture.js';
import { periods, ending, history, Telling } from './support/history.js';
import type { History, PeriodIndex, Step } from './support/history.js';
import { happenings, Oracle } from './support/oracle.js';
import { linesOfDocuments, minorUnitsOf } from './support/project-facts.js';
import { balanceOf, minorDigitsOf, PureBooks } from './support/pure-books.js';
import { createMeters, StoredBooks } from './support/stored-books.js';

const seed = process.env['SEED'];
const runs = (histories: number): fc.Parameters<[History]> => ({
  numRuns: Number(process.env['TIMES'] ?? 1) * histories,
  ...(seed !== undefined && { seed: Number(seed) }),
});
const everyPeriod = Object.keys(periods).map((index) => Number(index) as PeriodIndex);
/** As text: comparing objects, step by step, would take longer than everything else. */
const shown = (lines: ReadonlyMap<string, bigint>): string =>
  [...lines]
    .map(([key, amount]) => `${key} ${amount}`)
    .sort()
    .join('\n');

test('histories are rich: everything happens that can happen to a period', async () => {
  const seen = new Set<string>();
  for (const its of fc.sample(history, { numRuns: 1_000, seed: 1 })) {
    const oracle = new Oracle(its);
    const telling = new Telling(oracle);
    await telling.begin(its);
    for (const step of [...its.steps, ...ending]) await telling.tell(step);
    for (const what of oracle.seen) seen.add(what);
  }
  expect([...seen].sort()).toEqual([...happenings].sort());
});

describe('in memory', () => {
  test('after every step the documents add up to what the oracle has settled; in the end to the invoice on time', async () => {
    await fc.assert(
      fc.asyncProperty(history, async (its) => {
        const [oracle, books] = [new Oracle(its), new PureBooks(its)];
        const [toOracle, toBooks] = [new Telling(oracle), new Telling(books)];
        const billed = (period: PeriodIndex) => linesOfDocuments(books.documents(period), minorDigitsOf(its));
        const tell = async (step: Step): Promise<void> => {
          await toOracle.tell(step);
          await toBooks.tell(step);
          expect(`${books.waiting()} ${everyPeriod.map((period) => shown(billed(period))).join()}`).toBe(
            `${oracle.waiting()} ${everyPeriod.map((period) => shown(oracle.invoiced(period))).join()}`,
          );
        };
        await toOracle.begin(its);
        await toBooks.begin(its);
        for (const step of [...its.steps, ...ending]) await tell(step);
        for (const period of everyPeriod) expect(shown(billed(period))).toBe(shown(oracle.onTime(period)));
        const owed = everyPeriod
          .flatMap((period) => [...billed(period).values()])
          .reduce((sum, amount) => sum + amount, 0n);
        expect(balanceOf(books.entries, 'accounts_receivable', minorDigitsOf(its))).toBe(owed);
        expect(balanceOf(books.entries, null, minorDigitsOf(its))).toBe(0n);
      }),
      runs(1_000),
    );
  }, 600_000);
});

describe('on Postgres, through the activities', () => {
  let fixture: ActivityFixture;
  let customers = 0;
  beforeAll(async () => {
    fixture = await createActivityFixture();
    await createMeters(fixture);
  });
  afterAll(() => fixture.close());

  test('in the end the documents add up to the invoice on time, verify, reconcile and are in the journal', async () => {
    await fc.assert(
      fc.asyncProperty(history, async (its) => {
        const [oracle, books] = [new Oracle(its), new StoredBooks(fixture, `c${(customers += 1)}`, its)];
        const [toOracle, toBooks] = [new Telling(oracle), new Telling(books)];
        await toOracle.begin(its);
        await toBooks.begin(its);
        await books.addCustomer();
        for (const step of [...its.steps, ...ending]) {
          await toOracle.tell(step);
          await toBooks.tell(step);
        }
        expect(books.waiting()).toBe(oracle.waiting());
        let owed = 0n;
        for (const period of everyPeriod) {
          const counting = (await books.documents(period)).filter(({ status }) => status !== 'void');
          const billed = linesOfDocuments(counting, minorDigitsOf(its));
          expect(shown(billed)).toBe(shown(oracle.onTime(period)));
          for (const amount of billed.values()) owed += amount;
        }
        const entries = await books.entries();
        expect(balanceOf(entries, 'accounts_receivable', minorDigitsOf(its))).toBe(owed);
        expect(balanceOf(entries, null, minorDigitsOf(its))).toBe(0n);
        expect(await books.complaints()).toEqual([]);
      }),
      runs(90),
    );
    const trialBalance = await fixture.storage.journal.trialBalance();
    expect(trialBalance).not.toEqual([]);
    for (const currency of new Set(trialBalance.map((row) => row.currency))) {
      const balances = trialBalance.filter((row) => row.currency === currency).map(({ balance }) => balance);
      const sum = balances.map((balance) => minorUnitsOf(balance, 3)).reduce((a, b) => a + b, 0n);
      expect([currency, sum]).toEqual([currency, 0n]);
    }
  }, 600_000);
});
