/**
 * Periods that exist because a level is carried into them (RULES 65): before `billing_from` only usage makes periods, and a level that
 * is not zero is usage, though no event is in the period (RULES 3). What is asked is the closing level that the period before has
 * stored, so nothing of the ledger is read, and each period is made when the one before it has been decided.
 */
import type { Database } from './database.js';
import { periodAt } from './periods-create.js';
import type { BillingPeriod, LeavesLevel } from './types.js';

/**
 * Whether the period of an alias may end with a level that is not zero: by the latest revisions of all that it was ever rated by,
 * also by pools and versions of meters that are rated no more. What makes a period asks `LeavesLevel` as well.
 */
const mayLeaveLevelSql = (alias: string): string => `EXISTS (
  SELECT FROM (SELECT DISTINCT ON (meter_id, group_key) closing_level FROM aggregated_period_usage
      WHERE customer_id = ${alias}.customer_id AND period = ${alias}.period ORDER BY meter_id, group_key, revision DESC) AS level
   WHERE level.closing_level <> 0)`;

/** Whether a level may be carried into the period of an alias, which exists. */
export const isCarriedIntoSql = (alias: string): string => `EXISTS (
  SELECT FROM billing_periods before WHERE before.customer_id = ${alias}.customer_id AND before.period_end = ${alias}.period_start
    AND ${mayLeaveLevelSql('before')})`;

const isFollowedSql = (alias: string): string => `EXISTS (SELECT FROM billing_periods next
  WHERE next.customer_id = ${alias}.customer_id AND next.period_start = ${alias}.period_end)`;

/**
 * Periods of the customer `c` before `billing_from` (of `v`), by name, that may carry a level on to where no period begins yet. Only
 * those that invoicing has decided about: what is only provisional may still come to nothing.
 */
export const mayCarryOnSql = `ARRAY(SELECT b.period::text FROM billing_periods b
  WHERE b.customer_id = c.customer_id AND b.period < v.billing_from AND NOT ${isFollowedSql('b')} AND ${mayLeaveLevelSql('b')}
    AND EXISTS (SELECT FROM invoicing_requests r JOIN invoicing_outcomes o USING (request_id)
      WHERE r.customer_id = b.customer_id AND r.period = b.period))`;

/**
 * The period after this one, made where it is missing: where this one lies before `billing_from`, a level is carried on, and nobody
 * has asked for that period's invoice yet. So whoever is lost after making it is answered the same again. Else null.
 */
export async function carryOn(
  db: Database,
  before: BillingPeriod,
  leavesLevel: LeavesLevel,
): Promise<BillingPeriod | null> {
  const { customerId, period, to } = before;
  const { rows } = await db.pool.query({
    name: 'period-carries-on',
    text: `SELECT FROM billing_periods p
      WHERE p.customer_id = $1 AND p.period = $2 AND ${mayLeaveLevelSql('p')}
        AND p.period < (SELECT billing_from FROM customer_versions WHERE customer_id = $1 ORDER BY version DESC LIMIT 1)
        AND NOT EXISTS (SELECT FROM billing_periods next JOIN invoicing_requests r USING (customer_id, period)
          WHERE next.customer_id = p.customer_id AND next.period_start = p.period_end)`,
    values: [customerId, period],
  });
  return rows.length > 0 && (await leavesLevel(before)) ? periodAt(db, customerId, to) : null;
}
