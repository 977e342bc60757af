/** The relay's plan: every fact in exactly one range of its customer and period, whatever happens between. */
import { digestOf } from '../../src/domain/metering/digest.js';
import type { UsageEvent } from '../../src/domain/metering/event.js';
import { aggregate } from '../../src/domain/metering/fold.js';
import type { Meter } from '../../src/domain/metering/meter.js';
import { msToInstant } from '../../src/domain/time/instant.js';
import type { Instant } from '../../src/domain/values.js';
import { createRelayStore } from '../../src/storage/relay.js';
import type { RelayStore, UsageRange } from '../../src/storage/types.js';
import { createFixture, type Fixture, instant, metadataOf, monthAt, usageEvent } from './usage-fixture.js';

const group = 'all';
let fixture: Fixture;
let relay: RelayStore;
let meters: readonly Meter[];

beforeEach(async () => {
  fixture = await createFixture();
  relay = createRelayStore(fixture.db, { periodAt: (customerId, at) => monthAt(fixture, customerId, at) });
  meters = [
    await fixture.addMeter({ code: 'calls' }),
    await fixture.addMeter({
      code: 'bytes',
      valueProperty: 'bytes',
      groupBy: ['region'],
      filters: { tier: ['a', '1.5'] },
    }),
    await fixture.addMeter({
      code: 'in production',
      groupBy: ['tags.team'],
      filters: { 'tags.env': ['prod', '1.5', 'true'], tier: ['a', 'true'] },
    }),
  ];
});
afterEach(() => fixture.close());

const event = (
  customerId: string,
  eventId: string,
  time: string,
  properties: Record<string, unknown> = {},
): UsageEvent => usageEvent({ customerId, eventId, eventTime: time, metadataJson: JSON.stringify(properties) });

/** What the fold makes of the range's events, groups pooled. */
async function sumsOfFold({ customerId, period }: UsageRange, events: readonly UsageEvent[]): Promise<unknown> {
  const own = events.filter((item) => item.customerId === customerId);
  const { windows } = aggregate(
    own.map((item) => ({ ...item, metadata: metadataOf(item.metadataJson) })),
    meters.map((meter) => ({ ...meter, groupBy: [] })),
    await monthAt(fixture, customerId, `${period}T00:00:00.000000Z` as Instant),
  );
  return windows.map((w) => ({
    m: w.meter,
    w: w.windowStart,
    e: w.windowEnd,
    n: w.eventCount,
    q: w.quantity,
    d: w.digest,
  }));
}

const deliver = async (ranges: readonly UsageRange[]): Promise<void> => relay.markDelivered(ranges);
const due = (intervalMs = 0): Promise<readonly UsageRange[]> => relay.due(intervalMs, 100);
const storedRanges = async (): Promise<number> => {
  const { rows } = await fixture.db.pool.query<{ n: string }>('SELECT count(*) AS n FROM usage_ranges');
  return Number(rows[0]?.n);
};

