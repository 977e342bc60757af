/** The statement that plans: from the facts between two positions to ranges with their sums, in one pass. */
import { decimalSql, digestSql, instantSql, windowEndSql, type WindowBounds } from './aggregation-sql-fragments.js';
import {
  meterRuleCte,
  ruleHoldsSql,
  ruleQuantitySql,
  ruleTakesSql,
  versionChangesSql,
} from './aggregation-sql-rules.js';
import { lastOriginalSql } from './chain.js';

/** Beyond it a range says "look in the ledger" (DESIGN 1: a signal carries at most 64 KB). */
export const rangeSumsBytesMax = 64 * 1024;

const bounds: WindowBounds = { from: 'q.period_start', to: 'q.period_end', cuts: 'q.cuts' };
const hourOf = (time: string): string => `date_bin('1 hour', ${time}, timestamptz 'epoch')`;

/**
 * Whose facts a plan is about: everybody's; everybody's but those that are set aside for the relay group $3; those of the one
 * customer $3, who was set aside (relay-set-aside.ts).
 */
export type PlanScope = 'all' | 'beside' | 'one';

/** The end of a WHERE clause over a table with the alias. */
const whose = (scope: PlanScope, alias: string): string =>
  ({
    all: '',
    beside: ` AND ${alias}.customer_id NOT IN (SELECT w.customer_id FROM relay_set_aside w WHERE w.partition_group = $3)`,
    one: ` AND ${alias}.customer_id = $3`,
  })[scope];

/** The first (or last) event of the backfill `b` between two times: one look into `telemetry_events_backfill`. */
const eventOfBackfill = (from: string, to: string, order: 'ASC' | 'DESC'): string => `CROSS JOIN LATERAL (
    SELECT e.event_time FROM telemetry_events e
    WHERE e.backfill_id = b.backfill_id AND e.customer_id = b.customer_id AND e.event_time >= ${from} AND e.event_time < ${to}
    ORDER BY e.event_time ${order} LIMIT 1)`;

/**
 * What was decided about backfills. Their events are looked for, never listed: a backfill may have brought any number of them, and
 * a plan is bounded. `brought`: periods with events of one, and the last of them where they came to count. `unplaced`: the first
 * event of each day (UTC) without a stored period. `moved_on`: where amendments have moved events of one.
 */
const decisionCtes = (scope: PlanScope): string => `
decided AS MATERIALIZED (
  SELECT b.customer_id, b.backfill_id, b.mode, b.range_start, b.range_end, d.decision
  FROM backfill_decisions d JOIN backfill_customers b USING (backfill_id)
  WHERE d.position > $1 AND d.position <= $2${whose(scope, 'b')}),
brought AS (
  SELECT p.customer_id, p.period, CASE WHEN b.decision = 'closed' THEN x.event_time END AS max_event_time
  FROM decided b JOIN billing_periods p
    ON p.customer_id = b.customer_id AND p.period_start < b.range_end AND p.period_end > b.range_start
  ${eventOfBackfill('greatest(b.range_start, p.period_start)', 'least(b.range_end, p.period_end)', 'DESC')} AS x),
gap AS (
  SELECT b.customer_id, b.backfill_id, s.gap_start, coalesce((SELECT min(p.period_start) FROM billing_periods p
      WHERE p.customer_id = b.customer_id AND p.period_start >= s.gap_start AND p.period_start < b.range_end), b.range_end) AS gap_end
  FROM decided b CROSS JOIN LATERAL (
    SELECT b.range_start WHERE NOT EXISTS (SELECT FROM billing_periods p
      WHERE p.customer_id = b.customer_id AND p.period_start <= b.range_start AND p.period_end > b.range_start)
    UNION ALL
    SELECT p.period_end FROM billing_periods p
    WHERE p.customer_id = b.customer_id AND p.period_end > b.range_start AND p.period_end < b.range_end) AS s (gap_start)),
unplaced AS (
  SELECT b.*, x.event_time FROM gap b ${eventOfBackfill('b.gap_start', 'b.gap_end', 'ASC')} AS x
  UNION ALL
  SELECT b.customer_id, b.backfill_id, b.gap_start, b.gap_end, x.event_time FROM unplaced b
  ${eventOfBackfill(`date_trunc('day', b.event_time, 'UTC') + interval '1 day'`, 'b.gap_end', 'ASC')} AS x),
held AS (
  SELECT p.customer_id, p.period
  FROM decided b
  JOIN billing_periods p ON p.customer_id = b.customer_id AND p.period_start < b.range_end AND p.period_end > b.range_start
  WHERE b.mode = 'replace'
    OR NOT EXISTS (SELECT FROM (${lastOriginalSql('p.customer_id', 'p.period')}) AS i WHERE NOT i.voided)),
moved_on AS (
  SELECT a.customer_id, a.replacement_event_time
  FROM decided b JOIN event_adjustments a ON a.customer_id = b.customer_id AND a.type = 'amend' AND a.position <= $2
  CROSS JOIN LATERAL (
    SELECT FROM telemetry_events e
    WHERE e.customer_id = a.customer_id AND e.source = a.source AND e.event_id = a.event_id AND e.backfill_id = b.backfill_id
    LIMIT 1) AS own)`;

