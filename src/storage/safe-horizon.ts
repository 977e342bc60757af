/**
 * Positions and the safe horizon (DESIGN 3). Everything that appends ledger facts draws its positions in a transaction
 * opened by `openLedgerTransaction`, which holds an advisory lock in shared mode until it ends. The horizon takes the same
 * lock exclusively, so at that moment nobody is between drawing a position and committing it.
 *
 * Why that is enough: Postgres releases a transaction's locks after its rows are visible, and the sequence caches nothing
 * (CACHE 1), so a position drawn later is greater than the one read here. No transaction ids are stored, so the proof
 * survives dump and restore.
 */
import { invariant } from '../domain/failure.js';
import type { Instant, Position } from '../domain/values.js';
import type { Database } from './database.js';

/** Key of the advisory lock: "LEDG" in ASCII. */
const ledgerLock = 0x4c454447;

/**
 * For `Database.transaction`, by whatever appends to the usage ledger. The limits bound how long one appender can hold up
 * the horizon, and with it every other appender that waits behind the horizon.
 */
export const openLedgerTransaction = `
  SET LOCAL statement_timeout = '15s'; SET LOCAL idle_in_transaction_session_timeout = '10s';
  SELECT pg_advisory_xact_lock_shared(${ledgerLock})`;

/**
 * One string, hence one round trip and one implicit transaction; two statements, because one could read the sequence
 * before it has the lock. The clock is read while nobody can commit: `now()` is from before the wait for the lock.
 */
const horizonSql = `
  SELECT pg_advisory_xact_lock(${ledgerLock});
  SELECT CASE WHEN is_called THEN last_value ELSE last_value - 1 END AS position, clock_timestamp() AS at FROM ledger_position`;

export interface Horizon {
  readonly position: Position;
  /** By the database's clock: whatever was committed before is at or below the position. */
  readonly at: Instant;
}

/**
 * A position at or below which nothing uncommitted can still appear, and at or above everything committed before the call.
 * Takes a connection of its own and waits for the appends that are under way.
 */
export async function safeHorizon(db: Pick<Database, 'pool'>): Promise<Position> {
  return (await readHorizon(db)).position;
}

/** `safeHorizon`, with the instant at which it was read. */
export async function readHorizon(db: Pick<Database, 'pool'>): Promise<Horizon> {
  const results = (await db.pool.query(horizonSql)) as unknown as readonly { rows: readonly Partial<Horizon>[] }[];
  const { position, at } = results.at(-1)?.rows[0] ?? {};
  invariant(position !== undefined && at !== undefined, 'the sequence ledger_position has a row');
  return { position, at };
}
