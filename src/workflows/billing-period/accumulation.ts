/**
 * What signals and readings do to a period's state. Pure: no clock, no Temporal; the workflow passes its time in.
 * Lost, repeated and reordered ranges change when something happens, never what (DESIGN 1): a repeat is ignored, and
 * whatever does not continue the last range sends the workflow to the ledger.
 */
import type { LedgerWindows, PeriodSettings, WindowToClose } from '../../contracts/activities.js';
import { openWindowsMax } from '../../contracts/billing-period.js';
import type {
  BillingPeriodState,
  CloseRequested,
  ManyWindows,
  MeterUsage,
  OpenWindowState,
  UsageRecorded,
  WindowSum,
} from '../../contracts/billing-period.js';
import { addDecimals, zero } from '../../domain/decimal.js';
import { addDigests, emptyDigest } from '../../domain/metering/digest.js';
import { isPastOnArrival, pastArrivalWaitMaxMs, watermark } from '../../domain/metering/watermark.js';
import { instantToMs } from '../../domain/time/instant.js';
import type { Instant, Position } from '../../domain/values.js';

export const freshState: BillingPeriodState = {
  stage: 'open',
  appliedThrough: null,
  highestEventTime: null,
  openWindows: [],
  manyWindows: null,
  lookInLedger: false,
  lastPastArrivalMs: null,
  closedWindows: 0,
  events: 0,
  usage: [],
  closeRequest: null,
  lastRatedMs: null,
  lateUsage: null,
  needsAttention: false,
};

/** Positions are decimal digits of any length: longer is greater. */
export function isAtOrBelow(a: Position, b: Position): boolean {
  return a.length === b.length ? a <= b : a.length < b.length;
}

/** A range, once: `from` must be the last applied end. */
export function applyRange(
  state: BillingPeriodState,
  range: UsageRecorded,
  context: { readonly settings: PeriodSettings; readonly nowMs: number },
): BillingPeriodState {
  if (state.appliedThrough !== null && isAtOrBelow(range.to, state.appliedThrough)) return state;
  const continues = state.appliedThrough === range.from && range.sums !== null;
  const highestEventTime = later(state.highestEventTime, range.maxEventTime);
  const known: BillingPeriodState = {
    ...state,
    appliedThrough: range.to,
    highestEventTime,
    lookInLedger: state.lookInLedger || !continues,
    events: state.events + range.eventCount,
    openWindows: continues ? state.openWindows : state.openWindows.map(withoutSums),
  };
  const clock = { ...context, watermarkMs: watermarkOf(highestEventTime, context) };
  return (range.sums ?? []).reduce((next, sum) => addSum(next, { sum, from: range.from, ...clock }), known);
}

interface Arrival {
  readonly sum: WindowSum;
  readonly from: Position;
  readonly settings: PeriodSettings;
  readonly nowMs: number;
  readonly watermarkMs: number;
}

function addSum(state: BillingPeriodState, arrival: Arrival): BillingPeriodState {
  const { sum, settings } = arrival;
  const lateness = settings.allowedLatenessMs[sum.m];
  const usage = addUsage(state.usage, sum);
  // A meter that became known after the settings were read: the next reading tells of it and of its windows.
  if (lateness === undefined) return { ...state, usage, lookInLedger: true };
  const windowEndMs = instantToMs(sum.e);
  const arrivesPast = isPastOnArrival({ windowEndMs, allowedLatenessMs: lateness }, arrival.watermarkMs);
  const next = { ...(arrivesPast ? withPastArrival(state, arrival.nowMs) : state), usage };
  if (state.manyWindows !== null) {
    return { ...next, manyWindows: withTarget(state.manyWindows, arrivesPast ? null : windowEndMs + lateness) };
  }
  const index = state.openWindows.findIndex((window) => window.meter === sum.m && window.windowStart === sum.w);
  const before = state.openWindows[index] ?? newWindow(sum.m, sum.w, sum.e);
  const after: OpenWindowState = {
    ...before,
    since: before.since ?? arrival.from,
    count: before.count + sum.n,
    quantity: addDecimals([before.quantity, sum.q]),
    digest: addDigests(before.digest, sum.d),
    arrivedPast: before.arrivedPast || arrivesPast,
  };
  const openWindows = index < 0 ? [...state.openWindows, after] : state.openWindows.with(index, after);
  return bounded({ ...next, openWindows }, settings);
}

