/** Where billing periods are. */
import { invariant } from '../domain/failure.js';
import { holdingCodes } from '../domain/invoicing/waiting.js';
import type { LocalDate, Position } from '../domain/values.js';
import { instantSql } from './aggregation-sql-fragments.js';
import { lastOriginalSql, lastRatingSql } from './chain.js';
import { isWaitingSql } from './drafts.js';
import type { Database } from './database.js';
import { cursorPart, decodeCursor, mapPage, pageOf } from './paging.js';
import { periodOf, type PeriodRow } from './periods-create.js';
import { lastRequestSql, stageSql } from './periods-stage.js';
import type { BillingPeriodStage, BillingPeriodStatus, Page, PageRequest, WaitsFor } from './types.js';

export interface StatusRow extends PeriodRow {
  readonly windows: string;
  readonly closed_windows: string;
  readonly last_cutoff: Position | null;
  /** The last original, voided or not. */
  readonly invoice_id: string | null;
  readonly voided: boolean | null;
  readonly invoiced_cutoff: Position | null;
  readonly stage: BillingPeriodStage | null;
  readonly holding: readonly WaitsFor[];
  readonly covering: readonly WaitsFor[];
}

/** What would hold the period `p`, as JSON: open findings, and a draft that waits. */
const holdingSql = `SELECT f.code, f.detail, f.finding_id::text AS id, NULL AS "dueAt" FROM findings f
     WHERE f.customer_id = p.customer_id AND (f.period = p.period OR f.code = 'DOUBLE_BILLING')
       AND f.code IN (${holdingCodes.map((code) => `'${code}'`).join(', ')})
       AND NOT EXISTS (SELECT FROM finding_resolutions s WHERE s.finding_id = f.finding_id)
     UNION ALL
    SELECT 'DRAFT', t.reason, d.invoice_id::text, ${instantSql('t.due_at')} FROM invoice_drafts d
     CROSS JOIN LATERAL (SELECT * FROM invoice_draft_transitions l WHERE l.invoice_id = d.invoice_id ORDER BY l.sequence DESC LIMIT 1) AS t
     WHERE d.customer_id = p.customer_id AND d.period = p.period AND t.status = 'draft' AND ${isWaitingSql}`;

/** Open backfills that cover a part of the period `p`, as JSON. */
const coveringSql = `SELECT 'BACKFILL_OPEN' AS code, format('A backfill is open from %s to %s.', ${instantSql('b.range_start')},
      ${instantSql('b.range_end')}) AS detail, b.backfill_id::text AS id, NULL AS "dueAt" FROM backfill_customers b
     WHERE b.customer_id = p.customer_id AND b.range_start < p.period_end AND b.range_end > p.period_start
       AND NOT EXISTS (SELECT FROM backfill_decisions d WHERE d.backfill_id = b.backfill_id)`;

const listOf = (items: string): string =>
  `(SELECT coalesce(jsonb_agg(to_jsonb(x) ORDER BY x.code, x.id), '[]') FROM (${items}) AS x)`;

/** One row a period of `p`. */
export const statusSql = (periods: string): string => `
  SELECT p.*, w.*, o.invoice_id, o.voided, c.cutoff_position AS invoiced_cutoff, ${stageSql} AS stage,
         ${listOf(holdingSql)} AS holding, ${listOf(coveringSql)} AS covering
    FROM (${periods}) AS p
   CROSS JOIN LATERAL (
     SELECT count(*) FILTER (WHERE events > 0) AS windows, count(*) FILTER (WHERE events > 0 AND final) AS closed_windows,
            max(cutoff) AS last_cutoff
       FROM (SELECT sum(event_count) AS events, bool_and(is_final) AS final, max(cutoff_position) AS cutoff
               FROM (SELECT DISTINCT ON (meter_id, window_start, group_key)
                            meter_id, window_start, event_count, is_final, cutoff_position
                       FROM aggregated_usage WHERE customer_id = p.customer_id AND period = p.period
                      ORDER BY meter_id, window_start, group_key, revision DESC) AS latest
              GROUP BY meter_id, window_start) AS by_window) AS w
    LEFT JOIN LATERAL (${lastOriginalSql('p.customer_id', 'p.period')}) AS o ON true
    LEFT JOIN LATERAL (${lastRatingSql('p.customer_id', 'p.period')}) AS c ON NOT o.voided
    LEFT JOIN LATERAL (${lastRequestSql('p.customer_id', 'p.period')}) AS r ON true`;

export function statusOf(row: StatusRow): BillingPeriodStatus {
  const { stage } = row;
  invariant(stage !== null, `an invoice of ${row.period} of ${row.customer_id} that is said to be issued is there`);
  return {
    ...periodOf(row),
    stage,
    windows: Number(row.windows),
    closedWindows: Number(row.closed_windows),
    lastCutoff: row.last_cutoff,
    invoiceId: row.voided === false ? row.invoice_id : null,
    invoicedCutoff: row.invoiced_cutoff,
    waitsFor: stage === 'held' ? row.holding : stage === 'closing' ? row.covering : [],
  };
}

/** null: no such period is stored. */
export async function periodStatus(
  db: Database,
  customerId: string,
  period: LocalDate,
): Promise<BillingPeriodStatus | null> {
  const { rows } = await db.pool.query<StatusRow>({
    name: 'period-status',
    text: statusSql('SELECT * FROM billing_periods WHERE customer_id = $1 AND period = $2'),
    values: [customerId, period],
  });
  return rows[0] === undefined ? null : statusOf(rows[0]);
}

const list = 'billing-periods';

/** Newest first. */
export async function listPeriods(
  db: Database,
  customerId: string,
  page: PageRequest,
): Promise<Page<BillingPeriodStatus>> {
  const [before] = decodeCursor(page, list, [cursorPart.instant]) ?? [];
  const { rows } = await db.pool.query<StatusRow>({
    name: 'period-list',
    text: `${statusSql(`SELECT * FROM billing_periods
      WHERE customer_id = $1 AND ($2::timestamptz IS NULL OR period_start < $2)
      ORDER BY period_start DESC LIMIT $3`)} ORDER BY p.period_start DESC`,
    values: [customerId, before ?? null, page.limit + 1],
  });
  return mapPage(
    pageOf(rows, { ...page, list }, (row) => [row.period_start]),
    statusOf,
  );
}
