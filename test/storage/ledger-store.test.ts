/**
 * What a batch becomes that is stored in several steps: looked up and copied at the same time, copied again, waiting for what
 * another batch is storing. Each step can fail, and the ledger may have lost what this process remembers.
 */
import pg from 'pg';
import { GroupCommit } from '../../src/api/ingest/group-commit.js';
import type { UsageEvent } from '../../src/domain/metering/event.js';
import type { Database } from '../../src/storage/database.js';
import { StorageUnavailable } from '../../src/storage/errors.js';
import { createUsageLedger } from '../../src/storage/ledger.js';
import type { AppendOutcome, UsageLedger } from '../../src/storage/types.js';
import { through } from './ledger-between.js';
import { createFixture, type Fixture, usageEvent } from './usage-fixture.js';

let fixture: Fixture;
let admin: pg.Client;
beforeAll(async () => {
  fixture = await createFixture(12);
  admin = new pg.Client({ connectionString: fixture.url });
  await admin.connect();
});
afterAll(async () => {
  await admin.end();
  await fixture.close();
});

let customers = 0;
let customerId: string;
let ledger: UsageLedger;
beforeEach(() => {
  customerId = `customer ${(customers += 1)}`;
  ledger = ledgerOn(fixture.db);
});

const ledgerOn = (db: Database): UsageLedger => createUsageLedger(db, () => Promise.resolve([]));

const event = (eventId: string, content = ''): UsageEvent =>
  usageEvent({
    customerId,
    eventId,
    eventTime: '2024-01-15T10:00:00Z',
    metadataJson: JSON.stringify(content === '' ? {} : { content }),
  });
const eventsOf = (...ids: readonly string[]): readonly UsageEvent[] => ids.map((id) => event(id));
const letter = { code: 'C', detail: '', customerId: null, eventId: null, payload: 'x' };

/** Rows of the customer as `id` or `id content`, in order. */
async function stored(): Promise<readonly string[]> {
  const { rows } = await admin.query<{ event: string }>(
    `SELECT concat_ws(' ', event_id, metadata->>'content') AS event FROM telemetry_events WHERE customer_id = $1 ORDER BY 1`,
    [customerId],
  );
  return rows.map((row) => row.event);
}

/** As a restore to an earlier state would: past every guard. */
async function lose(...ids: readonly string[]): Promise<void> {
  await admin.query('BEGIN; ALTER TABLE telemetry_events DISABLE TRIGGER refuse_change');
  const lost = 'DELETE FROM telemetry_events WHERE customer_id = $1 AND event_id = ANY ($2)';
  const { rowCount } = await admin.query(lost, [customerId, ids]);
  await admin.query('ALTER TABLE telemetry_events ENABLE ALWAYS TRIGGER refuse_change; COMMIT');
  expect(rowCount).toBe(ids.length);
}

