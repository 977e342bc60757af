/** Closing windows, live usage, windows of a charge, and what workflows accumulated against the ledger. */
import { digestOf } from '../../src/domain/metering/digest.js';
import type { Meter } from '../../src/domain/metering/meter.js';
import type { DecimalString, Position } from '../../src/domain/values.js';
import type {
  AccumulatedWindow,
  BillingPeriod,
  LiveUsageQuery,
  UsageSpan,
  UsageStore,
} from '../../src/storage/types.js';
import { usageSql } from '../../src/storage/aggregation-sql.js';
import { SqlParameters } from '../../src/storage/aggregation-sql-fragments.js';
import { createUsageStore } from '../../src/storage/usage.js';
import type { UsageEvent } from '../../src/domain/metering/event.js';
import { createFixture, type Fixture, instant, usageEvent } from './usage-fixture.js';

let fixture: Fixture;
let usage: UsageStore;
let calls: Meter;
let bytes: Meter;
let period: BillingPeriod;
let customerId: string;

beforeAll(async () => {
  fixture = await createFixture();
  usage = createUsageStore(fixture.db);
  calls = await fixture.addMeter({ code: 'calls' });
  bytes = await fixture.addMeter({ code: 'bytes', valueProperty: 'bytes', groupBy: ['region'] });
});
afterAll(() => fixture.close());
beforeEach(async () => {
  customerId = await fixture.addCustomer();
  period = await fixture.addPeriod(customerId);
});

const event = (
  eventId: string,
  time: string,
  properties: Record<string, unknown> = { bytes: '10', region: 'eu' },
): UsageEvent => usageEvent({ customerId, eventId, eventTime: time, metadataJson: JSON.stringify(properties) });

interface RevisionRow {
  readonly code: string;
  readonly window_start: string;
  readonly revision: number;
  readonly quantity: string;
  readonly event_count: string;
  readonly digest: string;
  readonly cutoff_position: string;
}

async function revisions(): Promise<readonly RevisionRow[]> {
  const { rows } = await fixture.db.pool.query<RevisionRow>(
    `SELECT m.code, u.window_start, u.revision, u.quantity, u.event_count, u.digest, u.cutoff_position
     FROM aggregated_usage u JOIN meters m USING (meter_id) WHERE u.customer_id = $1 ORDER BY m.code, u.window_start, u.group_key, u.revision`,
    [customerId],
  );
  return rows;
}

const close = (): ReturnType<UsageStore['closeWindows']> => usage.closeWindows(period, null, [], null);

