/** What the ledger says about a billing period. Workflows ask when their own state is not enough: the ledger is the truth. */
import { invariant } from '../domain/failure.js';
import type { Instant, Position } from '../domain/values.js';
import { metersWithEvents } from './aggregation-event-types.js';
import { readMeteringContext } from './aggregation-meters.js';
import { usageSql, withSql } from './aggregation-sql.js';
import { SqlParameters } from './aggregation-sql-fragments.js';
import { lastRatingSql, settledThrough } from './chain.js';
import type { Database } from './database.js';
import { periodOf, type PeriodRow } from './periods-create.js';
import { anyLevelSql, lastSkipSql } from './periods-skipped.js';
import { carriedFacts, lastPosition, touchedFacts } from './touched-windows.js';
import type { BillingPeriod, OpenWindow } from './types.js';

interface OpenWindowRow {
  readonly meter: string;
  readonly window_start: Instant;
  readonly window_end: Instant;
}

/**
 * Windows whose usage, by the facts committed so far, is not what their latest revisions say, or that only provisional
 * revisions say, in order of time. So a fact that changes no quantity, count or digest (an amendment to the same content, an
 * event whose value cannot be read) opens no window, and closing a window settles it: rating provisionally does not. One
 * pass over the customer's events of the period.
 */
export async function openWindows(db: Database, period: BillingPeriod): Promise<readonly OpenWindow[]> {
  const { meters, adjusted } = await readMeteringContext(db.pool, period);
  const params = new SqlParameters();
  const scope = { customerId: period.customerId, ranges: [period], cutoff: null, adjusted };
  const taking = await metersWithEvents(db.pool, meters, scope);
  const usage = usageSql(params, { meters: taking, period, scope });
  const customer = params.add(period.customerId, 'text');
  const name = params.add(period.period, 'date');
  const ctes = [
    ...usage.ctes,
    `fresh AS (SELECT meter_id, window_start, window_end, group_key, quantity, event_count, digest
       FROM (${usage.select}) AS u WHERE event_count > 0)`,
    `latest AS (
      SELECT DISTINCT ON (meter_id, window_start, group_key)
             meter_id, window_start, window_end, group_key, quantity, event_count, digest, is_final
        FROM aggregated_usage WHERE customer_id = ${customer} AND period = ${name}
       ORDER BY meter_id, window_start, group_key, revision DESC)`,
  ];
  const text = `${withSql(ctes)}
    SELECT DISTINCT m.code AS meter, window_start, coalesce(f.window_end, l.window_end) AS window_end
      FROM fresh AS f
      FULL JOIN (SELECT * FROM latest WHERE event_count > 0) AS l USING (meter_id, window_start, group_key)
      JOIN meters m USING (meter_id)
     WHERE (f.quantity, f.event_count, f.digest) IS DISTINCT FROM (l.quantity, l.event_count, l.digest) OR NOT l.is_final
     ORDER BY window_start, meter`;
  const { rows } = await db.pool.query<OpenWindowRow>(text, [...params.values]);
  return rows.map((row) => ({ meter: row.meter, windowStart: row.window_start, windowEnd: row.window_end }));
}

/**
 * The greatest event time in the period, of events and of what amendments moved there; also of voided events, because
 * time does not run backwards. Events of a backfill are no progress unless it is in force: what an open one brings, or a
 * reverted one has brought, says nothing of how far anybody's usage has come.
 */
export async function highestEventTime(db: Database, period: BillingPeriod): Promise<Instant | null> {
  const { rows } = await db.pool.query<{ highest: Instant | null }>({
    name: 'period-highest-event-time',
    text: `WITH in_force AS (
        SELECT b.backfill_id FROM backfill_customers b JOIN backfill_decisions c ON c.backfill_id = b.backfill_id AND c.decision = 'closed'
        WHERE b.customer_id = $1 AND NOT EXISTS (
          SELECT FROM backfill_decisions r WHERE r.backfill_id = b.backfill_id AND r.decision = 'reverted'))
      SELECT greatest(
      (SELECT max(event_time) FROM telemetry_events
        WHERE customer_id = $1 AND event_time >= $2 AND event_time < $3 AND backfill_id IS NULL),
      (SELECT max(last.event_time) FROM in_force b CROSS JOIN LATERAL (
        SELECT e.event_time FROM telemetry_events e
        WHERE e.backfill_id = b.backfill_id AND e.customer_id = $1 AND e.event_time >= $2 AND e.event_time < $3
        ORDER BY e.event_time DESC LIMIT 1) AS last),
      (SELECT max(a.replacement_event_time) FROM event_adjustments a JOIN telemetry_events e USING (customer_id, source, event_id)
        WHERE a.customer_id = $1 AND a.replacement_event_time >= $2 AND a.replacement_event_time < $3
          AND (e.backfill_id IS NULL OR e.backfill_id IN (SELECT backfill_id FROM in_force)))) AS highest`,
    values: [period.customerId, period.from, period.to],
  });
  return rows[0]?.highest ?? null;
}

