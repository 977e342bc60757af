/**
 * IANA time zones: names, the start of a local day, the local day of an instant. Rules come from the ICU data of the
 * running Node, whose version every stored period names.
 */
import { Temporal } from 'temporal-polyfill';
import { DomainFailure } from '../domain/failure.js';
import { instantToMs, isHourAligned, msToInstant } from '../domain/time/instant.js';
import type { WindowSize } from '../domain/metering/meter.js';
import { type MeteringPeriod, windowOf } from '../domain/metering/window.js';
import { addDays, formatLocalDate } from '../domain/time/local-date.js';
import type { Instant, Interval, LocalDate } from '../domain/values.js';

/** Version of the time zone rules in use, such as `2025c`. */
export function tzdataVersion(): string {
  return process.versions.tz ?? 'unknown';
}

/** A region name such as `Europe/Berlin` or `UTC`; a bare offset like `+01:00` is no place with rules. */
const zoneName = /^[A-Za-z][A-Za-z0-9_+-]*(?:\/[A-Za-z0-9_+-]+)*$/;

/** Only names that exist are kept, so the map is as small as the world. */
const knownZones = new Map<string, string>();

/**
 * The zone's name in its usual spelling (`europe/berlin` gives `Europe/Berlin`); links such as `US/Eastern` stay as named.
 *
 * @throws DomainFailure UNKNOWN_TIME_ZONE
 */
export function parseTimeZone(name: unknown, pointer?: string): string {
  const known = typeof name === 'string' ? (knownZones.get(name) ?? lookUpZone(name)) : undefined;
  if (known !== undefined) return known;
  const shown = typeof name === 'string' ? `"${name.slice(0, 64)}"` : `A ${typeof name}`;
  const detail = `${shown} is not an IANA time zone; use a name such as "Europe/Berlin" or "UTC".`;
  throw new DomainFailure('UNKNOWN_TIME_ZONE', detail, pointer);
}

function lookUpZone(name: string): string | undefined {
  if (name.length > 64 || !zoneName.test(name)) return undefined;
  let spelling: string;
  try {
    spelling = new Temporal.ZonedDateTime(0n, name).timeZoneId;
  } catch (error) {
    if (error instanceof RangeError) return undefined;
    throw error;
  }
  knownZones.set(name, spelling);
  return spelling;
}

/**
 * The first instant of the local day: usually midnight, 01:00 where clocks jump over midnight, and for a day that a
 * zone skipped altogether the start of the next one.
 *
 * @throws DomainFailure UNKNOWN_TIME_ZONE
 */
export function startOfLocalDay(date: LocalDate, timeZone: string): Instant {
  return msToInstant(Temporal.PlainDate.from(date).toZonedDateTime(parseTimeZone(timeZone)).epochMilliseconds);
}

/** @throws DomainFailure UNKNOWN_TIME_ZONE */
export function localDateAt(instant: Instant, timeZone: string): LocalDate {
  return localDateAtMs(instantToMs(instant), timeZone);
}

function localDateAtMs(ms: number, timeZone: string): LocalDate {
  const local = Temporal.Instant.fromEpochMilliseconds(ms).toZonedDateTimeISO(parseTimeZone(timeZone));
  return formatLocalDate(local);
}

/** The starts of local days strictly inside the interval, ascending. */
export function localDayStarts(interval: Interval, timeZone: string): readonly Instant[] {
  const starts: Instant[] = [];
  const last = localDateAt(interval.to, timeZone);
  for (let date = localDateAt(interval.from, timeZone); date <= last; date = addDays(date, 1)) {
    const start = startOfLocalDay(date, timeZone);
    // A skipped day starts together with the next one.
    if (start > interval.from && start < interval.to && start !== starts.at(-1)) starts.push(start);
  }
  return starts;
}

/** Local midnights inside the interval that are not on a full hour of UTC: there an hour is cut in two (RULES 4). */
export function cutsOf(interval: Interval, timeZone: string): readonly Instant[] {
  return localDayStarts(interval, timeZone).filter((start) => !isHourAligned(start));
}

/** Bounds of the local days or months of an interval, its own ends included: how small windows add up to long ones. */
export function longWindowBounds(interval: Interval, timeZone: string, size: 'day' | 'month'): readonly Instant[] {
  const days = localDayStarts(interval, timeZone);
  const starts = size === 'day' ? days : days.filter((start) => isFirstOfMonth(start, timeZone));
  return [interval.from, ...starts, interval.to];
}

/**
 * Bounds of the windows of that size: hours of UTC cut at the period's cuts (RULES 4), local days, local months. Where later rules
 * of the zone put a midnight between two bounds of the smallest windows, at the first of them: long ones are made of small ones.
 */
export function windowBoundsOf(
  period: MeteringPeriod,
  timeZone: string,
  size: WindowSize,
): readonly [Instant, Instant, ...Instant[]] {
  const bounds = size === 'hour' ? smallBounds(period) : longWindowBounds(period, timeZone, size);
  const within = bounds.filter((bound) => bound > period.from && bound < period.to);
  const inner = within.map((bound) => windowOf(bound, period).from).filter((bound) => bound > period.from);
  return [period.from, ...inner, period.to] as readonly Instant[] as readonly [Instant, Instant, ...Instant[]];
}

function smallBounds(period: MeteringPeriod): readonly Instant[] {
  const bounds: Instant[] = [];
  for (let from = period.from; from < period.to; from = windowOf(from, period).to) bounds.push(from);
  return bounds;
}

/** The month also starts where its first day was skipped. */
function isFirstOfMonth(dayStart: Instant, timeZone: string): boolean {
  const dayBefore = localDateAtMs(instantToMs(dayStart) - 1, timeZone);
  return dayBefore.slice(0, 7) !== localDateAt(dayStart, timeZone).slice(0, 7);
}