describe('planning', () => {
  test('sums by customer, period, meter and window equal the fold; periods appear as they are needed', async () => {
    const { epoch } = await relay.acquire(group);
    const one = await fixture.addCustomer();
    const two = await fixture.addCustomer();
    const events = [
      event(one, 'a', '2024-01-31T23:59:59.999999Z', { bytes: '1.50', tier: 'a', region: 'eu' }),
      event(one, 'b', '2024-02-01T00:00:00Z', { bytes: 2, tier: 1.5 }),
      event(one, 'c', '2024-01-31T23:00:00Z', { bytes: '4', tier: 'b' }),
      event(one, 'd', '2024-01-31T23:30:00Z', { bytes: 'unreadable', tier: 'a' }),
      event(two, 'a', '2024-01-31T23:00:00Z', { bytes: '-0.25', tier: '1.5' }),
    ];
    await fixture.append(events);
    const horizon = await fixture.horizon();
    expect(await relay.plan(group, epoch)).toEqual({ position: horizon, facts: 5 });
    expect(await relay.plan(group, epoch)).toEqual({ position: horizon, facts: 0 });
    const ranges = await due();
    expect(
      ranges.map((range) => [range.customerId, range.period, range.from, range.to, range.eventCount]).sort(),
    ).toEqual(
      [
        [one, '2024-01-01', '0', horizon, 3],
        [one, '2024-02-01', '0', horizon, 1],
        [two, '2024-01-01', '0', horizon, 1],
      ].sort(),
    );
    for (const range of ranges) expect(range.sums).toEqual(await sumsOfFold(range, events));
    const january = ranges.find((range) => range.customerId === one && range.period === '2024-01-01');
    expect(january?.maxEventTime).toBe('2024-01-31T23:59:59.999999Z');
  });

  test('filters take tags as the fold does: by value, and only out of an object', async () => {
    const { epoch } = await relay.acquire(group);
    const one = await fixture.addCustomer();
    const tagged = (eventId: string, tags: unknown, more: Record<string, unknown> = { tier: 'a' }): UsageEvent =>
      event(one, eventId, '2024-01-31T23:30:00Z', { ...more, tags });
    const taken = [
      tagged('text', { env: 'prod', team: 'search' }),
      tagged('number', { env: 1.5 }),
      tagged('true', { env: true }, { tier: true }),
    ];
    const left = [
      tagged('another', { env: 'test' }),
      tagged('none', {}),
      tagged('no text', { env: ['prod'] }),
      tagged('null', null),
      tagged('a list', ['env', 'prod']),
      tagged('a text', 'prod'),
      tagged('other tier', { env: 'prod' }, { tier: 'b' }),
      event(one, 'flat', '2024-01-31T23:30:00Z', { 'tags.env': 'prod', env: 'prod', tier: 'a' }),
    ];
    const events = [...taken, ...left];
    await fixture.append(events);
    await relay.plan(group, epoch);
    const [range] = await due();
    if (range === undefined) throw new Error('there is one range');
    expect(range.sums).toEqual(await sumsOfFold(range, events));
    const sum = range.sums?.find(({ m }) => m === 'in production');
    expect(sum).toMatchObject({ n: 3, d: digestOf(taken.map(({ contentHash }) => contentHash)) });
  });

  test('what does not add up is told of by count and digest; levels by what changes them; events by what they stand for', async () => {
    const { epoch } = await relay.acquire(group);
    const customerId = await fixture.addCustomer();
    for (const aggregation of ['min', 'max', 'latest', 'unique_count', 'weighted_sum', 'count'] as const) {
      await fixture.addMeter({ code: aggregation, aggregation, valueProperty: 'n', eventType: 'reading' });
    }
    const readings = ['3', '4', 'word', '3'].map((n, i) =>
      usageEvent({
        ...{ customerId, eventId: `r${i}`, eventType: 'reading', eventTime: '2024-01-10T10:00:00Z' },
        metadataJson: JSON.stringify({ n }),
      }),
    );
    await fixture.append(readings);
    await relay.plan(group, epoch);
    const [range] = await due();
    const digest = digestOf(readings.filter((_, i) => i !== 2).map(({ contentHash }) => contentHash));
    expect(range?.sums?.map(({ m, n, q, d }) => [m, n, q, d])).toEqual([
      ['count', 3, '10', digest],
      ['latest', 3, '0', digest],
      ['max', 3, '0', digest],
      ['min', 3, '0', digest],
      ['unique_count', 4, '0', digestOf(readings.map(({ contentHash }) => contentHash))],
      ['weighted_sum', 3, '10', digest],
    ]);
  });

  test('each version of a meter sums its own periods; where it changes, the ledger is to be asked', async () => {
    const { epoch } = await relay.acquire(group);
    const customerId = await fixture.addCustomer();
    const id = await fixture.addMeter({ code: 'calls', version: 2, filters: { tier: ['a'] } });
    await fixture.db.transaction(async (client) => {
      await client.query('ALTER TABLE meters DISABLE TRIGGER refuse_change');
      await client.query(`UPDATE meters SET effective_from = '2024-02-10T00:00:00Z' WHERE meter_id = $1`, [id.meterId]);
      await client.query('ALTER TABLE meters ENABLE ALWAYS TRIGGER refuse_change');
    });
    const months = ['2024-01-10', '2024-02-20', '2024-03-10'];
    await fixture.append(months.map((day) => event(customerId, day, `${day}T10:00:00Z`)));
    await relay.plan(group, epoch);
    const ranges = [...(await due())].sort((a, b) => (a.period < b.period ? -1 : 1));
    expect(ranges.map(({ period, sums }) => [period, sums?.map(({ m }) => m) ?? null])).toEqual([
      ['2024-01-01', ['calls']],
      ['2024-02-01', null],
      ['2024-03-01', []],
    ]);
  });

  test('windows are cut where the period is cut', async () => {
    const { epoch } = await relay.acquire(group);
    const customerId = await fixture.addCustomer();
    const cut = instant('2024-01-10T18:30:00Z');
    await fixture.addPeriod(customerId, {
      from: '2023-12-31T18:30:00.000000Z',
      to: '2024-01-31T18:30:00.000000Z',
      cuts: [cut],
    });
    const times = [
      '2023-12-31T18:30:00Z',
      '2024-01-10T18:29:59.999999Z',
      '2024-01-10T18:30:00Z',
      '2024-01-10T18:59:00Z',
      '2024-01-31T18:29:00Z',
    ];
    await fixture.append(times.map((time, i) => event(customerId, `e${i}`, time)));
    await relay.plan(group, epoch);
    const [range] = await due();
    expect(range?.sums?.map((sum) => [sum.w.slice(5, 16), sum.e.slice(5, 16), sum.n])).toEqual([
      ['12-31T18:30', '12-31T19:00', 1],
      ['01-10T18:00', '01-10T18:30', 1],
      ['01-10T18:30', '01-10T19:00', 2],
      ['01-31T18:00', '01-31T18:30', 1],
    ]);
  });

  test('events that no meter takes make a range without sums of their own, and one finding a type', async () => {
    const { epoch } = await relay.acquire(group);
    const customerId = await fixture.addCustomer();
    for (const eventId of ['a', 'b']) {
      await fixture.append([
        usageEvent({ customerId, eventId, eventTime: '2024-01-10T10:00:00Z', eventType: 'unknown' }),
      ]);
      await relay.plan(group, epoch);
    }
    expect(await due()).toMatchObject([{ customerId, eventCount: 2, sums: [] }]);
    const { rows } = await fixture.db.pool.query('SELECT code, subject FROM findings');
    expect(rows).toEqual([{ code: 'UNMETERED_EVENTS', subject: { event_type: 'unknown' } }]);
  });

  test('an adjustment says "look in the ledger" in every period it touches: where the event was and where it is', async () => {
    const { epoch } = await relay.acquire(group);
    const customerId = await fixture.addCustomer();
    const moved = event(customerId, 'moved', '2024-01-10T10:00:00Z');
    await fixture.append([moved, event(customerId, 'other', '2024-05-10T10:00:00Z')]);
    await relay.plan(group, epoch);
    await deliver(await due());
    const replacement = (time: string): Parameters<Fixture['adjust']>[1] => ({
      eventType: 'api_call',
      eventTime: instant(time),
      metadataJson: '{}',
    });
    await fixture.adjust(moved, replacement('2024-02-10T10:00:00Z'));
    await relay.plan(group, epoch);
    const first = await due();
    expect(first.map((range) => [range.period, range.sums])).toEqual([
      ['2024-01-01', null],
      ['2024-02-01', null],
    ]);
    expect(first.find((range) => range.period === '2024-02-01')?.maxEventTime).toBe(instant('2024-02-10T10:00:00Z'));
    await deliver(first);
    await fixture.adjust(moved, replacement('2024-03-10T10:00:00Z'));
    await relay.plan(group, epoch);
    expect((await due()).map((range) => range.period)).toEqual(['2024-01-01', '2024-02-01', '2024-03-01']);
  });

  test('rows of a backfill are told when it is closed, and again when it is reverted', async () => {
    const { epoch } = await relay.acquire(group);
    const customerId = await fixture.addCustomer();
    const backfill = await fixture.addBackfill(customerId);
    await fixture.appendToBackfill(backfill, [
      event(customerId, 'old', '2020-01-10T10:00:00Z'),
      event(customerId, 'older', '2019-12-10T10:00:00Z'),
    ]);
    await relay.plan(group, epoch);
    expect(await due()).toEqual([]);
    for (const decision of ['closed', 'reverted'] as const) {
      await fixture.decide(backfill, decision);
      await relay.plan(group, epoch);
      const ranges = await due();
      expect(ranges.map((range) => [range.period, range.sums])).toEqual([
        ['2019-12-01', null],
        ['2020-01-01', null],
      ]);
      await deliver(ranges);
    }
  });

  test('sums beyond 64 KB say "look in the ledger"', async () => {
    const { epoch } = await relay.acquire(group);
    const customerId = await fixture.addCustomer();
    const hour = 3_600_000;
    const start = Date.UTC(2024, 0, 1);
    await fixture.append(
      Array.from({ length: 700 }, (_, i) => event(customerId, `e${i}`, msToInstant(start + i * hour))),
    );
    await relay.plan(group, epoch);
    expect(await due()).toMatchObject([{ customerId, eventCount: 700, sums: null }]);
  });

  test('positions that were used up by a rollback are passed over', async () => {
    const { epoch } = await relay.acquire(group);
    await fixture.db.pool.query(`SELECT setval('ledger_position', 1000000)`);
    const customerId = await fixture.addCustomer();
    await fixture.append([event(customerId, 'a', '2024-01-10T10:00:00Z')]);
    expect(await relay.plan(group, epoch)).toEqual({ position: '1000001', facts: 1 });
  });
});

