import fc from 'fast-check';
import { type CalendarSegment, changeCalendar, periodContaining, periodNamed } from '../../src/calendar/calendar.js';
import { cutsOf, localDateAt, startOfLocalDay } from '../../src/calendar/time-zones.js';
import { windowOf } from '../../src/domain/metering/window.js';
import {
  instantToMs,
  instantToMicros,
  microsToInstant,
  msPerHour,
  msToInstant,
} from '../../src/domain/time/instant.js';
import { oraclePeriods } from './support/luxon-oracle.js';
import { zones } from './support/zones.js';

const facts = fc.record({
  timeZone: fc.constantFrom(...zones),
  anchorDay: fc.oneof(fc.constant(1), fc.integer({ min: 1, max: 31 })),
});
const start = Date.UTC(2011, 0, 1);

/** Often learned in the first hours of a period, because those may be all it has after a move to the west. */
const changes = fc.array(
  fc.record({ facts, fromNextBoundary: fc.boolean(), hoursLater: fc.oneof(fc.nat(12), fc.nat(24 * 100)) }),
  { maxLength: 5 },
);

const calendars = fc.tuple(facts, changes).map(([first, list]) => {
  let segments: readonly CalendarSegment[] = [{ ...first, from: null }];
  let learnedAt = msToInstant(start);
  for (const change of list) {
    const base = change.fromNextBoundary ? periodContaining(segments, learnedAt).to : learnedAt;
    learnedAt = msToInstant(instantToMs(base) + change.hoursLater * msPerHour);
    segments = changeCalendar(segments, change.facts, learnedAt);
  }
  return segments;
});

const instants = fc.integer({ min: -400 * 24, max: 800 * 24 }).chain((hours) =>
  // On full hours, where boundaries are, as often as anywhere else.
  fc
    .oneof(fc.constant(0), fc.constantFrom(1, -1, 1_800_000_000), fc.nat(3_599_999_999))
    .map((micros) => microsToInstant(BigInt(start + hours * msPerHour) * 1000n + BigInt(micros))),
);

test('periods tile: every instant is in the period found for it, and its neighbours touch it', () => {
  fc.assert(
    fc.property(calendars, instants, (segments, instant) => {
      const period = periodContaining(segments, instant);
      expect(period.from <= instant && instant < period.to).toBe(true);
      expect(periodContaining(segments, period.from)).toEqual(period);
      expect(periodContaining(segments, microsToInstant(instantToMicros(period.to) - 1n))).toEqual(period);
      expect(periodContaining(segments, microsToInstant(instantToMicros(period.from) - 1n)).to).toBe(period.from);
      expect(periodContaining(segments, period.to).from).toBe(period.to);
    }),
    { numRuns: 1000 },
  );
});

test('names are unique: later periods have later names, and a name leads back to its period', () => {
  fc.assert(
    fc.property(calendars, (segments) => {
      let period = periodContaining(segments, msToInstant(start));
      for (let count = 0; count < 24; count += 1) {
        expect(localDateAt(period.from, period.timeZone)).toBe(period.name);
        expect(periodNamed(segments, period.name)).toEqual(period);
        const next = periodContaining(segments, period.to);
        expect(next.name > period.name).toBe(true);
        period = next;
      }
    }),
    { numRuns: 1000 },
  );
});

test('RULES 22, against luxon: the walk under old and new facts is the same', () => {
  fc.assert(
    fc.property(calendars, (segments) => {
      let cursor = periodContaining(segments, msToInstant(start)).from;
      const oracle = oraclePeriods(segments, instantToMs(cursor));
      for (let count = 0; count < 18; count += 1) {
        const { name, from, to } = periodContaining(segments, cursor);
        expect({ name, from, to }).toEqual(oracle.next().value);
        cursor = to;
      }
    }),
    { numRuns: 100 },
  );
});

test('a change leaves the current period and all before it alone', () => {
  fc.assert(
    fc.property(calendars, facts, instants, fc.nat(24 * 400), (segments, change, instant, hoursLater) => {
      const last = segments.at(-1)?.from ?? msToInstant(start);
      const learnedAt = msToInstant(instantToMs(last) + hoursLater * msPerHour);
      const changed = changeCalendar(segments, change, learnedAt);
      const current = periodContaining(segments, learnedAt);
      expect(periodContaining(changed, learnedAt)).toEqual(current);
      if (instant < current.to) expect(periodContaining(changed, instant)).toEqual(periodContaining(segments, instant));
      expect(changed.at(-1)).toMatchObject(change);
    }),
    { numRuns: 500 },
  );
});

test('windows never cross a local day: all instants of a window have the local date of its start', () => {
  fc.assert(
    fc.property(facts, instants, ({ timeZone, anchorDay }, instant) => {
      const period = periodContaining([{ timeZone, anchorDay, from: null }], instant);
      const window = windowOf(instant, { ...period, cuts: cutsOf(period, timeZone) });
      expect(window.from <= instant && instant < window.to).toBe(true);
      const dayStart = startOfLocalDay(localDateAt(instant, timeZone), timeZone);
      expect(dayStart <= window.from || instant < dayStart).toBe(true);
    }),
    { numRuns: 500 },
  );
});
