import fc from 'fast-check';
import { compareDecimals } from '../../src/domain/decimal.js';
import { digestOf } from '../../src/domain/metering/digest.js';
import {
  aggregate,
  type MeteredEvent,
  mergeUsage,
  sumWindows,
  usageBySegment,
} from '../../src/domain/metering/fold.js';
import type { Meter } from '../../src/domain/metering/meter.js';
import { instantToMs, msPerHour, msToInstant, parseInstant } from '../../src/domain/time/instant.js';
import type { Instant } from '../../src/domain/values.js';

const at = (text: string): Instant => parseInstant(text);
const january = { from: at('2024-01-01T00:00:00Z'), to: at('2024-02-01T00:00:00Z'), cuts: [] };

function meter(fields: Partial<Meter> & Pick<Meter, 'code'>): Meter {
  return {
    meterId: fields.code,
    version: 1,
    eventType: 'call',
    aggregation: 'count',
    valueProperty: null,
    groupBy: [],
    filters: {},
    windowSize: 'hour',
    allowedLateness: 'PT1H',
    allowNegative: false,
    maxGroups: 1000,
    effectiveFrom: null,
    ...fields,
  };
}

function event(eventId: string, fields: Partial<MeteredEvent> = {}): MeteredEvent {
  return {
    customerId: 'c',
    source: '',
    eventId,
    eventType: 'call',
    eventTime: at('2024-01-15T10:20:00Z'),
    metadata: {},
    contentHash: String(BigInt(Buffer.from(eventId).readUIntBE(0, Math.min(6, eventId.length)))),
    ...fields,
  };
}

const calls = meter({ code: 'calls' });
const bytes = meter({ code: 'bytes', aggregation: 'sum', valueProperty: 'bytes' });