describe('delivering', () => {
  test('ranges that wait are merged; they stay the same, or grow, until they are delivered; the next ones follow on', async () => {
    const { epoch } = await relay.acquire(group);
    const customerId = await fixture.addCustomer();
    const put = async (eventId: string, time: string): Promise<UsageEvent> => {
      const made = event(customerId, eventId, time, { bytes: '0.1', tier: 'a' });
      await fixture.append([made]);
      await relay.plan(group, epoch);
      return made;
    };
    const one = await put('a', '2024-01-10T10:00:00Z');
    const [first] = await due();
    expect(await due()).toEqual([first]);
    const two = await put('b', '2024-01-10T10:30:00Z');
    await put('c', '2024-01-10T11:00:00Z');
    const [merged] = await due();
    expect(merged).toMatchObject({ from: first?.from, eventCount: 3, maxEventTime: instant('2024-01-10T11:00:00Z') });
    expect(merged?.sums?.find((sum) => sum.m === 'bytes' && sum.w === instant('2024-01-10T10:00:00Z'))).toMatchObject({
      n: 2,
      q: '0.2',
      d: digestOf([one.contentHash, two.contentHash]),
    });
    // The signal of the first range alone had been sent: only that is marked, and the rest follows on.
    await deliver(first === undefined ? [] : [first]);
    const [rest] = await due();
    expect(rest).toMatchObject({ from: first?.to, to: merged?.to, eventCount: 2 });
    await deliver(rest === undefined ? [] : [rest]);
    expect(await due()).toEqual([]);
    expect(await storedRanges()).toBe(1);
    await put('d', '2024-01-10T12:00:00Z');
    expect(await due()).toMatchObject([{ from: merged?.to, eventCount: 1 }]);
  });

  test('within the interval a customer and period is left alone; others are told at once', async () => {
    const { epoch } = await relay.acquire(group);
    const [told, silent] = [await fixture.addCustomer(), await fixture.addCustomer()];
    await fixture.append([event(told, 'a', '2024-01-10T10:00:00Z')]);
    await relay.plan(group, epoch);
    await deliver(await due(3_600_000));
    await fixture.append([event(told, 'b', '2024-01-10T10:00:00Z'), event(silent, 'a', '2024-01-10T10:00:00Z')]);
    await relay.plan(group, epoch);
    expect((await due(3_600_000)).map((range) => range.customerId)).toEqual([silent]);
    expect((await due(0)).map((range) => range.customerId).sort()).toEqual([told, silent].sort());
    expect(await relay.due(0, 1)).toHaveLength(1);
  });

  test('sums planned before and after a meter became known are not added up', async () => {
    const { epoch } = await relay.acquire(group);
    const customerId = await fixture.addCustomer();
    await fixture.append([event(customerId, 'a', '2024-01-10T10:00:00Z')]);
    await relay.plan(group, epoch);
    await fixture.addMeter({ code: 'newcomer' });
    await fixture.append([event(customerId, 'b', '2024-01-10T10:00:00Z')]);
    await relay.plan(group, epoch);
    const ranges = await due();
    expect(ranges).toMatchObject([{ eventCount: 2, sums: null }]);
    await deliver(ranges);
    await fixture.append([event(customerId, 'c', '2024-01-10T10:00:00Z')]);
    await relay.plan(group, epoch);
    expect((await due())[0]?.sums?.map((sum) => [sum.m, sum.n])).toEqual([
      ['calls', 1],
      ['newcomer', 1],
    ]);
  });

  test('the lag is what is not planned and the age of what is not delivered', async () => {
    const { epoch } = await relay.acquire(group);
    expect(await relay.lag(group)).toEqual({ facts: 0, oldestUndelivered: null });
    await fixture.append([event(await fixture.addCustomer(), 'a', '2024-01-10T10:00:00Z')]);
    expect(await relay.lag(group)).toEqual({ facts: 1, oldestUndelivered: null });
    await relay.plan(group, epoch);
    expect(await relay.lag(group)).toEqual({ facts: 0, oldestUndelivered: expect.stringMatching(/Z$/) as string });
    await deliver(await due());
    expect(await relay.lag(group)).toEqual({ facts: 0, oldestUndelivered: null });
  });
});
