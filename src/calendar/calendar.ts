/**
 * A customer's billing calendar: calendar intervals in the customer's time zone, anchored on a day of the month. Facts
 * change only at boundaries (RULES 22), so periods tile time: no gap, no overlap.
 */
import { invariant } from '../domain/failure.js';
import { daysInMonth } from '../domain/time/civil.js';
import { formatLocalDate } from '../domain/time/local-date.js';
import type { Instant, Interval, LocalDate } from '../domain/values.js';
import { localDateAt, startOfLocalDay } from './time-zones.js';

/** Zone and anchor of a customer from an instant on; the segments of a customer are ordered by `from`. */
export interface CalendarSegment {
  readonly timeZone: string;
  /** 1 to 31; in shorter months the last day. */
  readonly anchorDay: number;
  /** A boundary under the segments before it; null, since always, on the first and only there. */
  readonly from: Instant | null;
}

/** What a version of a customer's facts says about the calendar. */
export interface CalendarFacts {
  readonly timeZone: string;
  readonly billingAnchorDay: number;
  /** From when on they hold; null: since always. */
  readonly calendarFrom: Instant | null;
}

export interface CalendarPeriod extends Interval {
  /** The first local day. */
  readonly name: LocalDate;
  readonly timeZone: string;
  /** Index of the segment whose zone and anchor hold in it. */
  readonly segment: number;
}

/**
 * A customer's calendar from all versions of its facts, oldest first: a version replaces those that had not taken effect
 * when it does (RULES 22). Further properties of the versions are kept.
 */
export function calendarOf<T extends CalendarFacts>(versions: readonly T[]): readonly (T & CalendarSegment)[] {
  const segments: (T & CalendarSegment)[] = [];
  for (const version of versions) {
    const { billingAnchorDay: anchorDay, calendarFrom: from } = version;
    while (segments.length > 0 && !beginsBefore(segments.at(-1), from)) segments.pop();
    segments.push({ ...version, anchorDay, from });
  }
  return segments;
}

function beginsBefore(segment: CalendarSegment | undefined, from: Instant | null): boolean {
  return from !== null && segment !== undefined && (segment.from === null || segment.from < from);
}

/**
 * The period an instant belongs to.
 *
 * @throws DomainFailure UNKNOWN_TIME_ZONE
 */
export function periodContaining(segments: readonly CalendarSegment[], instant: Instant): CalendarPeriod {
  const index = segmentAt(segments, instant);
  const segment = segments[index];
  invariant(segment !== undefined, 'a calendar has at least one segment');
  const { timeZone } = segment;
  const { start, end } = anchoredInterval(segment, instant);
  const segmentEnd = segments[index + 1]?.from ?? end.at;
  const bounds = { to: segmentEnd < end.at ? segmentEnd : end.at, timeZone, segment: index };
  return segment.from !== null && segment.from > start.at
    ? { name: localDateAt(segment.from, timeZone), from: segment.from, ...bounds }
    : { name: start.date, from: start.at, ...bounds };
}

/**
 * The period of that name, or null when no period starts on that day.
 *
 * @throws DomainFailure UNKNOWN_TIME_ZONE
 */
export function periodNamed(segments: readonly CalendarSegment[], name: LocalDate): CalendarPeriod | null {
  for (const [index, segment] of segments.entries()) {
    const starts = [startOfLocalDay(name, segment.timeZone), ...(segment.from === null ? [] : [segment.from])];
    for (const start of starts) {
      if (segmentAt(segments, start) !== index) continue;
      const period = periodContaining(segments, start);
      if (period.name === name && period.from === start) return period;
    }
  }
  return null;
}

/**
 * The segments after a change of zone or anchor that is learned at an instant: it takes effect at the next boundary under
 * the old facts, and the period that begins there runs to the first later boundary of the new ones (RULES 22). A change
 * that would make two periods begin on the same local day (a second move within the hours after a first) waits for the
 * boundary after that, because a period is named by its first day.
 *
 * `learnedAt`: now, or the start of the customer's last stored period where that is later, since stored periods never change.
 */
