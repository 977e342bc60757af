/** JSON of the API as tables and lines for a person. */
import Table from 'cli-table3';
import { lastLocalDay, localDay } from '../explanation/text.js';
import { isObject } from './api-client.js';
import type { JsonObject } from './api-client.js';

export interface TableColumn {
  readonly header: string;
  readonly value: (row: JsonObject) => unknown;
  readonly align?: 'left' | 'right';
}

/** Takes a property by its name, or a nested one by `a.b`. */
export function property(path: string): (row: JsonObject) => unknown {
  return (row) => path.split('.').reduce<unknown>((value, key) => (isObject(value) ? value[key] : undefined), row);
}

export function column(header: string, path: string, align: 'left' | 'right' = 'left'): TableColumn {
  return { header, value: property(path), align };
}

/** The customer's days of a half-open `{ from, to, time_zone }`: `2024-01-01 to 2024-01-31`. */
export function daysText(period: unknown): string {
  if (!isObject(period)) return '';
  const { from, to, time_zone: zone } = period;
  if (!isInstant(from) || !isInstant(to) || typeof zone !== 'string') return `${printable(from)} to ${printable(to)}`;
  const [first, last] = [localDay(from, zone), lastLocalDay(to, zone)];
  return first === last ? first : `${first} to ${last}`;
}

/** The customer's day on which an instant falls. */
export function dayText(at: unknown, zone: unknown): string {
  return isInstant(at) && typeof zone === 'string' ? localDay(at, zone) : printable(at);
}

const isInstant = (value: unknown): value is string =>
  typeof value === 'string' && /^\d{4}-\d\d-\d\dT[\d:.]+Z$/.test(value);

/** What stored text may do to a terminal (colours, cursor, title) is taken out of it. */
export function printable(value: unknown): string {
  const text =
    value === null || value === undefined ? '' : typeof value === 'object' ? JSON.stringify(value) : String(value);
  return text.replace(/[\p{Cc}\u202A-\u202E\u2066-\u2069]/gu, ' ');
}

/** @param width of the terminal; null: as wide as the texts are (files, pipes) */
export function renderTable(
  columns: readonly TableColumn[],
  rows: readonly JsonObject[],
  width: number | null = null,
): string {
  const texts = rows.map((row) => columns.map(({ value }) => printable(value(row))));
  const cells = width === null ? texts : texts.map((row) => row.map(toTheSecond));
  const colWidths = width === null ? null : fitted(columns, cells, width);
  const table = new Table({
    head: columns.map(({ header }) => header),
    colAligns: columns.map(({ align }) => align ?? 'left'),
    style: { head: [], border: [], compact: true },
    ...(colWidths !== null && {
      colWidths: [...colWidths],
      wordWrap: true,
      wrapOnWordBoundary: hasRoomForWords(cells, colWidths),
    }),
  });
  // One at a time: a call with a hundred thousand arguments overflows the stack.
  for (const row of cells) table.push(row);
  return `${table.toString()}\n`;
}

/** Rows as a table, or a sentence where there are none. */
export function renderList(
  columns: readonly TableColumn[],
  rows: readonly JsonObject[],
  { empty, width }: { readonly empty: string; readonly width: number | null },
): string {
  return rows.length === 0 ? `${empty}\n` : renderTable(columns, rows, width);
}

/** For eyes: the microseconds of an instant. */
const toTheSecond = (text: string): string => text.replace(/^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)\.\d+Z$/, '$1Z');

/** Else what is too long for its column (an id, a digest) would be cut off: then texts are broken anywhere. */
function hasRoomForWords(cells: readonly (readonly string[])[], colWidths: readonly number[]): boolean {
  return cells.every((row) =>
    row.every((text, i) => text.split(' ').every((word) => word.length <= (colWidths[i] ?? 0) - padding)),
  );
}

/** Around the text of a cell. */
const padding = 2;
/** No column is wrapped to less, in characters. */
const narrowest = 20;

/** Widths (with their padding) of a table that is too wide: the widest column gives way to the others; null: it fits. */
function fitted(
  columns: readonly TableColumn[],
  cells: readonly (readonly string[])[],
  width: number,
): readonly number[] | null {
  const wanted = columns.map(
    ({ header }, i) => padding + cells.reduce((most, row) => Math.max(most, row[i]?.length ?? 0), header.length),
  );
  const total = wanted.reduce((sum, each) => sum + each, columns.length + 1);
  if (total <= width) return null;
  const widest = wanted.indexOf(Math.max(...wanted));
  return wanted.map((each, i) => (i === widest ? Math.max(narrowest + padding, each - (total - width)) : each));
}

/** Name and value a line, the values in one column. */
export function renderFacts(facts: readonly (readonly [string, unknown])[]): string {
  const width = facts.reduce((widest, [name]) => Math.max(widest, name.length), 0);
  return facts.map(([name, value]) => `${name.padEnd(width)}  ${printable(value)}\n`).join('');
}

const billedNames: Readonly<Record<string, string>> = { in_advance: ' (in advance)', in_arrears: '' };

/** A line by its meter or fee, from its key where that is all there is: `{"fee":"Platform","billed":"in_advance"}`. */
export function lineName({ meter, description, line_key: key }: JsonObject): string {
  const name = meter ?? description;
  if (typeof name === 'string') return printable(name);
  const parts = typeof key === 'string' && key.startsWith('{') ? (JSON.parse(key) as unknown) : null;
  if (!isObject(parts)) return printable(key);
  if (parts['minimum_commitment'] === true) return 'Minimum commitment';
  const { fee, billed } = parts;
  return typeof fee === 'string' ? `${printable(fee)}${billedNames[String(billed)] ?? ''}` : printable(key);
}

/** What a line is grouped by: `region=eu tier=(none)`. */
export function groupText(group: unknown): string {
  if (!isObject(group)) return '';
  return Object.entries(group)
    .map(([name, value]) => `${name}=${value === null ? '(none)' : String(value)}`)
    .join(' ');
}

/** Any object of the API: its plain properties, then a table for each list of objects in it. */
export function renderObject(object: JsonObject, width: number | null = null): string {
  const plain: (readonly [string, unknown])[] = [];
  const tables: string[] = [];
  for (const [name, value] of flat(object)) {
    const rows = Array.isArray(value) ? value.filter(isObject) : [];
    if (rows.length === 0) plain.push([name, value]);
    else tables.push(`\n${name}\n${renderTable(columnsOf(rows), rows, width)}`);
  }
  return renderFacts(plain) + tables.join('');
}

function* flat(object: JsonObject, prefix = ''): Generator<readonly [string, unknown]> {
  for (const [key, value] of Object.entries(object)) {
    const name = `${prefix}${key}`;
    if (isObject(value) && Object.keys(value).length > 0) yield* flat(value, `${name}.`);
    else yield [name, value];
  }
}

const figures = new Set(['quantity', 'amount', 'event_count', 'unit_price', 'flat_fee', 'up_to', 'revision']);

function columnsOf(rows: readonly JsonObject[]): readonly TableColumn[] {
  const names = new Set(rows.flatMap((row) => Object.keys(row)));
  return [...names].map((name) => ({
    header: name,
    value: (row) => row[name],
    align: figures.has(name) ? 'right' : 'left',
  }));
}