describe('what the ledger has lost since this process stored it is stored again', () => {
  test.each([
    ['that is copied', []],
    ['with a dead letter, which is inserted', [letter]],
  ] as const)('in a batch %s, beside what is there still, what is new, and repeats', async (_what, letters) => {
    await ledger.append(eventsOf('a', 'b', 'c', 'd'), []);
    await lose('b', 'd');
    const mixed = eventsOf('d', 'a', 'new', 'b', 'c', 'b', 'new', 'a', 'd');
    expect(await ledger.append([...mixed, event('b', 'other'), event('a', 'other')], letters)).toEqual([
      ...['accepted', 'duplicate', 'accepted', 'accepted', 'duplicate'],
      ...['duplicate', 'duplicate', 'duplicate', 'duplicate', 'conflict', 'conflict'],
    ]);
    expect(await stored()).toEqual(['a', 'b', 'c', 'd', 'new']);
    expect(await ledger.append(eventsOf('a', 'b', 'c', 'd', 'new'), [])).toEqual(Array(5).fill('duplicate'));
  });

  test('and whatever comes with other content is in conflict, unless it is the first', async () => {
    await ledger.append(eventsOf('a', 'b', 'c'), []);
    await lose('a', 'b');
    const batch = [event('a'), event('a', 'other'), event('b', 'other'), event('b'), event('c', 'other'), event('c')];
    const became = ['accepted', 'conflict', 'accepted', 'conflict', 'conflict', 'duplicate'];
    expect(await ledger.append(batch, [])).toEqual(became);
    expect(await stored()).toEqual(['a', 'b other', 'c']);
  });

  test('while batches are looked up as a whole, because the ones before repeated what others had stored', async () => {
    const known = eventsOf('a', 'b', 'c', 'd', 'e', 'f');
    await ledgerOn(fixture.db).append(known, []);
    expect(await ledger.append(known.slice(0, 3), [])).toEqual(Array(3).fill('duplicate'));
    await lose('b', 'e');
    expect(await ledger.append([...known.slice(1), ...eventsOf('new', 'b')], [])).toEqual([
      ...['accepted', 'duplicate', 'duplicate', 'accepted', 'duplicate', 'accepted', 'duplicate'],
    ]);
    expect(await stored()).toEqual(['a', 'b', 'c', 'd', 'e', 'f', 'new']);
  });

  test('though somebody else stores it again, other, between the look-up and the copy: then it is in conflict', async () => {
    const copies: number[] = [];
    const other = through(fixture.db, {
      // The first stores what is to be lost, the second what is new, the third what was lost.
      copyIn: async (copy, call) => {
        copies.push(call);
        if (call === 3) await ledger.append([event('a', 'other')], []);
        return copy();
      },
    });
    const it = ledgerOn(other);
    await it.append(eventsOf('a', 'b'), []);
    await lose('a', 'b');
    const became = ['conflict', 'accepted', 'accepted', 'duplicate', 'conflict'];
    expect(await it.append([...eventsOf('a', 'new', 'b', 'new'), event('new', 'other')], [])).toEqual(became);
    expect(copies).toEqual([1, 2, 3]);
    expect(await stored()).toEqual(['a other', 'b', 'new']);
  });
});