describe('closing windows', () => {
  test('a revision only where something changed, at rising cutoffs', async () => {
    await fixture.append([
      event('a', '2024-01-10T10:00:00Z'),
      event('b', '2024-01-10T10:59:59.999999Z'),
      event('c', '2024-01-10T11:00:00Z'),
    ]);
    const first = await close();
    expect(first.revisions).toBe(4);
    expect((await close()).revisions).toBe(0);
    await fixture.append([event('late', '2024-01-10T10:30:00Z')]);
    const third = await close();
    expect(third.revisions).toBe(2);
    expect(BigInt(third.cutoff)).toBeGreaterThan(BigInt(first.cutoff));
    expect(
      (await revisions()).map((row) => [row.code, row.window_start, row.revision, row.quantity, row.event_count]),
    ).toEqual([
      ['bytes', instant('2024-01-10T10:00:00Z'), 1, '20', '2'],
      ['bytes', instant('2024-01-10T10:00:00Z'), 2, '30', '3'],
      ['bytes', instant('2024-01-10T11:00:00Z'), 1, '10', '1'],
      ['calls', instant('2024-01-10T10:00:00Z'), 1, '2', '2'],
      ['calls', instant('2024-01-10T10:00:00Z'), 2, '3', '3'],
      ['calls', instant('2024-01-10T11:00:00Z'), 1, '1', '1'],
    ]);
  });

  test('more changed windows than are carried through the program are appended all the same, once', async () => {
    const groups = 10_001;
    const events = Array.from({ length: groups }, (_, i) =>
      event(`e${i}`, '2024-01-10T10:00:00Z', { bytes: '1', region: `r${i}` }),
    );
    await fixture.append(events);
    expect((await close()).revisions).toBe(groups + 1);
    expect((await close()).revisions).toBe(0);
    await fixture.append([event('late', '2024-01-10T10:30:00Z', { bytes: '1', region: 'r7' })]);
    expect((await close()).revisions).toBe(2);
    expect((await revisions()).filter((row) => row.revision === 2).map((row) => [row.code, row.quantity])).toEqual([
      ['bytes', '2'],
      ['calls', String(groups + 1)],
    ]);
  });

  test('a quantity is appended to its last digit', async () => {
    const values = ['12345678901234567890.123456789012345678', '0.000000000000000001', '-0.10'];
    await fixture.append(values.map((value, i) => event(`e${i}`, '2024-01-10T10:00:00Z', { bytes: value })));
    await close();
    expect((await revisions()).map((row) => row.quantity)).toEqual(['12345678901234567890.023456789012345679', '3']);
  });

  test('aggregating may run in parallel workers', async () => {
    const params = new SqlParameters();
    const scope = { customerId, ranges: [period], cutoff: await fixture.horizon(), adjusted: false };
    const { select } = usageSql(params, { meters: [calls, bytes], period, scope });
    // The setting hands every plan to a worker that may run in one, however little there is to read.
    const rows = await fixture.db.transaction(async (client) => {
      const plan = await client.query<{ 'QUERY PLAN': string }>(`EXPLAIN ${select}`, [...params.values]);
      return plan.rows.map((row) => row['QUERY PLAN']);
    }, 'SET LOCAL debug_parallel_query = on');
    expect(rows[0]).toMatch(/^Gather /);
  });

  test('a window that loses its last event gets a revision of zero, once, and may come back', async () => {
    const only = event('only', '2024-01-10T10:00:00Z');
    await fixture.append([only]);
    await close();
    await fixture.adjust(only, null);
    expect((await close()).revisions).toBe(2);
    expect((await close()).revisions).toBe(0);
    await fixture.append([event('other', '2024-01-10T10:00:00Z')]);
    expect((await close()).revisions).toBe(2);
    const rows = (await revisions()).filter((row) => row.code === 'calls');
    expect(rows.map((row) => [row.revision, row.quantity, row.event_count])).toEqual([
      [1, '1', '1'],
      [2, '0', '0'],
      [3, '1', '1'],
    ]);
    expect(rows[1]?.digest).toBe('0000000000000000');
  });

  test('an amendment moves an event from one window and group to another', async () => {
    const moved = event('moved', '2024-01-10T10:00:00Z');
    await fixture.append([moved]);
    await close();
    await fixture.adjust(moved, {
      eventType: 'api_call',
      eventTime: instant('2024-01-11T00:00:00Z'),
      metadataJson: '{"bytes":"7","region":"us"}',
    });
    await close();
    const { windows } = await usage.liveUsage(period);
    expect(windows.map((w) => [w.meter, w.windowStart, w.group, w.quantity])).toEqual([
      ['bytes', instant('2024-01-11T00:00:00Z'), { region: 'us' }, '7'],
      ['calls', instant('2024-01-11T00:00:00Z'), {}, '1'],
    ]);
    expect((await revisions()).filter((row) => row.revision === 2).map((row) => row.quantity)).toEqual(['0', '0']);
  });

  test('only the listed windows are closed, however many there are', async () => {
    const hours = Array.from(
      { length: 90 },
      (_, i) => `2024-01-${String(1 + Math.floor(i / 3)).padStart(2, '0')}T${['03', '04', '09'][i % 3] ?? ''}:00:00Z`,
    );
    await fixture.append(hours.map((time, i) => event(`e${i}`, time)));
    const listed = hours.filter((_, i) => i % 3 === 1).map((time) => ({ time, start: instant(time) }));
    const windows = listed.map(({ start, time }) => ({
      meter: 'calls',
      windowStart: start,
      windowEnd: instant(time.replace(':00:00Z', ':59:59.999999Z')),
    }));
    expect((await usage.closeWindows(period, windows.slice(0, 3), [], null)).revisions).toBe(3);
    expect((await usage.closeWindows(period, windows, [], null)).revisions).toBe(27);
    const rows = await revisions();
    expect(rows.every((row) => row.code === 'calls')).toBe(true);
    expect(rows.map((row) => row.window_start)).toEqual(listed.map(({ start }) => start));
  });

  test('a restart in the middle, after the commit, repeats nothing', async () => {
    await fixture.append([event('a', '2024-01-10T10:00:00Z')]);
    const [one, two] = await Promise.all([close(), close()]);
    expect([one.revisions, two.revisions].sort()).toEqual([0, 2]);
    expect(await revisions()).toHaveLength(2);
  });
});

