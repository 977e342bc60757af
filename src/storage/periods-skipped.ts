/**
 * Periods that were skipped because they were empty (RULES 25), and what may have made them another since (RULES 64). A skip is a
 * decision at a cutoff: it settles what was known then, of events as of meters.
 */
import { nameBasedIdSql } from './aggregation-revisions.js';
import { lastOriginalSql } from './chain.js';
import type { Database } from './database.js';
import { usedSql } from './periods-billable.js';
import { lastRequestSql } from './periods-stage.js';
import { isLevelChangedSql } from './touched-windows.js';
import type { LookBack } from './types.js';

/** Customers whose skipped periods are looked at together. */
const customersAtOnce = 200;

/** For FROM: the skip that is the last word about a period (`stageSql`), and its cutoff. No row: none is. */
export function lastSkipSql(customer: string, period: string): string {
  return `SELECT r.request_id, coalesce(r.cutoff_position, 0) AS cutoff_position FROM (${lastRequestSql(customer, period)}) AS r
    WHERE r.outcome = 'skipped' AND NOT EXISTS (SELECT FROM (${lastOriginalSql(customer, period)}) AS i WHERE NOT i.voided)`;
}

/** Whether there is a level that any customer's events may change. */
export const anyLevelSql = `EXISTS (SELECT FROM meters WHERE aggregation = 'weighted_sum')`;

/** Periods of the customer of `p` before it of which the relay has planned facts beyond the cutoff. */
const laterKnownSql = (
  cutoff: string,
): string => `SELECT b.* FROM usage_ranges u JOIN billing_periods b USING (customer_id, period)
    WHERE u.customer_id = p.customer_id AND u.to_position > ${cutoff} AND b.period_start < p.period_start`;

const hasOwnRangeSql = (cutoff: string): string => `EXISTS (SELECT FROM usage_ranges u
    WHERE u.customer_id = p.customer_id AND u.period = p.period AND u.to_position > ${cutoff})`;

/**
 * Whether the relay has planned facts beyond the cutoff that may concern the period `p`: its own or, where a level is carried into
 * it, those of a period before it. The relay keeps the newest range of every customer and period, so nothing of the ledger is read.
 */
export const mayBeNewsSql = (cutoff: string, carries: string): string => `(
  ${hasOwnRangeSql(cutoff)} OR ${carries} AND EXISTS (${laterKnownSql(cutoff)}))`;

/** Prices `v` that the customer of `p` has or had by an assignment or an override, and when that was learned: at the latest with a stage of a rollout. */
const pricesSql = `SELECT v.*, greatest(v.learned_at, a.learned_at, (SELECT max(s.decided_at) FROM price_rollouts o
      JOIN price_rollout_stages s USING (rollout_id) WHERE o.price_book_id = v.price_book_id)) AS known_at,
    coalesce(a.effective_from, '-infinity') AS assigned_from, coalesce(a.effective_until, 'infinity') AS assigned_until
  FROM price_book_assignments a JOIN price_books v ON v.code = a.price_book WHERE a.customer_id = p.customer_id
  UNION ALL
  SELECT v.*, v.learned_at, '-infinity', 'infinity' FROM price_overrides o JOIN price_books v USING (price_book_id) WHERE o.customer_id = p.customer_id`;

const beginSql =
  'greatest(v.effective_from, v.effective_from_date::timestamp AT TIME ZONE p.time_zone, v.assigned_from)';

/** Until when prices `v` are those of the invoice of the period `p`: what is billed in advance is about the next one. */
const pricedUntilSql = `CASE WHEN v.prices @? '$[*] ? (@.billed == "in_advance")' THEN coalesce((SELECT n.period_end FROM billing_periods n
    WHERE n.customer_id = p.customer_id AND n.period_start = p.period_end), p.period_end + interval '1 month') ELSE p.period_end END`;

