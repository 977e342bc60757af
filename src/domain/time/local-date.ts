/** Local calendar days. They say nothing about instants: that takes a time zone, and src/calendar knows those. */
import { DomainFailure, type FailureCode } from '../failure.js';
import type { LocalDate } from '../values.js';
import { type CivilDate, civilFromDays, daysInMonth, daysSinceEpoch } from './civil.js';
import { typeName } from '../type-name.js';

const dateText = /^(\d{4})-(\d\d)(?:-(\d\d))?$/;

/**
 * A day `YYYY-MM-DD` that exists, in the years 1970 to 9998.
 *
 * @throws DomainFailure INVALID_DATE
 */
export function parseLocalDate(text: unknown, pointer?: string): LocalDate {
  const date = readDate(text, false);
  if (date === null) throw invalid('INVALID_DATE', 'a calendar day such as "2024-01-15"', { text, pointer });
  return formatLocalDate(date);
}

/**
 * The name of a billing period: its first local day, `2024-01` standing for `2024-01-01`.
 *
 * @throws DomainFailure INVALID_PERIOD
 */
export function parsePeriodName(text: unknown, pointer?: string): LocalDate {
  const date = readDate(text, true);
  if (date === null) {
    throw invalid(
      'INVALID_PERIOD',
      'a billing period by its first day, such as "2024-01-15" (or "2024-01" for the first)',
      { text, pointer },
    );
  }
  return formatLocalDate(date);
}

function readDate(text: unknown, monthIsFirstDay: boolean): CivilDate | null {
  const match = typeof text === 'string' ? dateText.exec(text) : null;
  if (match === null || (match[3] === undefined && !monthIsFirstDay)) return null;
  const date = { year: Number(match[1]), month: Number(match[2]), day: Number(match[3] ?? 1) };
  const exists =
    date.year >= 1970 && date.year <= 9998 && date.day >= 1 && date.day <= daysInMonth(date.year, date.month);
  return exists ? date : null;
}

function invalid(
  code: FailureCode,
  expected: string,
  given: { text: unknown; pointer: string | undefined },
): DomainFailure {
  const shown = typeof given.text === 'string' ? `"${given.text.slice(0, 40)}"` : typeName(given.text);
  return new DomainFailure(code, `Expected ${expected}, and got ${shown}.`, given.pointer);
}

export function formatLocalDate(date: CivilDate): LocalDate {
  const digits = (value: number, width: number): string => String(value).padStart(width, '0');
  return `${digits(date.year, 4)}-${digits(date.month, 2)}-${digits(date.day, 2)}` as LocalDate;
}

export function civilDate(date: LocalDate): CivilDate {
  return { year: Number(date.slice(0, 4)), month: Number(date.slice(5, 7)), day: Number(date.slice(8, 10)) };
}

export function addDays(date: LocalDate, days: number): LocalDate {
  const { year, month, day } = civilDate(date);
  return formatLocalDate(civilFromDays(daysSinceEpoch(year, month, day) + days));
}