export interface VeryLateFacts {
  readonly count: number;
  /** How many of them are events; the others are adjustments, and decisions about backfills. */
  readonly events: number;
  readonly from: Position | null;
  readonly to: Position | null;
}

const noFacts: VeryLateFacts = { count: 0, events: 0, from: null, to: null };

/**
 * Facts beyond the cutoff of the period's last rating that concern the period: events in it; adjustments of events that are,
 * were, or now come to be in it; decisions about backfills that have events in it. None while the period is not invoiced,
 * and none while its invoice is void: closing it takes them all. Where a level is carried into the period, facts of the
 * periods before it concern it too.
 */
export async function veryLateFacts(db: Database, period: BillingPeriod): Promise<VeryLateFacts> {
  const since = await settledThrough(db.pool, period);
  return since === null ? noFacts : factsSince(db, period, { since, levels: () => pinnedLevels(db, period) });
}

/**
 * The same beyond the cutoff at which the period was skipped; none where that is not the last word about it. Nothing is pinned:
 * every level of now counts (RULES 64).
 */
export async function factsSinceSkip(db: Database, period: BillingPeriod): Promise<VeryLateFacts> {
  const { rows } = await db.pool.query<{ cutoff_position: Position }>({
    name: 'period-last-skip',
    text: lastSkipSql('$1', '$2'),
    values: [period.customerId, period.period],
  });
  const since = rows[0]?.cutoff_position;
  return since === undefined ? noFacts : factsSince(db, period, { since, levels: () => allLevels(db) });
}

/** @param levels event types that change a level which may be carried into the period */
async function factsSince(
  db: Database,
  period: BillingPeriod,
  { since, levels: typesOf }: { readonly since: Position; readonly levels: () => Promise<readonly string[]> },
): Promise<VeryLateFacts> {
  const params = new SqlParameters();
  const range = { period, since, through: lastPosition };
  const ctes = [...touchedFacts(params, range)];
  const levels = await typesOf();
  if (levels.length > 0) ctes.push(carriedFacts(params, range, levels));
  const facts = levels.length > 0 ? '(SELECT * FROM touched UNION ALL SELECT * FROM carried) AS f' : 'touched';
  const text = `${withSql(ctes)}
    SELECT count(*) FILTER (WHERE kind = 'event') AS events, count(DISTINCT position) FILTER (WHERE kind <> 'event') AS others,
      min(position) AS "from", max(position) AS "to" FROM ${facts}`;
  const { rows } = await db.pool.query<VeryLateRow>(text, [...params.values]);
  const [row] = rows;
  invariant(row !== undefined, 'an aggregate without GROUP BY has one row');
  const events = Number(row.events);
  return { count: events + Number(row.others), events, from: row.from, to: row.to };
}

interface LevelRow {
  readonly event_type: string;
}

/** Of the levels that the period's last rating has counted. */
async function pinnedLevels(db: Database, { customerId, period }: BillingPeriod): Promise<readonly string[]> {
  const { rows } = await db.pool.query<LevelRow>({
    name: 'period-carried-types',
    text: `SELECT DISTINCT m.event_type FROM meters m CROSS JOIN (${lastRatingSql('$1', '$2')}) AS r
      WHERE m.aggregation = 'weighted_sum' AND r.pinned_versions -> 'meter_ids' ? m.meter_id::text`,
    values: [customerId, period],
  });
  return rows.map((row) => row.event_type);
}

async function allLevels(db: Database): Promise<readonly string[]> {
  const text = `SELECT DISTINCT event_type FROM meters WHERE aggregation = 'weighted_sum'`;
  const { rows } = await db.pool.query<LevelRow>({ name: 'level-event-types', text });
  return rows.map((row) => row.event_type);
}

/**
 * The first period after this one that is invoiced or was skipped, and has facts beyond the cutoff of that; looks only where a
 * level is carried.
 */
export async function firstLateAfter(db: Database, period: BillingPeriod): Promise<BillingPeriod | null> {
  const { rows } = await db.pool.query<PeriodRow & { readonly skipped: boolean }>({
    name: 'period-later-levels',
    text: `SELECT p.*, s.request_id IS NOT NULL AS skipped FROM billing_periods p
      LEFT JOIN LATERAL (${lastSkipSql('p.customer_id', 'p.period')}) AS s ON ${anyLevelSql}
      LEFT JOIN LATERAL (${lastRatingSql('p.customer_id', 'p.period')}) AS r ON s.request_id IS NULL
      WHERE p.customer_id = $1 AND p.period_start >= $2 AND (s.request_id IS NOT NULL OR EXISTS (SELECT FROM meters m
        WHERE m.aggregation = 'weighted_sum' AND r.pinned_versions -> 'meter_ids' ? m.meter_id::text))
      ORDER BY p.period_start`,
    values: [period.customerId, period.to],
  });
  for (const row of rows) {
    const later = periodOf(row);
    const { count } = await (row.skipped ? factsSinceSkip(db, later) : veryLateFacts(db, later));
    if (count > 0) return later;
  }
  return null;
}

interface VeryLateRow {
  readonly events: string;
  readonly others: string;
  readonly from: Position | null;
  readonly to: Position | null;
}
