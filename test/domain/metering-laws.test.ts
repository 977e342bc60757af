/**
 * Each aggregation is a fold whose parts can be merged: from the usage of any three disjoint sets of events, in whatever order and
 * association, comes the usage of all of them; and a set held against plain arithmetic.
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
  valueProperty: 'v',
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
  readonly value: number;
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
  value: fc.integer({ min: 0, max: 6 }),
  group: fc.constantFrom('a' as const, 'b' as const),
  filtered: fc.constantFrom('yes', 1, 'no', null),
  part: fc.nat({ max: 2 }),
});
const history = fc.array(drawn, { maxLength: 30 });

const eventOf = ({ micros, value, group, filtered }: Drawn, index: number): MeteredEvent => ({
  customerId: 'c',
  source: index % 2 === 0 ? '' : 's',
  eventId: `e${Math.floor(index / 2)}`,
  eventType: 'e',
  eventTime: microsToInstant(micros),
  metadata: { v: value, g: group, f: filtered },
  contentHash: String(1_000_003n * BigInt(index + 1)),
});

/** What a set of events says to a meter, as a merge needs it: a value, what decides between two, and what cannot be told from both. */
interface Part {
  readonly usage: PeriodUsage;
  /** The time and id of the latest. */
  readonly latest: string;
  readonly distinct: ReadonlySet<number>;
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
  return { usage, latest: keys.sort().at(-1) ?? '', distinct: new Set(inside.map(([{ value }]) => value)) };
}

const pick = (a: Part, b: Part, better: (a: number, b: number) => boolean): string =>
  better(Number(a.usage.quantity), Number(b.usage.quantity)) ? a.usage.quantity : b.usage.quantity;

/** No quantity has more than ten places. */
const sum = (a: string, b: string): string => String(Math.round((Number(a) + Number(b)) * 1e10) / 1e10);

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
  part === null ? null : { ...part.usage, quantity: sum(part.usage.quantity, '0') };

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
  const values = taken.filter(isInside).map(({ value }) => value);
  if (aggregation === 'weighted_sum') {
    const opening = taken.filter(({ micros }) => micros < from).reduce((total, { value }) => total + value, 0);
    if (values.length === 0 && opening === 0) return null;
    const integral = taken.reduce(
      (total, { micros, value }) =>
        micros < to ? total + BigInt(value) * (to - (micros < from ? from : micros)) : total,
      0n,
    );
    return averageOf(integral);
  }
  if (values.length === 0) return null;
  if (aggregation === 'count' || aggregation === 'sum')
    return String(values.reduce((total, value) => total + value, 0));
  if (aggregation === 'min') return String(Math.min(...values));
  if (aggregation === 'max') return String(Math.max(...values));
  if (aggregation === 'unique_count') return String(new Set(values).size);
  return String(latestOf(list));
}

function latestOf(list: readonly Drawn[]): number | undefined {
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

/** Half-even at the twelfth place; nothing here is negative. */
function averageOf(integral: bigint): string {
  const unit = 10n ** 12n;
  const [quotient, twice] = [(integral * unit) / (to - from), 2n * ((integral * unit) % (to - from))];
  const isUp = twice > to - from || (twice === to - from && quotient % 2n === 1n);
  const rounded = isUp ? quotient + 1n : quotient;
  const fraction = (rounded % unit).toString().padStart(12, '0').replace(/0+$/, '');
  return `${rounded / unit}${fraction === '' ? '' : `.${fraction}`}`;
}
