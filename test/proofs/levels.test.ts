/**
 * A level is carried over months: whatever changes it late (an event, an adjustment, a backfill that adds or replaces, its reversion)
 * reaches every month after it, invoiced or not, through relay and workflows alone. Held against integers.
 *
 * SEED=… repeats a run; TIMES=10 tells ten times as many histories.
 */
import { createActivityFixture } from '../activities/fixture.js';
import type { ActivityFixture } from '../activities/fixture.js';
import { seeded } from './support/interleavings.js';
import { createLevelFacts, LevelBooks, months, regions } from './support/level-books.js';
import type { SeatChange } from './support/level-books.js';

let fixture: ActivityFixture;
let customers = 0;
beforeAll(async () => {
  fixture = await createActivityFixture();
  await createLevelFacts(fixture);
});
afterAll(() => fixture.close());

async function newBooks(more: Parameters<LevelBooks['open']>[0] = {}): Promise<LevelBooks> {
  const books = new LevelBooks(fixture, `level-${(customers += 1)}`);
  await books.open(more);
  return books;
}

const at = (text: string): number => Date.parse(`2024-${text}:00Z`);
const change = (time: string, seats: number, region: SeatChange['region'] = 'eu'): SeatChange => ({
  ms: at(time),
  seats,
  region,
});

async function expectSettled(books: LevelBooks): Promise<void> {
  await books.settle();
  expect(await books.state()).toEqual(books.expected());
}

/** Ten seats all the time, and one more in the middle of January; everything invoiced. */
async function invoiced(): Promise<LevelBooks> {
  const books = await newBooks();
  await books.send(change('01-01T00:00', 10));
  await books.send(change('01-16T12:00', 1, 'us'));
  for (const month of months) await books.invoice(month);
  await expectSettled(books);
  return books;
}
const week = [at('01-10T00:00'), at('01-20T00:00')] as const;

test('a late change in the first month corrects all four', async () => {
  const books = await invoiced();
  await books.send(change('01-20T00:00', -3));
  await expectSettled(books);
});

test('a backfill that adds, closed and reverted', async () => {
  const books = await invoiced();
  const backfill = await books.openBackfill('add', ...week);
  await books.send(change('01-12T00:00', 5), backfill);
  await expectSettled(books);
  await books.decide(backfill, 'closed');
  await expectSettled(books);
  await books.decide(backfill, 'reverted');
  await expectSettled(books);
});

test.each([
  ['with other changes', 2],
  ['with nothing', 0],
])('a backfill that replaces %s, closed and reverted', async (_name, count) => {
  const books = await invoiced();
  const backfill = await books.openBackfill('replace', ...week);
  for (let index = 0; index < count; index += 1) await books.send(change('01-12T06:00', 4 + index, 'us'), backfill);
  await books.decide(backfill, 'closed');
  await expectSettled(books);
  await books.send(change('01-15T00:00', 8)); // what it replaces, however late it comes
  await expectSettled(books);
  await books.decide(backfill, 'reverted');
  await expectSettled(books);
});

test('a change is amended from one month into another, and voided', async () => {
  const books = await invoiced();
  await books.adjust('change-2', change('03-05T00:00', 2, 'eu'));
  await expectSettled(books);
  await books.adjust('change-2', change('02-05T00:00', 2, 'us'));
  await expectSettled(books);
  await books.adjust('change-2', null);
  await expectSettled(books);
});

describe('every month was skipped, because it was empty (RULES 64)', () => {
  async function skipped(): Promise<LevelBooks> {
    const books = await newBooks({ skipEmptyInvoices: true });
    for (const month of months) await books.invoice(month);
    await expectSettled(books);
    expect(await books.stages()).toEqual(['skipped', 'skipped', 'skipped', 'skipped']);
    return books;
  }
  const allInvoiced = ['invoiced', 'invoiced', 'invoiced', 'invoiced'];

  test('a late change in the first month bills all four', async () => {
    const books = await skipped();
    await books.send(change('01-10T00:00', 10));
    await expectSettled(books);
    expect(await books.stages()).toEqual(allInvoiced);
  });

  test('a change and its end: what comes after it stays skipped, until the end is voided', async () => {
    const books = await skipped();
    await books.send(change('01-10T00:00', 10));
    await books.send(change('02-10T00:00', -10));
    await expectSettled(books);
    expect(await books.stages()).toEqual(['invoiced', 'invoiced', 'skipped', 'skipped']);
    await books.adjust('change-2', null);
    await expectSettled(books);
    expect(await books.stages()).toEqual(allInvoiced);
  });

  test('a backfill bills them when it is closed', async () => {
    const books = await skipped();
    const backfill = await books.openBackfill('add', ...week);
    await books.send(change('01-12T00:00', 5), backfill);
    await expectSettled(books);
    expect(await books.stages()).toEqual(['skipped', 'skipped', 'skipped', 'skipped']);
    await books.decide(backfill, 'closed');
    await expectSettled(books);
    expect(await books.stages()).toEqual(allInvoiced);
  });

  test('what was only skipped again is not asked about without end', async () => {
    const books = await skipped();
    await books.send(change('01-10T00:00', 10));
    await books.adjust('change-1', null);
    await expectSettled(books);
    expect(await books.stages()).toEqual(['skipped', 'skipped', 'skipped', 'skipped']);
    expect(await books.settle()).toBe(0);
  });

  test('an amendment moves the change into a skipped month from a later one', async () => {
    const books = await skipped();
    await books.send(change('03-10T00:00', 10));
    await expectSettled(books);
    expect(await books.stages()).toEqual(['skipped', 'skipped', 'invoiced', 'invoiced']);
    await books.adjust('change-1', change('01-05T00:00', 10));
    await expectSettled(books);
    expect(await books.stages()).toEqual(allInvoiced);
  });
});

