/**
 * What the product itself adds up, of fractions, also below zero: from the usage of disjoint sets of events by window and group
 * (`mergeUsage`), and from the sums of the relay's ranges (`applyRange` in the workflow), comes the usage of all of them, in whatever
 * order and association. Min, max, latest and unique counts are never merged: they are taken over a period's events (RULES 1).
 */
import fc from 'fast-check';
import type { BillingPeriodState, UsageRecorded } from '../../src/contracts/billing-period.js';
import { aggregate, mergeUsage, sumWindows, type MeteredEvent } from '../../src/domain/metering/fold.js';
import type { Meter, WindowUsage } from '../../src/domain/metering/meter.js';
import { usageOfPeriod } from '../../src/domain/metering/period-usage.js';
import { addMs, instantToMs, msPerHour, parseInstant } from '../../src/domain/time/instant.js';
import type { Position } from '../../src/domain/values.js';
import { applyRange, freshState } from '../../src/workflows/billing-period/accumulation.js';

const period = { from: parseInstant('2024-01-01T00:00:00Z'), to: parseInstant('2024-01-01T04:00:00Z'), cuts: [] };

const meterOf = (aggregation: 'count' | 'sum' | 'weighted_sum', groupBy: readonly string[]): Meter => ({
  meterId: aggregation,
  code: aggregation,
  version: 1,
  eventType: 'e',
  aggregation,
  valueProperty: aggregation === 'count' ? 'n' : 'v',
  groupBy,
  filters: {},
  windowSize: 'hour',
  allowedLateness: 'PT1H',
  allowNegative: true,
  maxGroups: 1000,
  effectiveFrom: null,
});
const metersBy = (...groupBy: readonly string[]): readonly Meter[] =>
  (['count', 'sum', 'weighted_sum'] as const).map((aggregation) => meterOf(aggregation, groupBy));

/** Up to 18 places and 20 digits before the point, so that no float could hold what comes of it. */
const value = fc
  .tuple(fc.boolean(), fc.bigInt({ min: 0n, max: 10n ** 38n - 1n }), fc.constantFrom(0, 1, 9, 18))
  .map(([isNegative, digits, places]) => {
    const text = (digits / 10n ** BigInt(18 - places)).toString().padStart(places + 1, '0');
    const plain = places === 0 ? text : `${text.slice(0, -places)}.${text.slice(-places)}`;
    return isNegative && /[1-9]/.test(plain) ? `-${plain}` : plain;
  });
const history = fc.array(
  fc.record({
    ms: fc.oneof(
      fc.constantFrom(0, msPerHour - 1, msPerHour, 2 * msPerHour),
      fc.nat({ max: instantToMs(period.to) - instantToMs(period.from) - 1 }),
    ),
    v: fc.oneof(value, fc.constantFrom('0', '0.1', '-0.1', '0.2', '-0.3')),
    n: fc.nat({ max: 6 }),
    g: fc.constantFrom('a', 'b'),
    part: fc.nat({ max: 2 }),
  }),
  { maxLength: 30 },
);
type Drawn = typeof history extends fc.Arbitrary<readonly (infer T)[]> ? T : never;

const eventOf = ({ ms, v, n, g }: Drawn, index: number): MeteredEvent => ({
  ...{ customerId: 'c', source: '', eventId: `e${index}`, eventType: 'e', eventTime: addMs(period.from, ms) },
  metadata: { v, n, g },
  contentHash: String(10n ** 17n * BigInt(index + 1) * (index % 2 === 0 ? 1n : -1n)),
});
const partsOf = (list: readonly Drawn[]): readonly (readonly MeteredEvent[])[] =>
  [0, 1, 2].map((part) => list.map(eventOf).filter((_, index) => list[index]?.part === part));

test('windows of three parts, in any order and association, are those of the whole', () => {
  fc.assert(
    fc.property(history, (list) => {
      const usageOf = (events: readonly MeteredEvent[]): readonly WindowUsage[] =>
        aggregate(events, metersBy('g'), period).windows;
      const [x = [], y = [], z = []] = partsOf(list).map(usageOf);
      const whole = usageOf(list.map(eventOf));
      for (const merged of [
        mergeUsage(x, y, z),
        mergeUsage(z, x, y),
        mergeUsage(mergeUsage(y, z), x),
        mergeUsage(x, mergeUsage(z, y)),
        mergeUsage(whole, []),
      ])
        expect(merged).toEqual(whole);
      expect(mergeUsage()).toEqual([]);
    }),
    { numRuns: 150 },
  );
});

test('windows summed over the period are what is taken over its events', () => {
  fc.assert(
    fc.property(history, (list) => {
      const events = list.map(eventOf);
      const adding = metersBy('g').filter(({ aggregation }) => aggregation !== 'weighted_sum');
      const summed = sumWindows(aggregate(events, adding, period).windows, [period.from, period.to]);
      const pools = adding.map((meter) => ({ meter, by: meter.groupBy }));
      expect(
        summed.map(({ windowStart: _from, windowEnd: _to, ...usage }) => ({ ...usage, closingLevel: null })),
      ).toEqual(usageOfPeriod(events, pools, period));
    }),
    { numRuns: 150 },
  );
});

describe('the sums of ranges in a workflow', () => {
  const settings = {
    ...{ outOfOrdernessMs: 60_000, idleTimeoutMs: 300_000, invoiceDelayMs: msPerHour, lateUsageQuietMs: msPerHour },
    ratingCadenceMs: 0,
    allowedLatenessMs: { count: msPerHour, sum: msPerHour, weighted_sum: msPerHour },
  };
  const context = { settings, nowMs: instantToMs(period.from) };
  const begun: BillingPeriodState = { ...freshState, appliedThrough: '0' as Position };

  /** As the relay sums a range: by window, over all groups. */
  const rangeOf = (events: readonly MeteredEvent[], at: number): UsageRecorded => ({
    from: String(at) as Position,
    to: String(at + 1) as Position,
    eventCount: events.length,
    maxEventTime:
      events
        .map(({ eventTime }) => eventTime)
        .sort()
        .at(-1) ?? null,
    sums: aggregate(events, metersBy(), period).windows.map((usage) => ({
      ...{ m: usage.meter, w: usage.windowStart, e: usage.windowEnd },
      ...{ n: usage.eventCount, q: usage.quantity, d: usage.digest },
    })),
  });
  const figures = (state: BillingPeriodState): unknown => ({
    windows: state.openWindows
      .map(({ meter, windowStart, count, quantity, digest }) =>
        JSON.stringify([meter, windowStart, count, quantity, digest]),
      )
      .sort(),
    usage: state.usage.map((usage) => JSON.stringify([usage.meter, usage.quantity, usage.events])).sort(),
    ...{ events: state.events, highest: state.highestEventTime, lookInLedger: state.lookInLedger },
  });

  test('come, in any order, to what one range of all would say', () => {
    fc.assert(
      fc.property(history, (list) => {
        const parts = partsOf(list);
        const whole = figures(applyRange(begun, rangeOf(list.map(eventOf), 0), context));
        for (const order of [
          [0, 1, 2],
          [2, 0, 1],
          [1, 2, 0],
        ]) {
          const ranges = order.map((part, at) => rangeOf(parts[part] ?? [], at));
          const applied = ranges.reduce((state, range) => applyRange(state, range, context), begun);
          expect(figures(applied)).toEqual(whole);
          // A range that comes again is passed over.
          expect(ranges.reduce((state, range) => applyRange(state, range, context), applied)).toEqual(applied);
        }
      }),
      { numRuns: 150 },
    );
  });
});
