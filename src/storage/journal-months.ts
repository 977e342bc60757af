/** Accounting months: closed in order, for ever. */
import { DomainFailure, invariant } from '../domain/failure.js';
import type { Instant, LocalDate } from '../domain/values.js';
import { monthNotOver, nextMonth } from '../calendar/accounting-months.js';
import type { Database } from './database.js';
import { constraintOf } from './errors.js';
import { boundedJournalWait } from './journal-lock.js';
import { monthChecklist } from './month-checklist.js';
import type { JournalStore, MonthClosing } from './types.js';

type Months = Pick<JournalStore, 'closings' | 'closeMonth' | 'checklist' | 'requireNextToClose'>;

export function createMonths(db: Database): Months {
  return {
    closings: () => closings(db),
    checklist: (month) => monthChecklist(db, month),
    requireNextToClose: (month) => requireNextToClose(db, month),
    closeMonth: async ({ month, reason, closedBy }) => {
      try {
        return await db.transaction(async (client) => {
          const { rows } = await client.query<ClosingRow>(
            `INSERT INTO accounting_month_closings (month, through_entry, reason, closed_by) VALUES ($1, 0, $2, $3) RETURNING *`,
            [month, reason, closedBy],
          );
          invariant(rows[0] !== undefined, 'what was inserted is returned');
          return closingFromDb(rows[0]);
        }, boundedJournalWait);
      } catch (error) {
        if (constraintOf(error) === 'accounting_month_closings_over') throw monthNotOver(month);
        if (constraintOf(error) !== 'accounting_month_closings_in_order') throw error;
        throw outOfOrder(month, await closings(db));
      }
    },
  };
}

interface ClosingRow {
  readonly month: LocalDate;
  readonly through_entry: string;
  readonly reason: string;
  readonly closed_by: string;
  readonly closed_at: Instant;
}

function closingFromDb(row: ClosingRow): MonthClosing {
  return {
    month: row.month,
    throughEntry: row.through_entry,
    reason: row.reason,
    closedBy: row.closed_by,
    closedAt: row.closed_at,
  };
}

async function closings(db: Database): Promise<readonly MonthClosing[]> {
  const { rows } = await db.pool.query<ClosingRow>('SELECT * FROM accounting_month_closings ORDER BY month DESC');
  return rows.map(closingFromDb);
}

function outOfOrder(month: LocalDate, [last]: readonly MonthClosing[]): DomainFailure {
  invariant(last !== undefined, 'the first month to be closed is any');
  const name = month.slice(0, 7);
  if (month <= last.month) {
    const own = month === last.month ? ` by ${last.closedBy} at ${last.closedAt}` : ', with or before a later one';
    return new DomainFailure('ACCOUNTING_MONTH_CLOSED', `${name} is closed already${own}; it never opens again.`);
  }
  const next = nextMonth(last.month).slice(0, 7);
  return new DomainFailure('ACCOUNTING_MONTH_OUT_OF_ORDER', `${next} is open, and is to be closed before ${name}.`);
}

async function requireNextToClose(db: Database, month: LocalDate): Promise<void> {
  const known = await closings(db);
  const [last] = known;
  if (last !== undefined) {
    if (nextMonth(last.month) !== month) throw outOfOrder(month, known);
    return;
  }
  const { rows } = await db.pool.query<{ readonly first: LocalDate | null }>(
    `SELECT date_trunc('month', min(posting_date)::timestamp)::date AS first FROM journal_entries`,
  );
  const first = rows[0]?.first ?? null;
  if (first === null || month >= first) return;
  const detail = `The first posting is of ${first.slice(0, 7)}: that month, or a later one, is the first to be closed, and all before it are closed with it.`;
  throw new DomainFailure('ACCOUNTING_MONTH_OUT_OF_ORDER', detail);
}
