import fc from 'fast-check';
import {
  isPastOnArrival,
  nextDeadline,
  periodReadyAt,
  watermark,
  windowDueAt,
  windowState,
} from '../../src/domain/metering/watermark.js';

const minute = 60_000;
const hour = 60 * minute;
const settings = { outOfOrdernessMs: minute, idleTimeoutMs: 5 * minute };
const end = 1000 * hour;

describe('watermark', () => {
  test.each([
    ['follows the events', end, end + 10, end - minute],
    ['never beyond now, whatever an event says', end + hour, end, end],
    ['follows the clock when nothing comes', end, end + hour, end + hour - 5 * minute],
    ['follows the clock before the first event', null, end, end - 5 * minute],
  ])('%s', (_name, highestEventTimeMs, now, expected) => {
    expect(watermark({ ...settings, highestEventTimeMs }, now)).toBe(expected);
  });

  test('law: never beyond now, never back as the clock goes on or newer events come', () => {
    const times = fc.integer({ min: 0, max: 2 * end });
    fc.assert(
      fc.property(
        fc.option(times),
        times,
        times,
        fc.nat(hour),
        fc.nat(hour),
        (highest, newer, now, outOfOrdernessMs, idleTimeoutMs) => {
          const progress = { highestEventTimeMs: highest, outOfOrdernessMs, idleTimeoutMs };
          const value = watermark(progress, now);
          expect(value).toBeLessThanOrEqual(now);
          expect(watermark(progress, now + 1)).toBeGreaterThanOrEqual(value);
          const later = { ...progress, highestEventTimeMs: Math.max(highest ?? 0, newer) };
          expect(watermark(later, now)).toBeGreaterThanOrEqual(value);
        },
      ),
      { numRuns: 1000 },
    );
  });
});

describe('windows', () => {
  const window = { windowEndMs: end, allowedLatenessMs: hour };

  test.each([
    [end - 1, 'open'],
    [end, 'closing'],
    [end + hour - 1, 'closing'],
    [end + hour, 'closed'],
  ])('at watermark %d: %s', (mark, state) => {
    expect(windowState(window, mark)).toBe(state);
    expect(isPastOnArrival(window, mark)).toBe(state === 'closed');
  });

  test.each([
    ['no event since', null, null, end + hour + 5 * minute],
    ['events not far enough', end + hour + minute - 1, null, end + hour + 5 * minute],
    ['events far enough', end + hour + minute, null, end + hour],
    ['past on arrival: a quiet time after the last arrival', end + 9 * hour, end + 7 * hour, end + 8 * hour],
  ])('due: %s', (_name, highestEventTimeMs, lastPastArrivalMs, expected) => {
    expect(windowDueAt({ ...window, lastPastArrivalMs }, { ...settings, highestEventTimeMs })).toBe(expected);
  });

  test('due: past on arrival, again and again: a day after the first of them', () => {
    const progress = { ...settings, highestEventTimeMs: null };
    const closing = { ...window, lastPastArrivalMs: end + 40 * hour, gatheringSinceMs: end + 7 * hour };
    expect(windowDueAt(closing, progress)).toBe(end + 32 * hour);
    expect(windowDueAt({ ...closing, lastPastArrivalMs: end + 8 * hour }, progress)).toBe(end + 9 * hour);
    expect(windowDueAt({ ...closing, gatheringSinceMs: null }, progress)).toBe(end + 41 * hour);
  });

  test('law: due by the clock exactly when the watermark says closed', () => {
    const near = fc.integer({ min: end - 3 * hour, max: end + 6 * hour });
    fc.assert(
      fc.property(
        fc.option(near),
        near,
        fc.nat(2 * hour),
        fc.nat(hour),
        fc.nat(hour),
        (highest, now, lateness, disorder, idle) => {
          const progress = { highestEventTimeMs: highest, outOfOrdernessMs: disorder, idleTimeoutMs: idle };
          const closing = { windowEndMs: end, allowedLatenessMs: lateness, lastPastArrivalMs: null };
          const due = now >= windowDueAt(closing, progress);
          expect(due).toBe(windowState(closing, watermark(progress, now)) === 'closed');
        },
      ),
      { numRuns: 1000 },
    );
  });
});

describe('periods', () => {
  test.each([
    ['open windows come first', { openWindows: 1, lastPastArrivalMs: null }, null],
    ['a delay after its end', { openWindows: 0, lastPastArrivalMs: null }, end + hour],
    ['an arrival before its end does not delay it', { openWindows: 0, lastPastArrivalMs: end - 1 }, end + hour],
    ['an arrival after its end does', { openWindows: 0, lastPastArrivalMs: end + 7 }, end + 7 + hour],
    [
      'arrivals that go on do for a day after the first',
      { openWindows: 0, firstPastArrivalMs: end + 7, lastPastArrivalMs: end + 40 * hour },
      end + 7 + 25 * hour,
    ],
    [
      'those that began before its end, for a day after that',
      { openWindows: 0, firstPastArrivalMs: end - 90 * hour, lastPastArrivalMs: end + 40 * hour },
      end + 25 * hour,
    ],
    [
      'windows that gather them do not hold it up beyond that',
      { openWindows: 2, openPastWindows: 2, firstPastArrivalMs: end, lastPastArrivalMs: end + 24 * hour + 1 },
      end + 25 * hour,
    ],
    [
      'until then they do',
      { openWindows: 2, openPastWindows: 2, firstPastArrivalMs: end, lastPastArrivalMs: end + 24 * hour },
      null,
    ],
    [
      'and one that is still filling does',
      { openWindows: 2, openPastWindows: 1, firstPastArrivalMs: end, lastPastArrivalMs: end + 40 * hour },
      null,
    ],
  ])('%s', (_name, facts, expected) => {
    expect(periodReadyAt({ periodEndMs: end, invoiceDelayMs: hour, ...facts })).toBe(expected);
  });

  test('the next deadline is the earliest', () => {
    expect(nextDeadline([null, 5, 3, null, 4])).toBe(3);
    expect(nextDeadline([null])).toBeNull();
    expect(nextDeadline([])).toBeNull();
  });
});
