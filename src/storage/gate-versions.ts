/** Between reading the versions of prices and meters and the commit of what was rated by them, none is learned unseen. */
import type pg from 'pg';
import { holdsAtAll, type MeterInForce } from '../domain/metering/meter-versions.js';
import { priceBookLockOf } from './gate-lock.js';
import type { KnownVersions } from './types.js';

/**
 * Two statements: the second one sees what was learned before the locks were given.
 * @param meters those that the gate has read, and aggregates with
 */
export async function holdVersions(
  client: pg.PoolClient,
  { codes, priceBookIds, meterIds }: KnownVersions,
  meters: readonly MeterInForce[],
): Promise<boolean> {
  const counting = meters.filter(holdsAtAll);
  const known = new Set(meterIds);
  if (counting.length !== known.size || !counting.every(({ meterId }) => known.has(meterId))) return false;
  const locks = codes.map(priceBookLockOf).sort((a, b) => (a < b ? -1 : 1));
  await client.query({
    name: 'hold-prices',
    text: 'SELECT pg_advisory_xact_lock_shared(l) FROM unnest($1::bigint[]) AS l',
    values: [locks.map(String)],
  });
  const { rows } = await client.query<{ readonly known: boolean }>({
    name: 'known-prices',
    text: `SELECT NOT EXISTS (SELECT FROM price_books WHERE code = ANY ($1) AND price_book_id <> ALL ($2::uuid[])) AS known`,
    values: [codes, priceBookIds],
  });
  return rows[0]?.known === true;
}
