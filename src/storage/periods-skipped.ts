/**
 * Periods that were skipped because they were empty (RULES 25), and what may have made them another since (RULES 64). A skip is a
 * decision at a cutoff: it settles what was known then, of events as of meters.
 */
import { nameBasedIdSql } from './aggregation-revisions.js';
import { lastOriginalSql } from './chain.js';
import type { Database } from './database.js';
import { usedSql } from './periods-billable.js';
import type { LookBack } from './types.js';

/** Customers whose skipped periods are looked at together. */
const customersAtOnce = 200;

/** For FROM: the skip that is the last word about a period (`stageOf`, periods-status.ts), and its cutoff. No row: none is. */
export function lastSkipSql(customer: string, period: string): string {
  return `SELECT o.request_id, coalesce(o.cutoff_position, 0) AS cutoff_position
    FROM (SELECT request_id FROM invoicing_requests WHERE customer_id = ${customer} AND period = ${period}
      ORDER BY request_order DESC LIMIT 1) AS asked
    JOIN invoicing_outcomes o ON o.request_id = asked.request_id AND o.outcome = 'skipped'
    WHERE NOT EXISTS (SELECT FROM (${lastOriginalSql(customer, period)}) AS i WHERE NOT i.voided)`;
}

/** Whether there is a level that any customer's events may change. */
export const anyLevelSql = `EXISTS (SELECT FROM meters WHERE aggregation = 'weighted_sum')`;

/**
 * Whether the relay has planned facts beyond the cutoff that may concern the period `p`: its own or, where a level is carried into
 * it, those of a period before it. The relay keeps the newest range of every customer and period, so nothing of the ledger is read.
 */
export const mayBeNewsSql = (cutoff: string, carries: string): string => `(
  EXISTS (SELECT FROM usage_ranges u
    WHERE u.customer_id = p.customer_id AND u.period = p.period AND u.to_position > ${cutoff})
  OR ${carries} AND EXISTS (SELECT FROM usage_ranges u JOIN billing_periods b USING (customer_id, period)
    WHERE u.customer_id = p.customer_id AND u.to_position > ${cutoff} AND b.period_start < p.period_start))`;

/**
 * Hands over the skipped periods of some customers that have, or are carried, events of the type that one of the versions counts.
 * Filters, adjustments and backfills are the gate's to judge: at worst it skips the period again. What an open backfill covers
 * waits for its decision, which the relay tells. Of a customer's history a level is looked for once, however many periods
 * were skipped, and no further than to the end of the last of them. A skip is asked about once: its request has one id.
 *
 * $1 the customer after whom to begin, $2 how many, $3 the versions, $4 the billing day.
 */
const askAgainSql = `
  WITH chosen AS MATERIALIZED (SELECT customer_id FROM customers WHERE customer_id > $1 ORDER BY customer_id LIMIT $2),
  skipped AS MATERIALIZED (
    SELECT p.*, s.request_id FROM chosen JOIN billing_periods p USING (customer_id)
     CROSS JOIN LATERAL (${lastSkipSql('p.customer_id', 'p.period')}) AS s
     WHERE NOT EXISTS (SELECT FROM backfill_customers b
       WHERE b.customer_id = p.customer_id AND b.range_start < p.period_end AND b.range_end > p.period_start
         AND NOT EXISTS (SELECT FROM backfill_decisions d WHERE d.backfill_id = b.backfill_id))),
  fresh AS MATERIALIZED (SELECT * FROM meters WHERE meter_id = ANY ($3::uuid[])),
  level AS MATERIALIZED (
    SELECT c.customer_id, m.meter_id, least(
        (SELECT e.event_time FROM telemetry_events e
          WHERE e.customer_id = c.customer_id AND e.event_time < c.ends AND e.event_type = m.event_type ORDER BY e.event_time LIMIT 1),
        (SELECT min(a.replacement_event_time) FROM event_adjustments a
          WHERE a.customer_id = c.customer_id AND a.replacement_event_type = m.event_type)) AS begins
      FROM (SELECT customer_id, max(period_end) AS ends FROM skipped GROUP BY customer_id) AS c CROSS JOIN fresh m
     WHERE m.aggregation = 'weighted_sum'),
  asked AS (
    INSERT INTO invoicing_requests (request_id, customer_id, period, billing_day, forced, reason)
    SELECT ${nameBasedIdSql(`jsonb_build_array('meter-looked-back', p.request_id)`)}, p.customer_id, p.period, $4::date, false,
        'a meter was learned that may count what was skipped'
      FROM skipped p WHERE EXISTS (
        SELECT FROM fresh m WHERE coalesce(m.effective_from, (m.effective_from_date - interval '1 day') AT TIME ZONE 'UTC', '-infinity') < p.period_end
          AND CASE WHEN m.aggregation = 'weighted_sum'
            THEN EXISTS (SELECT FROM level l WHERE (l.customer_id, l.meter_id) = (p.customer_id, m.meter_id) AND l.begins < p.period_end)
            ELSE ${usedSql('p', (type) => `${type} = m.event_type`)} END)
     ORDER BY p.customer_id, p.period ON CONFLICT (request_id) DO NOTHING)
  SELECT max(customer_id) AS last, count(*)::int AS customers FROM chosen`;

/** A page of customers. @returns where the next one begins; null: that was the last one */
export async function askSkippedAgain(db: Database, { meterIds, after, billingDay }: LookBack): Promise<string | null> {
  const { rows } = await db.pool.query<{ readonly last: string | null; readonly customers: number }>(askAgainSql, [
    after,
    customersAtOnce,
    meterIds,
    billingDay,
  ]);
  const [page] = rows;
  return page === undefined || page.customers < customersAtOnce ? null : page.last;
}

export async function noteLookedBack(db: Database, meterIds: readonly string[]): Promise<void> {
  await db.pool.query(
    'INSERT INTO meters_looked_back (meter_id) SELECT unnest($1::uuid[]) ON CONFLICT (meter_id) DO NOTHING',
    [meterIds],
  );
}