describe('aggregate', () => {
  test('counts and sums by window', () => {
    const events = [
      event('a', { metadata: { bytes: '1.5' } }),
      event('b', { metadata: { bytes: 2 } }),
      event('c', { metadata: { bytes: '-0.5' }, eventTime: at('2024-01-15T11:00:00Z') }),
    ];
    const { windows, unreadable } = aggregate(events, [calls, bytes], january);
    const summary = windows.map((usage) => [
      usage.meter,
      usage.windowStart,
      usage.windowEnd,
      usage.quantity,
      usage.eventCount,
    ]);
    expect(summary).toEqual([
      ['bytes', at('2024-01-15T10:00:00Z'), at('2024-01-15T11:00:00Z'), '3.5', 2],
      ['bytes', at('2024-01-15T11:00:00Z'), at('2024-01-15T12:00:00Z'), '-0.5', 1],
      ['calls', at('2024-01-15T10:00:00Z'), at('2024-01-15T11:00:00Z'), '2', 2],
      ['calls', at('2024-01-15T11:00:00Z'), at('2024-01-15T12:00:00Z'), '1', 1],
    ]);
    expect(windows[2]?.digest).toBe(digestOf(events.slice(0, 2).map(({ contentHash }) => contentHash)));
    expect(unreadable).toEqual([]);
  });

  test('an identity counts once; source is part of it', () => {
    const events = [event('a'), event('a'), event('a', { source: 'other' })];
    expect(aggregate(events, [calls], january).windows).toMatchObject([{ quantity: '2', eventCount: 2 }]);
  });

  test('one identity with two contents is a defect', () => {
    expect(() => aggregate([event('a'), event('a', { contentHash: '1' })], [calls], january)).toThrow(/two contents/);
  });

  test('windows without usage do not exist, those with a sum of zero do', () => {
    expect(aggregate([], [calls], january).windows).toEqual([]);
    const events = [event('a', { metadata: { bytes: '5' } }), event('b', { metadata: { bytes: '-5' } })];
    expect(aggregate(events, [bytes], january).windows).toMatchObject([{ quantity: '0', eventCount: 2 }]);
  });

  test('the period is half-open', () => {
    const events = [
      event('before', { eventTime: at('2023-12-31T23:59:59.999999Z') }),
      event('first', { eventTime: january.from }),
      event('last', { eventTime: at('2024-01-31T23:59:59.999999Z') }),
      event('after', { eventTime: january.to }),
    ];
    expect(aggregate(events, [calls], january).windows.map((usage) => usage.windowStart)).toEqual([
      january.from,
      at('2024-01-31T23:00:00Z'),
    ]);
  });

  test('a value that is missing or no decimal is named, and not counted as zero', () => {
    const events = [
      event('ok', { metadata: { bytes: '1' } }),
      event('missing'),
      event('word', { metadata: { bytes: 'many' } }),
      event('exponent', { metadata: { bytes: '1e3' } }),
      event('flag', { metadata: { bytes: true } }),
    ];
    const { windows, unreadable } = aggregate(events, [bytes], january);
    expect(windows).toMatchObject([{ quantity: '1', eventCount: 1 }]);
    expect(unreadable.map(({ eventId }) => eventId)).toEqual(['exponent', 'flag', 'missing', 'word']);
  });

  test.each([
    ['an allowed text', { tier: 'premium' }, 1],
    ['another allowed text', { tier: 'gold' }, 1],
    ['a number by its value', { tier: 7 }, 1],
    ['another text', { tier: 'free' }, 0],
    ['the property missing', {}, 0],
    ['null', { tier: null }, 0],
    ['a list', { tier: ['premium'] }, 0],
  ])('filter: %s', (_name, metadata, count) => {
    const filtered = meter({ code: 'filtered', filters: { tier: ['premium', 'gold', '7'] } });
    expect(aggregate([event('a', { metadata })], [filtered], january).windows).toHaveLength(count);
  });

  test('all filters must hold, and the event type', () => {
    const filtered = meter({ code: 'filtered', filters: { tier: ['premium'], region: ['eu'] } });
    const events = [
      event('both', { metadata: { tier: 'premium', region: 'eu' } }),
      event('one', { metadata: { tier: 'premium', region: 'us' } }),
      event('type', { eventType: 'other', metadata: { tier: 'premium', region: 'eu' } }),
    ];
    expect(aggregate(events, [filtered], january).windows).toMatchObject([{ eventCount: 1 }]);
  });

  test('groups by text; missing and null are the group null, and "null" is not', () => {
    const grouped = meter({ code: 'grouped', groupBy: ['region'] });
    const events = [
      event('a', { metadata: { region: 'eu' } }),
      event('b', { metadata: { region: 'null' } }),
      event('c', { metadata: { region: null } }),
      event('d'),
      event('e', { metadata: { region: 7 } }),
      event('f', { metadata: { region: '7' } }),
    ];
    const groups = aggregate(events, [grouped], january).windows.map((usage) => [
      usage.group['region'],
      usage.eventCount,
    ]);
    expect(groups).toEqual([
      ['7', 2],
      ['eu', 1],
      ['null', 1],
      [null, 2],
    ]);
  });
});

describe('longer intervals', () => {
  const events = Array.from({ length: 72 }, (_, hour) =>
    event(`e${hour}`, { eventTime: msToInstant(instantToMs(january.from) + hour * msPerHour) }),
  );
  const { windows } = aggregate(events, [calls], january);

  test('days are sums of hours', () => {
    const bounds = [january.from, at('2024-01-02T00:00:00Z'), at('2024-01-03T12:00:00Z'), january.to];
    expect(sumWindows(windows, bounds).map((usage) => [usage.windowStart, usage.quantity])).toEqual([
      [bounds[0], '24'],
      [bounds[1], '36'],
      [bounds[2], '12'],
    ]);
  });

  test('segments are sums of windows, in order', () => {
    const change = at('2024-01-02T00:00:00Z');
    const segments = [
      { from: january.from, to: change },
      { from: change, to: january.to },
    ];
    const usage = usageBySegment(windows, segments);
    expect(usage.map(({ segment, quantity, eventCount }) => [segment, quantity, eventCount])).toEqual([
      [0, '24', 24],
      [1, '48', 48],
    ]);
    expect(Object.keys(usage[0] ?? {}).sort()).toEqual([
      'digest',
      'eventCount',
      'group',
      'meter',
      'quantity',
      'segment',
    ]);
  });

  test.each([
    ['a bound inside a window', [january.from, at('2024-01-01T00:30:00Z'), january.to]],
    ['windows before the first bound', [at('2024-01-02T00:00:00Z'), january.to]],
    ['windows after the last bound', [january.from, at('2024-01-02T00:00:00Z')]],
  ])('%s is a defect', (_name, bounds) => {
    expect(() => sumWindows(windows, bounds)).toThrow(/invariant/);
    const segments = bounds.slice(1).map((to, index) => ({ from: bounds[index] as Instant, to }));
    expect(() => usageBySegment(windows, segments)).toThrow(/invariant/);
  });
});

