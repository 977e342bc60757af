/** What a person looks at before an accounting month is closed: what of it is not in the books yet. */
import type { LocalDate } from '../domain/values.js';
import type { Database } from './database.js';
import { isWaitingSql } from './drafts.js';
import { judgedSql, lastDaySql } from './period-closes-plan.js';
import { isBillableSql } from './periods-billable.js';
import type { MonthChecklist, OpenItem } from './types-journal.js';

/** What keeps a period from being invoiced: its open findings, once it was asked for and held, and an open backfill. */
const heldBySql = `ARRAY(
    SELECT DISTINCT f.code FROM findings f WHERE j.stage = 'held' AND f.customer_id = j.customer_id AND f.period = j.period
      AND NOT EXISTS (SELECT FROM finding_resolutions r WHERE r.finding_id = f.finding_id)
    UNION SELECT 'BACKFILL_OPEN' WHERE j.reason = 'backfill_open' ORDER BY 1)`;

/** A document that waits for a person, or a period that has ended and has none, with service in the month; by local days. */
const openSql = `
  WITH month AS (SELECT $1::date AS first, ($1::date + interval '1 month')::date AS next),
  overlapping AS (SELECT p.* FROM billing_periods p CROSS JOIN month m
    WHERE p.period_start < m.next + interval '1 day' AND p.period_end > m.first - interval '1 day'
      AND (p.period_start AT TIME ZONE p.time_zone)::date < m.next AND ${lastDaySql} >= m.first),
  drafts AS (SELECT d.customer_id, d.period, d.invoice_id, (SELECT t.status FROM invoice_draft_transitions t
      WHERE t.invoice_id = d.invoice_id ORDER BY t.sequence DESC LIMIT 1) AS status
    FROM overlapping p JOIN invoice_drafts d USING (customer_id, period)
    WHERE ${isWaitingSql}),
  open AS (
    SELECT 'draft' AS kind, d.customer_id, d.period, d.invoice_id::text AS id, d.status AS detail, '{}'::text[] AS held_by FROM drafts d
    UNION ALL
    SELECT 'unbilled', j.customer_id, j.period, NULL, j.stage, ${heldBySql} FROM (${judgedSql(`
      SELECT o.* FROM overlapping o WHERE ${isBillableSql('o')}`)}) AS j
    WHERE (j.reason IS NULL OR j.reason IN ('requested', 'void', 'backfill_open'))
      AND NOT EXISTS (SELECT FROM drafts d WHERE (d.customer_id, d.period) = (j.customer_id, j.period))
    UNION ALL
    SELECT 'unapplied_payment', p.customer_id, NULL, p.payment_id::text, a.rest || ' ' || p.currency, '{}'
    FROM month m JOIN payments p ON p.received_at < m.next
    CROSS JOIN LATERAL (SELECT p.amount - coalesce(sum(l.amount), 0) AS rest FROM allocations l WHERE l.payment_id = p.payment_id) AS a
    WHERE a.rest > 0 AND NOT EXISTS (SELECT FROM payment_reversals r WHERE r.payment_id = p.payment_id))
  SELECT o.kind, o.customer_id AS "customerId", o.period, o.id, o.detail, o.held_by AS "heldBy",
         count(*) OVER (PARTITION BY o.kind)::int AS total,
         (count(*) FILTER (WHERE o.kind = 'unbilled' AND o.detail = 'held') OVER ())::int AS held
  FROM open o ORDER BY o.kind, o.customer_id COLLATE "C", o.period LIMIT $2`;

/** At most so many items are listed; the counts are of all. */
const itemsMax = 500;

export async function monthChecklist(db: Database, month: LocalDate): Promise<MonthChecklist> {
  const { rows } = await db.pool.query<OpenItem & { readonly total: number; readonly held: number }>(openSql, [
    month,
    itemsMax,
  ]);
  const count = (kind: OpenItem['kind']): number => rows.find((row) => row.kind === kind)?.total ?? 0;
  return {
    month,
    drafts: count('draft'),
    unbilled: count('unbilled'),
    held: rows[0]?.held ?? 0,
    unappliedPayments: count('unapplied_payment'),
    items: rows.map(({ total: _total, held: _held, ...item }) => item),
  };
}
