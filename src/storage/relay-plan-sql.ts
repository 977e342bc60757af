/** The statement that plans: from the facts between two positions to ranges with their sums, in one pass. */
import { decimalSql, digestSql, instantSql, windowEndSql, type WindowBounds } from './aggregation-sql-fragments.js';
import {
  meterRuleCte,
  ruleHoldsSql,
  ruleQuantitySql,
  ruleTakesSql,
  versionChangesSql,
} from './aggregation-sql-rules.js';

/** Beyond it a range says "look in the ledger" (DESIGN 1: a signal carries at most 64 KB). */
export const rangeSumsBytesMax = 64 * 1024;

const bounds: WindowBounds = { from: 'q.period_start', to: 'q.period_end', cuts: 'q.cuts' };
const hourOf = (time: string): string => `date_bin('1 hour', ${time}, timestamptz 'epoch')`;

/**
 * $1 the cursor, $2 the horizon: facts in ($1, $2].
 *
 * One row: `facts` passed, `missing` (customers and times without a stored period: then nothing was written).
 *
 * The period and window are looked up once an hour of a customer, not once an event (3 × as fast): `place` has a row for each
 * piece of the hour.
 *
 * Rows of a backfill count from its closing on, so they make no range when they come. An adjustment or a backfill decision
 * makes a range without sums in every period it touches: where the events were, and where they are now. A decision also tells
 * the periods whose closing the backfill held, and those of which it replaces something.
 */
