/** Appends that meet each other, a deadlock or a lost connection. */
import type { PoolClient } from 'pg';
import type { UsageEvent } from '../../src/domain/metering/event.js';
import { createUsageLedger } from '../../src/storage/ledger.js';
import { openLedgerTransaction } from '../../src/storage/safe-horizon.js';
import type { AppendOutcome, UsageLedger } from '../../src/storage/types.js';
import { createFixture, type Fixture, usageEvent } from './usage-fixture.js';

let fixture: Fixture;
let ledger: UsageLedger;

beforeAll(async () => {
  fixture = await createFixture(12);
  ledger = createUsageLedger(fixture.db, () => Promise.resolve([]));
});
afterAll(() => fixture.close());

let customers = 0;
let customerId: string;
beforeEach(() => {
  customerId = `customer ${(customers += 1)}`;
});

const event = (eventId: string, metadata: object = {}, changes: Partial<UsageEvent> = {}): UsageEvent =>
  usageEvent({
    customerId,
    eventId,
    eventTime: '2024-01-15T10:00:00Z',
    metadataJson: JSON.stringify(metadata),
    ...changes,
  });

const append = (...events: readonly UsageEvent[]): Promise<readonly AppendOutcome[]> => ledger.append(events, []);

/** Reproducible: the same numbers in every run. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

function shuffled<T>(items: readonly T[], next: () => number): readonly T[] {
  return items
    .map((item) => ({ item, order: next() }))
    .sort((a, b) => a.order - b.order)
    .map(({ item }) => item);
}

describe('what is there already is looked up first, so that nothing is stored in vain', () => {
  /** Positions drawn: a row that is stored in vain draws one as well. */
  const drawn = async (work: () => Promise<unknown>): Promise<number> => {
    const last = async (): Promise<number> => {
      const { rows } = await fixture.db.pool.query<{ last_value: string }>('SELECT last_value FROM ledger_position');
      return Number(rows[0]?.last_value);
    };
    const before = await last();
    await work();
    return (await last()) - before;
  };
  const batch = (prefix: string): readonly UsageEvent[] =>
    Array.from({ length: 20 }, (_, index) => event(`${prefix}${index}`));

  test('of what was stored a moment ago, by this ledger', async () => {
    await append(...batch('a'));
    expect(await drawn(() => append(...batch('a').slice(0, 5), ...batch('b')))).toBe(20);
    expect(await drawn(() => append(...batch('b')))).toBe(0);
    expect(await drawn(() => append(...batch('c')))).toBe(20);
  });

  test('of what another one has stored, from the second batch on', async () => {
    const other = createUsageLedger(fixture.db, () => Promise.resolve([]));
    await other.append([...batch('x'), ...batch('y')], []);
    expect(await drawn(() => append(...batch('x'), event('x-new')))).toBeGreaterThan(1);
    expect(await drawn(() => append(...batch('y'), event('y-new')))).toBe(1);
  });

  test('of what is being stored, once it is', async () => {
    const both = (): Promise<unknown> => Promise.all([append(...batch('p')), append(...batch('p'), ...batch('q'))]);
    expect(await drawn(both)).toBe(40);
  });
});

describe('concurrent batches with overlapping keys in any order: each event once, every answer true', () => {
  const payloads = ['one', 'two', 'three'];

  // Several customers, so that rows lie in several partitions; dead letters keep a batch from being copied.
  test.each([
    ['each batch with dead letters', 1],
    ['every third batch with dead letters', 3],
    ['no dead letters', Infinity],
  ] as const)('%s', async (_what, lettersEvery) => {
    const next = random(42);
    const ids = Array.from({ length: 400 }, (_, i) => `e${i}`);
    const batches = Array.from({ length: 60 }, () => shuffled(ids, next).slice(0, 120));
    const customerOf = (id: string): string => `${customerId} ${Number(id.slice(1)) % 8}`;
    const letters = payloads.map((payload) => ({
      code: 'C',
      detail: '',
      customerId,
      eventId: null,
      payload: `${customerId} ${payload}`,
    }));
    const accepted: string[] = [];
    let answers = 0;
    await Promise.all(
      Array.from({ length: 10 }, async (_, worker) => {
        for (const [index, batch] of batches.entries()) {
          if (index % 10 !== worker) continue;
          const repeated = [...batch, ...batch.slice(0, 10)];
          const events = repeated.map((id) => event(id, { id }, { customerId: customerOf(id) }));
          const outcomes = await ledger.append(events, index % lettersEvery === 0 ? shuffled(letters, next) : []);
          answers += outcomes.length;
          expect(outcomes).not.toContain('conflict');
          outcomes.forEach((outcome, i) => {
            if (outcome === 'accepted') accepted.push(events[i]?.eventId ?? '');
          });
        }
      }),
    );
    expect(answers).toBe(60 * 130);
    const { rows } = await fixture.db.pool.query<{ event_id: string }>(
      'SELECT event_id FROM telemetry_events WHERE starts_with(customer_id, $1)',
      [`${customerId} `],
    );
    const stored = rows.map((row) => row.event_id).sort();
    expect(stored).toEqual([...new Set(batches.flat())].sort());
    // Accepted exactly once, by exactly one of the batches.
    expect([...accepted].sort()).toEqual(stored);
  });
});

