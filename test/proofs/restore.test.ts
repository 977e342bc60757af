/**
 * A database restored from a logical dump goes on as the one it was taken from: same ids, same documents, no event twice, positions
 * above the old ones. Nothing in it depends on transaction ids or on where rows lie.
 */
import { createActivities } from '../../src/activities/index.js';
import { createStorage } from '../../src/storage/index.js';
import { issuedAt, settings } from '../activities/fixture.js';
import type { TestDatabase } from '../support/postgres.js';
import type { JointBooks } from './support/joint-books.js';
import { eventOf, january, JointScene } from './support/joint-scene.js';
import type { Call } from './support/joint-scene.js';
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
/** By scene: a customer in the middle of its period, and one that is invoiced. */
let customers: ReadonlyMap<JointScene, { readonly running: JointBooks; readonly billed: JointBooks }>;
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
  await running.rollBack('ghost');
  database = await taken.restore();
  await taken.forget();

  const storage = createStorage(database.url);
  const client = undefined as never; // no step here asks Temporal for anything
  const activities = createActivities({ storage, client, settings, now: () => issuedAt });
  const close = (): Promise<void> => storage.close();
  restored = await JointScene.on({ ...original.fixture, storage, activities, url: database.url, close });
  customers = new Map([
    [original, { running, billed }],
    [restored, { running: running.movedTo(restored), billed: billed.movedTo(restored) }],
  ]);
}, 120_000);

afterAll(async () => {
  await restored.close();
  await database.drop();
  await original.close();
});

const inBoth = <T>(work: (scene: JointScene, books: { running: JointBooks; billed: JointBooks }) => Promise<T>) =>
  Promise.all([...customers].map(([scene, books]) => work(scene, books)));

test('every table and sequence is there', async () => {
  const [before, after] = await inBoth(async ({ admin }) => {
    const { rows } = await admin.query<{ name: string; rows: string }>(countsSql);
    return rows.map(({ name, rows: count }) => `${name} ${count}`);
  });
  expect(after).toEqual(before);
  expect(
    after?.filter((line) => /^(re_rating_comparisons|usage_ranges|event_adjustments|invoices) [1-9]/.test(line)),
  ).toHaveLength(4);
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

/** Of each table its rows; of each sequence its next value. The relay of a restored database has taken over once more. */
const countsSql = `SELECT relname AS name, CASE relkind
    WHEN 'S' THEN (xpath('/row/v/text()', query_to_xml(format('SELECT last_value + is_called::int AS v FROM %I', relname), false, true, '')))[1]::text
    ELSE (xpath('/row/v/text()', query_to_xml(format('SELECT count(*) AS v FROM %I', relname), false, true, '')))[1]::text END AS rows
  FROM pg_class WHERE relkind IN ('r', 'S') AND relnamespace = 'public'::regnamespace ORDER BY relname`;
