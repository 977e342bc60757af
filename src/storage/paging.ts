/** Cursors: opaque to the client, the sort key of the last row to us. */
import { DomainFailure } from '../domain/failure.js';
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
