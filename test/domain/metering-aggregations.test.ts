/** Aggregations that do not add up, levels, and versions of meters; the SQL twin is held against all of it elsewhere. */
import fc from 'fast-check';
import { aggregate, type MeteredEvent } from '../../src/domain/metering/fold.js';
import { levelsBetween } from '../../src/domain/metering/levels.js';
import { addsUp, type Meter, readPropertyOf } from '../../src/domain/metering/meter.js';
import { holdsAtAll, metersInForce, requireSameReading } from '../../src/domain/metering/meter-versions.js';
import { usageBetween, usageOfPeriod } from '../../src/domain/metering/period-usage.js';
import { quantityOf, readingOf, valueProperties } from '../../src/domain/metering/reading.js';
import { type Reading, reduce } from '../../src/domain/metering/reduce.js';
import { instantToMs, msPerHour, msToInstant, parseInstant } from '../../src/domain/time/instant.js';
import type { Instant, LocalDate } from '../../src/domain/values.js';

const at = (text: string): Instant => parseInstant(text);
const january = { from: at('2024-01-01T00:00:00Z'), to: at('2024-02-01T00:00:00Z'), cuts: [] };

const meter = (fields: Partial<Meter> = {}): Meter => ({
  meterId: 'm',
  code: 'm',
  version: 1,
  eventType: 'e',
  aggregation: 'max',
  valueProperty: 'v',
  groupBy: [],
  filters: {},
  windowSize: 'hour',
  allowedLateness: 'PT1H',
  allowNegative: false,
  maxGroups: 1000,
  effectiveFrom: null,
  ...fields,
});
const reading = (value: string, fields: Partial<Reading> = {}): Reading => ({
  eventTime: january.from,
  source: '',
  eventId: 'e',
  contentHash: '1',
  value,
  ...fields,
});

describe('reduce', () => {
  test.each([
    ['min', ['2', '-10', '9.5'], '-10'],
    ['max', ['2', '-10', '9.50'], '9.5'],
    ['unique_count', ['a', 'b', 'a'], '2'],
    ['sum', ['0.1', '0.2', '-0.3'], '0'],
    ['count', ['250', '1'], '251'],
  ] as const)('%s of %j is %s', (aggregation, values, expected) => {
    expect(
      reduce(
        aggregation,
        values.map((value) => reading(value)),
      ),
    ).toBe(expected);
  });

  const earlier = reading('1', { eventTime: at('2024-01-01T00:00:00Z'), eventId: 'z', source: 'z' });
  const later = reading('2', { eventTime: at('2024-01-01T00:00:00.000001Z'), eventId: 'a' });
  test.each([
    ['the greater event time', earlier, later],
    ['the greater id at the same instant', { ...later, eventId: 'A', value: '9' }, later],
    ['the longer id', { ...later, value: '9' }, { ...later, eventId: 'aa' }],
    ['the greater source of the same id', { ...later, value: '9' }, { ...later, source: 's' }],
    [
      'the greater code point, not the greater UTF-16 unit',
      { ...later, eventId: '\uFFEE' },
      { ...later, eventId: '\u{1F600}' },
    ],
  ])('latest: %s, in any order', (_name, loser, winner) => {
    expect(reduce('latest', [loser, winner])).toBe(winner.value);
    expect(reduce('latest', [winner, loser])).toBe(winner.value);
  });
});

describe('a level', () => {
  const hour = [at('2024-01-01T00:00:00Z'), at('2024-01-01T01:00:00Z')] as const;
  const halfPast = (value: string) => reading(value, { eventTime: at('2024-01-01T00:30:00Z') });

  test.each([
    ['0.000000000001', '0'],
    ['0.000000000003', '0.000000000002'],
    ['0.000000000005', '0.000000000002'],
    ['-0.000000000001', '0'],
    ['-0.000000000003', '-0.000000000002'],
    ['0.000000000001000001', '0.000000000001'],
    ['3', '1.5'],
  ])('of %s for half the time is %s: half to even, at the twelfth place', (value, expected) => {
    expect(levelsBetween([halfPast(value)], hour)).toMatchObject([{ quantity: expected, closingLevel: value }]);
  });

  test('begins with what came before the first bound, and is carried on', () => {
    const bounds = [...hour, at('2024-01-01T03:00:00Z')];
    const before = reading('10', { eventTime: at('2020-01-01T00:00:00Z') });
    expect(levelsBetween([halfPast('-4'), before], bounds)).toMatchObject([
      { openingLevel: '10', quantity: '8', closingLevel: '6' },
      { openingLevel: '6', quantity: '6', closingLevel: '6', readings: [] },
    ]);
  });

  test('a microsecond counts', () => {
    const last = reading('3600000000', { eventTime: at('2024-01-01T00:59:59.999999Z') });
    expect(levelsBetween([last], hour)).toMatchObject([{ quantity: '1' }]);
  });
});