const counted = (table: string, rest = ''): string =>
  `(SELECT count(*) FROM ${table} WHERE position > $1 AND position <= $2${rest})`;
const adjustmentsAndDecisions = ` + ${counted('event_adjustments')} + ${counted('backfill_decisions')}`;
const factsSql: Readonly<Record<PlanScope, string>> = {
  all: `(SELECT count(*) FROM incoming)${adjustmentsAndDecisions}`,
  beside: `${counted('telemetry_events', ' AND backfill_id IS NULL')}${adjustmentsAndDecisions}`,
  one: `(SELECT count(*) FROM incoming) + ${counted('event_adjustments', ' AND customer_id = $3')} + (SELECT count(*) FROM decided)`,
};

/** The plan's one row. */
const answerSql = (scope: PlanScope): string => `SELECT ${factsSql[scope]} AS facts,
  (SELECT jsonb_agg(jsonb_build_object('customerId', customer_id, 'at', ${instantSql('event_time')})) FROM missing) AS missing`;

const versionedCte = `versioned AS (
  SELECT customer_id, period, ${versionChangesSql('p')} AS changes
  FROM (SELECT DISTINCT customer_id, period, period_start, period_end FROM place) AS p),`;

/**
 * $1 the cursor, $2 the horizon: facts in ($1, $2], of those that the scope says.
 *
 * One row: `facts` passed (everybody's, unless the scope is one customer), `missing` (customers and times without a stored
 * period: then nothing was written).
 *
 * The period and window are looked up once an hour of a customer, not once an event (3 × as fast): `place` has a row for each
 * piece of the hour.
 *
 * Rows of a backfill count from its closing on, so they make no range when they come. An adjustment or a backfill decision
 * makes a range without sums in every period it touches: where the events were, and where they are now. A decision also tells
 * the periods whose closing the backfill held, and those of which it replaces something.
 */
export const planSql = (scope: PlanScope): string => `WITH RECURSIVE ${meterRuleCte()},
incoming AS MATERIALIZED (
  SELECT e.customer_id, e.event_type, e.event_time, ${hourOf('e.event_time')} AS hour, e.content_hash, e.metadata
  FROM telemetry_events e
  WHERE e.position > $1 AND e.position <= $2 AND e.backfill_id IS NULL${whose(scope, 'e')}),
touched_event AS (
  SELECT e.customer_id, e.source, e.event_id, e.event_time
  FROM event_adjustments a JOIN telemetry_events e USING (customer_id, source, event_id)
  WHERE a.position > $1 AND a.position <= $2${whose(scope, 'a')}),${decisionCtes(scope)},
touched AS MATERIALIZED (
  SELECT customer_id, event_time, ${hourOf('event_time')} AS hour FROM touched_event
  UNION ALL
  SELECT customer_id, replacement_event_time, ${hourOf('replacement_event_time')} FROM moved_on
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
    UNION ALL SELECT customer_id, event_time FROM touched_place WHERE period IS NULL
    UNION ALL SELECT customer_id, event_time FROM unplaced) AS f
  GROUP BY customer_id, date_trunc('day', event_time, 'UTC')),
planned AS (
  SELECT customer_id, period, count(event_time) FILTER (WHERE counted) AS event_count, max(event_time) AS max_event_time,
    bool_or(touched) AS touched
  FROM (SELECT customer_id, period, event_time, true AS counted, false AS touched FROM fact
    UNION ALL SELECT customer_id, period, event_time, true, true FROM touched_place
    UNION ALL SELECT customer_id, period, max_event_time, false, true FROM brought
    UNION ALL SELECT customer_id, period, NULL, false, true FROM held) AS f
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
${versionedCte}
ranged AS (
  INSERT INTO usage_ranges (customer_id, period, from_position, to_position, event_count, max_event_time, sums)
  SELECT customer_id, period, coalesce(
      (SELECT max(u.to_position) FROM usage_ranges u WHERE u.customer_id = n.customer_id AND u.period = n.period), 0), $2,
    n.event_count, n.max_event_time,
    CASE WHEN n.touched OR v.changes OR octet_length(s.sums::text) > ${rangeSumsBytesMax} THEN NULL ELSE coalesce(s.sums, '[]') END
  FROM planned n LEFT JOIN versioned v USING (customer_id, period) LEFT JOIN summed s USING (customer_id, period)
  WHERE NOT EXISTS (SELECT FROM missing))
${answerSql(scope)}`;
