/** The books at a moment of the past: the last snapshot before it, and what was posted since. */
import type pg from 'pg';
import type { Instant, LocalDate } from '../domain/values.js';
import { SqlParameters } from './aggregation-sql-fragments.js';
import type { LedgerMoment } from './types.js';

export type Queryable = pg.Pool | pg.PoolClient;

interface Base {
  readonly snapshot_id: string;
  readonly posted_through: LocalDate | null;
  readonly through_entry: string | null;
}

/** What a sum is made of. */
export interface MomentParts {
  readonly params: SqlParameters;
  /** null: everything is added up from the first entry on. */
  readonly snapshotId: string | null;
  /** Condition on `e` of the entries that are not in the snapshot. */
  readonly later: string;
}

/**
 * Read beforehand, so that the planner knows how little is left to be added up.
 * @param withSnapshots false: from scratch
 */
export async function partsOf(db: Queryable, moment: LedgerMoment, withSnapshots = true): Promise<MomentParts> {
  const params = new SqlParameters();
  const base = withSnapshots ? await baseOf(db, moment) : null;
  const conditions: string[] = [];
  const { posted_through: posted = null, through_entry: entry = null } = base ?? {};
  if (posted !== null) conditions.push(`e.posting_date > ${params.add(posted, 'date')}`);
  if (entry !== null) conditions.push(`e.entry_order > ${params.add(entry, 'bigint')}`);
  if ('postedThrough' in moment) conditions.push(`e.posting_date <= ${params.add(moment.postedThrough, 'date')}`);
  else if ('throughEntry' in moment) conditions.push(`e.entry_order <= ${params.add(moment.throughEntry, 'bigint')}`);
  else {
    conditions.push(`e.created_at <= ${params.add(moment.at, 'timestamptz')}`);
    const bound = withSnapshots ? await placeBeyond(db, moment.at) : null;
    if (bound !== null) conditions.push(`e.entry_order <= ${params.add(bound, 'bigint')}`);
  }
  return { params, snapshotId: base?.snapshot_id ?? null, later: conditions.join(' AND ') };
}

async function baseOf(db: Queryable, moment: LedgerMoment): Promise<Base | null> {
  const [column, through, value] =
    'postedThrough' in moment
      ? ['posted_through', 'posted_through', moment.postedThrough]
      : 'throughEntry' in moment
        ? ['through_entry', 'through_entry', moment.throughEntry]
        : ['through_entry', 'through_instant', moment.at];
  const { rows } = await db.query<Base>(
    `SELECT snapshot_id, posted_through, through_entry FROM ledger_snapshots
     WHERE ${column} IS NOT NULL AND ${through} <= $1 ORDER BY ${column} DESC LIMIT 1`,
    [value],
  );
  return rows[0] ?? null;
}

/** A snapshot that was asked for at or after the instant has everything that was posted by then. */
async function placeBeyond(db: Queryable, at: Instant): Promise<string | null> {
  const { rows } = await db.query<{ readonly through_entry: string | null }>(
    'SELECT min(through_entry) AS through_entry FROM ledger_snapshots WHERE taken_at >= $1',
    [at],
  );
  return rows[0]?.through_entry ?? null;
}

/**
 * SQL of debits and credits by `keys` (of customer_id, account, currency).
 * @param customer further condition, an expression; null: all customers
 */
export function sumsSql({ params, snapshotId, later }: MomentParts, keys: string, customer: string | null): string {
  const stored = `SELECT customer_id, account, currency, debit, credit FROM ledger_snapshot_balances
    WHERE snapshot_id = ${params.add(snapshotId, 'uuid')}${customer === null ? '' : ` AND customer_id = ${customer}`}`;
  const posted = `SELECT e.customer_id, p.account, p.currency,
      coalesce(sum(p.amount) FILTER (WHERE p.amount > 0), 0) AS debit, coalesce(-sum(p.amount) FILTER (WHERE p.amount < 0), 0) AS credit
    FROM journal_entries e JOIN postings p USING (entry_id)
    WHERE ${later === '' ? 'true' : later}${customer === null ? '' : ` AND e.customer_id = ${customer}`} GROUP BY 1, 2, 3`;
  return `SELECT ${keys}, sum(debit) AS debit, sum(credit) AS credit FROM (${stored} UNION ALL ${posted}) AS s GROUP BY ${keys}`;
}
