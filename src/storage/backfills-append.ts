/** Appending events of backfills: only while these are open, whatever is decided about them at the same time. */
import { invariant } from '../domain/failure.js';
import type { UsageEvent } from '../domain/metering/event.js';
import type { Database } from './database.js';
import { sqlState } from './errors.js';
import { nextOf } from './next-of.js';
import { cursorPart } from './paging.js';
import { openLedgerTransaction } from './safe-horizon.js';
import type { AppendOutcome } from './types.js';

/** The backfills that the events come with, each once. */
export function backfillIdsOf(events: readonly UsageEvent[]): readonly string[] {
  const ids = new Set<string>();
  for (const { backfillId } of events) if (backfillId !== undefined) ids.add(backfillId);
  return [...ids];
}

/**
 * What begins a transaction that appends events. It then holds the backfills' locks in shared mode, after the ledger's: whoever
 * decides about a backfill takes them in the same order.
 * @param backfillIds with one that is not open any more it fails (`isDecidedMeanwhile`)
 */
export function beginSql(backfillIds: readonly string[]): string {
  if (backfillIds.length === 0) return openLedgerTransaction;
  // They become part of a text, because COPY takes no parameters.
  invariant(backfillIds.every(cursorPart.uuid), 'ids of backfills are UUIDs');
  return `${openLedgerTransaction}; SELECT require_open_backfills('{${backfillIds.join(',')}}')`;
}

/** What require_open_backfills raises. */
export const isDecidedMeanwhile = (error: unknown): boolean => sqlState(error) === 'RK001';

export interface OpenBackfills {
  readonly ids: readonly string[];
  /** Not those alone that are open: one that is closed goes on to replace. */
  readonly replacing: ReadonlySet<string>;
}

/** A batch of events, some of which come with a backfill. */
interface BackfilledBatch {
  readonly events: readonly UsageEvent[];
  readonly backfillIds: readonly string[];
  /** What became of events that are committed, whether or not the others fail. */
  readonly committed: ReadonlyMap<UsageEvent, AppendOutcome>;
}

/** How events become rows. */
export interface BackfilledAppend {
  /** Adds to `committed` what it commits of them. */
  readonly append: (open: readonly UsageEvent[], backfills: OpenBackfills) => Promise<readonly AppendOutcome[]>;
  /** Outcomes of those that are in the ledger. */
  readonly lookUp: (
    events: readonly UsageEvent[],
    backfills: OpenBackfills,
  ) => Promise<ReadonlyMap<UsageEvent, AppendOutcome>>;
}

/**
 * Appends the events but those whose backfill is not open: their outcome is `backfill_closed`, unless they are in the ledger, where
 * they are what they would be if it were open. A decision that comes between is noticed by the transaction, and looked at again; each
 * backfill is decided at most twice, so that ends.
 */
export async function appendToBackfills(
  db: Database,
  { events, backfillIds, committed }: BackfilledBatch,
  { append, lookUp }: BackfilledAppend,
): Promise<readonly AppendOutcome[]> {
  for (;;) {
    const backfills = await openAmong(db, backfillIds);
    const isOpen = ({ backfillId }: UsageEvent): boolean =>
      backfillId === undefined || backfills.ids.includes(backfillId);
    const standings = events.map((event) => (committed.has(event) ? 'committed' : isOpen(event) ? 'open' : 'closed'));
    const only = (standing: 'open' | 'closed'): readonly UsageEvent[] =>
      events.filter((_, index) => standings[index] === standing);
    try {
      const appended = (await append(only('open'), backfills)).values();
      const known = standings.includes('closed') ? await lookUp(only('closed'), backfills) : committed;
      return events.map((event, index) =>
        standings[index] === 'open'
          ? nextOf(appended, 'every event that is appended has an outcome')
          : (committed.get(event) ?? known.get(event) ?? 'backfill_closed'),
      );
    } catch (error) {
      if (!isDecidedMeanwhile(error)) throw error;
    }
  }
}

/** Those of the backfills that are open, and those that replace: reverted ones neither. */
export async function openAmong({ pool }: Database, backfillIds: readonly string[]): Promise<OpenBackfills> {
  const { rows } = await pool.query<{ readonly backfill_id: string; readonly mode: string; readonly open: boolean }>({
    name: 'backfills-open-among',
    text: `SELECT backfill_id, mode,
        NOT EXISTS (SELECT FROM backfill_decisions d WHERE d.backfill_id = b.backfill_id) AS open
      FROM backfills b WHERE backfill_id = ANY ($1::uuid[])
        AND NOT EXISTS (SELECT FROM backfill_decisions d WHERE d.backfill_id = b.backfill_id AND d.decision = 'reverted')`,
    values: [backfillIds],
  });
  return {
    ids: rows.flatMap((row) => (row.open ? row.backfill_id : [])),
    replacing: new Set(rows.flatMap((row) => (row.mode === 'replace' ? row.backfill_id : []))),
  };
}
