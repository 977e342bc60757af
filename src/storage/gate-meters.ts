/** Between aggregating with the meters known and the commit of "it was empty", no version is looked back for (RULES 64). */
import type pg from 'pg';
import type { Database } from './database.js';
import { meterLookBackLock } from './gate-lock.js';

/** To be tried again: a version was learned that the gate has not aggregated with. */
class MetersMoved extends Error {
  override readonly name = 'MetersMoved';
}

/**
 * Two statements, so two snapshots: the second one sees every version that a look back has begun with. So whoever skips a period
 * without a version commits before the look back for it begins, and is seen by it.
 * @param known how many versions the gate has aggregated with; they are never deleted, so as many are the same ones
 * @throws MetersMoved
 */
export async function holdMeters(client: pg.PoolClient, known: number): Promise<void> {
  const results = (await client.query(
    `SELECT pg_advisory_xact_lock_shared(${meterLookBackLock}); SELECT count(*) AS versions FROM meters`,
  )) as unknown as readonly { readonly rows: readonly { readonly versions?: string }[] }[];
  const versions = Number(results.at(-1)?.rows[0]?.versions);
  if (versions !== known)
    throw new MetersMoved(`there are ${versions} versions of meters, and ${known} were counted with`);
}

/** Versions that are to be looked back for, once all gates that may skip a period without them have committed. */
export async function metersToLookBackFor(db: Database): Promise<readonly string[]> {
  const fresh = `SELECT meter_id FROM meters m WHERE NOT EXISTS (SELECT FROM meters_looked_back l WHERE l.meter_id = m.meter_id)
    ORDER BY meter_id`;
  const { rows } = await db.pool.query<{ readonly meter_id: string }>(fresh);
  if (rows.length === 0) return [];
  // One string is one transaction: it waits for those gates, and keeps nobody waiting after it.
  const results = (await db.pool.query(
    `SELECT pg_advisory_xact_lock(${meterLookBackLock}); ${fresh}`,
  )) as unknown as readonly { readonly rows: readonly { readonly meter_id?: string }[] }[];
  return (results.at(-1)?.rows ?? []).flatMap(({ meter_id: meterId }) => meterId ?? []);
}
