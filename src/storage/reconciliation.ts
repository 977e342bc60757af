/** Reconciliation runs: what was asked for, the chain of each period, and when the run had ended. */
import type { Instant, LocalDate } from '../domain/values.js';
import { SqlParameters } from './aggregation-sql-fragments.js';
import type { Database } from './database.js';
import { cursorPart, decodeCursor, mapPage, newestFirst, pageOf } from './paging.js';
import { usedSql } from './periods-billable.js';
import { periodOf, type PeriodRow } from './periods-create.js';
import type {
  BillingPeriod,
  Page,
  PageRequest,
  ReconciliationResult,
  ReconciliationRun,
  ReconciliationScope,
  ReconciliationStore,
} from './types.js';

export function createReconciliationStore(db: Database): ReconciliationStore {
  return {
    request: async ({ runId, workflowId, scope, requestedBy }) => {
      await db.pool.query(
        `INSERT INTO reconciliation_requests (run_id, workflow_id, scope, requested_by) VALUES ($1, $2, $3, $4)
         ON CONFLICT (run_id) DO NOTHING`,
        [runId, workflowId, JSON.stringify(scope), requestedBy],
      );
    },
    find: async (runId) => {
      if (!cursorPart.uuid(runId)) return null;
      const { rows } = await db.pool.query<RunRow>(`${runSql} WHERE q.run_id = $1`, [runId]);
      return rows[0] === undefined ? null : runFromDb(rows[0]);
    },
    lastFinished: async (workflowId) => {
      const { rows } = await db.pool.query<RunRow>(
        `${runSql} WHERE q.workflow_id = $1 AND r.finished_at IS NOT NULL ORDER BY q.requested_at DESC LIMIT 1`,
        [workflowId],
      );
      return rows[0] === undefined ? null : runFromDb(rows[0]);
    },
    list: async (page) => {
      const list = { sql: runSql, name: 'reconciliations', at: 'q.requested_at', id: 'q.run_id' };
      return mapPage(await newestFirst<RunRow>(db.pool, list, page), runFromDb);
    },
    results: (runId, filter, page) => listResults(db, { runId, ...filter }, page),
    pending: async (runId, limit) => {
      const { rows } = await db.pool.query<PeriodRow>({
        name: 'reconciliation-pending',
        text: pendingSql,
        values: [runId, limit],
      });
      return rows.map((row): BillingPeriod => periodOf(row));
    },
    storeResult: async (runId, { customerId, period, result, report }) => {
      await db.pool.query({
        name: 'reconciliation-result',
        text: `INSERT INTO reconciliation_results (run_id, customer_id, period, result, report) VALUES ($1, $2, $3, $4, $5)
          ON CONFLICT (run_id, customer_id, period) DO NOTHING`,
        values: [runId, customerId, period, result, JSON.stringify(report)],
      });
    },
    finish: async (runId) => {
      await db.pool.query(finishSql, [runId]);
    },
  };
}

interface RunRow {
  readonly run_id: string;
  readonly workflow_id: string;
  readonly scope: ReconciliationScope;
  readonly requested_by: string;
  readonly requested_at: Instant;
  readonly finished_at: Instant | null;
  readonly periods: string;
  readonly different: string;
}

const runSql = `SELECT q.*, r.finished_at, n.* FROM reconciliation_requests q
  LEFT JOIN reconciliation_runs r USING (run_id)
  CROSS JOIN LATERAL (
    SELECT count(*) AS periods, count(*) FILTER (WHERE result = 'different') AS different
    FROM reconciliation_results WHERE run_id = q.run_id) AS n`;

function runFromDb(row: RunRow): ReconciliationRun {
  return {
    runId: row.run_id,
    workflowId: row.workflow_id,
    scope: row.scope,
    requestedBy: row.requested_by,
    requestedAt: row.requested_at,
    finishedAt: row.finished_at,
    periods: Number(row.periods),
    different: Number(row.different),
  };
}

interface ResultRow {
  readonly customer_id: string;
  readonly period: LocalDate;
  readonly result: ReconciliationResult['result'];
  readonly report: unknown;
}

