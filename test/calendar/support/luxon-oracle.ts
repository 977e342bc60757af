/**
 * An independent billing calendar on luxon, written as the rule reads: walk from boundary to boundary. Slow and plain.
 */
import { DateTime } from 'luxon';
import type { CalendarSegment } from '../../../src/calendar/calendar.js';
import { msToInstant } from '../../../src/domain/time/instant.js';
import type { Instant, LocalDate } from '../../../src/domain/values.js';

export interface OraclePeriod {
  readonly name: LocalDate;
  readonly from: Instant;
  readonly to: Instant;
}

/** Start of the local day on which the anchor falls in a month. */
function boundary(year: number, month: number, facts: Pick<CalendarSegment, 'timeZone' | 'anchorDay'>): number {
  const first = DateTime.fromObject({ year, month, day: 1 }, { zone: facts.timeZone });
  const day = Math.min(facts.anchorDay, first.daysInMonth ?? 0);
  return startOfDay(DateTime.fromObject({ year, month, day, hour: 12 }, { zone: facts.timeZone }));
}

/** luxon shifts a skipped day to the next one by itself. */
function startOfDay(noon: DateTime): number {
  return noon.startOf('day').toMillis();
}

export function oracleStartOfDay(date: LocalDate, timeZone: string): Instant {
  return msToInstant(startOfDay(DateTime.fromISO(`${date}T12:00:00`, { zone: timeZone })));
}

/** The first boundary of these facts that is later than an instant. */
function firstBoundaryAfter(ms: number, facts: Pick<CalendarSegment, 'timeZone' | 'anchorDay'>): number {
  let at = DateTime.fromMillis(ms, { zone: 'UTC' }).startOf('month').minus({ months: 1 });
  for (;;) {
    const candidate = boundary(at.year, at.month, facts);
    if (candidate > ms) return candidate;
    at = at.plus({ months: 1 });
  }
}

/** The periods from the one that contains `fromMs` (under the first segment's facts) on. */
export function* oraclePeriods(segments: readonly CalendarSegment[], fromMs: number): Generator<OraclePeriod> {
  let current = 0;
  const facts = (): CalendarSegment => segments[current] as CalendarSegment;
  let start = firstBoundaryAfter(fromMs - 63 * 86_400_000, facts());
  for (let next = firstBoundaryAfter(start, facts()); next <= fromMs; next = firstBoundaryAfter(start, facts()))
    start = next;
  for (;;) {
    const end = firstBoundaryAfter(start, facts());
    const name = DateTime.fromMillis(start, { zone: facts().timeZone }).toISODate() as LocalDate;
    yield { name, from: msToInstant(start), to: msToInstant(end) };
    start = end;
    while (current + 1 < segments.length && segments[current + 1]?.from === msToInstant(start)) current += 1;
  }
}