const events = fc.array(
  fc.record({
    id: fc.nat({ max: 12 }),
    minute: fc.integer({ min: -3000, max: 44_640 }),
    v: fc.integer({ min: -5, max: 5 }),
    g: fc.constantFrom('a', 'b'),
  }),
  { maxLength: 25 },
);
const eventOf = ({ id, minute, v, g }: { id: number; minute: number; v: number; g: string }): MeteredEvent => ({
  customerId: 'c',
  source: '',
  eventId: `${id}/${minute}/${v}/${g}`,
  eventType: 'e',
  eventTime: msToInstant(instantToMs(january.from) + minute * 60_000),
  metadata: { v, g },
  contentHash: String(id * 1000 + v + 10),
});
const aggregations = ['count', 'sum', 'min', 'max', 'latest', 'unique_count', 'weighted_sum'] as const;

test.each(aggregations)('%s: order and repetition do not matter, and groups partition the events', (aggregation) => {
  const own = meter({ aggregation, groupBy: ['g'] });
  fc.assert(
    fc.property(events, fc.nat(), (list, turn) => {
      const all = list.map(eventOf);
      const unique = [...new Map(all.map((event) => [event.eventId, event])).values()];
      const turned = [...unique.slice(turn % (unique.length || 1)), ...unique].reverse();
      const pools = [
        { meter: own, by: ['g'] },
        { meter: own, by: [] },
      ];
      const usage = usageOfPeriod(unique, pools, january);
      expect(usageOfPeriod(turned, pools, january)).toEqual(usage);
      expect(aggregate(turned, [own], january)).toEqual(aggregate(unique, [own], january));
      const counted = (keys: number): number =>
        usage.filter(({ group }) => Object.keys(group).length === keys).reduce((sum, row) => sum + row.eventCount, 0);
      expect(counted(1)).toBe(counted(0));
    }),
    { numRuns: 100 },
  );
});

test('windows tile the period: hours, however many, make the same level as the period', () => {
  const own = meter({ aggregation: 'weighted_sum' });
  const hours = Array.from({ length: 745 }, (_, n) => msToInstant(instantToMs(january.from) + n * msPerHour));
  fc.assert(
    fc.property(events, (list) => {
      const unique = [...new Map(list.map(eventOf).map((event) => [event.eventId, event])).values()];
      const [whole] = usageOfPeriod(unique, [{ meter: own, by: [] }], january);
      const last = usageBetween(unique, [{ meter: own, by: [] }], hours).windows.at(-1);
      // Both end with the same level; where that is zero the last window may have nothing to tell.
      const isLast = last?.windowEnd === january.to;
      expect(isLast ? last.closingLevel : '0').toBe(whole?.closingLevel ?? '0');
    }),
    { numRuns: 50 },
  );
});

describe('what a meter reads', () => {
  const count = { aggregation: 'count', valueProperty: 'n' } as const;
  test.each([
    [count, {}, '1'],
    [count, { n: null }, '1'],
    [count, { n: '250' }, '250'],
    [count, { n: 0 }, '0'],
    [count, { n: '1.5' }, null],
    [count, { n: -1 }, null],
    [count, { n: [] }, null],
    [{ aggregation: 'unique_count', valueProperty: 'n' }, { n: 'ann' }, 'ann'],
    [{ aggregation: 'unique_count', valueProperty: 'n' }, { n: 1 }, '1'],
    [{ aggregation: 'unique_count', valueProperty: 'n' }, { n: {} }, null],
    [{ aggregation: 'max', valueProperty: 'n' }, { n: 'ann' }, null],
    [{ aggregation: 'max', valueProperty: null }, { n: '1' }, null],
  ] as const)('%j of %j is %s', (reads, metadata, expected) => {
    expect(readingOf(reads, metadata)).toBe(expected);
    expect(quantityOf(reads, metadata)).toBe(
      reads.aggregation === 'unique_count' && expected !== null ? '1' : expected,
    );
  });

  test('values compare by value, what must differ by its text', () => {
    const meters = [
      meter(),
      meter({ aggregation: 'unique_count', valueProperty: 'user' }),
      meter({ eventType: 'other', valueProperty: 'x' }),
    ];
    expect([...valueProperties(meters, 'e')]).toEqual(['v']);
  });

  test('only count and sum add up over windows', () => {
    expect(aggregations.filter((aggregation) => addsUp({ aggregation }))).toEqual(['count', 'sum']);
  });

  test.each([
    ['count', { valueProperty: 'v', countProperty: null }],
    ['sum', { valueProperty: null, countProperty: null }],
    ['max', { valueProperty: 'v', countProperty: 'n' }],
  ] as const)('a %s of %j is refused', (aggregation, properties) => {
    expect(() => readPropertyOf(aggregation, properties)).toThrow(
      expect.objectContaining({ code: 'VALIDATION_FAILED' }),
    );
  });
});

