/**
 * Instants in UTC, `YYYY-MM-DDTHH:mm:ss.ffffffZ`. The width is fixed, so text order is time order and comparing two of
 * them needs no parsing. Reading them is on the way of every event, so characters are read in place, without regular
 * expressions and Date objects: 2.6 million texts a second in UTC and 1.1 million with another offset, on 2 shared cores.
 */
import { DomainFailure, invariant } from '../failure.js';
import type { Instant, LocalDate } from '../values.js';
import { civilFromDays, daysInMonth, daysSinceEpoch } from './civil.js';
import { typeName } from '../type-name.js';

export const msPerHour = 3_600_000;
/** 24 hours, wherever; a local day may be longer or shorter. */
export const msPerDay = 24 * msPerHour;

/** Event times and every other instant from outside lie in `[first, end)`. */
export const firstInstant = '1970-01-01T00:00:00.000000Z' as Instant;
export const endOfInstants = '9999-01-01T00:00:00.000000Z' as Instant;

/** Longer texts are refused before they are read; nine fraction digits and an offset take 35. */
const textLengthMax = 64;

const zeroCode = 48;
const dotCode = 46;
const dashCode = 45;
const plusCode = 43;
const colonCode = 58;

/**
 * Reads an RFC 3339 date-time with an offset (`Z`, `+01:00`; lower-case `t` and `z` too) and truncates it to the
 * microsecond (RULES 5). Leap seconds (`:60`) are refused: UTC as stored here has none.
 *
 * @throws DomainFailure INVALID_INSTANT, INSTANT_WITHOUT_OFFSET
 */
export function parseInstant(text: unknown, pointer?: string): Instant {
  if (typeof text !== 'string' || text.length < 19 || text.length > textLengthMax) throw invalid(text, pointer);
  const year = twoDigits(text, 0) * 100 + twoDigits(text, 2);
  const month = twoDigits(text, 5);
  const day = twoDigits(text, 8);
  const hour = twoDigits(text, 11);
  const minute = twoDigits(text, 14);
  const second = twoDigits(text, 17);
  const separator = text.charCodeAt(10) | 0x20; // folds T onto t
  // A character that is no digit makes its number NaN, and every comparison with NaN is false.
  const isDateTime =
    year >= 0 &&
    day >= 1 &&
    day <= daysInMonth(year, month) &&
    hour <= 23 &&
    minute <= 59 &&
    second <= 59 &&
    separator === 116 &&
    text.charCodeAt(4) === dashCode &&
    text.charCodeAt(7) === dashCode &&
    text.charCodeAt(13) === colonCode &&
    text.charCodeAt(16) === colonCode;
  if (!isDateTime) throw invalid(text, pointer);

  const fractionEnd = endOfFraction(text);
  if (fractionEnd === 20) throw invalid(text, pointer); // a point without a digit
  const fraction = microsecondDigits(text, fractionEnd);
  if (fractionEnd === text.length) {
    throw new DomainFailure(
      'INSTANT_WITHOUT_OFFSET',
      `"${text}" lacks an offset: append "Z" for UTC, or one like "+01:00".`,
      pointer,
    );
  }
  const offsetMinutes = readOffset(text, fractionEnd);
  if (Number.isNaN(offsetMinutes)) throw invalid(text, pointer);
  const instant =
    offsetMinutes === 0
      ? `${text.slice(0, 10)}T${text.slice(11, 19)}.${fraction}Z`
      : shifted((daysSinceEpoch(year, month, day) * 1440 + hour * 60 + minute - offsetMinutes) * 60 + second, fraction);
  if (instant < firstInstant || instant >= endOfInstants) throw invalid(text, pointer);
  return instant as Instant;
}

function twoDigits(text: string, at: number): number {
  const tens = text.charCodeAt(at) - zeroCode;
  const ones = text.charCodeAt(at + 1) - zeroCode;
  return tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9 ? tens * 10 + ones : NaN;
}

/** Index after the fraction; 19 when there is none. */
function endOfFraction(text: string): number {
  if (text.charCodeAt(19) !== dotCode) return 19;
  let end = 20;
  for (let code = text.charCodeAt(end); code >= zeroCode && code <= 57; code = text.charCodeAt(end)) end += 1;
  return end;
}

function microsecondDigits(text: string, fractionEnd: number): string {
  if (fractionEnd === 19) return '000000';
  return fractionEnd >= 26 ? text.slice(20, 26) : text.slice(20, fractionEnd).padEnd(6, '0');
}