describe('laws', () => {
  const meters = [
    calls,
    meter({ code: 'bytes', aggregation: 'sum', valueProperty: 'bytes', groupBy: ['region'] }),
    meter({ code: 'premium', filters: { tier: ['premium'] }, groupBy: ['region', 'tier'] }),
  ];
  const eventsOf = fc.uniqueArray(
    fc.record({
      eventId: fc.string({ minLength: 1, maxLength: 4 }),
      contentHash: fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }).map(String),
      // Around the edges of hours, of the cut and of the period.
      minute: fc.integer({ min: -5, max: 60 * 8 }),
      metadata: fc.record(
        {
          bytes: fc.oneof(fc.integer({ min: -9, max: 9 }), fc.constantFrom('0.000001', '12.5', '-3')),
          region: fc.constantFrom('eu', 'us', null, 'null'),
          tier: fc.constantFrom('premium', 'free'),
        },
        { requiredKeys: ['bytes'] },
      ),
    }),
    { selector: ({ eventId }) => eventId, maxLength: 25 },
  );
  const period = {
    from: at('2024-01-01T00:00:00Z'),
    to: at('2024-01-01T07:30:00Z'),
    cuts: [at('2024-01-01T03:30:00Z')],
  };
  const toEvents = (
    list: readonly { eventId: string; contentHash: string; minute: number; metadata: object }[],
  ): MeteredEvent[] =>
    list.map(({ eventId, contentHash, minute, metadata }) =>
      event(eventId, {
        contentHash,
        eventTime: msToInstant(instantToMs(period.from) + minute * 60_000),
        metadata: metadata as MeteredEvent['metadata'],
      }),
    );

  test('order, repetition and splitting do not matter', () => {
    fc.assert(
      fc.property(eventsOf, fc.array(fc.nat(100)), fc.nat(), (list, repeats, split) => {
        const events = toEvents(list);
        const all = aggregate(events, meters, period).windows;
        const repeated = repeats.flatMap((index) => events[index % Math.max(1, events.length)] ?? []);
        expect(aggregate([...repeated, ...events.reverse(), ...repeated], meters, period).windows).toEqual(all);
        const at = split % (events.length + 1);
        const [left, right] = [events.slice(0, at), events.slice(at)].map(
          (part) => aggregate(part, meters, period).windows,
        );
        expect(mergeUsage(left ?? [], right ?? [])).toEqual(all);
        expect(mergeUsage(right ?? [], left ?? [])).toEqual(all);
        expect(mergeUsage(all, [])).toEqual(all);
      }),
      { numRuns: 500 },
    );
  });

  test('every event in the period is in exactly one window of each meter that takes it (against a naive sum)', () => {
    fc.assert(
      fc.property(eventsOf, (list) => {
        const events = toEvents(list);
        const inside = events.filter(({ eventTime }) => eventTime >= period.from && eventTime < period.to);
        const { windows } = aggregate(events, meters, period);
        const counted = windows
          .filter((usage) => usage.meter === 'calls')
          .reduce((sum, usage) => sum + usage.eventCount, 0);
        expect(counted).toBe(inside.length);
        const whole = { from: period.from, to: period.to };
        for (const usage of usageBySegment(windows, [whole]).filter((candidate) => candidate.meter === 'bytes')) {
          const group = inside.filter(({ metadata }) => (metadata['region'] ?? null) === usage.group['region']);
          const millionths = group.reduce((sum, { metadata }) => sum + Math.round(Number(metadata['bytes']) * 1e6), 0);
          expect(compareDecimals(usage.quantity, (millionths / 1e6).toFixed(6) as never)).toBe(0);
          expect(usage.digest).toBe(digestOf(group.map(({ contentHash }) => contentHash)));
        }
      }),
      { numRuns: 500 },
    );
  });
});
