/**
 * Each aggregation is a fold whose parts can be merged: from the usage of any three disjoint sets of events, in whatever order and
 * association, comes the usage of all of them; and a set held against plain arithmetic. Values are fractions, below zero too.
 * What the product itself merges stands in metering-merges.test.ts.
 */
import fc from 'fast-check';
import type { MeteredEvent } from '../../src/domain/metering/fold.js';
import { type Aggregation, aggregations, type Meter, type PeriodUsage } from '../../src/domain/metering/meter.js';
import { usageOfPeriod } from '../../src/domain/metering/period-usage.js';
import { addDigests } from '../../src/domain/metering/digest.js';
import { instantToMicros, microsToInstant, parseInstant } from '../../src/domain/time/instant.js';

/** 10,000 s: then a level's average is exact, and averages of parts add up to the last digit. */
const period = { from: parseInstant('2024-01-01T00:00:00Z'), to: parseInstant('2024-01-01T02:46:40Z'), cuts: [] };
const [from, to] = [instantToMicros(period.from), instantToMicros(period.to)];

const meterOf = (aggregation: Aggregation): Meter => ({
  meterId: 'm',
  code: 'm',
  version: 1,
  eventType: 'e',
  aggregation,
  valueProperty: aggregation === 'count' ? 'n' : 'v',
  groupBy: ['g'],
  filters: { f: ['yes', '1'] },
  windowSize: 'hour',
  allowedLateness: 'PT1H',
  allowNegative: true,
  maxGroups: 1000,
  effectiveFrom: null,
});

interface Drawn {
  readonly micros: bigint;
  /** Hundredths. */
  readonly value: bigint;
  /** How many the event stands for. */
  readonly count: bigint;
  readonly group: 'a' | 'b';
  readonly filtered: string | number | null;
  readonly part: number;
}

/** Few instants, so that they are shared; some before the period, where only a level looks. */
const drawn: fc.Arbitrary<Drawn> = fc.record({
  micros: fc.oneof(
    fc.constantFrom(from - 1n, from, from + 1n, from + 5_000_000_000n, to - 1n, to),
    fc.bigInt({ min: from - 7_200_000_000n, max: to }),
  ),
  value: fc.oneof(fc.bigInt({ min: -3n, max: 3n }), fc.bigInt({ min: -60_000n, max: 60_000n })),
  count: fc.bigInt({ min: 0n, max: 6n }),
  group: fc.constantFrom('a' as const, 'b' as const),
  filtered: fc.constantFrom('yes', 1, 'no', null),
  part: fc.nat({ max: 2 }),
});
const history = fc.array(drawn, { maxLength: 30 });

/** Twelve places hold all there is exactly: hundredths for some microseconds of 10,000 s. */
const unit = 10n ** 12n;
const ofHundredths = (value: bigint): bigint => value * (unit / 100n);

function textOf(scaled: bigint): string {
  const size = scaled < 0n ? -scaled : scaled;
  const fraction = (size % unit).toString().padStart(12, '0').replace(/0+$/, '');
  return `${scaled < 0n ? '-' : ''}${size / unit}${fraction === '' ? '' : `.${fraction}`}`;
}

function scaledOf(text: string): bigint {
  const [, sign, whole = '', fraction = ''] = /^(-?)(\d+)(?:\.(\d{1,12}))?$/.exec(text) ?? [];
  const size = BigInt(whole) * unit + BigInt(fraction.padEnd(12, '0'));
  return sign === '-' ? -size : size;
}

/** What the meter reads of it, in hundredths. */
const readOf = (aggregation: Aggregation, { value, count }: Drawn): bigint =>
  aggregation === 'count' ? count * 100n : value;

const eventOf = ({ micros, value, count, group, filtered }: Drawn, index: number): MeteredEvent => ({
  customerId: 'c',
  source: index % 2 === 0 ? '' : 's',
  eventId: `e${Math.floor(index / 2)}`,
  eventType: 'e',
  eventTime: microsToInstant(micros),
  // As a number and as a text: both are values.
  metadata: {
    v: index % 3 === 0 ? textOf(ofHundredths(value)) : Number(value) / 100,
    n: Number(count),
    g: group,
    f: filtered,
  },
  contentHash: String(1_000_003n * BigInt(index + 1)),
});

/** What a set of events says to a meter, as a merge needs it: a value, what decides between two, and what cannot be told from both. */
interface Part {
  readonly usage: PeriodUsage;
  /** The time and id of the latest. */
  readonly latest: string;
  readonly distinct: ReadonlySet<string>;
}

const isTaken = ({ filtered }: Drawn): boolean => filtered === 'yes' || filtered === 1;
const isInside = ({ micros }: Drawn): boolean => micros >= from && micros < to;

function partOf(aggregation: Aggregation, list: readonly (readonly [Drawn, number])[], group: string): Part | null {
  const events = list.map(([event, index]) => eventOf(event, index));
  const pools = [{ meter: meterOf(aggregation), by: ['g'] }];
  const usage = usageOfPeriod(events, pools, period).find((row) => row.group['g'] === group);
  if (usage === undefined) return null;
  const inside = list.filter(([event]) => event.group === group && isTaken(event) && isInside(event));
  const keys = inside.map(([event, index]) => {
    const { eventId, source } = eventOf(event, index);
    return `${microsToInstant(event.micros)} ${eventId.padEnd(4)} ${source}`;
  });
  return {
    usage,
    latest: keys.sort().at(-1) ?? '',
    distinct: new Set(inside.map(([{ value }]) => textOf(ofHundredths(value)))),
  };
}

const pick = (a: Part, b: Part, better: (a: bigint, b: bigint) => boolean): string =>
  better(scaledOf(a.usage.quantity), scaledOf(b.usage.quantity)) ? a.usage.quantity : b.usage.quantity;