test('live usage sees everything committed, before any window is closed', async () => {
  expect((await usage.liveUsage(period)).windows).toEqual([]);
  await fixture.append([event('a', '2024-01-10T10:00:00Z'), event('b', '2024-01-10T10:00:01Z', { bytes: 'x' })]);
  const { windows } = await usage.liveUsage(period);
  expect(windows.map((w) => [w.meter, w.quantity, w.eventCount])).toEqual([
    ['bytes', '10', 1],
    ['calls', '2', 2],
  ]);
});

test('live usage at a cutoff: what came later is in no window and in no span, nor is it said to be unreadable', async () => {
  await fixture.append([event('a', '2024-01-10T10:00:00Z'), event('bad', '2024-01-10T10:00:01Z', { bytes: 'x' })]);
  const cutoff = await fixture.horizon();
  await fixture.append([event('b', '2024-01-10T10:00:02Z'), event('worse', '2024-01-10T10:00:03Z', { bytes: 'y' })]);
  const spans: readonly UsageSpan[] = [{ pools: [{ meter: bytes, by: [] }], bounds: [period.from, period.to] }];
  const read = async (query: LiveUsageQuery): Promise<unknown> => {
    const live = await usage.liveUsage(period, { spans, ...query });
    const quantities = [live.windows, ...live.spans].map((found) => found.map((w) => [w.meter, w.quantity]));
    return { quantities, unreadable: live.unreadable };
  };
  expect(await read({ cutoff })).toEqual({
    quantities: [
      [
        ['bytes', '10'],
        ['calls', '2'],
      ],
      [['bytes', '10']],
    ],
    unreadable: [{ meter: 'bytes', count: 1, example: 'bad' }],
  });
  expect(await read({})).toMatchObject({ unreadable: [{ meter: 'bytes', count: 2, example: 'bad' }] });
});

test('the windows of a charge: its pricing group, its segment, its cutoff', async () => {
  await fixture.append([
    event('eu', '2024-01-10T10:00:00Z'),
    event('us', '2024-01-10T10:00:00Z', { bytes: '5', region: 'us' }),
    event('none', '2024-01-10T10:00:00Z', { bytes: '1' }),
    event('after', '2024-01-15T00:00:00Z'),
  ]);
  const { cutoff } = await close();
  await fixture.append([event('late', '2024-01-10T10:10:00Z')]);
  const later = await close();
  const segment = { from: period.from, to: instant('2024-01-15T00:00:00Z') };
  const at = async (group: Record<string, string | null>, position: Position): Promise<unknown[]> =>
    (await usage.windowsAt(period, 'bytes', group, segment, position)).map((w) => [
      w.group['region'],
      w.revision,
      w.quantity,
    ]);
  expect(await at({ region: 'eu' }, cutoff)).toEqual([['eu', 1, '10']]);
  expect(await at({ region: 'eu' }, later.cutoff)).toEqual([['eu', 2, '20']]);
  expect(await at({ region: null }, cutoff)).toEqual([[null, 1, '1']]);
  expect((await at({}, cutoff)).length).toBe(3);
  expect(await at({ region: 'eu' }, '0' as Position)).toEqual([]);
});

