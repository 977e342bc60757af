/** The daily sweep's question: which invoiced or skipped periods may have facts that their last decision has not seen. */
import { lastOriginalSql, lastRatingSql } from './chain.js';
import type { Database } from './database.js';
import { cursorPart, decodeCursor, mapPage, pageOf } from './paging.js';
import { periodOf, type PeriodRow } from './periods-create.js';
import { anyLevelSql, lastSkipSql, mayBeNewsSql } from './periods-skipped.js';
import type { BillingPeriod, Page, PageRequest } from './types.js';

const list = 'perhaps-late-periods';

/** Of a period without a range beyond the cutoff (`mayBeNewsSql`) nothing can be very late. */
const perhapsLateSql = `
  SELECT p.* FROM billing_periods p
   CROSS JOIN LATERAL (
     SELECT r.cutoff_position, EXISTS (SELECT FROM meters m
         WHERE m.aggregation = 'weighted_sum' AND r.pinned_versions -> 'meter_ids' ? m.meter_id::text) AS carries
       FROM (${lastOriginalSql('p.customer_id', 'p.period')}) AS i
      CROSS JOIN LATERAL (${lastRatingSql('p.customer_id', 'p.period')}) AS r WHERE NOT i.voided
     UNION ALL
     SELECT s.cutoff_position, ${anyLevelSql} FROM (${lastSkipSql('p.customer_id', 'p.period')}) AS s) AS decided
   WHERE (p.customer_id, p.period_start) > ($1, $2) AND ${mayBeNewsSql('decided.cutoff_position', 'decided.carries')}
   ORDER BY p.customer_id, p.period_start LIMIT $3`;

export async function perhapsLatePeriods(db: Database, page: PageRequest): Promise<Page<BillingPeriod>> {
  const [customer = '', start = '-infinity'] = decodeCursor(page, list, [cursorPart.text, cursorPart.instant]) ?? [];
  const { rows } = await db.pool.query<PeriodRow>(perhapsLateSql, [customer, start, page.limit + 1]);
  return mapPage(
    pageOf(rows, { ...page, list }, (row) => [row.customer_id, row.period_start]),
    periodOf,
  );
}
