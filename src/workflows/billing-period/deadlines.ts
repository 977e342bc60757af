/** What is due at a moment, and when the workflow must look again: decisions over its state, by the domain's rules. */
import type { PeriodSettings } from '../../contracts/activities.js';
import type { BillingPeriodState, OpenWindowState } from '../../contracts/billing-period.js';
import { gatheredUntil, nextDeadline, periodReadyAt, windowDueAt } from '../../domain/metering/watermark.js';
import { instantToMs, msPerDay } from '../../domain/time/instant.js';
import type { Instant } from '../../domain/values.js';
import { latenessOf } from './accumulation.js';

/** Late usage waits for silence, but not longer than this after its first sign: a steady trickle must not hide. */
export const lateUsageWaitMaxMs = msPerDay;

export function dueWindows(
  state: BillingPeriodState,
  { settings, nowMs }: { readonly settings: PeriodSettings; readonly nowMs: number },
): readonly OpenWindowState[] {
  return state.openWindows.filter((window) => windowDue(window, state, settings) <= nowMs);
}

/** Clock time (ms) at which the windows that only the ledger lists are due; null when there are none. */
export function manyWindowsDueAt(state: BillingPeriodState, settings: PeriodSettings): number | null {
  const { manyWindows, lastPastArrivalMs, gatheringSinceMs } = state;
  if (manyWindows === null) return null;
  const longest = Math.max(0, ...Object.values(settings.allowedLatenessMs));
  return nextDeadline([
    manyWindows.earliestTargetMs === null ? null : manyWindows.earliestTargetMs + settings.idleTimeoutMs,
    manyWindows.anyPast && lastPastArrivalMs !== null
      ? gatheredUntil(lastPastArrivalMs, gatheringSinceMs) + longest
      : null,
  ]);
}

/** Clock time (ms) from which on the period may be handed over; null while windows are open that it waits for. */
export function readyAt(
  state: BillingPeriodState,
  period: { readonly to: Instant; readonly settings: PeriodSettings },
): number | null {
  const { openWindows, manyWindows } = state;
  return periodReadyAt({
    periodEndMs: instantToMs(period.to),
    invoiceDelayMs: period.settings.invoiceDelayMs,
    lastPastArrivalMs: state.lastPastArrivalMs,
    firstPastArrivalMs: state.firstPastArrivalMs ?? null,
    openWindows: openWindows.length + (manyWindows === null ? 0 : 1),
    openPastWindows:
      openWindows.filter(({ arrivedPast }) => arrivedPast).length +
      (manyWindows?.anyPast === true && manyWindows.earliestTargetMs === null ? 1 : 0),
  });
}

/** When to look again: the next window, or the period's end, or where that is held `lookAgainMs`. There is always one. */
export function wakeUpAt(
  state: BillingPeriodState,
  period: { readonly to: Instant; readonly settings: PeriodSettings; readonly lookAgainMs?: number | null },
): number {
  const { settings, lookAgainMs = null } = period;
  const deadlines = [
    ...state.openWindows.map((window) => windowDue(window, state, settings)),
    manyWindowsDueAt(state, settings),
    lookAgainMs ?? readyAt(state, period),
  ];
  return nextDeadline(deadlines) ?? instantToMs(period.to) + settings.invoiceDelayMs;
}

/** When late usage is noted: after the customer's quiet time, at most a day after its first sign. */
export function lateUsageDueAt(late: NonNullable<BillingPeriodState['lateUsage']>, settings: PeriodSettings): number {
  return Math.min(
    late.lastMs + settings.lateUsageQuietMs,
    late.firstMs + Math.max(lateUsageWaitMaxMs, settings.lateUsageQuietMs),
  );
}

function windowDue(window: OpenWindowState, state: BillingPeriodState, settings: PeriodSettings): number {
  const { highestEventTime, lastPastArrivalMs, gatheringSinceMs = null } = state;
  return windowDueAt(
    {
      windowEndMs: instantToMs(window.windowEnd),
      allowedLatenessMs: latenessOf(settings, window.meter),
      lastPastArrivalMs: window.arrivedPast ? lastPastArrivalMs : null,
      gatheringSinceMs,
    },
    { ...settings, highestEventTimeMs: highestEventTime === null ? null : instantToMs(highestEventTime) },
  );
}