describe('a look-up that fails after the copy has committed', () => {
  const ours = new Error('a mistake of ours');

  /** `old` is remembered; the look-up for it fails once, when what is new is committed. */
  async function failing(error: Error): Promise<UsageLedger> {
    let fails = false;
    let copied: Promise<void> = Promise.resolve();
    const between = through(fixture.db, {
      copyIn: (copy) => (copied = copy()),
      lookUp: async (query) => {
        if (!fails) return query();
        fails = false;
        await new Promise((resolve) => setImmediate(resolve));
        await copied;
        throw error;
      },
    });
    const it = ledgerOn(between);
    await it.append(eventsOf('old'), []);
    fails = true;
    return it;
  }

  test('leaves the copy: who tries again is told that it was accepted then', async () => {
    const it = await failing(ours);
    const [events, committed] = [eventsOf('old', 'new', 'new', 'old'), new Map<UsageEvent, AppendOutcome>()];
    await expect(it.append(events, [], committed)).rejects.toBe(ours);
    expect(await stored()).toEqual(['new', 'old']);
    expect([...committed]).toEqual([[events[1], 'accepted']]);
    const became = ['duplicate', 'accepted', 'duplicate', 'duplicate'];
    expect(await it.append(events, [], committed)).toEqual(became);
    expect(await it.append(eventsOf('old', 'new'), [])).toEqual(['duplicate', 'duplicate']);
  });

  test('fails nobody of a group: each request is told what became of its events', async () => {
    const group = new GroupCommit(await failing(ours));
    const submit = (...ids: readonly string[]): Promise<readonly AppendOutcome[]> =>
      group.submit({ events: eventsOf(...ids), deadLetters: [], bytes: 0 });
    const answers = await Promise.all([submit('old'), submit('new', 'more'), submit('old', 'new', 'most')]);
    expect(answers).toEqual([['duplicate'], ['accepted', 'accepted'], ['duplicate', 'duplicate', 'accepted']]);
    expect(await stored()).toEqual(['more', 'most', 'new', 'old']);
    await group.close();
  });

  test('when the database is away every request of the group may try again, and nothing is doubled', async () => {
    const group = new GroupCommit(await failing(new StorageUnavailable(new Error('away'))));
    const submit = (id: string): Promise<readonly AppendOutcome[]> =>
      group.submit({ events: eventsOf(id), deadLetters: [], bytes: 0 });
    const both = await Promise.allSettled([submit('old'), submit('new')]);
    expect(both.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(await Promise.all([submit('old'), submit('new')])).toEqual([['duplicate'], ['duplicate']]);
    expect(await stored()).toEqual(['new', 'old']);
    await group.close();
  });
});

test('of what is tried again some is committed before and some in parts: each event is told its own outcome', async () => {
  let end = (): void => undefined;
  const mayEnd = new Promise<void>((resolve) => (end = resolve));
  const it = ledgerOn(through(fixture.db, { copyIn: (copy, call) => (call === 1 ? mayEnd.then(copy) : copy()) }));
  await ledgerOn(fixture.db).append([event('x', 'other')], []);
  const first = it.append(eventsOf('a'), []);
  // Of four that are left, `a` waits for the copy under way, and the others are committed meanwhile, as a part of them.
  const events = eventsOf('before', 'x', 'b', 'a', 'c');
  const [before] = events;
  const committed = new Map<UsageEvent, AppendOutcome>(before === undefined ? [] : [[before, 'accepted']]);
  const again = it.append(events, [], committed);
  end();
  expect(await first).toEqual(['accepted']);
  expect(await again).toEqual(['accepted', 'conflict', 'accepted', 'duplicate', 'accepted']);
});

describe('a second copy in flight, when the first fails', () => {
  const away = new StorageUnavailable(new Error('away'));

  /** The first copy ends as told; the second batch comes while it is under way. */
  async function meeting(first: (copy: () => Promise<void>) => Promise<void>): Promise<readonly unknown[]> {
    let begun = (): void => undefined;
    const isUnderWay = new Promise<void>((resolve) => (begun = resolve));
    let end = (): void => undefined;
    const mayEnd = new Promise<void>((resolve) => (end = resolve));
    const it = ledgerOn(
      through(fixture.db, {
        copyIn: async (copy, call) => {
          if (call > 1) return copy();
          begun();
          await mayEnd;
          return first(copy);
        },
      }),
    );
    const one = it.append(eventsOf('a', 'b'), []);
    const failed = one.catch((error: unknown) => error);
    await isUnderWay;
    const two = it.append([...eventsOf('b', 'c', 'b'), event('b', 'other')], [letter]);
    await until(async () => (await stored()).includes('c'));
    end();
    return [await failed, await two];
  }

  const until = async (holds: () => Promise<boolean>): Promise<void> => {
    while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 5));
  };

  test('before it committed: the second is stored', async () => {
    const became = await meeting(() => Promise.reject(away));
    expect(became).toEqual([away, ['accepted', 'accepted', 'duplicate', 'conflict']]);
    expect(await stored()).toEqual(['b', 'c']);
  });

  test('after it committed: the second is a duplicate of it', async () => {
    const became = await meeting((copy) => copy().then(() => Promise.reject(away)));
    expect(became).toEqual([away, ['duplicate', 'accepted', 'duplicate', 'conflict']]);
    expect(await stored()).toEqual(['a', 'b', 'c']);
  });

  test('not at all: it is told from the first, and other content is for the ledger to judge', async () => {
    const became = await meeting((copy) => copy());
    expect(became).toEqual([
      ['accepted', 'accepted'],
      ['duplicate', 'accepted', 'duplicate', 'conflict'],
    ]);
    expect(await stored()).toEqual(['a', 'b', 'c']);
  });
});
