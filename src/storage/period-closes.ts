/** Closes of many periods: what was asked for, its targets, and where each of them is. */
import type { PeriodCloseProgress } from '../domain/invoicing/period-close-progress.js';
import { DomainFailure } from '../domain/failure.js';
import { msToInstant } from '../domain/time/instant.js';
import type { Instant, LocalDate } from '../domain/values.js';
import { SqlParameters } from './aggregation-sql-fragments.js';
import type { Database } from './database.js';
import { cursorPart, decodeCursor, mapPage, newestFirst, pageOf } from './paging.js';
import { createMissing, handOverTargets, lastDaySql, planTargets } from './period-closes-plan.js';
import type { Page, PageRequest } from './types-paging.js';
import type {
  NamedPeriods,
  NotReadyReason,
  PeriodClose,
  PeriodCloseRequest,
  PeriodCloseStore,
  PeriodCloseTarget,
} from './types-period-closes.js';

export function createPeriodCloseStore(db: Database): PeriodCloseStore {
  const find: PeriodCloseStore['find'] = async (closeId) => {
    if (!cursorPart.uuid(closeId)) return null;
    const { rows } = await db.pool.query<CloseRow>(`${closeSql} WHERE c.close_id = $1`, [closeId]);
    return rows[0] === undefined ? null : closeFromDb(rows[0]);
  };
  const require = async (closeId: string): Promise<PeriodClose> => {
    const found = await find(closeId);
    if (found !== null) return found;
    throw new DomainFailure('PERIOD_CLOSE_NOT_FOUND', `There is no period close "${closeId}".`);
  };
  return {
    request: (request) => store(db, request),
    find,
    list: async (page) => {
      const list = { sql: closeSql, name: 'period-closes', at: 'c.requested_at', id: 'c.close_id' };
      return mapPage(await newestFirst<CloseRow>(db.pool, list, page), closeFromDb);
    },
    targets: (closeId, filter, page) => listTargets(db, { closeId, ...filter }, page),
    createMissing: async (closeId, after) => {
      const { scope } = await require(closeId);
      return createMissing(db, { scope, after, now: msToInstant(Date.now()) });
    },
    plan: (closeId) => planTargets(db, closeId),
    handOver: (closeId, limit) => handOverTargets(db, closeId, limit),
    nearest: (day, limit) => nearestTo(db, day, limit),
    progress: async (closeId) => (await require(closeId)).progress,
    cancel: async (closeId, { cancelledBy, reason }) => {
      const { rowCount } = await db.pool.query(
        'INSERT INTO period_close_cancellations (close_id, cancelled_by, reason) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING',
        [closeId, cancelledBy, reason],
      );
      return { stored: rowCount === 1 };
    },
  };
}

async function store(db: Database, request: PeriodCloseRequest): Promise<void> {
  const { closeId, workflowId, scope, billingDay, requestedBy } = request;
  await db.pool.query(
    `INSERT INTO period_closes (close_id, workflow_id, period, ended_on, customer_ids, legal_entity, billing_day, requested_by)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (close_id) DO NOTHING`,
    [
      closeId,
      workflowId,
      scope.period,
      scope.endedOn,
      scope.customerIds ?? [],
      scope.legalEntity,
      billingDay,
      requestedBy,
    ],
  );
}

/** Within two months of the day, which is what somebody has mistaken. */
async function nearestTo(db: Database, day: LocalDate, limit: number): Promise<readonly NamedPeriods[]> {
  const { rows } = await db.pool.query<NamedPeriods>(
    `SELECT p.period, ${lastDaySql} AS "lastDay", count(*)::int AS count FROM billing_periods p
     WHERE p.period BETWEEN $1::date - 62 AND $1::date + 62 GROUP BY 1, 2
     ORDER BY least(abs(p.period - $1::date), abs(${lastDaySql} - $1::date)), 1 LIMIT $2`,
    [day, limit],
  );
  return rows;
}

interface CloseRow {
  readonly close_id: string;
  readonly workflow_id: string;
  readonly period: LocalDate | null;
  readonly ended_on: LocalDate | null;
  /** Empty: all. */
  readonly customer_ids: readonly string[];
  readonly legal_entity: string | null;
  readonly billing_day: LocalDate;
  readonly requested_by: string;
  readonly requested_at: Instant;
  readonly planned_at: Instant | null;
  readonly cancelled_by: string | null;
  readonly cancel_reason: string | null;
  readonly cancelled_at: Instant | null;
  readonly targets: number;
  readonly not_ready: number;
  readonly requested: number;
  readonly left_out: number;
  readonly issued: number;
  readonly held: number;
  readonly skipped: number;
  readonly already_invoiced: number;
}

