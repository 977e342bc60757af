/** Snapshots of the books: facts, each made of the one before it and what was posted since. */
import { randomUUID } from 'node:crypto';
import { invariant } from '../domain/failure.js';
import type { DecimalString, Instant, LocalDate } from '../domain/values.js';
import type { Database } from './database.js';
import { journalHorizon } from './journal-lock.js';
import { partsOf, sumsSql } from './journal-moments.js';
import type { Queryable } from './journal-moments.js';
import { mapPage, newestFirst } from './paging.js';
import type { BalanceDifference, JournalStore, LedgerMoment, LedgerSnapshot } from './types.js';

type Snapshots = Pick<JournalStore, 'takeSnapshot' | 'takeMonthSnapshots' | 'snapshots'>;

export function createSnapshots(db: Database): Snapshots {
  return {
    takeSnapshot: async (takenBy) => {
      const { throughEntry, askedAt } = await journalHorizon(db);
      await store(db, { moment: { throughEntry }, takenBy, takenAt: askedAt });
      const { rows } = await db.pool.query<SnapshotRow>('SELECT * FROM ledger_snapshots WHERE through_entry = $1', [
        throughEntry,
      ]);
      invariant(rows[0] !== undefined, 'the snapshot was stored just now, or before');
      return snapshotFromDb(rows[0]);
    },
    takeMonthSnapshots: async (takenBy) => {
      const { rows } = await db.pool.query<{ readonly posted_through: LocalDate; readonly now: Instant }>(
        `SELECT (month + interval '1 month' - interval '1 day')::date AS posted_through, now() AS now
         FROM accounting_month_closings ORDER BY month`,
      );
      const { rows: taken } = await db.pool.query<{ readonly posted_through: LocalDate }>(
        'SELECT posted_through FROM ledger_snapshots WHERE posted_through IS NOT NULL',
      );
      const known = new Set(taken.map((row) => row.posted_through));
      const missing = rows.filter((row) => !known.has(row.posted_through));
      for (const { posted_through: postedThrough, now } of missing)
        await store(db, { moment: { postedThrough }, takenBy, takenAt: now });
      return missing.length;
    },
    snapshots: async (page) => {
      const list = {
        sql: 'SELECT * FROM ledger_snapshots',
        name: 'ledger-snapshots',
        at: 'taken_at',
        id: 'snapshot_id',
      };
      return mapPage(await newestFirst<SnapshotRow>(db.pool, list, page), snapshotFromDb);
    },
  };
}

interface NewSnapshot {
  readonly moment: Extract<LedgerMoment, { postedThrough: LocalDate } | { throughEntry: string }>;
  readonly takenBy: string;
  readonly takenAt: Instant;
}

/** Two at once: one is stored. */
async function store(db: Database, { moment, takenBy, takenAt }: NewSnapshot): Promise<void> {
  await db.transaction(async (client) => {
    const parts = await partsOf(client, moment);
    const snapshotId = randomUUID();
    const [posted, entry] =
      'postedThrough' in moment ? [moment.postedThrough, null] : ([null, moment.throughEntry] as const);
    const { rowCount } = await client.query(
      `INSERT INTO ledger_snapshots (snapshot_id, posted_through, through_entry, through_instant, taken_by, taken_at)
       VALUES ($1, $2, $3::bigint, CASE WHEN $3::bigint IS NULL THEN NULL
         ELSE (SELECT max(created_at) FROM journal_entries WHERE entry_order <= $3::bigint) END, $4, $5) ON CONFLICT DO NOTHING`,
      [snapshotId, posted, entry, takenBy, takenAt],
    );
    if (rowCount === 0) return;
    const keys = 'customer_id, account, currency';
    const sums = sumsSql(parts, keys, null);
    await client.query(
      `INSERT INTO ledger_snapshot_balances (snapshot_id, ${keys}, debit, credit)
       SELECT ${parts.params.add(snapshotId, 'uuid')}, ${keys}, debit, credit FROM (${sums}) AS s`,
      [...parts.params.values],
    );
  }, 'SET LOCAL jit = off;');
}

interface SnapshotRow {
  readonly snapshot_id: string;
  readonly posted_through: LocalDate | null;
  readonly through_entry: string | null;
  readonly through_instant: Instant | null;
  readonly taken_by: string;
  readonly taken_at: Instant;
}

function snapshotFromDb(row: SnapshotRow): LedgerSnapshot {
  return {
    snapshotId: row.snapshot_id,
    postedThrough: row.posted_through,
    throughEntry: row.through_entry,
    throughInstant: row.through_instant,
    takenBy: row.taken_by,
    takenAt: row.taken_at,
  };
}

interface DifferenceRow {
  readonly customer_id: string;
  readonly account: string;
  readonly currency: string;
  readonly debit: DecimalString;
  readonly credit: DecimalString;
  readonly found_debit: DecimalString;
  readonly found_credit: DecimalString;
}

/** Each snapshot against the one before it and what was posted in between: so all of them are held against the journal. */
export async function snapshotDifferences(db: Database): Promise<readonly BalanceDifference[]> {
  const { rows } = await db.pool.query<SnapshotRow>(
    'SELECT * FROM ledger_snapshots ORDER BY posted_through, through_entry',
  );
  const found: BalanceDifference[] = [];
  let before: SnapshotRow | null = null;
  for (const row of rows) {
    const isNext = before !== null && (before.posted_through === null) === (row.posted_through === null);
    found.push(...(await differencesOf(db.pool, row, isNext ? before : null)));
    before = row;
  }
  return found;
}

async function differencesOf(
  db: Queryable,
  snapshot: SnapshotRow,
  before: SnapshotRow | null,
): Promise<readonly BalanceDifference[]> {
  const { posted_through: postedThrough, through_entry: throughEntry, snapshot_id: snapshotId } = snapshot;
  const moment = postedThrough === null ? { throughEntry: throughEntry ?? '0' } : { postedThrough };
  const parts = await partsOf(db, moment, false);
  const since =
    before === null
      ? ''
      : before.posted_through === null
        ? ` AND e.entry_order > ${parts.params.add(before.through_entry, 'bigint')}`
        : ` AND e.posting_date > ${parts.params.add(before.posted_through, 'date')}`;
  const keys = 'customer_id, account, currency';
  const all = { ...parts, snapshotId: before?.snapshot_id ?? null, later: `${parts.later}${since}` };
  const sums = sumsSql(all, keys, null);
  const { rows } = await db.query<DifferenceRow>(
    `SELECT ${keys}, coalesce(j.debit, 0) AS debit, coalesce(j.credit, 0) AS credit, coalesce(s.debit, 0) AS found_debit,
       coalesce(s.credit, 0) AS found_credit
     FROM (${sums}) AS j FULL JOIN (
       SELECT ${keys}, debit, credit FROM ledger_snapshot_balances WHERE snapshot_id = ${parts.params.add(snapshotId, 'uuid')}) AS s
     USING (${keys})
     WHERE coalesce(j.debit, 0) <> coalesce(s.debit, 0) OR coalesce(j.credit, 0) <> coalesce(s.credit, 0) ORDER BY 1, 2, 3`,
    [...parts.params.values],
  );
  const through = postedThrough === null ? `entry ${throughEntry ?? ''}` : postedThrough;
  return rows.map((row) => ({
    model: `snapshot ${snapshotId} through ${through}`,
    customerId: row.customer_id,
    account: row.account,
    currency: row.currency,
    expected: { debit: row.debit, credit: row.credit },
    found: { debit: row.found_debit, credit: row.found_credit },
  }));
}
