import type { UsageEvent } from '../../src/domain/metering/event.js';
import type { Instant, Position } from '../../src/domain/values.js';
import { createDeadLetterStore } from '../../src/storage/dead-letters.js';
import { createUsageLedger } from '../../src/storage/ledger.js';
import { openLedgerTransaction } from '../../src/storage/safe-horizon.js';
import type { AppendOutcome, StoredEvent, UsageLedger } from '../../src/storage/types.js';
import { createFixture, type Fixture, meterOf, usageEvent } from './usage-fixture.js';

let fixture: Fixture;
let ledger: UsageLedger;

beforeAll(async () => {
  fixture = await createFixture(12);
  const meters = [
    meterOf({ code: 'bytes_out', valueProperty: 'bytes' }),
    meterOf({ code: 'other', eventType: 'x', valueProperty: 'size' }),
  ];
  ledger = createUsageLedger(fixture.db, () => Promise.resolve(meters));
});
afterAll(() => fixture.close());

let customers = 0;
let customerId: string;
beforeEach(() => {
  customerId = `customer ${(customers += 1)}`;
});

const event = (eventId: string, metadata: string | object = {}, changes: Partial<UsageEvent> = {}): UsageEvent =>
  usageEvent({
    customerId,
    eventId,
    eventTime: '2024-01-15T10:00:00Z',
    metadataJson: typeof metadata === 'string' ? metadata : JSON.stringify(metadata),
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

describe('what becomes of an event', () => {
  test('new, again, and again with other content', async () => {
    expect(await append(event('a', { n: 1 }), event('b'))).toEqual(['accepted', 'accepted']);
    expect(await append(event('b'), event('c'), event('a', { n: 2 }), event('a', { n: 1 }))).toEqual([
      'duplicate',
      'accepted',
      'conflict',
      'duplicate',
    ]);
    expect(await append(event('a', { n: 1 }, { eventType: 'other' }))).toEqual(['conflict']);
    expect(await append(event('a', { n: 1 }, { eventTime: '2024-01-15T10:00:00.000001Z' as Instant }))).toEqual([
      'conflict',
    ]);
    expect(await ledger.findEvent(customerId, '', 'a')).toMatchObject({ metadataJson: '{"n": 1}' });
  });

  test('source and customer belong to the identity', async () => {
    expect(
      await append(event('a'), event('a', {}, { source: 's' }), event('a', {}, { customerId: `${customerId}'` })),
    ).toEqual(['accepted', 'accepted', 'accepted']);
  });

  test('within a batch the lower index wins, whatever the order of keys', async () => {
    expect(
      await append(event('z', { n: 1 }), event('a'), event('z', { n: 2 }), event('z', { n: 1 }), event('a')),
    ).toEqual(['accepted', 'accepted', 'conflict', 'duplicate', 'duplicate']);
    expect(await ledger.findEvent(customerId, '', 'z')).toMatchObject({ metadataJson: '{"n": 1}' });
  });

  test('what is stored wins over a whole batch: each event is compared with it, not with its neighbour', async () => {
    await append(event('a', { n: 1 }));
    expect(await append(event('a', { n: 2 }), event('a', { n: 1 }), event('a', { n: 2 }))).toEqual([
      'conflict',
      'duplicate',
      'conflict',
    ]);
  });

  test.each([
    ['two conflicts of the same value', '{"bytes":"11"}', '{"bytes":"11.0"}', 'conflict'],
    ['a conflict, and a duplicate by value', '{"bytes":"11"}', '{"bytes":"10.0"}', 'duplicate'],
  ] as const)('what only a conflict is known of is compared with what is stored: %s', async (_what, a, b, outcome) => {
    await append(event('a', '{"bytes":"10"}'));
    // From the second time on only what is remembered, the conflict, is looked up; what comes behind it is not.
    for (let time = 0; time < 2; time += 1) expect(await append(event('a', a))).toEqual(['conflict']);
    expect(await append(event('a', a), event('a', b))).toEqual(['conflict', outcome]);
    expect(await append(event('a', '{"bytes":"10.00"}'), event('a', '{"bytes":"12"}'))).toEqual([
      'duplicate',
      'conflict',
    ]);
  });

  test('one and the same object twice in a batch is a duplicate', async () => {
    const same = event('a');
    expect(await append(same, same)).toEqual(['accepted', 'duplicate']);
  });

  test.each([
    ['key order and white space', '{"a":1,"b":{"c":[1,2]}}', '{ "b": {"c":[1, 2]}, "a":1}', 'duplicate'],
    ['numbers by value', '{"n":1.50}', '{"n":15e-1}', 'duplicate'],
    ['long numbers exactly', '{"n":12345678901234567890.1}', '{"n":12345678901234567890.2}', 'conflict'],
    ['strings as strings', '{"n":"1.0"}', '{"n":"1"}', 'conflict'],
    ['a string is not a number', '{"n":"1"}', '{"n":1}', 'conflict'],
    ['the order of lists', '{"n":[1,2]}', '{"n":[2,1]}', 'conflict'],
    ['a value property by value', '{"bytes":"10"}', '{"bytes":"10.0"}', 'duplicate'],
    ['a value property, string or number', '{"bytes":"10","r":1}', '{"bytes":10.00,"r":1.0}', 'duplicate'],
    ['another value', '{"bytes":"10"}', '{"bytes":"10.01"}', 'conflict'],
    ['a value property of another event type', '{"size":"10"}', '{"size":"10.0"}', 'conflict'],
    ['null is not missing', '{"n":null}', '{}', 'conflict'],
  ] as const)('compares %s', async (_what, first, second, outcome) => {
    expect(await append(event('a', first))).toEqual(['accepted']);
    expect(await append(event('a', second))).toEqual([outcome]);
    expect(await append(event('b', first), event('b', second))).toEqual(['accepted', outcome]);
  });

  test('a retry of an amended or voided event compares with the original', async () => {
    const [amended, voided] = [event('a', { n: 1 }), event('v')];
    await append(amended, voided);
    await fixture.adjust(amended, { eventType: 'api_call', eventTime: amended.eventTime, metadataJson: '{"n":2}' });
    await fixture.adjust(voided, null);
    expect(await append(event('a', { n: 1 }), event('a', { n: 2 }), event('v'))).toEqual([
      'duplicate',
      'conflict',
      'duplicate',
    ]);
  });

  test('provenance makes no difference', async () => {
    const provenance = { requestId: 'r1', userId: 'u1', traceId: 't1' };
    expect(await append(event('a', {}, { provenance }))).toEqual(['accepted']);
    expect(await append(event('a', {}, { provenance: { ...provenance, requestId: 'r2' } }))).toEqual(['duplicate']);
    expect((await ledger.findEvent(customerId, '', 'a'))?.provenance).toEqual(provenance);
  });
});

describe('what is kept', () => {
  test('every text and every digit', async () => {
    const odd = `"quoted" \\ {a,b} NULL \t\n ü 漢 😀 \u2028 '; DROP TABLE customers; --`;
    const events = [
      event(odd, JSON.stringify({ [odd]: odd }), {
        source: odd,
        eventType: odd,
        provenance: { requestId: odd, userId: '', traceId: null },
      }),
      event('NULL', '{"n":12345678901234567890.123456789012345678,"e":-0.10}', {
        eventTime: '2024-01-15T10:00:00.123456Z' as Instant,
      }),
    ];
    expect(await ledger.append(events, [])).toEqual(['accepted', 'accepted']);
    const stored = await ledger.findEvent(customerId, odd, odd);
    expect(stored).toMatchObject({
      eventId: odd,
      eventType: odd,
      provenance: { requestId: odd, userId: '', traceId: null },
    });
    expect(JSON.parse(stored?.metadataJson ?? '')).toEqual({ [odd]: odd });
    expect(await ledger.findEvent(customerId, '', 'NULL')).toEqual({
      ...events[1],
      metadataJson: '{"e": -0.10, "n": 12345678901234567890.123456789012345678}',
      position: expect.stringMatching(/^\d+$/),
      backfillId: null,
      schemaVersion: null,
      ingestionTime: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/),
    });
    expect(await ledger.findEvent(customerId, '', odd)).toBeNull();
  });

  test.each([
    ['copied', false],
    ['inserted', true],
  ] as const)('texts that mean something to COPY are only texts, %s', async (_way, repeating) => {
    await append(event('seen'));
    if (repeating) await append(event('seen'));
    else await append(event('new'));
    const texts = ['\\N', '\\.', '\\', '\\t', '\t', '\r\n', '\\\n', '\b\f\v', ''];
    const events = texts.map((text, index) =>
      event(`${index}${text}`, JSON.stringify({ [`k${text}`]: text }), {
        source: text,
        eventType: `t${text}`,
        provenance: { requestId: text, userId: text, traceId: null },
      }),
    );
    expect(await ledger.append(events, [])).toEqual(texts.map(() => 'accepted'));
    for (const [index, text] of texts.entries()) {
      const stored = await ledger.findEvent(customerId, text, `${index}${text}`);
      expect(stored?.eventType).toBe(`t${text}`);
      expect(JSON.parse(stored?.metadataJson ?? '')).toEqual({ [`k${text}`]: text });
      expect(stored?.provenance).toEqual({ requestId: text, userId: text, traceId: null });
    }
  });

  test('events by time, then source and id, in pages and by type and time', async () => {
    const at = (time: string): { eventTime: Instant } => ({ eventTime: `2024-01-01T${time}.000000Z` as Instant });
    await append(
      event('2', {}, at('10:00:00')),
      event('1', {}, { ...at('10:00:00'), source: 's' }),
      event('1', {}, at('10:00:00')),
      event('0', {}, { ...at('11:00:00'), eventType: 'other' }),
      event('9', {}, at('09:00:00')),
    );
    const pages: StoredEvent[] = [];
    let cursor: string | null = null;
    do {
      const page = await ledger.listEvents({ customerId }, { limit: 2, ...(cursor === null ? {} : { cursor }) });
      pages.push(...page.data);
      cursor = page.nextCursor;
    } while (cursor !== null);
    expect(pages.map(({ source, eventId }) => `${source}/${eventId}`)).toEqual(['/9', '/1', '/2', 's/1', '/0']);

    const ids = async (filter: object): Promise<readonly string[]> =>
      (await ledger.listEvents({ customerId, ...filter }, { limit: 10 })).data.map(({ eventId }) => eventId);
    expect(await ids({ eventType: 'other' })).toEqual(['0']);
    expect(await ids({ from: at('10:00:00').eventTime, to: at('11:00:00').eventTime })).toEqual(['1', '2', '1']);
  });

  test('dead letters, in the same commit, the same content once, the newest first', async () => {
    const letters = createDeadLetterStore(fixture.db, () => Promise.resolve([]));
    const letter = {
      code: 'EVENT_TIME_IN_FUTURE',
      detail: 'd',
      customerId,
      eventId: 'x',
      payload: `{"customer":"${customerId}"}`,
    };
    const other = { ...letter, payload: 'not JSON', customerId: null, eventId: null };
    expect(await ledger.append([event('a')], [letter, letter])).toEqual(['accepted']);
    expect(await ledger.append([], [other, letter])).toEqual([]);
    const { data } = await letters.list({}, { limit: 2 });
    const kept = { deadLetterId: expect.any(String), receivedAt: expect.any(String), backfillId: null, begun: null };
    expect(data).toEqual([
      { ...other, ...kept, status: 'open', decisions: [] },
      { ...letter, ...kept, status: 'open', decisions: [] },
    ]);
    const first = await letters.list({}, { limit: 1 });
    expect((await letters.list({}, { limit: 1, cursor: first.nextCursor ?? '' })).data).toEqual([data[1]]);
  });

  test('all or nothing: a batch that fails keeps neither events nor dead letters', async () => {
    const letter = {
      code: 'INVALID_JSON',
      detail: 'd',
      customerId: null,
      eventId: null,
      payload: `all or nothing ${customerId}`,
    };
    const broken = { ...event('b'), contentHash: '-1' };
    await expect(ledger.append([event('a'), broken], [letter])).rejects.toThrow(/content_hash_check/);
    expect(await ledger.findEvent(customerId, '', 'a')).toBeNull();
    const { rows } = await fixture.db.pool.query('SELECT 1 FROM dead_letters WHERE payload = $1', [letter.payload]);
    expect(rows).toEqual([]);
  });

  test('nothing to append is no work', async () => {
    expect(await ledger.append([], [])).toEqual([]);
  });
});

describe('the safe horizon', () => {
  const positionsThrough = async (horizon: Position): Promise<readonly string[]> => {
    const { rows } = await fixture.db.pool.query<{ position: string }>(
      'SELECT position FROM telemetry_events WHERE position <= $1 ORDER BY position',
      [horizon],
    );
    return rows.map((row) => row.position);
  };

  test('waits for a transaction that has drawn a position, and covers everything committed before', async () => {
    let commitFirst: () => void = () => undefined;
    let drawn: () => void = () => undefined;
    const hasDrawn = new Promise<void>((resolve) => (drawn = resolve));
    const mayCommit = new Promise<void>((resolve) => (commitFirst = resolve));
    const slow = fixture.db.transaction(async (client) => {
      await client.query(
        `INSERT INTO telemetry_events (customer_id, source, event_id, partition, event_type, event_time, content_hash, metadata)
         VALUES ($1, '', 'slow', 0, 't', now(), 1, '{}')`,
        [customerId],
      );
      drawn();
      await mayCommit;
    }, openLedgerTransaction);
    await hasDrawn;
    await append(event('fast'));

    let horizon: Position | null = null;
    const reading = ledger.safeHorizon().then((position) => (horizon = position));
    // However long this takes, the horizon cannot come before the slow transaction ends.
    await fixture.db.pool.query('SELECT pg_sleep(0.2)');
    expect(horizon).toBeNull();
    commitFirst();
    await slow;
    const through = await positionsThrough(await reading);
    const slowEvent = await ledger.findEvent(customerId, '', 'slow');
    const fastEvent = await ledger.findEvent(customerId, '', 'fast');
    expect(BigInt(slowEvent?.position ?? 0)).toBeLessThan(BigInt(fastEvent?.position ?? 0));
    expect(through).toEqual(expect.arrayContaining([slowEvent?.position, fastEvent?.position]));

    await append(event('later'));
    const later = await ledger.findEvent(customerId, '', 'later');
    expect(BigInt(later?.position ?? 0)).toBeGreaterThan(BigInt(horizon ?? 0));
  });

  test('however many ask at once, appends wait for two readings at most; each says an instant that its caller knows to be later', async () => {
    let commit = (): void => undefined;
    const mayCommit = new Promise<void>((resolve) => (commit = resolve));
    let begun = (): void => undefined;
    const hasBegun = new Promise<void>((resolve) => (begun = resolve));
    const slow = fixture.db.transaction(async () => {
      begun();
      await mayCommit;
    }, openLedgerTransaction);
    await hasBegun;
    const clock = async (): Promise<Instant> => {
      const { rows } = await fixture.db.pool.query<{ at: Instant }>('SELECT clock_timestamp() AS at');
      return rows[0]?.at ?? ('' as Instant);
    };
    const before = await clock();
    const first = ledger.horizon();
    const waiting = async (): Promise<number> => {
      const { rows } = await fixture.db.pool.query<{ n: number }>(
        `SELECT count(*)::int AS n FROM pg_locks WHERE locktype = 'advisory' AND NOT granted AND mode = 'ExclusiveLock'
           AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`,
      );
      return rows[0]?.n ?? 0;
    };
    while ((await waiting()) === 0) await fixture.db.pool.query('SELECT pg_sleep(0.01)');
    const others = Array.from({ length: 20 }, () => ledger.horizon());
    await fixture.db.pool.query('SELECT pg_sleep(0.1)');
    expect(await waiting()).toBe(1);
    commit();
    await slow;
    const horizons = await Promise.all([first, ...others]);
    expect(new Set(horizons.map(({ at }) => at)).size).toBe(2);
    for (const { at } of horizons) expect(at > before).toBe(true);
  });

  test('nothing appears at or below a horizon afterwards, however slow and concurrent the appends', async () => {
    const next = random(7);
    let writing = 6;
    const writers = Array.from({ length: writing }, async (_, writer) => {
      for (let turn = 0; turn < 25; turn += 1) {
        const pause = next() * 0.01;
        await fixture.db.transaction(async (client) => {
          for (const row of [0, 1]) {
            await client.query(
              `INSERT INTO telemetry_events (customer_id, source, event_id, partition, event_type, event_time, content_hash, metadata)
               VALUES ($1, '', $2, 0, 't', now(), 1, '{}')`,
              [customerId, `${writer}-${turn}-${row}`],
            );
            await client.query('SELECT pg_sleep($1)', [pause]);
          }
        }, openLedgerTransaction);
      }
      writing -= 1;
    });
    const seen: { readonly horizon: Position; readonly positions: readonly string[]; readonly naive: string }[] = [];
    const reader = (async () => {
      while (writing > 0) {
        const { rows } = await fixture.db.pool.query<{ last_value: string }>('SELECT last_value FROM ledger_position');
        const naive = rows[0]?.last_value ?? '0';
        const positions = await positionsThrough(naive as Position);
        seen.push({ horizon: naive as Position, positions, naive: 'naive' });
        const horizon = await ledger.safeHorizon();
        seen.push({ horizon, positions: await positionsThrough(horizon), naive: 'safe' });
      }
    })();
    await Promise.all([...writers, reader]);

    const grew = { naive: 0, safe: 0 };
    for (const { horizon, positions, naive } of seen) {
      if ((await positionsThrough(horizon)).length !== positions.length) grew[naive as keyof typeof grew] += 1;
    }
    expect(grew.safe).toBe(0);
    // The same reader without the lock is fooled: what this test does can fail.
    expect(grew.naive).toBeGreaterThan(0);
    const horizons = seen.filter(({ naive }) => naive === 'safe').map(({ horizon }) => Number(horizon));
    expect(horizons).toEqual([...horizons].sort((a, b) => a - b));
  });
});
