/** What facts between two positions touch: the times and windows in which they are, were, or now come to be. */
import type pg from 'pg';
import type { Instant, Position } from '../domain/values.js';
import { windowBounds, windowEndSql, windowStartSql, SqlParameters } from './aggregation-sql-fragments.js';
import { withSql } from './aggregation-sql.js';
import type { BillingPeriod } from './types.js';

/** Facts with a position in (since, through]. */
export interface FactRange {
  readonly period: BillingPeriod;
  readonly since: Position;
  readonly through: Position;
}

/** The same of a customer in SQL: parameters, or columns of what is around. */
interface FactRangeSql {
  readonly customer: string;
  readonly since: string;
  readonly through: string;
}

const isKnownSql = ({ through }: FactRangeSql, alias: string): string => `${alias}.position <= ${through}`;
const isInRangeSql = (range: FactRangeSql, alias: string): string =>
  `${alias}.position > ${range.since} AND ${isKnownSql(range, alias)}`;

/** The CTE `decided`: decisions of the range. */
const decidedSql = (range: FactRangeSql): string => `decided AS MATERIALIZED (
      SELECT d.backfill_id, d.position, b.mode = 'replace' AS replaces, b.range_start, b.range_end
      FROM backfill_decisions d JOIN backfill_customers b USING (backfill_id)
      WHERE ${isInRangeSql(range, 'd')} AND b.customer_id = ${range.customer})`;

/** Keeps the customer's events from being read where nothing replaces. Follows the CTE `decided`. */
const anyReplaces = 'EXISTS (SELECT FROM decided WHERE replaces)';

/** No position is greater. A range with an end is planned well even before the table has statistics. */
export const lastPosition = '9223372036854775807' as Position;

/**
 * CTEs of which `touched` has a row for every time within the period that a fact of the range touches: `kind` ('event',
 * 'adjustment', 'decision'), `position` of the fact and `event_time`. An event touches where it is; an adjustment where its
 * event was first stored, where every earlier amendment had moved it, and where it moves it; a decision about a backfill
 * all that of the backfill's events, and of one that replaces whatever is in its range. The range of positions is a condition
 * with values at hand: the planner then knows whether few facts came since, which are found by position, or many, which are
 * found among the customer's events of the period.
 */
export function touchedFacts(params: SqlParameters, { period, since, through }: FactRange): readonly string[] {
  const customer = params.add(period.customerId, 'text');
  const [from, to] = [params.add(period.from, 'timestamptz'), params.add(period.to, 'timestamptz')];
  const range = { customer, since: params.add(since, 'bigint'), through: params.add(through, 'bigint') };
  const known = (alias: string): string => isKnownSql(range, alias);
  const inRange = (alias: string): string => isInRangeSql(range, alias);
  const within = (time: string): string => `${time} >= ${from} AND ${time} < ${to}`;
  const event = '(e.customer_id, e.source, e.event_id) = (a.customer_id, a.source, a.event_id)';
  return [
    decidedSql(range),
    // Rows of a backfill touch nothing by themselves before its closing; those that come after it do.
    `touched AS (
      SELECT 'event' AS kind, e.position, e.event_time FROM telemetry_events e
      WHERE e.customer_id = ${customer} AND ${within('e.event_time')} AND ${inRange('e')} AND (e.backfill_id IS NULL
        OR EXISTS (SELECT FROM backfill_decisions d WHERE d.backfill_id = e.backfill_id AND d.position < e.position))
      UNION ALL
      SELECT 'adjustment', a.position, e.event_time FROM event_adjustments a JOIN telemetry_events e ON ${event}
      WHERE a.customer_id = ${customer} AND ${inRange('a')} AND ${within('e.event_time')}
      UNION ALL
      SELECT 'adjustment', a.position, b.replacement_event_time FROM event_adjustments a
      JOIN event_adjustments b ON (b.customer_id, b.source, b.event_id) = (a.customer_id, a.source, a.event_id)
        AND b.position <= a.position
      WHERE a.customer_id = ${customer} AND ${inRange('a')} AND ${within('b.replacement_event_time')}
      UNION ALL
      SELECT 'decision', d.position, e.event_time FROM decided d JOIN telemetry_events e USING (backfill_id)
      WHERE EXISTS (SELECT FROM decided) AND e.customer_id = ${customer} AND ${within('e.event_time')}
      UNION ALL
      SELECT 'decision', d.position, a.replacement_event_time
      FROM event_adjustments a JOIN telemetry_events e ON ${event} JOIN decided d USING (backfill_id)
      WHERE EXISTS (SELECT FROM decided) AND a.customer_id = ${customer} AND ${known('a')}
        AND ${within('a.replacement_event_time')}
      UNION ALL
      SELECT 'decision', d.position, e.event_time FROM decided d
      JOIN telemetry_events e ON e.event_time >= d.range_start AND e.event_time < d.range_end
      WHERE ${anyReplaces} AND d.replaces AND e.customer_id = ${customer} AND ${within('e.event_time')} AND ${known('e')}
      UNION ALL
      SELECT 'decision', d.position, a.replacement_event_time FROM decided d
      JOIN event_adjustments a ON a.replacement_event_time >= d.range_start AND a.replacement_event_time < d.range_end
      WHERE ${anyReplaces} AND d.replaces AND a.customer_id = ${customer} AND ${known('a')}
        AND ${within('a.replacement_event_time')})`,
  ];
}