export const planSql = `WITH ${meterRuleCte},
incoming AS MATERIALIZED (
  SELECT e.customer_id, e.event_type, e.event_time, ${hourOf('e.event_time')} AS hour, e.content_hash, e.metadata
  FROM telemetry_events e
  WHERE e.position > $1 AND e.position <= $2 AND e.backfill_id IS NULL),
touched_event AS (
  SELECT e.customer_id, e.source, e.event_id, e.event_time
  FROM event_adjustments a JOIN telemetry_events e USING (customer_id, source, event_id)
  WHERE a.position > $1 AND a.position <= $2
  UNION ALL
  SELECT e.customer_id, e.source, e.event_id, e.event_time
  FROM backfill_decisions d JOIN backfill_customers b USING (backfill_id)
  JOIN telemetry_events e ON e.customer_id = b.customer_id AND e.event_time >= b.range_start
    AND e.event_time < b.range_end AND e.backfill_id = b.backfill_id
  WHERE d.position > $1 AND d.position <= $2),
held AS (
  SELECT p.customer_id, p.period
  FROM backfill_decisions d JOIN backfill_customers b USING (backfill_id)
  JOIN billing_periods p ON p.customer_id = b.customer_id AND p.period_start < b.range_end AND p.period_end > b.range_start
  WHERE d.position > $1 AND d.position <= $2 AND (b.mode = 'replace'
    OR NOT EXISTS (SELECT FROM invoices i WHERE i.customer_id = p.customer_id AND i.period = p.period))),
touched AS MATERIALIZED (
  SELECT customer_id, event_time, ${hourOf('event_time')} AS hour FROM touched_event
  UNION ALL
  SELECT a.customer_id, a.replacement_event_time, ${hourOf('a.replacement_event_time')} FROM event_adjustments a
  WHERE a.type = 'amend' AND a.position <= $2
    AND (a.customer_id, a.source, a.event_id) IN (SELECT customer_id, source, event_id FROM touched_event)),
place AS MATERIALIZED (
  SELECT h.customer_id, h.hour, q.period, q.period_start, q.period_end, s.window_start, ${windowEndSql('s.window_start', bounds)} AS window_end
  FROM (SELECT customer_id, hour FROM incoming UNION SELECT customer_id, hour FROM touched) AS h
  JOIN billing_periods q ON q.customer_id = h.customer_id
    AND q.period_start < h.hour + interval '1 hour' AND q.period_end > h.hour
  CROSS JOIN LATERAL (
    SELECT greatest(h.hour, q.period_start) UNION
    SELECT c FROM unnest(q.cuts) AS c WHERE c > h.hour AND c < h.hour + interval '1 hour'
  ) AS s (window_start)),
fact AS MATERIALIZED (
  SELECT e.*, p.period, p.period_start, p.window_start, p.window_end
  FROM incoming e LEFT JOIN place p ON p.customer_id = e.customer_id AND p.hour = e.hour
    AND e.event_time >= p.window_start AND e.event_time < p.window_end),
touched_place AS MATERIALIZED (
  SELECT t.customer_id, t.event_time, p.period
  FROM touched t LEFT JOIN place p ON p.customer_id = t.customer_id AND p.hour = t.hour
    AND t.event_time >= p.window_start AND t.event_time < p.window_end),
missing AS (
  SELECT customer_id, min(event_time) AS event_time
  FROM (SELECT customer_id, event_time FROM fact WHERE period IS NULL
    UNION ALL SELECT customer_id, event_time FROM touched_place WHERE period IS NULL) AS f
  GROUP BY customer_id, date_trunc('day', event_time, 'UTC')),
planned AS (
  SELECT customer_id, period, count(event_time) AS event_count, max(event_time) AS max_event_time, bool_or(touched) AS touched
  FROM (SELECT customer_id, period, event_time, false AS touched FROM fact
    UNION ALL SELECT customer_id, period, event_time, true FROM touched_place
    UNION ALL SELECT customer_id, period, NULL, true FROM held) AS f
  GROUP BY customer_id, period),
metered AS (
  SELECT e.customer_id, e.period, e.window_start, e.window_end, r.code,
    count(x.quantity) AS n, sum(x.quantity) AS q, sum(e.content_hash) FILTER (WHERE x.quantity IS NOT NULL) AS h
  FROM fact e JOIN meter_rule r ON ${ruleTakesSql} AND ${ruleHoldsSql}
  CROSS JOIN LATERAL (${ruleQuantitySql}) AS x
  GROUP BY e.customer_id, e.period, e.window_start, e.window_end, r.code),
summed AS (
  SELECT customer_id, period, jsonb_agg(jsonb_build_object('m', code, 'w', ${instantSql('window_start')},
      'e', ${instantSql('window_end')}, 'n', n, 'q', ${decimalSql('q')}, 'd', ${digestSql('h')}) ORDER BY code, window_start) AS sums
  FROM metered WHERE n > 0 AND period IS NOT NULL
  GROUP BY customer_id, period),
versioned AS (
  SELECT customer_id, period, ${versionChangesSql('p')} AS changes
  FROM (SELECT DISTINCT customer_id, period, period_start, period_end FROM place) AS p),
ranged AS (
  INSERT INTO usage_ranges (customer_id, period, from_position, to_position, event_count, max_event_time, sums)
  SELECT customer_id, period, coalesce(
      (SELECT max(u.to_position) FROM usage_ranges u WHERE u.customer_id = n.customer_id AND u.period = n.period), 0), $2,
    n.event_count, n.max_event_time,
    CASE WHEN n.touched OR v.changes OR octet_length(s.sums::text) > ${rangeSumsBytesMax} THEN NULL ELSE coalesce(s.sums, '[]') END
  FROM planned n LEFT JOIN versioned v USING (customer_id, period) LEFT JOIN summed s USING (customer_id, period)
  WHERE NOT EXISTS (SELECT FROM missing))
SELECT (SELECT count(*) FROM incoming)
    + (SELECT count(*) FROM event_adjustments WHERE position > $1 AND position <= $2)
    + (SELECT count(*) FROM backfill_decisions WHERE position > $1 AND position <= $2) AS facts,
  (SELECT jsonb_agg(jsonb_build_object('customerId', customer_id, 'at', ${instantSql('event_time')})) FROM missing) AS missing`;