describe('a deadlock with somebody who takes the keys in another order', () => {
  test.each([
    ['a batch that is copied', []],
    ['a batch that is inserted', [{ code: 'C', detail: '', customerId: null, eventId: null, payload: 'deadlock' }]],
  ] as const)('%s is stored once the other has ended', async (_what, letters) => {
    const [first, second, third] = [event('1'), event('2'), event('3')];
    await append(event('new'));
    const insert = (client: PoolClient, eventId: string): Promise<unknown> =>
      client.query(
        `INSERT INTO telemetry_events (customer_id, source, event_id, partition, event_type, event_time, content_hash, metadata)
         VALUES ($1, '', $2, 0, 't', now(), 1, '{}')`,
        [customerId, eventId],
      );
    let answer: Promise<readonly AppendOutcome[]> | undefined;
    await fixture.db.transaction(async (client) => {
      // It waits longer than the batch does, so it is the batch that the server ends.
      await client.query(`SET LOCAL deadlock_timeout = '60s'`);
      await insert(client, '2');
      answer = ledger.append([first, second, third], letters);
      await untilBlockedBy(client);
      await insert(client, '1');
    }, openLedgerTransaction);
    expect(await answer).toEqual(['conflict', 'conflict', 'accepted']);
  });

  async function untilBlockedBy(client: PoolClient): Promise<void> {
    const blocked = `SELECT 1 FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY (pg_blocking_pids(pid))`;
    while ((await client.query(blocked)).rowCount === 0) await client.query('SELECT pg_sleep(0.01)');
  }
});

describe('a lost connection', () => {
  test('in the middle of a transaction is StorageUnavailable, rolls back, and the next one works', async () => {
    const lost = fixture.db.transaction(async (client) => {
      const { rows } = await client.query<{ pid: number }>('SELECT pg_backend_pid() AS pid');
      await fixture.db.pool.query('SELECT pg_terminate_backend($1)', [rows[0]?.pid]);
      await client.query('SELECT 1');
    });
    await expect(lost).rejects.toMatchObject({ name: 'StorageUnavailable' });
    expect(await append(event('after'))).toEqual(['accepted']);
  });

  test('a statement that the server gives up on is StorageUnavailable; a mistake of ours is not', async () => {
    await expect(
      fixture.db.transaction((client) => client.query('SELECT pg_sleep(30)'), `SET LOCAL statement_timeout = '50ms'`),
    ).rejects.toMatchObject({ name: 'StorageUnavailable' });
    await expect(fixture.db.transaction((client) => client.query('SELECT 1 / 0'))).rejects.toMatchObject({
      code: '22012',
    });
  });

  test('a copy fails in the same ways, and keeps nothing', async () => {
    const table = 'copy_target';
    await fixture.db.pool.query(`CREATE TABLE ${table} (id int PRIMARY KEY)`);
    const copy = (before: string, rows: string): Promise<void> =>
      fixture.db.copyIn(`${before}; COPY ${table} FROM STDIN`, Buffer.from(rows));
    const unavailable = { name: 'StorageUnavailable' };
    await expect(copy('SELECT pg_terminate_backend(pg_backend_pid())', '1\n')).rejects.toMatchObject(unavailable);
    const slow = `SET LOCAL statement_timeout = '50ms'; SELECT pg_sleep(30)`;
    await expect(copy(slow, '1\n')).rejects.toMatchObject(unavailable);
    await expect(copy(`INSERT INTO ${table} VALUES (1)`, '2\n1\n3\n')).rejects.toMatchObject({ code: '23505' });
    await expect(copy('SELECT 1', '2\nx\n')).rejects.toMatchObject({ code: '22P02' });
    await copy(`SELECT 1; INSERT INTO ${table} VALUES (7)`, '8\n');
    const { rows } = await fixture.db.pool.query(`SELECT id, current_setting('statement_timeout') AS t FROM ${table}`);
    expect(rows).toEqual([7, 8].map((id) => ({ id, t: '1min' })));
  });
});
