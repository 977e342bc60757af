/** Plain text of at most 100 columns. */
import { Temporal } from 'temporal-polyfill';
import { dayOf, formatDay, formatPeriod, lastDayBefore } from '../documents/format.js';
import type { Instant, LocalDate } from '../domain/values.js';

export const columns = 100;

/** What stored text may do to a terminal (colours, cursor, direction of writing) is taken out of it. */
export function plain(text: string): string {
  return text.replace(/[\p{Cc}\u202A-\u202E\u2066-\u2069]/gu, ' ');
}

/** Broken between words; a word that is longer than a line has one of its own. */
export function wrapped(text: string, { first = '', rest = first }: { first?: string; rest?: string } = {}): string {
  const lines: string[] = [];
  let line = first;
  let isEmpty = true;
  for (const word of plain(text).split(' ')) {
    if (!isEmpty && line.length + 1 + word.length > columns) {
      lines.push(line);
      line = rest;
      isEmpty = true;
    }
    line += isEmpty ? word : ` ${word}`;
    isEmpty = false;
  }
  return [...lines, line].map((each) => `${each.trimEnd()}\n`).join('');
}

export function heading(text: string, underline: '=' | '-' = '-'): string {
  return `${wrapped(text)}${underline.repeat(Math.min(columns, plain(text).length))}\n`;
}

/** Name and text, the texts in one column. */
export function facts(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(0, ...rows.map(([name]) => name.length));
  return rows
    .map(([name, text]) => wrapped(text, { first: `${name.padEnd(width)}  `, rest: ' '.repeat(width + 2) }))
    .join('');
}

/** `15 January 2024, 09:00`; seconds only where there are some. */
export function momentText(at: string, timeZone: string): string {
  const local = Temporal.Instant.from(at).toZonedDateTimeISO(timeZone).toPlainTime();
  const time = local.toString({ smallestUnit: local.second === 0 && local.millisecond === 0 ? 'minute' : 'second' });
  return `${formatDay(dayOf(at as Instant, timeZone))}, ${time}`;
}

/** As days where it begins and ends with them, else to the minute. */
export function stretchText({ from, to }: { readonly from: string; readonly to: string }, timeZone: string): string {
  const startsWithDay = (at: string): boolean => {
    const local = Temporal.Instant.from(at).toZonedDateTimeISO(timeZone);
    return local.startOfDay().equals(local);
  };
  return startsWithDay(from) && startsWithDay(to)
    ? formatPeriod(from as Instant, to as Instant, timeZone)
    : `${momentText(from, timeZone)} – ${momentText(to, timeZone)}`;
}

/** From when on a price holds: a local date, or an instant. */
export function beginText(effective: string, timeZone: string): string {
  return /^\d{4}-\d{2}-\d{2}$/.test(effective)
    ? formatDay(effective as LocalDate)
    : `${momentText(effective, timeZone)} (${timeZone})`;
}

export const localDay = (at: string, timeZone: string): LocalDate => dayOf(at as Instant, timeZone);
export const lastLocalDay = (end: string, timeZone: string): LocalDate => lastDayBefore(end as Instant, timeZone);
export const dayText = formatDay;

/** `region = eu, tier = (not given)`. */
export function groupText(group: Readonly<Record<string, string | null>>): string {
  return Object.entries(group)
    .map(([name, value]) => `${name} = ${value ?? '(not given)'}`)
    .join(', ');
}