describe('versions', () => {
  const midnightInKolkata = (date: LocalDate): Instant =>
    msToInstant(Date.parse(`${date}T00:00:00Z`) - 5.5 * msPerHour);
  const held = (versions: readonly Meter[]): readonly unknown[] =>
    metersInForce(versions, january, midnightInKolkata).map((version) => [
      version.version,
      version.inForce,
      holdsAtAll(version),
    ]);
  const from = (version: number, effectiveFrom: string, fields: Partial<Meter> = {}): Meter =>
    meter({ aggregation: 'sum', version, effectiveFrom: effectiveFrom as Instant, ...fields });
  const first = meter({ aggregation: 'sum' });
  const nothing = { from: january.from, to: january.from };

  test('the only one holds always', () => {
    expect(held([first])).toEqual([[1, null, true]]);
  });

  test('each holds for its own stretch of the period', () => {
    const change = at('2024-01-15T18:30:00Z');
    expect(held([first, from(2, '2024-01-16')])).toEqual([
      [1, { from: january.from, to: change }, true],
      [2, { from: change, to: january.to }, true],
    ]);
  });

  test('those that begin after the period are not there; those that ended before it take nothing', () => {
    expect(held([first, from(2, '2024-02-02')])).toEqual([[1, null, true]]);
    expect(held([first, from(2, '2023-12-01')])).toEqual([
      [1, nothing, false],
      [2, null, true],
    ]);
  });

  test('of those that begin together the one learned last holds; an earlier start may be learned later', () => {
    const [tenth, twentieth] = [at('2024-01-10T00:00:00Z'), at('2024-01-20T00:00:00Z')];
    expect(held([first, from(2, twentieth), from(3, twentieth), from(4, tenth)])).toEqual([
      [1, { from: january.from, to: tenth }, true],
      [2, nothing, false],
      [3, { from: twentieth, to: january.to }, true],
      [4, { from: tenth, to: twentieth }, true],
    ]);
  });

  test('what does not add up is one version’s for the whole period: that at its end', () => {
    const versions = [meter(), from(2, at('2024-01-10T00:00:00Z'), { aggregation: 'max' })];
    expect(held(versions)).toEqual([
      [1, nothing, false],
      [2, null, true],
    ]);
  });
});

describe('RULES 62: what a version may read', () => {
  const level = meter({ aggregation: 'weighted_sum', filters: { tier: ['a', 'b'], plan: ['x'] } });
  const reads = (fields: Partial<Meter>, known: readonly Meter[] = [level]) => {
    requireSameReading({ ...level, ...fields }, known);
  };

  test('the order of filters means nothing, and a first version reads what it likes', () => {
    reads({ filters: { plan: ['x'], tier: ['b', 'a'] } });
    reads({ eventType: 'other' }, []);
  });

  test.each([
    ['event_type', { eventType: 'other' }],
    ['value_property', { valueProperty: 'other' }],
    ['filters', { filters: {} }],
    ['filters', { filters: { tier: ['a'], plan: ['x'] } }],
    ['filters', { filters: { tier: ['a', 'b'], plan: ['x'], region: ['eu'] } }],
  ])('of a level another %s is refused', (property, fields: Partial<Meter>) => {
    expect(() => reads(fields)).toThrow(
      expect.objectContaining({ code: 'INCOMPATIBLE_METER_VERSION', pointer: `/${property}` }) as Error,
    );
  });

  test('versions from before the rule can be gone back to, and gone on with', () => {
    const renamed = { ...level, version: 2, valueProperty: 'w' };
    reads({}, [level, renamed]);
    reads({ valueProperty: 'w' }, [level, renamed]);
    expect(() => reads({ valueProperty: 'x' }, [level, renamed])).toThrow('Make a new meter');
  });
});
