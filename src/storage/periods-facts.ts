/** What the ledger says about a billing period. Workflows ask when their own state is not enough: the ledger is the truth. */
import { invariant } from '../domain/failure.js';
import type { Instant, Position } from '../domain/values.js';
import { readMeteringContext } from './aggregation-meters.js';
import { usageSql, withSql } from './aggregation-sql.js';
import { SqlParameters } from './aggregation-sql-fragments.js';
import type { Database } from './database.js';
import type { BillingPeriod, OpenWindow } from './types.js';

interface OpenWindowRow {
  readonly meter: string;
  readonly window_start: Instant;
  readonly window_end: Instant;
}

/**
 * Windows whose usage, by the facts committed so far, is not what their latest revisions say, in order of time. So a fact
 * that changes no quantity, count or digest (an amendment to the same content, an event whose value cannot be read)
 * opens no window, and closing a window settles it. One pass over the customer's events of the period.
 */
export async function openWindows(db: Database, period: BillingPeriod): Promise<readonly OpenWindow[]> {
  const { meters, adjusted } = await readMeteringContext(db.pool, period.customerId);
  const params = new SqlParameters();
  const scope = { customerId: period.customerId, ranges: [period], cutoff: null, adjusted };
  const usage = usageSql(params, { meters, period, scope });
  const customer = params.add(period.customerId, 'text');
  const name = params.add(period.period, 'date');
  const ctes = [
    ...usage.ctes,
    `fresh AS (SELECT meter_id, window_start, window_end, group_key, quantity, event_count, digest
       FROM (${usage.select}) AS u WHERE event_count > 0)`,
    `latest AS (
      SELECT DISTINCT ON (meter_id, window_start, group_key)
             meter_id, window_start, window_end, group_key, quantity, event_count, digest
        FROM aggregated_usage WHERE customer_id = ${customer} AND period = ${name}
       ORDER BY meter_id, window_start, group_key, revision DESC)`,
  ];
  const text = `${withSql(ctes)}
    SELECT DISTINCT m.code AS meter, window_start, coalesce(f.window_end, l.window_end) AS window_end
      FROM fresh AS f
      FULL JOIN (SELECT * FROM latest WHERE event_count > 0) AS l USING (meter_id, window_start, group_key)
      JOIN meters m USING (meter_id)
     WHERE (f.quantity, f.event_count, f.digest) IS DISTINCT FROM (l.quantity, l.event_count, l.digest)
     ORDER BY window_start, meter`;
  const { rows } = await db.pool.query<OpenWindowRow>(text, [...params.values]);
  return rows.map((row) => ({ meter: row.meter, windowStart: row.window_start, windowEnd: row.window_end }));
}

/**
 * The greatest event time in the period, of events and of what amendments moved there; also of voided events, because
 * time does not run backwards.
 */
export async function highestEventTime(db: Database, period: BillingPeriod): Promise<Instant | null> {
  const { rows } = await db.pool.query<{ highest: Instant | null }>({
    name: 'period-highest-event-time',
    text: `SELECT greatest(
      (SELECT max(event_time) FROM telemetry_events
        WHERE customer_id = $1 AND event_time >= $2 AND event_time < $3),
      (SELECT max(replacement_event_time) FROM event_adjustments
        WHERE customer_id = $1 AND replacement_event_time >= $2 AND replacement_event_time < $3)) AS highest`,
    values: [period.customerId, period.from, period.to],
  });
  return rows[0]?.highest ?? null;
}

export interface VeryLateFacts {
  readonly count: number;
  readonly from: Position | null;
  readonly to: Position | null;
}

/**
 * Facts beyond the cutoff of the last document of the period's chain that concern the period: events in it; adjustments of
 * events that are, were, or now come to be in it; decisions about backfills that put events in it.
 */
const veryLateSql = `
  WITH tip AS (
    SELECT cutoff_position AS cutoff FROM invoices
     WHERE customer_id = $1 AND period = $4 ORDER BY chain_place DESC LIMIT 1),
  fact AS (
    SELECT e.position FROM tip, telemetry_events e
     WHERE e.customer_id = $1 AND e.event_time >= $2 AND e.event_time < $3 AND e.position > tip.cutoff
       AND e.backfill_id IS NULL
    UNION ALL
    SELECT a.position FROM tip, event_adjustments a
     WHERE a.customer_id = $1 AND a.position > tip.cutoff AND (
       EXISTS (SELECT FROM telemetry_events e
         WHERE (e.customer_id, e.source, e.event_id) = (a.customer_id, a.source, a.event_id)
           AND e.event_time >= $2 AND e.event_time < $3)
       OR EXISTS (SELECT FROM event_adjustments b
         WHERE (b.customer_id, b.source, b.event_id) = (a.customer_id, a.source, a.event_id)
           AND b.position <= a.position AND b.replacement_event_time >= $2 AND b.replacement_event_time < $3))
    UNION ALL
    SELECT d.position FROM tip, backfill_decisions d
      JOIN backfills b USING (backfill_id)
     WHERE d.position > tip.cutoff AND $1 = ANY (b.customer_ids) AND b.range_start < $3 AND b.range_end > $2
       AND EXISTS (SELECT FROM telemetry_events e WHERE e.customer_id = $1 AND e.event_time >= $2 AND e.event_time < $3
         AND e.backfill_id = d.backfill_id))
  SELECT count(*) AS count, min(position) AS "from", max(position) AS "to" FROM fact`;

/** None while the period is not invoiced. */
export async function veryLateFacts(db: Database, period: BillingPeriod): Promise<VeryLateFacts> {
  const { rows } = await db.pool.query<{ count: string; from: Position | null; to: Position | null }>({
    name: 'period-very-late',
    text: veryLateSql,
    values: [period.customerId, period.from, period.to, period.period],
  });
  const [row] = rows;
  invariant(row !== undefined, 'an aggregate without GROUP BY has one row');
  return { count: Number(row.count), from: row.from, to: row.to };
}