/**
 * The ledger's list replaces ours; what the signals told of a window on it is kept. So is a window that still fills though the
 * ledger does not list it: provisional charges have brought it up to date, and it closes in its own time.
 */
export function mergeLedgerWindows(
  state: BillingPeriodState,
  found: { readonly windows: LedgerWindows; readonly highestEventTime: Instant | null },
  context: { readonly settings: PeriodSettings; readonly nowMs: number },
): BillingPeriodState {
  const highestEventTime = later(state.highestEventTime, found.highestEventTime);
  const base = { ...state, highestEventTime, lookInLedger: false };
  if (found.windows.kind === 'many') {
    const { earliestTargetMs, anyPast } = found.windows;
    return {
      ...(anyPast ? withPastArrival(base, context.nowMs) : base),
      openWindows: [],
      manyWindows: { earliestTargetMs, anyPast },
    };
  }
  const watermarkMs = watermarkOf(highestEventTime, context);
  const known = new Map(state.openWindows.map((window) => [windowKey(window.meter, window.windowStart), window]));
  let arrivesPast = false;
  const isPast = (meter: string, windowEnd: Instant): boolean => {
    const allowedLatenessMs = latenessOf(context.settings, meter);
    return isPastOnArrival({ windowEndMs: instantToMs(windowEnd), allowedLatenessMs }, watermarkMs);
  };
  const listed = found.windows.windows.map(({ m, w, e }) => {
    const before = known.get(windowKey(m, w));
    known.delete(windowKey(m, w));
    if (before !== undefined) return before;
    const arrivedPast = isPast(m, e);
    arrivesPast ||= arrivedPast;
    return { ...newWindow(m, w, e), arrivedPast };
  });
  const filling = [...known.values()].filter(({ meter, windowEnd }) => !isPast(meter, windowEnd));
  const arrived = arrivesPast ? withPastArrival(base, context.nowMs) : base;
  return bounded(
    stillGathering({ ...arrived, manyWindows: null, openWindows: [...listed, ...filling] }),
    context.settings,
  );
}

/** A period that was over before anybody looked is treated as if usage had just arrived in it (DESIGN 3: a quiet time). */
export function asFoundPast(
  state: BillingPeriodState,
  { to, nowMs }: { readonly to: Instant; readonly nowMs: number },
): BillingPeriodState {
  return nowMs < instantToMs(to) ? state : withPastArrival(state, nowMs);
}

function withPastArrival(state: BillingPeriodState, nowMs: number): BillingPeriodState {
  return {
    ...state,
    lastPastArrivalMs: nowMs,
    firstPastArrivalMs: state.firstPastArrivalMs ?? nowMs,
    gatheringSinceMs: state.gatheringSinceMs ?? nowMs,
  };
}

/** Once no window gathers past usage, what comes next is the first again. */
function stillGathering(state: BillingPeriodState): BillingPeriodState {
  const isGathering = state.manyWindows?.anyPast === true || state.openWindows.some(({ arrivedPast }) => arrivedPast);
  return isGathering ? state : { ...state, gatheringSinceMs: null };
}

/** Whether usage has trickled in past for so long that it is not waited for any longer (RULES 63). */
export function tricklesOn(state: BillingPeriodState, to: Instant): boolean {
  const { lastPastArrivalMs, firstPastArrivalMs, gatheringSinceMs } = state;
  const isLongAfter = (sinceMs: number): boolean => (lastPastArrivalMs ?? -Infinity) > sinceMs + pastArrivalWaitMaxMs;
  return (
    isLongAfter(gatheringSinceMs ?? Infinity) || isLongAfter(Math.max(instantToMs(to), firstPastArrivalMs ?? Infinity))
  );
}