const sum = (a: string, b: string): string => textOf(scaledOf(a) + scaledOf(b));

function mergedQuantity(aggregation: Aggregation, a: Part, b: Part): string {
  switch (aggregation) {
    case 'count':
    case 'sum':
    case 'weighted_sum':
      return sum(a.usage.quantity, b.usage.quantity);
    case 'min':
      return pick(a, b, (x, y) => x < y);
    case 'max':
      return pick(a, b, (x, y) => x > y);
    case 'latest':
      return a.latest > b.latest ? a.usage.quantity : b.usage.quantity;
    case 'unique_count':
      return String(new Set([...a.distinct, ...b.distinct]).size);
  }
}

function merge(aggregation: Aggregation, a: Part | null, b: Part | null): Part | null {
  if (a === null || b === null) return a ?? b;
  const { closingLevel } = a.usage;
  return {
    usage: {
      ...a.usage,
      quantity: mergedQuantity(aggregation, a, b) as PeriodUsage['quantity'],
      eventCount: a.usage.eventCount + b.usage.eventCount,
      digest: addDigests(a.usage.digest, b.usage.digest),
      closingLevel: closingLevel === null ? null : (sum(closingLevel, b.usage.closingLevel ?? '0') as never),
    },
    latest: a.latest > b.latest ? a.latest : b.latest,
    distinct: new Set([...a.distinct, ...b.distinct]),
  };
}

const figures = (part: Part | null): unknown =>
  part === null || isNothing(part.usage) ? null : { ...part.usage, quantity: sum(part.usage.quantity, '0') };

/** Levels of parts that cancel out before the period: of all events together there is nothing to tell. */
const isNothing = ({ eventCount, closingLevel }: PeriodUsage): boolean => eventCount === 0 && closingLevel === '0';

describe.each(aggregations)('%s', (aggregation) => {
  test.each(['a', 'b'])('three parts, merged in any order and association, are the whole (group %s)', (group) => {
    fc.assert(
      fc.property(history, (list) => {
        const all = list.map((event, index) => [event, index] as const);
        const [x = null, y = null, z = null] = [0, 1, 2].map((part) =>
          partOf(
            aggregation,
            all.filter(([event]) => event.part === part),
            group,
          ),
        );
        const of = (a: Part | null, b: Part | null): Part | null => merge(aggregation, a, b);
        const whole = figures(partOf(aggregation, all, group));
        for (const [a, b, c] of [
          [x, y, z],
          [z, x, y],
          [y, z, x],
        ] as const) {
          expect(figures(of(of(a, b), c))).toEqual(whole);
          expect(figures(of(a, of(b, c)))).toEqual(whole);
          expect(figures(of(of(b, a), c))).toEqual(whole);
        }
        expect(figures(of(x, null))).toEqual(figures(x));
      }),
      { numRuns: 300 },
    );
  });

  test('order and repetition change nothing; it is what plain arithmetic says', () => {
    fc.assert(
      fc.property(history, fc.array(fc.nat(), { maxLength: 20 }), (list, repeats) => {
        const events = list.map(eventOf);
        const pools = [{ meter: meterOf(aggregation), by: [] }];
        const again = repeats.flatMap((index) => events[index % Math.max(events.length, 1)] ?? []);
        const [usage, ...more] = usageOfPeriod(events, pools, period);
        expect(more).toEqual([]);
        expect(usageOfPeriod([...again, ...events.toReversed(), ...again], pools, period)).toEqual(
          usage === undefined ? [] : [usage],
        );
        expect(usage?.quantity ?? null).toEqual(plainly(aggregation, list));
      }),
      { numRuns: 300 },
    );
  });
});

/** null: there is no usage. */
function plainly(aggregation: Aggregation, list: readonly Drawn[]): string | null {
  const taken = list.filter(isTaken);
  const values = taken.filter(isInside).map((event) => readOf(aggregation, event));
  if (aggregation === 'weighted_sum') {
    const opening = taken.filter(({ micros }) => micros < from).reduce((total, { value }) => total + value, 0n);
    if (values.length === 0 && opening === 0n) return null;
    const integral = taken.reduce(
      (total, { micros, value }) => (micros < to ? total + value * (to - (micros < from ? from : micros)) : total),
      0n,
    );
    // 10^10 microseconds and hundredths: the division leaves nothing.
    return textOf((integral * (unit / 100n)) / (to - from));
  }
  const [first, ...others] = values;
  if (first === undefined) return null;
  const best = (isBetter: (a: bigint, b: bigint) => boolean): string =>
    textOf(ofHundredths(others.reduce((a, b) => (isBetter(b, a) ? b : a), first)));
  if (aggregation === 'count' || aggregation === 'sum')
    return textOf(ofHundredths(others.reduce((total, value) => total + value, first)));
  if (aggregation === 'min') return best((a, b) => a < b);
  if (aggregation === 'max') return best((a, b) => a > b);
  if (aggregation === 'unique_count') return String(new Set(values).size);
  return textOf(ofHundredths(latestOf(list) ?? 0n));
}

function latestOf(list: readonly Drawn[]): bigint | undefined {
  const keyed = list.flatMap((event, index) => {
    const { eventTime, eventId, source } = eventOf(event, index);
    return isTaken(event) && isInside(event) ? [{ key: [eventTime, eventId, source], value: event.value }] : [];
  });
  const isAfter = (a: readonly string[], b: readonly string[]): boolean => {
    const at = a.findIndex((text, index) => text !== b[index]);
    return at >= 0 && (a[at] ?? '') > (b[at] ?? '');
  };
  return keyed.reduce((a, b) => (isAfter(b.key, a.key) ? b : a)).value;
}
