/** The daily sweep's question: which invoiced periods may have facts that their last rating has not seen. */
import { lastOriginalSql, lastRatingSql } from './chain.js';
import type { Database } from './database.js';
import { cursorPart, decodeCursor, mapPage, pageOf } from './paging.js';
import { periodOf, type PeriodRow } from './periods-create.js';
import type { BillingPeriod, Page, PageRequest } from './types.js';

const list = 'perhaps-late-periods';

/**
 * The relay keeps the newest range of every customer and period, so one beyond the cutoff tells that something came after it, and
 * nothing of the ledger is read. Of a period without one nothing can be very late.
 */
const perhapsLateSql = `
  SELECT p.* FROM billing_periods p
   CROSS JOIN LATERAL (${lastOriginalSql('p.customer_id', 'p.period')}) AS i
   CROSS JOIN LATERAL (${lastRatingSql('p.customer_id', 'p.period')}) AS r
   WHERE (p.customer_id, p.period_start) > ($1, $2) AND NOT i.voided AND (
     EXISTS (SELECT FROM usage_ranges u
       WHERE u.customer_id = p.customer_id AND u.period = p.period AND u.to_position > r.cutoff_position)
     OR EXISTS (SELECT FROM meters m
         WHERE m.aggregation = 'weighted_sum' AND r.pinned_versions -> 'meter_ids' ? m.meter_id::text)
       AND EXISTS (SELECT FROM usage_ranges u JOIN billing_periods b USING (customer_id, period)
         WHERE u.customer_id = p.customer_id AND u.to_position > r.cutoff_position AND b.period_start < p.period_start))
   ORDER BY p.customer_id, p.period_start LIMIT $3`;

export async function perhapsLatePeriods(db: Database, page: PageRequest): Promise<Page<BillingPeriod>> {
  const [customer = '', start = '-infinity'] = decodeCursor(page, list, [cursorPart.text, cursorPart.instant]) ?? [];
  const { rows } = await db.pool.query<PeriodRow>(perhapsLateSql, [customer, start, page.limit + 1]);
  return mapPage(
    pageOf(rows, { ...page, list }, (row) => [row.customer_id, row.period_start]),
    periodOf,
  );
}