/** As it was before RULES 63: what comes past is waited for as long as it comes. */
export function waitingOn(state: BillingPeriodState): BillingPeriodState {
  return { ...state, firstPastArrivalMs: null, gatheringSinceMs: null };
}

/** Signals that came while the activity ran are still in the inbox, so exactly what was sent has been closed. */
export function withoutClosed(state: BillingPeriodState, closed: readonly WindowToClose[]): BillingPeriodState {
  const keys = new Set(closed.map(({ m, w }) => windowKey(m, w)));
  const openWindows = state.openWindows.filter((window) => !keys.has(windowKey(window.meter, window.windowStart)));
  return stillGathering({ ...state, openWindows });
}

export function toClose(window: OpenWindowState): WindowToClose {
  const { meter, windowStart, windowEnd, since, count, quantity, digest } = window;
  return { m: meter, w: windowStart, e: windowEnd, since, n: count, q: quantity, d: digest };
}

/** A forced request stays forced when an unforced one follows it. */
export function withCloseRequest(state: BillingPeriodState, request: CloseRequested): BillingPeriodState {
  return state.closeRequest?.forced === true ? state : { ...state, closeRequest: request };
}

/** A meter without a stated lateness is not known (any more): it waits for nothing. */
export function latenessOf(settings: PeriodSettings, meter: string): number {
  return settings.allowedLatenessMs[meter] ?? 0;
}

function watermarkOf(
  highestEventTime: Instant | null,
  { settings, nowMs }: { readonly settings: PeriodSettings; readonly nowMs: number },
): number {
  const highestEventTimeMs = highestEventTime === null ? null : instantToMs(highestEventTime);
  return watermark({ ...settings, highestEventTimeMs }, nowMs);
}

function bounded(state: BillingPeriodState, settings: PeriodSettings): BillingPeriodState {
  if (state.openWindows.length <= openWindowsMax) return state;
  const manyWindows = state.openWindows.reduce(
    (many: ManyWindows, window) =>
      withTarget(many, window.arrivedPast ? null : instantToMs(window.windowEnd) + latenessOf(settings, window.meter)),
    { earliestTargetMs: null, anyPast: false },
  );
  return { ...state, openWindows: [], manyWindows };
}

function withTarget(many: ManyWindows, targetMs: number | null): ManyWindows {
  if (targetMs === null) return { ...many, anyPast: true };
  return { ...many, earliestTargetMs: Math.min(many.earliestTargetMs ?? Infinity, targetMs) };
}

const noSums = { since: null, count: 0, quantity: zero, digest: emptyDigest };

const newWindow = (meter: string, windowStart: Instant, windowEnd: Instant): OpenWindowState => ({
  meter,
  windowStart,
  windowEnd,
  ...noSums,
  arrivedPast: false,
});

const withoutSums = (window: OpenWindowState): OpenWindowState => ({ ...window, ...noSums });

function addUsage(usage: readonly MeterUsage[], sum: WindowSum): readonly MeterUsage[] {
  const index = usage.findIndex(({ meter }) => meter === sum.m);
  const before = usage[index];
  if (before === undefined) return [...usage, { meter: sum.m, quantity: sum.q, events: sum.n }];
  return usage.with(index, {
    meter: sum.m,
    quantity: addDecimals([before.quantity, sum.q]),
    events: before.events + sum.n,
  });
}

const windowKey = (meter: string, windowStart: Instant): string => `${windowStart} ${meter}`;

function later(a: Instant | null, b: Instant | null): Instant | null {
  if (a === null || b === null) return a ?? b;
  return a < b ? b : a;
}