/** Draws what happens next from what there is. */
class Story {
  constructor(
    private readonly books: LevelBooks,
    private readonly random: () => number,
  ) {}

  private readonly invoicedMonths = new Set<string>();

  async step(): Promise<void> {
    const { books } = this;
    const [event, open, closed] = [
      this.pick(books.eventIds),
      this.pick(books.openBackfills),
      this.pick(books.closedBackfills),
    ];
    const kinds: readonly (() => Promise<unknown>)[] = [
      () => books.send(this.change()),
      () => books.send(this.change()),
      () =>
        event === undefined
          ? books.send(this.change())
          : books.adjust(event, this.random() < 0.4 ? null : this.change()),
      () => this.backfill(),
      () => (open === undefined ? this.backfill() : books.decide(open, this.random() < 0.8 ? 'closed' : 'reverted')),
      () => (closed === undefined ? this.backfill() : books.decide(closed, 'reverted')),
      () => this.invoice(),
      () => this.invoice(),
      () => books.settle(),
      () => books.settle(),
    ];
    await this.pick(kinds)?.();
  }

  async end(): Promise<void> {
    for (const backfill of this.books.openBackfills) await this.books.decide(backfill, 'closed');
    const left = months.filter((month) => !this.invoicedMonths.has(month));
    for (const month of left.sort(() => this.random() - 0.5)) await this.books.invoice(month);
  }

  private async backfill(): Promise<void> {
    const [from, to] = [this.hour(), this.hour()].sort((a, b) => a - b);
    const range = [from ?? 0, (to ?? 0) + 3_600_000] as const;
    const backfill = await this.books.openBackfill(this.random() < 0.6 ? 'replace' : 'add', ...range);
    for (let count = Math.floor(this.random() * 3); count > 0; count -= 1) {
      const ms = range[0] + Math.floor(this.random() * (range[1] - range[0]));
      await this.books.send({ ...this.change(), ms }, backfill);
    }
    if (this.random() < 0.6) await this.books.decide(backfill, 'closed');
  }

  private async invoice(): Promise<void> {
    const month = this.pick(months);
    if (month === undefined || this.invoicedMonths.has(month)) return;
    this.invoicedMonths.add(month);
    await this.books.invoice(month);
  }

  /** Of the four months, often where one begins. */
  private hour(): number {
    const bounds = ['01-01T00:00', '02-01T00:00', '03-01T00:00', '04-01T00:00'].map(at);
    const anywhere = at('01-01T00:00') + Math.floor(this.random() * 121 * 24) * 3_600_000;
    return this.random() < 0.3 ? (this.pick(bounds) ?? anywhere) : anywhere;
  }

  private change(): SeatChange {
    const ms = this.hour() + (this.random() < 0.5 ? 0 : Math.floor(this.random() * 3_600_000));
    return { ms, seats: Math.floor(this.random() * 21) - 8, region: this.pick(regions) ?? 'eu' };
  }

  private pick<T>(values: readonly T[]): T | undefined {
    return values[Math.floor(this.random() * values.length)];
  }
}

const firstSeed = Number(process.env['SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const histories = 10 * Number(process.env['TIMES'] ?? 1);

test.each(Array.from({ length: histories }, (_, index) => firstSeed + index))(
  'any history ends with what it must have cost, whether or not empty months are skipped (SEED=%i)',
  async (seed) => {
    const books = await newBooks({ skipEmptyInvoices: seed % 2 === 0 });
    const story = new Story(books, seeded(seed));
    for (let step = 0; step < 30; step += 1) await story.step();
    await story.end();
    await expectSettled(books);
  },
  120_000,
);
