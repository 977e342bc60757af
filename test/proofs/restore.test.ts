/**
 * A database restored from a logical dump goes on as the one it was taken from: same ids, same documents, no event twice, positions
 * above the old ones. Nothing in it depends on transaction ids or on where rows lie. There is no table that the dump has not some
 * row of.
 */
import type { Client } from '@temporalio/client';
import { createActivities } from '../../src/activities/index.js';
import { createStorage } from '../../src/storage/index.js';
import { issuedAt, settings } from '../activities/fixture.js';
import type { TemporalCall } from '../activities/fixture.js';
import { resultOf } from '../storage/audit-fixture.js';
import type { TestDatabase } from '../support/postgres.js';
import { emptyTables, imageOf } from './support/database-content.js';
import { fillOtherTables } from './support/every-table.js';
import type { JointBooks } from './support/joint-books.js';
import { eventOf, january, JointScene } from './support/joint-scene.js';
import type { Call } from './support/joint-scene.js';
import { createLevelFacts, LevelBooks, months } from './support/level-books.js';
import { dump } from './support/logical-dump.js';

const call = (eventId: string, minute: number, hour = 10): Call => ({
  eventId,
  time: `2024-01-10T${hour}:${String(minute).padStart(2, '0')}:00Z`,
  bytes: minute,
});
const ghost = call('ghost', 7);

let original: JointScene;
let restored: JointScene;
let database: TestDatabase;
interface Customers {
  /** In the middle of its period. */
  readonly running: JointBooks;
  /** Invoiced, and being corrected. */
  readonly billed: JointBooks;
  /** With a level that is carried on, and backfills in every state. */
  readonly leveled: LevelBooks;
}
let customers: ReadonlyMap<JointScene, Customers>;
/** Both databases at the moment of the dump. */
let images: readonly Readonly<Record<string, string>>[];
/** What made the dump. */
let method: string;
/** The highest of the dumped facts. */
let lastPosition: bigint;

beforeAll(async () => {
  original = await JointScene.open();
  const running = await original.newCustomer();
  const billed = await original.newCustomer();

  await billed.append(call('a', 1), call('b', 2), call('c', 3), call('d', 4));
  await billed.gate(january);
  await billed.append(call('late', 5));
  await billed.compare(january);
  const [open] = billed.reRatingsOf(january);
  const approval = { attempt: 1, decision: 'approved', decidedBy: 'ann', reason: null } as const;
  await original.storage.reRatings.decide(open?.reRatingId ?? '', approval);
  const leveled = await newLevelBooks();
  await original.takeOver();
  await fillOtherTables(original.fixture);

  await running.append(call('a', 1), call('b', 2), call('c', 3, 11));
  await original.plan();
  await original.deliver();
  await running.adjust('b', null);
  await running.closeWindows(january, true);
  await running.append(call('planned', 20, 11));
  await original.plan();
  await running.adjust('a', call('a', 40, 12));
  await running.append(call('not planned', 30, 12));
  lastPosition = BigInt(await original.storage.ledger.safeHorizon());

  // Somebody has drawn a position and not committed when the dump is taken, and never will.
  await running.draw('ghost', ghost);
  const taken = await dump(original.fixture.url);
  method = taken.method;
  const before = await imageOf(original.fixture.url);
  await running.rollBack('ghost');
  database = await taken.restore();
  await taken.forget();

  images = [before, await imageOf(database.url)];
  const storage = createStorage(database.url);
  const temporal: TemporalCall[] = [];
  const client = noting(temporal);
  const activities = createActivities({ storage, client, settings, now: () => issuedAt });
  const close = (): Promise<void> => storage.close();
  restored = await JointScene.on({ ...original.fixture, storage, activities, temporal, url: database.url, close });
  customers = new Map([
    [original, { running, billed, leveled }],
    [
      restored,
      {
        running: running.movedTo(restored),
        billed: billed.movedTo(restored),
        leveled: leveled.movedTo(restored.fixture),
      },
    ],
  ]);
}, 120_000);

afterAll(async () => {
  await restored.close();
  await database.drop();
  await original.close();
});

