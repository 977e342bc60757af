import { openWindowsMax } from '../../src/contracts/billing-period.js';
import type { BillingPeriodState, UsageRecorded } from '../../src/contracts/billing-period.js';
import { msPerHour, instantToMs, msToInstant } from '../../src/domain/time/instant.js';
import type { DecimalString, Digest, Instant, Position } from '../../src/domain/values.js';
import {
  applyRange,
  freshState,
  isAtOrBelow,
  mergeLedgerWindows,
  withCloseRequest,
} from '../../src/workflows/billing-period/accumulation.js';
import {
  dueWindows,
  lateUsageDueAt,
  lateUsageWaitMaxMs,
  manyWindowsDueAt,
  readyAt,
  wakeUpAt,
} from '../../src/workflows/billing-period/deadlines.js';

const settings = {
  outOfOrdernessMs: 60_000,
  idleTimeoutMs: 300_000,
  invoiceDelayMs: msPerHour,
  lateUsageQuietMs: msPerHour,
  ratingCadenceMs: 0,
  allowedLatenessMs: { calls: msPerHour },
};
const start = '2024-01-01T00:00:00.000000Z' as Instant;
const hour = (index: number): Instant => msToInstant(instantToMs(start) + index * msPerHour);
const noon = { settings, nowMs: instantToMs(hour(12)) };

const range = (from: number, to: number, hours: readonly number[] = [11], meter = 'calls'): UsageRecorded => ({
  from: String(from) as Position,
  to: String(to) as Position,
  eventCount: hours.length,
  maxEventTime: hours.length === 0 ? null : hour(Math.max(...hours)),
  sums: hours.map((index) => ({
    m: meter,
    w: hour(index),
    e: hour(index + 1),
    n: 1,
    q: '1.5' as DecimalString,
    d: '00000000000000ff' as Digest,
  })),
});

const begun: BillingPeriodState = { ...freshState, appliedThrough: '10' as Position };

test('positions compare as numbers of any length', () => {
  expect(isAtOrBelow('9' as Position, '10' as Position)).toBe(true);
  expect(isAtOrBelow('10' as Position, '9' as Position)).toBe(false);
  expect(isAtOrBelow('10' as Position, '10' as Position)).toBe(true);
  expect(isAtOrBelow('99999999999999999999' as Position, '100000000000000000000' as Position)).toBe(true);
});

test.each([
  ['continues the last one', range(10, 20), { appliedThrough: '20', lookInLedger: false, events: 1 }],
  ['is repeated', range(5, 10), { appliedThrough: '10', lookInLedger: false, events: 0 }],
  ['is older', range(1, 4), { appliedThrough: '10', lookInLedger: false, events: 0 }],
  ['leaves a gap', range(15, 20), { appliedThrough: '20', lookInLedger: true, events: 1 }],
  ['overlaps', range(5, 20), { appliedThrough: '20', lookInLedger: true, events: 1 }],
  ['is too large to carry', { ...range(10, 20), sums: null }, { appliedThrough: '20', lookInLedger: true, events: 1 }],
])('a range that %s', (_name, message, expected) => {
  expect(applyRange(begun, message, noon)).toMatchObject(expected);
});

test('contiguous ranges add up in a window from the position where its accumulation began', () => {
  const state = [range(10, 20), range(20, 30)].reduce((next, message) => applyRange(next, message, noon), begun);
  expect(state.openWindows).toEqual([
    {
      meter: 'calls',
      windowStart: hour(11),
      windowEnd: hour(12),
      since: '10',
      count: 2,
      quantity: '3',
      digest: '00000000000001fe',
      arrivedPast: false,
    },
  ]);
  expect(state.usage).toEqual([{ meter: 'calls', quantity: '3', events: 2 }]);
});

test('after a gap a window compares only what the signals told since', () => {
  const state = [range(10, 20), range(25, 30), range(30, 40)].reduce(
    (next, message) => applyRange(next, message, noon),
    begun,
  );
  expect(state.openWindows).toMatchObject([{ since: '25', count: 2, quantity: '3' }]);
});

