/**
 * How figures and days are printed on a document: plain string work on exact decimals. Intl is not used, because its
 * output (digits of a currency, kinds of spaces, month names) changes with the ICU data of the running Node.
 */
import { Temporal } from 'temporal-polyfill';
import { invariant } from '../domain/failure.js';
import type { DecimalString, Instant, LocalDate } from '../domain/values.js';

const months = [
  'January',
  'February',
  'March',
  'April',
  'May',
  'June',
  'July',
  'August',
  'September',
  'October',
  'November',
  'December',
] as const;

/** `1234567.5` as `1,234,567.5`: no digit is added, dropped or rounded. */
export function formatQuantity(value: DecimalString): string {
  const [, sign, whole, fraction] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(value) ?? [];
  invariant(whole !== undefined, `not a plain decimal: ${value}`);
  const grouped = whole.replace(/\B(?=(\d{3})+$)/g, ',');
  return `${sign ?? ''}${grouped}${fraction === undefined ? '' : `.${fraction}`}`;
}

/**
 * An amount with at least the currency's minor digits: `5` as `5.00` with two. An amount that has more (a stored amount
 * always was rounded at its line) is printed as it stands, never rounded for the eye.
 */
export function formatAmount(value: DecimalString, minorDigits: number): string {
  const point = value.indexOf('.');
  const whole = point < 0 ? value : value.slice(0, point);
  const significant = point < 0 ? '' : value.slice(point + 1).replace(/0+$/, '');
  const fraction = significant.padEnd(minorDigits, '0');
  return formatQuantity((fraction === '' ? whole : `${whole}.${fraction}`) as DecimalString);
}

/** The amount without its sign, for a sentence that already says which way it goes. */
export function withoutSign(value: DecimalString): DecimalString {
  return (value.startsWith('-') ? value.slice(1) : value) as DecimalString;
}

export type Sign = 'negative' | 'zero' | 'positive';
export function signOf(value: DecimalString): Sign {
  if (!/[1-9]/.test(value)) return 'zero';
  return value.startsWith('-') ? 'negative' : 'positive';
}

/** `2024-02-29` as `29 February 2024`. */
export function formatDay(day: LocalDate): string {
  const { year, month, day: dayOfMonth } = Temporal.PlainDate.from(day);
  return `${dayOfMonth} ${months[month - 1] ?? ''} ${year}`;
}

/** The local day on which an instant falls. */
export function dayOf(at: Instant, timeZone: string): LocalDate {
  return Temporal.Instant.from(at).toZonedDateTimeISO(timeZone).toPlainDate().toString() as LocalDate;
}

/** The last day of a half-open interval: the day of the microsecond before its end. */
export function lastDayBefore(end: Instant, timeZone: string): LocalDate {
  const last = Temporal.Instant.from(end).subtract({ microseconds: 1 });
  return last.toZonedDateTimeISO(timeZone).toPlainDate().toString() as LocalDate;
}

/** A half-open interval as the days a reader would say: the last one is shown, not the one after it. */
export function formatPeriod(from: Instant, to: Instant, timeZone: string): string {
  const first = dayOf(from, timeZone);
  const last = lastDayBefore(to, timeZone);
  return first === last ? formatDay(first) : `${formatDay(first)} – ${formatDay(last)}`;
}
