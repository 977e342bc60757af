import { type Database, openDatabase } from '../../src/storage/database.js';
import { uuidOf } from '../../src/storage/identifiers.js';
import { dateOf, instantOf } from '../../src/storage/row-types.js';
import type { Instant } from '../../src/domain/values.js';
import { createTestDatabase, type TestDatabase } from '../support/postgres.js';

let database: TestDatabase;
let db: Database;

beforeAll(async () => {
  database = await createTestDatabase();
  db = openDatabase(database.url);
});

afterAll(async () => {
  await db.close();
  await database.drop();
});

test('rows keep every digit, whatever the time zone of the server and of this process', async () => {
  await db.pool.query(`ALTER DATABASE ${new URL(database.url).pathname.slice(1)} SET timezone = 'Asia/Kolkata'`);
  const fresh = openDatabase(database.url);
  const { rows } = await fresh.pool.query(`SELECT
    12345678901234567890.10::numeric AS numeric, 9223372036854775807::bigint AS bigint, '2024-02-29'::date AS date,
    '2024-01-15 11:00:00.000001+01'::timestamptz AS fraction, '0001-01-01 00:00:00Z'::timestamptz AS first,
    ARRAY['2024-01-15 11:00:00+01', NULL]::timestamptz[] AS instants, ARRAY[1.50, NULL]::numeric[] AS numerics,
    ARRAY[9223372036854775807]::bigint[] AS bigints, ARRAY['2024-02-29']::date[] AS dates, NULL::timestamptz AS nothing`);
  await fresh.close();
  expect(rows).toEqual([
    {
      numeric: '12345678901234567890.10',
      bigint: '9223372036854775807',
      date: '2024-02-29',
      fraction: '2024-01-15T10:00:00.000001Z',
      first: '0001-01-01T00:00:00.000000Z',
      instants: ['2024-01-15T10:00:00.000000Z', null],
      numerics: ['1.50', null],
      bigints: ['9223372036854775807'],
      dates: ['2024-02-29'],
      nothing: null,
    },
  ]);
});

test('an instant outside the fixed-width years is a broken invariant, not a wrong text', async () => {
  await expect(db.pool.query(`SELECT 'infinity'::timestamptz AS at`)).rejects.toThrow(/not a UTC instant/);
});

test('what Prisma cannot hold is refused instead of cut off', () => {
  const whole = '2024-01-15T10:00:00.123000Z' as Instant;
  expect(instantOf(dateOf(whole))).toBe(whole);
  expect(() => dateOf('2024-01-15T10:00:00.123001Z' as Instant)).toThrow(/finer than the millisecond/);
});

test('ids are the same for ever, and parts never run into each other', () => {
  expect(uuidOf('invoice', 'c', 1, null)).toBe(uuidOf('invoice', 'c', 1, null));
  expect(uuidOf('price-book', 'standard', 'v1')).toMatchInlineSnapshot(`"9158a6ca-e31d-5b94-82e2-e834738e5c71"`);
  const ids = [
    uuidOf('k', 'a', 'b'),
    uuidOf('k', 'ab', ''),
    uuidOf('k', 'a,b'),
    uuidOf('k', 'a","b'),
    uuidOf('k', '1'),
    uuidOf('k', 1),
    uuidOf('k', null),
    uuidOf('k', 'null'),
  ];
  expect(new Set(ids).size).toBe(ids.length);
});
