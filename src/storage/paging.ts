/** Cursors: opaque to the client, the sort key of the last row to us. */
import type pg from 'pg';
import { DomainFailure } from '../domain/failure.js';
import { SqlParameters } from './aggregation-sql-fragments.js';
import { isUuid } from './identifiers.js';
import type { Page, PageRequest } from './types.js';

/** What one part of a cursor may be; a forged one is refused here, before it meets SQL. */
export const cursorPart = {
  text: (part: string): boolean => part.length <= 256 && !part.includes('\0'),
  position: (part: string): boolean => /^\d{1,19}$/.test(part) && BigInt(part) <= 9_223_372_036_854_775_807n,
  instant: (part: string): boolean => /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$/.test(part) && isCalendarDay(part),
  date: (part: string): boolean => /^\d{4}-\d\d-\d\d$/.test(part) && isCalendarDay(part),
  uuid: isUuid,
} as const;

function isCalendarDay(part: string): boolean {
  const day = new Date(`${part.slice(0, 10)}T${part.slice(11, 19) || '00:00:00'}Z`);
  return !Number.isNaN(day.getTime()) && day.toISOString().startsWith(part.slice(0, 10)) && part >= '0001';
}

/** @param list names the list, so that the cursor of another list is refused. */
export function encodeCursor(list: string, parts: readonly string[]): string {
  return Buffer.from(JSON.stringify([list, ...parts]), 'utf8').toString('base64url');
}

/**
 * The parts of the cursor, or null when the request has none.
 * @throws DomainFailure INVALID_CURSOR when it is not a cursor of this list.
 */
export function decodeCursor(
  page: PageRequest,
  list: string,
  shape: readonly ((part: string) => boolean)[],
): readonly string[] | null {
  if (page.cursor === undefined) return null;
  const [kind, ...parts] = parseCursor(page.cursor);
  const fits = kind === list && parts.length === shape.length && shape.every((test, i) => test(parts[i] ?? ''));
  if (!fits) throw invalidCursor();
  return parts;
}

function parseCursor(cursor: string): readonly string[] {
  try {
    const value: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString('utf8'));
    if (Array.isArray(value) && value.every((part) => typeof part === 'string')) return value;
  } catch {
    // Not JSON: not ours.
  }
  throw invalidCursor();
}

function invalidCursor(): DomainFailure {
  return new DomainFailure('INVALID_CURSOR', 'Use the next_cursor of the page before, of the same list, unchanged.');
}

/**
 * A page from rows that were read with `LIMIT limit + 1`: the extra row only tells that there are more.
 * @param keyOf the sort key of a row, in the order of the cursor's shape.
 */
export function pageOf<T>(
  rows: readonly T[],
  page: PageRequest & { readonly list: string },
  keyOf: (row: T) => readonly string[],
): Page<T> {
  const data = rows.slice(0, page.limit);
  const last = data.at(-1);
  const more = rows.length > page.limit && last !== undefined;
  return { data, nextCursor: more ? encodeCursor(page.list, keyOf(last)) : null };
}

/** The same page with its items turned into something else. */
export function mapPage<T, U>(page: Page<T>, map: (item: T) => U): Page<U> {
  return { data: page.data.map(map), nextCursor: page.nextCursor };
}

/** Conditions of a statement and the values in them. */
export interface Conditions {
  readonly conditions: string[];
  readonly params: SqlParameters;
}

/** That each of these columns, texts and ids of invoices, has the value; undefined: any. */
export function filtered(filter: Readonly<Record<string, string | undefined>>): Conditions {
  const params = new SqlParameters();
  const conditions = Object.entries(filter).flatMap(([column, value]) =>
    value === undefined ? [] : [`${column} = ${params.add(value, column.endsWith('invoice_id') ? 'uuid' : 'text')}`],
  );
  return { conditions: ['true', ...conditions], params };
}

/** A list whose rows have an instant and a uuid, which together are unique. */
export interface NewestFirst {
  /** The statement as far as WHERE. */
  readonly sql: string;
  /** Of the list, for its cursors. */
  readonly name: string;
  /** The columns, as the statement selects them: `p.recorded_at` is the row's `recorded_at`. */
  readonly at: string;
  readonly id: string;
  /** Left out: all rows. */
  readonly where?: Conditions;
}

/**
 * A page of the list, the newest first and, of the same instant, the greatest id.
 * @throws DomainFailure INVALID_CURSOR
 */
export async function newestFirst<Row extends object>(
  db: Pick<pg.Pool, 'query'>,
  { sql, name, at, id, where: { conditions, params } = filtered({}) }: NewestFirst,
  page: PageRequest,
): Promise<Page<Row>> {
  const after = decodeCursor(page, name, [cursorPart.instant, cursorPart.uuid]);
  if (after !== null)
    conditions.push(`(${at}, ${id}) < (${params.add(after[0], 'timestamptz')}, ${params.add(after[1], 'uuid')})`);
  const { rows } = await db.query<Row>(
    `${sql} WHERE ${conditions.join(' AND ')} ORDER BY ${at} DESC, ${id} DESC LIMIT ${params.add(page.limit + 1, 'int')}`,
    [...params.values],
  );
  const column = (name_: string): string => name_.split('.').at(-1) ?? name_;
  return pageOf(rows, { ...page, list: name }, (row) => {
    const values = row as Readonly<Record<string, string>>;
    return [values[column(at)] ?? '', values[column(id)] ?? ''];
  });
}
