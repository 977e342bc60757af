/**
 * How a locale writes figures and days. Intl is asked for signs, orders and names; the digits are those of our exact decimals.
 * `en` is written without Intl, whose output changes with the CLDR data of the running Node: of other locales the renderer's
 * name says which one that was.
 */
import { Temporal } from 'temporal-polyfill';
import { minorUnits } from '../domain/money/currency.js';
import type { DecimalString, Instant, LocalDate } from '../domain/values.js';
import { labelsOf } from './labels.js';
import type { Labels } from './labels.js';
import { dayOf, formatAmount, formatDay, formatPeriod, formatQuantity, lastDayBefore } from './format.js';

export interface Writing {
  /** The fixed words, in the locale's language where there are any. */
  readonly labels: Labels;
  /** Between whole and fraction. */
  readonly point: string;
  quantity(value: DecimalString): string;
  /** With the currency's minor digits. */
  amount(value: DecimalString, currency: string): string;
  /** With the currency's code, on the side where the locale has it. */
  money(value: DecimalString, currency: string): string;
  day(day: LocalDate): string;
  period(from: Instant, to: Instant, timeZone: string): string;
}

/** The sign of the formulas beside it, which no line ends at, and not the hyphen of the digits or of CLDR. */
const minus = '−';
const withMinus = (figure: string): string => figure.replace(/^-/, minus);

const english: Writing = {
  labels: labelsOf('en'),
  point: '.',
  quantity: (value) => withMinus(formatQuantity(value)),
  amount: (value, currency) => withMinus(formatAmount(value, minorUnits(currency))),
  money: (value, currency) => `${currency} ${withMinus(formatAmount(value, minorUnits(currency)))}`,
  day: formatDay,
  period: formatPeriod,
};

const kept = new Map<string, Writing>([['en', english]]);

/** @param locale BCP 47; one that Intl does not know is written as English is */
export function writingOf(locale: string): Writing {
  const known = kept.get(locale);
  if (known !== undefined) return known;
  const made = isKnown(locale) ? writingIn(locale) : english;
  kept.set(locale, made);
  return made;
}

function isKnown(locale: string): boolean {
  try {
    return Intl.NumberFormat.supportedLocalesOf(locale).length > 0;
  } catch {
    return false;
  }
}

/** Latin digits throughout: they are what the formulas beside them have. */
function writingIn(locale: string): Writing {
  const options = { numberingSystem: 'latn' } as const;
  const parts = new Intl.NumberFormat(locale, { ...options, useGrouping: true }).formatToParts(-1_234_567_891.5);
  const partOf = (type: Intl.NumberFormatPartTypes, fallback: string): string =>
    spaced(parts.find((part) => part.type === type)?.value ?? fallback);
  const style = {
    point: partOf('decimal', '.'),
    group: partOf('group', ''),
    // From the right: 3 and 3, or 3 and 2 in India.
    sizes: parts
      .filter(({ type }) => type === 'integer')
      .map(({ value }) => value.length)
      .reverse(),
  };
  const number = (text: string): string => written(text, style);
  const isBefore = (currency: string): boolean => {
    const order = new Intl.NumberFormat(locale, { ...options, style: 'currency', currency, currencyDisplay: 'code' })
      .formatToParts(1)
      .map(({ type }) => type);
    return order.indexOf('currency') < order.indexOf('integer');
  };
  const day = dayIn(locale);
  const amount = (value: DecimalString, currency: string): string =>
    number(formatAmount(value, minorUnits(currency)).replaceAll(',', ''));
  return {
    labels: labelsOf(locale),
    point: style.point,
    quantity: (value) => number(value),
    amount,
    money: (value, currency) =>
      isBefore(currency) ? `${currency} ${amount(value, currency)}` : `${amount(value, currency)} ${currency}`,
    day,
    period: (from, to, timeZone) => {
      const [first, last] = [dayOf(from, timeZone), lastDayBefore(to, timeZone)];
      return first === last ? day(first) : `${day(first)} – ${day(last)}`;
    },
  };
}

/** Scripts that the font in the package has, and what belongs to none: digits, spaces, points. */
const otherScript = /[^\p{sc=Latin}\p{sc=Greek}\p{sc=Cyrillic}\p{sc=Devanagari}\p{sc=Common}\p{sc=Inherited}]/u;

/**
 * Days in words; as ISO 8601 has them (`2024-01-31`) where the words are in a script that the font lacks: a document is not
 * refused for its dates.
 */
function dayIn(locale: string): (day: LocalDate) => string {
  const options = { numberingSystem: 'latn', dateStyle: 'long', timeZone: 'UTC', calendar: 'gregory' } as const;
  const days = new Intl.DateTimeFormat(locale, options);
  const words = (day: string): string =>
    spaced(days.format(Temporal.PlainDate.from(day).toZonedDateTime('UTC').epochMilliseconds));
  const months = Array.from({ length: 12 }, (_, month) => `2024-${String(month + 1).padStart(2, '0')}-01`);
  return months.some((month) => otherScript.test(words(month))) ? (day) => day : words;
}

/** Every kind of space of Intl's as the one that no line ends at; marks of direction are not printed. */
const spaced = (text: string): string =>
  text.replace(/[\s\u00A0\u2009\u202F]/gu, '\u00A0').replace(/[\u200E\u200F\u061C]/g, '');

interface NumberStyle {
  readonly point: string;
  readonly group: string;
  readonly sizes: readonly number[];
}

/** A plain decimal with the signs of a locale; no digit is added, dropped or rounded. */
function written(text: string, { point, group, sizes }: NumberStyle): string {
  const [, sign = '', whole = '', fraction] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(text) ?? [];
  const [first = 3, next = first] = sizes;
  const groups: string[] = [];
  let left = whole;
  for (let size = first; left.length > size; size = next) {
    groups.unshift(left.slice(-size));
    left = left.slice(0, -size);
  }
  const grouped = group === '' ? whole : [left, ...groups].join(group);
  return `${sign === '' ? '' : minus}${grouped}${fraction === undefined ? '' : `${point}${fraction}`}`;
}