/** Two months are invoiced; one backfill is closed and not corrected yet, one reverted, one open. */
async function newLevelBooks(): Promise<LevelBooks> {
  await createLevelFacts(original.fixture);
  const books = new LevelBooks(original.fixture, 'leveled');
  await books.open();
  const change = (day: string, seats: number) => ({
    ms: Date.parse(`2024-${day}T00:00:00Z`),
    seats,
    region: 'eu' as const,
  });
  await books.send(change('01-01', 10));
  await books.send(change('01-16', 1));
  for (const month of months.slice(0, 2)) await books.invoice(month);
  await books.send(change('02-01', 3));
  await books.settle();
  const week = [Date.parse('2024-01-12T00:00:00Z'), Date.parse('2024-01-19T00:00:00Z')] as const;
  const [closed, reverted, open] = [
    await books.openBackfill('replace', ...week),
    await books.openBackfill('replace', ...week),
    await books.openBackfill('add', ...week),
  ];
  for (const [index, id] of [closed, reverted, open].entries()) await books.send(change('01-15', 4 + index), id);
  await books.decide(reverted, 'reverted');
  await books.decide(closed, 'closed');
  return books;
}

function noting(calls: TemporalCall[]): Client {
  const note = (method: TemporalCall['method']) => (type: string, options: { workflowId: string }) => {
    calls.push({ method, type, workflowId: options.workflowId });
    return Promise.resolve({});
  };
  return { workflow: { start: note('start'), signalWithStart: note('signalWithStart') } } as unknown as Client;
}

const inBoth = <T>(work: (scene: JointScene, books: Customers) => Promise<T>) =>
  Promise.all([...customers].map(([scene, books]) => work(scene, books)));

test('the proof says what it was dumped and restored with', () => {
  process.stderr.write(`restore proof: dumped and restored with ${method}\n`);
  expect(method).toMatch(process.env['RECKONER_TEST_DUMP'] === 'pg_dump' ? /^pg_dump \d+$/ : /^(pg_dump \d+|COPY )/);
});

test('no table is without a row in the original, and every row, sequence and guard is in the copy', async () => {
  expect(await emptyTables(original.fixture.url)).toEqual([]);
  const [before, after] = images;
  expect(Object.keys(before ?? {}).length).toBeGreaterThan(100);
  expect(after).toEqual(before);
});

test('the audit log of the copy verifies, and goes on from there', async () => {
  await inBoth(async ({ storage }) => {
    expect(await resultOf(storage.audit.verify())).toMatchObject({ verified: true, problem: null });
  });
});

test('what was acknowledged before is a duplicate, what was not is accepted; positions go on above the old ones', async () => {
  await inBoth(async ({ storage }, { running }) => {
    const { customerId } = running;
    const known = [...running.sent.values()].map((sent) => eventOf(customerId, sent));
    const outcomes = await storage.ledger.append(
      [...known, eventOf(customerId, { ...call('c', 3, 11), bytes: 99 })],
      [],
    );
    expect(outcomes).toEqual([...known.map(() => 'duplicate'), 'conflict']);
    await running.append(ghost, call('new', 50, 12));
    for (const id of ['ghost', 'new'])
      expect(BigInt((await storage.ledger.findEvent(customerId, '', id))?.position ?? '0')).toBeGreaterThan(
        lastPosition,
      );
    const { adjustment, outcome } = await storage.adjustments.adjust({
      customerId,
      source: '',
      eventId: 'b',
      type: 'void',
      replacement: null,
      reason: null,
    });
    expect({ outcome, type: adjustment.type }).toEqual({ outcome: 'duplicate', type: 'void' });
  });
});

test('backfills go on: what was closed is corrected, what was open takes events and is closed, in every later month', async () => {
  await inBoth(async (_scene, { leveled }) => {
    const [open] = leveled.openBackfills;
    await leveled.settle();
    await leveled.send({ ms: Date.parse('2024-01-18T12:00:00Z'), seats: 2, region: 'us' }, open);
    await leveled.decide(open ?? '', 'closed');
    for (const month of months.slice(2)) await leveled.invoice(month);
    await leveled.settle();
    expect(await leveled.state()).toEqual(leveled.expected());
  });
});

test('relay, closing, gate and the correction that was open go on, to the very same documents', async () => {
  const [before, after] = await inBoth(async (scene, { running, billed }) => {
    await scene.takeOver();
    await billed.correct(january);
    await running.finish();
    await running.append(call('very late', 55, 13));
    for (const books of [running, billed]) {
      await books.finish();
      expect(await books.state()).toEqual(books.expected());
    }
    return Promise.all([running, billed].flatMap((books) => books.periods.map((period) => books.documents(period))));
  });
  const identities = (documents: typeof before): unknown =>
    documents?.map((chain) =>
      chain.map(({ invoiceId, number, type, total, documentHash, lines }) => ({
        ...{ invoiceId, number, type, total, documentHash },
        lines: lines.map(({ lineItemId, chargeIds }) => [lineItemId, chargeIds]),
      })),
    );
  expect(identities(after)).toEqual(identities(before));
  expect(after?.map((chain) => chain.map(({ type }) => type))).toEqual([
    ['invoice', 'correction'],
    ['invoice', 'correction'],
  ]);
});