export function changeCalendar(
  segments: readonly CalendarSegment[],
  change: Omit<CalendarSegment, 'from'>,
  learnedAt: Instant,
): readonly CalendarSegment[] {
  let before = periodContaining(segments, learnedAt);
  for (;;) {
    const from = before.to;
    // A change that has not taken effect yet is replaced by this one.
    const changed = [
      ...segments.filter((segment) => segment.from === null || segment.from < from),
      { ...change, from },
    ];
    if (periodContaining(changed, from).name > before.name) return changed;
    before = periodContaining(segments, from);
  }
}

/**
 * From when on the zone and anchor of new facts hold: unchanged ones as long as before, changed ones from where
 * `changeCalendar` says; null: since always.
 * @param versions of the customer's facts so far, oldest first
 */
export function calendarFromOf(
  versions: readonly CalendarFacts[],
  { timeZone, billingAnchorDay: anchorDay }: Pick<CalendarFacts, 'timeZone' | 'billingAnchorDay'>,
  learnedAt: Instant,
): Instant | null {
  const latest = versions.at(-1);
  if (latest === undefined) return null;
  if (latest.timeZone === timeZone && latest.billingAnchorDay === anchorDay) return latest.calendarFrom;
  return changeCalendar(calendarOf(versions), { timeZone, anchorDay }, learnedAt).at(-1)?.from ?? null;
}

/** The last of the segments that has begun; of two with the same beginning the later one. */
function segmentAt(segments: readonly CalendarSegment[], instant: Instant): number {
  let index = segments.length - 1;
  for (; index > 0; index -= 1) {
    const { from } = segments[index] as CalendarSegment;
    if (from === null || from <= instant) break;
  }
  return index;
}

/** A boundary under one zone and anchor, with its local day. */
interface Boundary {
  readonly at: Instant;
  readonly date: LocalDate;
}

function anchoredInterval(
  segment: CalendarSegment,
  instant: Instant,
): { readonly start: Boundary; readonly end: Boundary } {
  const boundaries = boundariesOf(segment);
  // The month in UTC is at most one off, so no zone has to be asked once the boundaries around it are known.
  let month = monthOf(instant);
  while (boundaries(month).at > instant) month -= 1;
  while (boundaries(month + 1).at <= instant) month += 1;
  return { start: boundaries(month), end: boundaries(month + 1) };
}

/** Months since the year 0. */
function monthOf(instant: Instant): number {
  return Number(instant.slice(0, 4)) * 12 + Number(instant.slice(5, 7)) - 1;
}

/** Zones × anchors × months that are looked at in practice fit many times over; beyond it the cache starts anew. */
const cachedBoundariesMax = 100_000;
let cachedBoundaries = 0;
const boundaryCache = new Map<string, Map<number, Boundary>>();

function boundariesOf({ timeZone, anchorDay }: CalendarSegment): (month: number) => Boundary {
  if (cachedBoundaries > cachedBoundariesMax) {
    boundaryCache.clear();
    cachedBoundaries = 0;
  }
  const key = `${anchorDay} ${timeZone}`;
  const known = boundaryCache.get(key) ?? new Map<number, Boundary>();
  boundaryCache.set(key, known);
  return (month) => {
    const cached = known.get(month);
    if (cached !== undefined) return cached;
    const at = startOfLocalDay(anchorDate(month, anchorDay), timeZone);
    // Where the zone skipped the anchor day, the period begins, and is named, on the day after it.
    const boundary = { at, date: localDateAt(at, timeZone) };
    known.set(month, boundary);
    cachedBoundaries += 1;
    return boundary;
  };
}

/** The anchor itself is kept, so a short month does not make the following ones drift. */
function anchorDate(month: number, anchorDay: number): LocalDate {
  const year = Math.floor(month / 12);
  const monthOfYear = (month % 12) + 1;
  return formatLocalDate({ year, month: monthOfYear, day: Math.min(anchorDay, daysInMonth(year, monthOfYear)) });
}
