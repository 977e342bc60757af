/**
 * How Postgres text becomes TypeScript values: never through a float or a `Date`, both of which lose digits (a `Date`
 * stops at the millisecond).
 *
 *   numeric, bigint → decimal digits as text     timestamptz → Instant     date → LocalDate
 */
import pg from 'pg';
import { invariant } from '../domain/failure.js';
import { isLocalDate } from '../domain/time/effective-from.js';
import type { Instant, LocalDate } from '../domain/values.js';

const { builtins } = pg.types;
type Parser = (text: string) => unknown;
type TypeId = Parameters<typeof pg.types.getTypeParser>[0];

/** Array types of the ones above (`pg_type.oid`); the driver names only the elements. */
const arrayOids = { date: 1182, timestamptz: 1185, numeric: 1231, int8: 1016, text: 1009 } as const;

const timestamptz = /^(\d{4})-(\d\d)-(\d\d) (\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?\+00$/;

/** `2024-01-15 10:00:00.5+00`, as Postgres writes it with `timezone = UTC`, to `2024-01-15T10:00:00.500000Z`. */
function parseTimestamptz(text: string): Instant {
  const parts = timestamptz.exec(text);
  invariant(parts !== null, `timestamptz ${text} is not a UTC instant of the years 0001 to 9999`);
  const [, year, month, day, time, fraction = ''] = parts;
  return `${year}-${month}-${day}T${time}.${fraction.padEnd(6, '0')}Z` as Instant;
}

const asText: Parser = (text) => text;
/** The driver's array parser, element by element as text; its types know only the oids of elements. */
const textArray = pg.types.getTypeParser(arrayOids.text as TypeId, 'text') as (
  text: string,
) => readonly (string | null)[];
const arrayOf =
  (element: Parser): Parser =>
  (text) =>
    textArray(text).map((item) => (item === null ? null : element(item)));

const parsers: ReadonlyMap<number, Parser> = new Map<number, Parser>([
  [builtins.NUMERIC, asText],
  [builtins.INT8, asText],
  [builtins.DATE, asText],
  [builtins.TIMESTAMPTZ, parseTimestamptz],
  [arrayOids.numeric, arrayOf(asText)],
  [arrayOids.int8, arrayOf(asText)],
  [arrayOids.date, arrayOf(asText)],
  [arrayOids.timestamptz, arrayOf(parseTimestamptz)],
]);

/** For `pg`: the parsers above before the driver's own. */
export const rowTypes: pg.CustomTypesConfig = {
  getTypeParser: ((oid: TypeId, format?: 'text' | 'binary') => {
    const parser = format === 'binary' ? undefined : parsers.get(oid);
    return parser ?? pg.types.getTypeParser(oid, format ?? 'text');
  }) as pg.CustomTypesConfig['getTypeParser'],
};

// Prisma speaks `Date`. It may be used where a millisecond is enough: boundaries are whole seconds, and a clock's reading
// (`learned_at`, `found_at`) decides nothing.

export function instantOf(date: Date): Instant {
  return `${date.toISOString().slice(0, -1)}000Z` as Instant;
}

/** Throws when the instant has microseconds a `Date` cannot hold. */
export function dateOf(instant: Instant): Date {
  invariant(instant.endsWith('000Z'), `${instant} is finer than the millisecond that Prisma can store`);
  return new Date(`${instant.slice(0, -4)}Z`);
}

export function localDateOf(date: Date): LocalDate {
  return date.toISOString().slice(0, 10) as LocalDate;
}

export function dateOfLocal(day: LocalDate): Date {
  return new Date(`${day}T00:00:00Z`);
}

/** When something begins, in its two columns; null: since always. */
export function effectiveColumns(effectiveFrom: Instant | LocalDate | null): {
  readonly effectiveFrom: Date | null;
  readonly effectiveFromDate: Date | null;
} {
  if (effectiveFrom === null) return { effectiveFrom: null, effectiveFromDate: null };
  return isLocalDate(effectiveFrom)
    ? { effectiveFrom: null, effectiveFromDate: dateOfLocal(effectiveFrom) }
    : { effectiveFrom: dateOf(effectiveFrom), effectiveFromDate: null };
}