/** Where a target `t` is: its step `s` and what invoicing decided, `o`. */
const standingSql = `period_close_targets t
    LEFT JOIN period_close_steps s ON (s.close_id, s.customer_id, s.period) = (t.close_id, t.customer_id, t.period)
    LEFT JOIN invoicing_outcomes o ON o.request_id = t.request_id`;

const closeSql = `
  SELECT c.*, a.planned_at, x.cancelled_by, x.reason AS cancel_reason, x.cancelled_at, n.*
    FROM period_closes c LEFT JOIN period_close_plans a USING (close_id) LEFT JOIN period_close_cancellations x USING (close_id)
   CROSS JOIN LATERAL (
     SELECT count(*)::int AS targets, count(t.reason)::int AS not_ready, count(s.close_id) FILTER (WHERE s.reason IS NULL)::int AS requested,
            count(s.reason)::int AS left_out, count(*) FILTER (WHERE o.outcome = 'issued')::int AS issued,
            count(*) FILTER (WHERE o.outcome = 'held')::int AS held, count(*) FILTER (WHERE o.outcome = 'skipped')::int AS skipped,
            count(*) FILTER (WHERE o.outcome = 'already_invoiced')::int AS already_invoiced
       FROM ${standingSql} WHERE t.close_id = c.close_id) AS n`;

function closeFromDb(row: CloseRow): PeriodClose {
  const { cancelled_by: by, cancel_reason: reason, cancelled_at: at } = row;
  return {
    closeId: row.close_id,
    workflowId: row.workflow_id,
    scope: {
      period: row.period,
      endedOn: row.ended_on,
      customerIds: row.customer_ids.length === 0 ? null : row.customer_ids,
      legalEntity: row.legal_entity,
    },
    billingDay: row.billing_day,
    requestedBy: row.requested_by,
    requestedAt: row.requested_at,
    plannedAt: row.planned_at,
    cancellation: by === null || reason === null || at === null ? null : { by, reason, at },
    progress: countsOf(row),
  };
}

function countsOf(row: CloseRow): PeriodCloseProgress {
  const { issued, held, skipped, already_invoiced: alreadyInvoiced, left_out: left, not_ready: notReady } = row;
  const planned = row.targets - notReady;
  const remaining = planned - left - issued - held - skipped - alreadyInvoiced;
  const cancelled = row.cancelled_at !== null;
  return {
    planned,
    notReady,
    requested: row.requested,
    left,
    issued,
    held,
    skipped,
    alreadyInvoiced,
    remaining,
    cancelled,
  };
}

interface TargetRow {
  readonly customer_id: string;
  readonly period: LocalDate;
  readonly state: PeriodCloseTarget['state'];
  readonly reason: NotReadyReason | null;
  readonly invoice_id: string | null;
}

async function listTargets(
  db: Database,
  { closeId, state }: { readonly closeId: string; readonly state?: PeriodCloseTarget['state'] },
  page: PageRequest,
): Promise<Page<PeriodCloseTarget>> {
  const list = 'period-close-targets';
  const after = decodeCursor(page, list, [cursorPart.text, cursorPart.date]);
  const params = new SqlParameters();
  const conditions = [`t.close_id = ${params.add(closeId, 'uuid')}`];
  if (after !== null)
    conditions.push(`(t.customer_id, t.period) > (${params.add(after[0], 'text')}, ${params.add(after[1], 'date')})`);
  const asked = state === undefined ? 'true' : `state = ${params.add(state, 'text')}`;
  const { rows } = await db.pool.query<TargetRow>(
    `SELECT * FROM (SELECT t.customer_id, t.period, coalesce(t.reason, s.reason) AS reason, o.invoice_id,
         CASE WHEN t.reason IS NOT NULL OR s.reason IS NOT NULL THEN 'not_ready' WHEN s.close_id IS NULL THEN 'planned'
              ELSE coalesce(o.outcome, 'requested') END AS state
       FROM ${standingSql} WHERE ${conditions.join(' AND ')}) AS target
     WHERE ${asked} ORDER BY customer_id, period LIMIT ${params.add(page.limit + 1, 'int')}`,
    [...params.values],
  );
  return mapPage(
    pageOf(rows, { ...page, list }, (row) => [row.customer_id, row.period]),
    ({ customer_id: customerId, invoice_id: invoiceId, ...row }) => ({ ...row, customerId, invoiceId }),
  );
}