describe('what the signals accumulated', () => {
  const window = instant('2024-01-10T10:00:00Z');
  const accumulated = (
    meter: string,
    since: Position,
    events: readonly UsageEvent[],
    quantity: string,
  ): AccumulatedWindow => ({
    m: meter,
    w: window,
    since,
    n: events.length,
    q: quantity as DecimalString,
    d: digestOf(events.map((item) => item.contentHash)),
  });

  test('everything, or a part between two positions: no difference', async () => {
    const first = [
      event('a', '2024-01-10T10:00:00Z'),
      event('b', '2024-01-10T10:00:01Z', { bytes: 2.5, region: 'us' }),
    ];
    await fixture.append(first);
    const middle = await fixture.horizon();
    const second = [event('c', '2024-01-10T10:59:00Z')];
    await fixture.append(second);
    const through = await fixture.horizon();
    await fixture.append([event('not told yet', '2024-01-10T10:30:00Z')]);
    const all = [...first, ...second];
    const told = [accumulated('calls', '0' as Position, all, '3'), accumulated('bytes', '0' as Position, all, '22.50')];
    expect((await usage.closeWindows(period, null, told, through)).differences).toEqual([]);
    const part = [accumulated('calls', middle, second, '1'), accumulated('bytes', middle, second, '10')];
    expect((await usage.closeWindows(period, null, part, through)).differences).toEqual([]);
  });

  test('of what does not add up, count and digest are compared', async () => {
    const own = { eventType: 'reading', valueProperty: 'n' };
    for (const aggregation of ['max', 'latest', 'unique_count'] as const) {
      await fixture.addMeter({ code: aggregation, aggregation, ...own });
    }
    const readings = ['1', '5'].map((n, i) =>
      usageEvent({
        ...{ customerId, eventId: `r${i}`, eventType: 'reading', eventTime: '2024-01-10T10:00:00Z' },
        metadataJson: JSON.stringify({ n }),
      }),
    );
    await fixture.append(readings.slice(0, 1));
    const middle = await fixture.horizon();
    await fixture.append(readings.slice(1));
    const through = await fixture.horizon();
    const told = [
      accumulated('max', '0' as Position, readings, '0'),
      accumulated('latest', middle, readings.slice(1), '0'),
      accumulated('unique_count', middle, readings, '0'),
    ];
    const { differences } = await usage.closeWindows(period, null, told, through);
    expect(differences).toEqual([]);
    const wrong = [{ ...accumulated('max', '0' as Position, readings.slice(1), '0') }];
    expect((await usage.closeWindows(period, null, wrong, through)).differences).toMatchObject([
      { meter: 'max', accumulated: { n: 1, q: '0' }, ledger: { n: 2, q: '0' } },
    ]);
  });

  test('a lost, doubled or changed event is a difference, and the ledger wins', async () => {
    const events = [event('a', '2024-01-10T10:00:00Z'), event('b', '2024-01-10T10:00:01Z')];
    await fixture.append(events);
    const through = await fixture.horizon();
    const told = [
      accumulated('calls', '0' as Position, events.slice(0, 1), '1'),
      { ...accumulated('bytes', '0' as Position, events, '20'), d: digestOf(['1']) },
    ];
    const { differences, revisions: appended } = await usage.closeWindows(period, null, told, through);
    expect(appended).toBe(2);
    const digest = digestOf(events.map((item) => item.contentHash));
    expect(differences.map((found) => [found.meter, found.windowStart, found.ledger])).toEqual([
      ['calls', window, { n: 2, q: '2', d: digest }],
      ['bytes', window, { n: 2, q: '20', d: digest }],
    ]);
    expect(differences[0]?.accumulated.n).toBe(1);
  });

  test('events of a range that was told of an empty window are a difference too', async () => {
    const told = [accumulated('calls', '0' as Position, [event('never stored', '2024-01-10T10:00:00Z')], '1')];
    const { differences } = await usage.closeWindows(period, null, told, await fixture.horizon());
    expect(differences.map((found) => found.ledger.n)).toEqual([0]);
  });

  test('a range with an adjustment or a backfill decision is not compared: it said "look in the ledger"', async () => {
    const adjusted = event('a', '2024-01-10T10:00:00Z');
    await fixture.append([adjusted]);
    const before = await fixture.horizon();
    await fixture.adjust(adjusted, null);
    const another = event('another', '2024-01-10T10:00:00Z');
    await fixture.append([another]);
    const partly = [accumulated('calls', '0' as Position, [], '0')];
    expect((await usage.closeWindows(period, null, partly, await fixture.horizon())).differences).toEqual([]);
    expect((await usage.closeWindows(period, null, partly, before)).differences).toHaveLength(1);
    await fixture.adjust(another, null);
    const told = [accumulated('calls', '0' as Position, [adjusted], '1')];
    // Up to the adjustment the event had been told as it came.
    expect((await usage.closeWindows(period, null, told, before)).differences).toEqual([]);
    const backfill = await fixture.addBackfill(customerId);
    await fixture.appendToBackfill(backfill, [event('old', '2024-01-10T10:30:00Z')]);
    const closedAfter = await fixture.horizon();
    await fixture.append([event('beside it', '2024-01-10T10:30:00Z')]);
    await fixture.decide(backfill, 'closed');
    const nothing = [accumulated('calls', closedAfter, [], '0')];
    expect((await usage.closeWindows(period, null, nothing, await fixture.horizon())).differences).toEqual([]);
    expect((await usage.liveUsage(period)).windows.map((w) => [w.meter, w.quantity])).toEqual([
      ['bytes', '20'],
      ['calls', '2'],
    ]);
  });
});

