/** Where billing periods are. A stage is never stored: it follows from the invoice and the requests for one. */
import { invariant } from '../domain/failure.js';
import type { LocalDate, Position } from '../domain/values.js';
import { lastOriginalSql, lastRatingSql } from './chain.js';
import type { Database } from './database.js';
import { cursorPart, decodeCursor, mapPage, pageOf } from './paging.js';
import { periodOf, type PeriodRow } from './periods-create.js';
import type { BillingPeriodStage, BillingPeriodStatus, InvoicingOutcome, Page, PageRequest } from './types.js';

interface StatusRow extends PeriodRow {
  readonly ended: boolean;
  readonly windows: string;
  readonly closed_windows: string;
  readonly last_cutoff: Position | null;
  /** The last original, voided or not. */
  readonly invoice_id: string | null;
  readonly voided: boolean | null;
  readonly invoiced_cutoff: Position | null;
  readonly request_id: string | null;
  readonly outcome: InvoicingOutcome | null;
}

/**
 * One row a period of `p`. The last request decides, so that a period which was held or skipped is asked about again when
 * more usage comes.
 */
const statusSql = (periods: string): string => `
  SELECT p.*, now() >= p.period_end AS ended, w.*, i.invoice_id, i.voided, c.cutoff_position AS invoiced_cutoff,
         r.request_id, o.outcome
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
    LEFT JOIN LATERAL (${lastOriginalSql('p.customer_id', 'p.period')}) AS i ON true
    LEFT JOIN LATERAL (${lastRatingSql('p.customer_id', 'p.period')}) AS c ON NOT i.voided
    LEFT JOIN LATERAL (
      SELECT request_id FROM invoicing_requests WHERE customer_id = p.customer_id AND period = p.period
       ORDER BY request_order DESC LIMIT 1) AS r ON true
    LEFT JOIN invoicing_outcomes o ON o.request_id = r.request_id`;

function statusOf(row: StatusRow): BillingPeriodStatus {
  return {
    ...periodOf(row),
    stage: stageOf(row),
    windows: Number(row.windows),
    closedWindows: Number(row.closed_windows),
    lastCutoff: row.last_cutoff,
    invoiceId: row.voided === false ? row.invoice_id : null,
    invoicedCutoff: row.invoiced_cutoff,
  };
}

function stageOf({ voided, request_id, outcome, ended }: StatusRow): BillingPeriodStage {
  if (voided === false) return 'invoiced';
  if (request_id !== null && outcome === null) return 'ready';
  if (outcome === 'held' || outcome === 'skipped') return outcome;
  // The last request is the one that the voided invoice came from.
  if (voided === true) return 'void';
  invariant(outcome === null, `an outcome "${outcome ?? ''}" comes with an invoice`);
  return ended ? 'closing' : 'open';
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