async function listResults(
  db: Database,
  filter: { readonly runId: string; readonly result?: ReconciliationResult['result'] },
  page: PageRequest,
): Promise<Page<ReconciliationResult>> {
  const list = 'reconciliation-results';
  const after = decodeCursor(page, list, [cursorPart.text, cursorPart.date]);
  if (!cursorPart.uuid(filter.runId)) return { data: [], nextCursor: null };
  const params = new SqlParameters();
  const conditions = [`run_id = ${params.add(filter.runId, 'uuid')}`];
  if (filter.result !== undefined) conditions.push(`result = ${params.add(filter.result, 'text')}`);
  if (after !== null) {
    conditions.push(`(customer_id, period) > (${params.add(after[0], 'text')}, ${params.add(after[1], 'date')})`);
  }
  const { rows } = await db.pool.query<ResultRow>(
    `SELECT customer_id, period, result, report FROM reconciliation_results WHERE ${conditions.join(' AND ')}
     ORDER BY customer_id, period LIMIT ${params.add(page.limit + 1, 'int')}`,
    [...params.values],
  );
  return mapPage(
    pageOf(rows, { ...page, list }, (row) => [row.customer_id, row.period]),
    ({ customer_id: customerId, ...row }) => ({ ...row, customerId }),
  );
}

/** Usage that an amendment has moved into the period counts, and usage that nothing has aggregated yet. */
const pendingSql = `
  SELECT p.* FROM billing_periods p CROSS JOIN (
    SELECT scope -> 'customerIds' AS customers, (scope ->> 'from')::timestamptz AS "from", (scope ->> 'to')::timestamptz AS "to",
      (scope ->> 'touchedSince')::timestamptz AS touched_since
    FROM reconciliation_requests WHERE run_id = $1) AS s
  WHERE (jsonb_typeof(s.customers) IS DISTINCT FROM 'array' OR s.customers ? p.customer_id)
    AND ((s."from" IS NULL OR p.period_end > s."from") AND (s."to" IS NULL OR p.period_start < s."to")
      OR EXISTS (SELECT FROM invoices WHERE customer_id = p.customer_id AND period = p.period AND created_at >= s.touched_since)
      OR EXISTS (SELECT FROM period_ratings WHERE customer_id = p.customer_id AND period = p.period AND rated_at >= s.touched_since))
    AND NOT EXISTS (SELECT FROM reconciliation_results WHERE run_id = $1 AND customer_id = p.customer_id AND period = p.period)
    AND (EXISTS (SELECT FROM invoices WHERE customer_id = p.customer_id AND period = p.period)
      OR EXISTS (SELECT FROM aggregated_usage WHERE customer_id = p.customer_id AND period = p.period)
      OR EXISTS (SELECT FROM rated_charges WHERE customer_id = p.customer_id AND period = p.period)
      OR ${usedSql('p')})
  ORDER BY p.customer_id, p.period LIMIT $2`;

/** The report sums up the results: how many periods, and which differences by class and stage. */
const finishSql = `
  INSERT INTO reconciliation_runs (run_id, scope, report, started_at, finished_at)
  SELECT q.run_id, q.scope, jsonb_build_object('periods', n.periods, 'different', n.different, 'differences', coalesce(d.differences, '[]')),
    q.requested_at, greatest(now(), q.requested_at)
  FROM reconciliation_requests q
  CROSS JOIN LATERAL (
    SELECT count(*) AS periods, count(*) FILTER (WHERE result = 'different') AS different
    FROM reconciliation_results WHERE run_id = q.run_id) AS n
  CROSS JOIN LATERAL (
    SELECT jsonb_agg(jsonb_build_object('stage', stage, 'class', class, 'count', count) ORDER BY stage, class) AS differences
    FROM (
      SELECT difference ->> 'stage' AS stage, difference ->> 'class' AS class, count(*) AS count
      FROM reconciliation_results r, jsonb_array_elements(r.report -> 'differences') AS difference
      WHERE r.run_id = q.run_id GROUP BY 1, 2) AS by_class) AS d
  WHERE q.run_id = $1
  ON CONFLICT (run_id) DO NOTHING`;
