/** A customer's billing calendar from the stored versions of the facts. */
import { changeCalendar, type CalendarSegment } from '../../calendar/calendar.js';
import type { Instant } from '../../domain/values.js';
import type { Customer } from '../../storage/types.js';

/**
 * The segments that the versions, oldest first, make: each begins where the version says, and replaces what had not
 * begun by then (RULES 22).
 */
export function calendarOf(versions: readonly Customer[]): readonly CalendarSegment[] {
  let segments: readonly CalendarSegment[] = [];
  for (const { timeZone, billingAnchorDay, calendarFrom } of versions) {
    const segment = { timeZone, anchorDay: billingAnchorDay, from: calendarFrom };
    const before = calendarFrom === null ? [] : segments.filter(({ from }) => from === null || from < calendarFrom);
    segments = [...before, segment];
  }
  return segments;
}

/**
 * From when on the zone and anchor of new facts hold: unchanged ones as long as before, changed ones from the next
 * boundary after `learnedAt` on.
 */
export function calendarFromOf(
  versions: readonly Customer[],
  facts: { readonly timeZone: string; readonly billingAnchorDay: number },
  learnedAt: Instant,
): Instant | null {
  const latest = versions.at(-1);
  if (latest === undefined) return null;
  if (latest.timeZone === facts.timeZone && latest.billingAnchorDay === facts.billingAnchorDay)
    return latest.calendarFrom;
  const change = { timeZone: facts.timeZone, anchorDay: facts.billingAnchorDay };
  return changeCalendar(calendarOf(versions), change, learnedAt).at(-1)?.from ?? null;
}
