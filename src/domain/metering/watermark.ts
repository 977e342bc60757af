/**
 * When windows and periods may close (DESIGN 3). Pure functions of epoch milliseconds, so that the workflow decides with
 * them and a test can hold them against each other. Every "due at" is the earliest clock time at which something is due
 * on the facts known now; a later fact can only bring it forward, or (late arrivals) make it wait again.
 */
import { msPerDay } from '../time/instant.js';

export interface WatermarkSettings {
  /** How far behind the newest event others may still be on their way. */
  readonly outOfOrdernessMs: number;
  /** Without new events the watermark follows the clock at this distance. */
  readonly idleTimeoutMs: number;
}

export interface EventTimeProgress extends WatermarkSettings {
  /** null: no event yet. */
  readonly highestEventTimeMs: number | null;
}

/** `max(highest event time − out-of-orderness, now − idle timeout)`, never beyond now. */
export function watermark(progress: EventTimeProgress, nowMs: number): number {
  const byEvents =
    progress.highestEventTimeMs === null ? -Infinity : progress.highestEventTimeMs - progress.outOfOrdernessMs;
  return Math.min(nowMs, Math.max(byEvents, nowMs - progress.idleTimeoutMs));
}

/** Usage that arrives past is gathered for a quiet time, but at most this long (ms) after its first arrival (RULES 63). */
export const pastArrivalWaitMaxMs = msPerDay;

export interface WindowClosing {
  /** Exclusive end of the window. */
  readonly windowEndMs: number;
  readonly allowedLatenessMs: number;
  /**
   * Set for a window that was already past when usage arrived in it: the clock time of the last such arrival. It closes
   * after a quiet time instead of at once, so that an import does not make a revision for every batch.
   */
  readonly lastPastArrivalMs: number | null;
  /** Clock time of the first one of those that are gathered now; without it they are gathered for as long as they come. */
  readonly gatheringSinceMs?: number | null;
}

/** Whether usage that arrives now finds its window already past, so that the window closes after a quiet time. */
export function isPastOnArrival(window: Omit<WindowClosing, 'lastPastArrivalMs'>, watermarkMs: number): boolean {
  return watermarkMs >= window.windowEndMs + window.allowedLatenessMs;
}

/** `open`: still filling. `closing`: its end has passed. `closed`: no more usage is expected; a final revision is due. */
export function windowState(
  window: Omit<WindowClosing, 'lastPastArrivalMs'>,
  watermarkMs: number,
): 'open' | 'closing' | 'closed' {
  if (watermarkMs < window.windowEndMs) return 'open';
  return isPastOnArrival(window, watermarkMs) ? 'closed' : 'closing';
}

/**
 * The clock time from which on the window is due: the moment `watermark(progress, now)` reaches its end plus the allowed
 * lateness, or the end of the quiet time for a window that was past on arrival.
 */
export function windowDueAt(window: WindowClosing, progress: EventTimeProgress): number {
  if (window.lastPastArrivalMs !== null) {
    return gatheredUntil(window.lastPastArrivalMs, window.gatheringSinceMs) + window.allowedLatenessMs;
  }
  const target = window.windowEndMs + window.allowedLatenessMs;
  const reachedByEvents =
    progress.highestEventTimeMs !== null && progress.highestEventTimeMs - progress.outOfOrdernessMs >= target;
  return reachedByEvents ? target : target + progress.idleTimeoutMs;
}

/** A steady trickle must not keep anything open. */
export function gatheredUntil(lastMs: number, firstMs: number | null | undefined): number {
  return firstMs === null || firstMs === undefined ? lastMs : Math.min(lastMs, firstMs + pastArrivalWaitMaxMs);
}

export interface PeriodClosing {
  readonly periodEndMs: number;
  readonly invoiceDelayMs: number;
  /** Clock time of the last usage that was past when it arrived; null: none. */
  readonly lastPastArrivalMs: number | null;
  /** Clock time of the first one ever; without it the period waits for as long as they come. */
  readonly firstPastArrivalMs?: number | null;
  readonly openWindows: number;
  /** Of these, windows that were past when usage arrived in them. */
  readonly openPastWindows?: number;
}

/**
 * The clock time from which on the period may be invoiced, or null while windows are open (their closing comes first).
 * A period whose usage arrived late waits its invoice delay once more, counted from the last arrival, but not beyond a day after
 * the first one or the period's end: then also windows that still gather such usage do not hold it up (RULES 63).
 */
export function periodReadyAt(period: PeriodClosing): number | null {
  const { periodEndMs, invoiceDelayMs, lastPastArrivalMs, firstPastArrivalMs = null } = period;
  const lastWaitMs =
    firstPastArrivalMs === null ? Infinity : Math.max(periodEndMs, firstPastArrivalMs) + pastArrivalWaitMaxMs;
  if (period.openWindows > (period.openPastWindows ?? 0)) return null;
  if (period.openWindows > 0) return (lastPastArrivalMs ?? -Infinity) > lastWaitMs ? lastWaitMs + invoiceDelayMs : null;
  const quietFrom = Math.max(periodEndMs, lastPastArrivalMs ?? -Infinity);
  return Math.min(quietFrom, lastWaitMs) + invoiceDelayMs;
}

/** The earliest of these; null when there is nothing to wait for. The workflow's one timer is armed for it. */
export function nextDeadline(deadlines: readonly (number | null)[]): number | null {
  let earliest: number | null = null;
  for (const deadline of deadlines) {
    if (deadline !== null && (earliest === null || deadline < earliest)) earliest = deadline;
  }
  return earliest;
}