test('a meter that became known later sends the run to the ledger, which knows its lateness', () => {
  const state = applyRange(begun, range(10, 20, [11], 'new'), noon);
  expect(state).toMatchObject({ lookInLedger: true, openWindows: [], usage: [{ meter: 'new' }] });
});

test('usage of a window that is past waits for quiet; a window that was open before stays due at its own time', () => {
  const state = applyRange(begun, range(10, 20, [2, 11]), noon);
  expect(state.lastPastArrivalMs).toBe(noon.nowMs);
  expect(state.openWindows.map(({ arrivedPast }) => arrivedPast)).toEqual([true, false]);
  expect(dueWindows(state, noon)).toEqual([]);
  const later = { settings, nowMs: noon.nowMs + msPerHour };
  expect(dueWindows(state, later)).toMatchObject([{ windowStart: hour(2) }]);
  expect(readyAt(state, { to: hour(12), settings })).toBeNull();
  expect(wakeUpAt(state, { to: hour(12), settings })).toBe(noon.nowMs + msPerHour);
});

test('more windows than the state may carry are left to the ledger, and close after quiet', () => {
  const many = Array.from({ length: openWindowsMax + 1 }, (_, index) => 11 - index);
  const state = applyRange(begun, range(10, 20, many), noon);
  expect(state.openWindows).toEqual([]);
  expect(state.manyWindows).toEqual({ earliestTargetMs: instantToMs(hour(12)), anyPast: true });
  expect(manyWindowsDueAt(state, settings)).toBe(instantToMs(hour(12)) + settings.idleTimeoutMs);
  const onlyPast = applyRange(
    begun,
    range(
      10,
      20,
      many.map((index) => index - 30),
    ),
    noon,
  );
  expect(manyWindowsDueAt(onlyPast, settings)).toBe(noon.nowMs + msPerHour);
  const merged = mergeLedgerWindows(state, { windows: { kind: 'listed', windows: [] }, highestEventTime: null }, noon);
  expect(merged).toMatchObject({ manyWindows: null, openWindows: [] });
});

test("the ledger's list replaces the state's, but for what signals told and for windows that still fill", () => {
  const state = applyRange(begun, range(10, 20, [3, 10, 11]), noon);
  const windows = {
    kind: 'listed' as const,
    windows: [
      { m: 'calls', w: hour(11), e: hour(12) },
      { m: 'calls', w: hour(1), e: hour(2) },
    ],
  };
  const merged = mergeLedgerWindows({ ...state, lookInLedger: true }, { windows, highestEventTime: hour(11) }, noon);
  expect(merged.lookInLedger).toBe(false);
  expect(merged.openWindows).toMatchObject([
    { windowStart: hour(11), since: '10', count: 1, arrivedPast: false },
    { windowStart: hour(1), since: null, count: 0, arrivedPast: true },
    { windowStart: hour(10), since: '10', count: 1, arrivedPast: false },
  ]);
  expect(merged.lastPastArrivalMs).toBe(noon.nowMs);
});

test('a forced close request is not weakened by a later one', () => {
  const forced = withCloseRequest(begun, { requestId: 'a', forced: true, reason: 'r' });
  expect(withCloseRequest(forced, { requestId: 'b', forced: false, reason: null }).closeRequest).toMatchObject({
    requestId: 'a',
  });
});

test('late usage is due after quiet, a day after its first sign at the latest', () => {
  expect(lateUsageDueAt({ firstMs: 0, lastMs: 1_000 }, settings)).toBe(1_000 + msPerHour);
  expect(lateUsageDueAt({ firstMs: 0, lastMs: lateUsageWaitMaxMs }, settings)).toBe(lateUsageWaitMaxMs);
  const longQuiet = { ...settings, lateUsageQuietMs: 3 * lateUsageWaitMaxMs };
  expect(lateUsageDueAt({ firstMs: 0, lastMs: 5 }, longQuiet)).toBe(3 * lateUsageWaitMaxMs);
});