test('closers racing with ingest: each revision is the ledger at its cutoff, and the last ones are all of it', async () => {
  const total = 240;
  const events = Array.from({ length: total }, (_, i) =>
    event(`e${i}`, `2024-01-10T1${i % 4}:00:00Z`, { bytes: String(i), region: i % 3 === 0 ? 'eu' : 'us' }),
  );
  const ingest = async (): Promise<void> => {
    for (let i = 0; i < total; i += 8) await fixture.append(events.slice(i, i + 8));
  };
  const closer = async (): Promise<void> => {
    for (let i = 0; i < 12; i += 1) await close();
  };
  await Promise.all([ingest(), closer(), closer(), closer()]);
  await close();
  const { rows } = await fixture.db.pool.query<{ bad: string; revisions: string; latest: string }>(
    `WITH checked AS (
       SELECT u.*, lag(u.cutoff_position) OVER w AS before, lag(u.revision) OVER w AS previous,
         (SELECT count(*) FROM telemetry_events e WHERE e.customer_id = u.customer_id AND e.position <= u.cutoff_position
           AND e.event_time >= u.window_start AND e.event_time < u.window_end
           AND (u.group_key = '{}' OR e.metadata->>'region' = u.group_key->>'region')) AS counted,
         row_number() OVER (PARTITION BY meter_id, window_start, group_key ORDER BY revision DESC) AS newest
       FROM aggregated_usage u WHERE customer_id = $1
       WINDOW w AS (PARTITION BY meter_id, window_start, group_key ORDER BY revision))
     SELECT count(*) FILTER (WHERE event_count <> counted OR cutoff_position <= coalesce(before, -1) OR revision <> coalesce(previous, 0) + 1) AS bad,
       count(*) AS revisions, sum(event_count) FILTER (WHERE newest = 1 AND meter_id = $2) AS latest FROM checked`,
    [customerId, calls.meterId],
  );
  expect(rows[0]).toMatchObject({ bad: '0', latest: String(total) });
  expect(Number(rows[0]?.revisions)).toBeGreaterThan(12);
  expect(bytes.groupBy).toEqual(['region']);
});