/**
 * Whether prices of the period `p` were learned since the instant, and some are due that no usage makes (RULES 15, 18). Which of them
 * holds is the gate's to say: at worst it skips the period again. Who asked at that instant read the prices later. Price books may be
 * large: they are looked into only where one was learned since.
 */
const isPricedSinceSql = (since: string): string => `EXISTS (SELECT FROM (${pricesSql}) AS v
  WHERE v.known_at > ${since} AND ${beginSql} < p.period_end + interval '1 month')
  AND EXISTS (SELECT FROM (${pricesSql}) AS v
  WHERE ${beginSql} < ${pricedUntilSql} AND least(v.effective_until, v.assigned_until) > p.period_start
  HAVING max(v.known_at) > ${since} AND bool_or(v.minimum_commitment IS NOT NULL
    OR v.prices @? '$[*] ? (@.model == "fixed" || @.minimum != null || @.charge_when_zero == true)'))`;

const skippedAt = 'coalesce(r.cutoff_position, 0)';
const levelTypesSql = `SELECT event_type FROM meters WHERE aggregation = 'weighted_sum'`;

/**
 * Whether something was learned that may make another of the skipped period `p` with the last request `r`. Its own facts have it asked
 * about in any case. Nobody is told here of facts before it, of which only such as change a level are news for it (`factsSinceSkip`),
 * nor of prices: they are news for whoever closes it again. OFFSET keeps the events of other periods from being read.
 */
export const newsSinceSkipSql = `(
  ${hasOwnRangeSql(skippedAt)}
  OR ${anyLevelSql} AND EXISTS (SELECT FROM (${laterKnownSql(skippedAt)} OFFSET 0) AS earlier
    WHERE ${isLevelChangedSql({ types: levelTypesSql, period: 'earlier', since: skippedAt })})
  OR ${isPricedSinceSql('r.requested_at')})`;

/**
 * Hands over the skipped periods of some customers that have, or are carried, events of the type that one of the versions counts.
 * Filters, adjustments and backfills are the gate's to judge: at worst it skips the period again. What an open backfill covers
 * waits for its decision, which the relay tells. Of a customer's history a level is looked for once, however many periods
 * were skipped. A skip is asked about once: its request has one id. One before the period's end is asked about at the end all the
 * same (`isSettledEmptySql`), with every meter known then.
 *
 * $1 the customer after whom to begin, $2 how many, $3 the versions, $4 the billing day.
 */
const askAgainSql = `
  WITH chosen AS MATERIALIZED (SELECT customer_id FROM customers WHERE customer_id > $1 ORDER BY customer_id LIMIT $2),
  skipped AS MATERIALIZED (
    SELECT p.*, s.request_id FROM chosen JOIN billing_periods p USING (customer_id)
     CROSS JOIN LATERAL (${lastSkipSql('p.customer_id', 'p.period')}) AS s
     WHERE p.period_end <= now() AND NOT EXISTS (SELECT FROM backfill_customers b
       WHERE b.customer_id = p.customer_id AND b.range_start < p.period_end AND b.range_end > p.period_start
         AND NOT EXISTS (SELECT FROM backfill_decisions d WHERE d.backfill_id = b.backfill_id))),
  fresh AS MATERIALIZED (SELECT * FROM meters WHERE meter_id = ANY ($3::uuid[])),
  level AS MATERIALIZED (
    SELECT c.customer_id, m.meter_id, least(
        (SELECT e.event_time FROM telemetry_events e WHERE e.customer_id = c.customer_id AND e.event_type = m.event_type
          ORDER BY e.event_time LIMIT 1),
        (SELECT min(a.replacement_event_time) FROM event_adjustments a
          WHERE a.customer_id = c.customer_id AND a.replacement_event_type = m.event_type)) AS begins
      FROM (SELECT DISTINCT customer_id FROM skipped) AS c CROSS JOIN fresh m WHERE m.aggregation = 'weighted_sum'),
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