/**
 * A CTE `carried` like `touched`, for facts of the periods before: a level that one of these event types changes is carried
 * into the period, so that such a fact concerns it as well (RULES 3). Follows `touchedFacts`.
 */
export function carriedFacts(
  params: SqlParameters,
  { period, since, through }: FactRange,
  eventTypes: readonly string[],
): string {
  const customer = params.add(period.customerId, 'text');
  const before = params.add(period.from, 'timestamptz');
  const range = { customer, since: params.add(since, 'bigint'), through: params.add(through, 'bigint') };
  const types = params.add(eventTypes, 'text[]');
  return `carried AS (${levelFactsSql(range, types, (time) => `${time} < ${before}`)})`;
}

/**
 * Whether there is a fact with a position greater than `since` that changes a level, of one of the event types, in a period.
 * @param types what ANY takes
 * @param period an alias of a row of `billing_periods`, none of those in here
 */
export function isLevelChangedSql({
  types,
  period,
  since,
}: Readonly<Record<'types' | 'period' | 'since', string>>): string {
  const range = { customer: `${period}.customer_id`, since, through: lastPosition };
  const within = (time: string): string => `${time} >= ${period}.period_start AND ${time} < ${period}.period_end`;
  return `EXISTS (WITH ${decidedSql(range)} ${levelFactsSql(range, types, within)})`;
}

function levelFactsSql(range: FactRangeSql, types: string, within: (time: string) => string): string {
  const { customer } = range;
  const inRange = (alias: string): string => isInRangeSql(range, alias);
  const known = (alias: string): string => isKnownSql(range, alias);
  const isCarried = `${within('e.event_time')} AND e.event_type = ANY (${types})`;
  const isMoved = `${within('b.replacement_event_time')} AND b.replacement_event_type = ANY (${types})`;
  const event = '(e.customer_id, e.source, e.event_id) = (a.customer_id, a.source, a.event_id)';
  return `
      SELECT 'event' AS kind, e.position, e.event_time FROM telemetry_events e
      WHERE e.customer_id = ${customer} AND ${isCarried} AND ${inRange('e')} AND (e.backfill_id IS NULL
        OR EXISTS (SELECT FROM backfill_decisions d WHERE d.backfill_id = e.backfill_id AND d.position < e.position))
      UNION ALL
      SELECT 'adjustment', a.position, e.event_time FROM event_adjustments a JOIN telemetry_events e ON ${event}
      WHERE a.customer_id = ${customer} AND ${inRange('a')} AND (${isCarried} OR EXISTS (
        SELECT FROM event_adjustments b WHERE (b.customer_id, b.source, b.event_id) = (a.customer_id, a.source, a.event_id)
          AND b.position <= a.position AND ${isMoved}))
      UNION ALL
      SELECT 'decision', d.position, e.event_time FROM decided d JOIN telemetry_events e USING (backfill_id)
      WHERE EXISTS (SELECT FROM decided) AND e.customer_id = ${customer} AND (${isCarried} OR EXISTS (
        SELECT FROM event_adjustments b WHERE (b.customer_id, b.source, b.event_id) = (e.customer_id, e.source, e.event_id)
          AND ${known('b')} AND ${isMoved}))
      UNION ALL
      SELECT 'decision', d.position, e.event_time FROM decided d
      JOIN telemetry_events e ON e.event_time >= d.range_start AND e.event_time < d.range_end
      WHERE ${anyReplaces} AND d.replaces AND e.customer_id = ${customer} AND ${isCarried} AND ${known('e')}
      UNION ALL
      SELECT 'decision', d.position, b.replacement_event_time FROM decided d
      JOIN event_adjustments b ON b.replacement_event_time >= d.range_start AND b.replacement_event_time < d.range_end
      WHERE ${anyReplaces} AND d.replaces AND b.customer_id = ${customer} AND ${isMoved} AND ${known('b')}`;
}

export interface TouchedWindow {
  readonly windowStart: Instant;
  readonly windowEnd: Instant;
}

/**
 * The windows that facts of the range touch, in order of time. Reads at most the customer's own events of the period. The
 * caller's plans are made for the values at hand (`planForValues`).
 */
export async function touchedWindows(client: pg.PoolClient, range: FactRange): Promise<readonly TouchedWindow[]> {
  const { text, values } = touchedWindowsSql(range);
  const { rows } = await client.query<{ window_start: Instant; window_end: Instant }>(text, [...values]);
  return rows.map((row) => ({ windowStart: row.window_start, windowEnd: row.window_end }));
}

/** Exported for the test of its plan. */
export function touchedWindowsSql(range: FactRange): { readonly text: string; readonly values: readonly unknown[] } {
  const params = new SqlParameters();
  const ctes = touchedFacts(params, range);
  const bounds = windowBounds(params, range.period);
  const text = `${withSql(ctes)}
    SELECT w AS window_start, ${windowEndSql('w', bounds)} AS window_end
    FROM (SELECT DISTINCT ${windowStartSql('t.event_time', bounds)} AS w FROM touched t) AS windows ORDER BY w`;
  return { text, values: params.values };
}