/** Minutes east of UTC from `Z`, `+hh:mm` or `-hh:mm` up to the end of the text; NaN for anything else. */
function readOffset(text: string, at: number): number {
  const sign = text.charCodeAt(at);
  if ((sign | 0x20) === 122) return text.length === at + 1 ? 0 : NaN;
  const hours = twoDigits(text, at + 1);
  const minutes = twoDigits(text, at + 4);
  const wellFormed =
    (sign === plusCode || sign === dashCode) &&
    text.length === at + 6 &&
    text.charCodeAt(at + 3) === colonCode &&
    hours <= 23 &&
    minutes <= 59;
  if (!wellFormed) return NaN;
  return sign === plusCode ? hours * 60 + minutes : -(hours * 60 + minutes);
}

function invalid(text: unknown, pointer: string | undefined): DomainFailure {
  const shown = typeof text === 'string' ? `"${text.slice(0, textLengthMax)}"` : typeName(text);
  return new DomainFailure(
    'INVALID_INSTANT',
    `Expected an RFC 3339 date-time between 1970 and 9998, such as "2024-01-15T10:00:00Z", and got ${shown}.`,
    pointer,
  );
}

/** Outside the years 1 to 9999 the text would not be of fixed width: empty, which sorts before every instant. */
function shifted(epochSeconds: number, microseconds: string): string {
  const days = Math.floor(epochSeconds / 86_400);
  const secondOfDay = epochSeconds - days * 86_400;
  const { year, month, day } = civilFromDays(days);
  if (year < 1 || year > 9999) return '';
  const hour = Math.floor(secondOfDay / 3600);
  const minute = Math.floor(secondOfDay / 60) % 60;
  const yearText = year >= 1000 ? year : String(year).padStart(4, '0');
  return `${yearText}-${two(month)}-${two(day)}T${two(hour)}:${two(minute)}:${two(secondOfDay % 60)}.${microseconds}Z`;
}

function two(value: number): string {
  return value < 10 ? `0${value}` : `${value}`;
}

/** Epoch milliseconds, rounded down. */
export function instantToMs(instant: Instant): number {
  return epochSeconds(instant) * 1000 + twoDigits(instant, 20) * 10 + (instant.charCodeAt(22) - zeroCode);
}

/** Epoch microseconds, exact. */
export function instantToMicros(instant: Instant): bigint {
  const micros = twoDigits(instant, 20) * 10_000 + twoDigits(instant, 22) * 100 + twoDigits(instant, 24);
  return BigInt(epochSeconds(instant)) * 1_000_000n + BigInt(micros);
}

function epochSeconds(instant: Instant): number {
  const days = daysSinceEpoch(
    twoDigits(instant, 0) * 100 + twoDigits(instant, 2),
    twoDigits(instant, 5),
    twoDigits(instant, 8),
  );
  return days * 86_400 + twoDigits(instant, 11) * 3600 + twoDigits(instant, 14) * 60 + twoDigits(instant, 17);
}

export function msToInstant(ms: number): Instant {
  invariant(Number.isSafeInteger(ms), `epoch milliseconds are an integer, got ${ms}`);
  const seconds = Math.floor(ms / 1000);
  return checked(shifted(seconds, `${String(ms - seconds * 1000).padStart(3, '0')}000`), ms);
}

export function microsToInstant(micros: bigint): Instant {
  const remainder = ((micros % 1_000_000n) + 1_000_000n) % 1_000_000n;
  const seconds = Number((micros - remainder) / 1_000_000n);
  return checked(shifted(seconds, String(remainder).padStart(6, '0')), micros);
}

function checked(text: string, source: number | bigint): Instant {
  invariant(text !== '', `instant outside the years 1 to 9999: ${source}`);
  return text as Instant;
}

/** That many milliseconds later; keeps the microseconds. */
export function addMs(instant: Instant, ms: number): Instant {
  return microsToInstant(instantToMicros(instant) + BigInt(ms) * 1000n);
}

/** The day in UTC. */
export const utcDay = (instant: Instant): LocalDate => instant.slice(0, 10) as LocalDate;

export function isHourAligned(instant: Instant): boolean {
  return instant.endsWith(':00:00.000000Z');
}

/** The start of the hour of UTC that contains the instant. */
export function startOfHour(instant: Instant): Instant {
  return `${instant.slice(0, 13)}:00:00.000000Z` as Instant;
}

export function isWithin(instant: Instant, interval: { readonly from: Instant; readonly to: Instant }): boolean {
  return interval.from <= instant && instant < interval.to;
}
