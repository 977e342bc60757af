/**
 * The journal's order and its lock. A trigger takes the lock in shared mode before an entry draws its place (`entry_order`), and it is
 * held to the commit: whoever holds it exclusively knows that nobody is in between. The proof is that of `safe-horizon.ts`.
 */
import { invariant } from '../domain/failure.js';
import type { Instant } from '../domain/values.js';
import type { Database } from './database.js';

/** Key of the advisory lock: "JRNL" in ASCII. The migration's triggers have it, too. */
const journalLock = 0x4a524e4c;

/** Bounds how long those who post may wait behind somebody who waits for one of them. */
export const boundedJournalWait = `SET LOCAL lock_timeout = '10s';`;

/** One round trip and one transaction; the clock is read before the lock is asked for. */
const readHorizon = `
  ${boundedJournalWait}
  SELECT clock_timestamp() AS asked_at;
  SELECT pg_advisory_xact_lock(${journalLock});
  SELECT coalesce(max(entry_order), 0) AS through_entry FROM journal_entries`;

export interface JournalHorizon {
  /** Nothing uncommitted can still appear up to here. */
  readonly throughEntry: string;
  /** Everything posted by then is up to there. */
  readonly askedAt: Instant;
}

export async function journalHorizon(db: Pick<Database, 'pool'>): Promise<JournalHorizon> {
  const results = (await db.pool.query(readHorizon)) as unknown as readonly {
    rows: readonly { readonly asked_at?: Instant; readonly through_entry?: string }[];
  }[];
  const rows = results.flatMap((result) => result.rows);
  const askedAt = rows.find((row) => row.asked_at !== undefined)?.asked_at;
  const throughEntry = rows.find((row) => row.through_entry !== undefined)?.through_entry;
  invariant(askedAt !== undefined && throughEntry !== undefined, 'both statements have a row');
  return { throughEntry, askedAt };
}
