/** Generated SQL for `weighted_sum`: a level that events change and time weighs (src/domain/metering/levels.ts, RULES 3). */
import type { AggregatedMeter } from '../domain/metering/fold.js';
import { levelPlaces } from '../domain/metering/levels.js';
import type { MeterPool } from '../domain/metering/meter.js';
import { firstInstant } from '../domain/time/instant.js';
import type { Instant } from '../domain/values.js';
import {
  apart,
  effectiveEvents,
  type EventScope,
  groupColumns,
  groupKeySql,
  takesSql,
  type UsageSql,
} from './aggregation-sql.js';
import {
  digestSql,
  divideSql,
  exampleSql,
  microsSql,
  type SqlParameters,
  valueSql,
} from './aggregation-sql-fragments.js';

/** Of usage between bounds. */
export interface BoundsQuery {
  readonly pools: readonly MeterPool<AggregatedMeter>[];
  readonly bounds: readonly [Instant, Instant, ...Instant[]];
  readonly scope: Omit<EventScope, 'ranges'>;
  /** Ends the names of its CTEs. */
  readonly name: string;
}

/**
 * One row a meter, window and group, for windows with events and those that a level is carried through: the columns of
 * `usageSql` and closing_level. Reads every event of the customer before the last bound, because what came before the
 * first one makes up the level that it begins with; unreadable ones among them are told of with the first window.
 */
export function levelsBetweenSql(params: SqlParameters, { pools, bounds, scope, name }: BoundsQuery): UsageSql {
  const range = { from: firstInstant, to: bounds.at(-1) ?? firstInstant };
  const { ctes, from } = effectiveEvents(params, { ...scope, ranges: [range] }, name);
  const cuts = params.add(bounds, 'timestamptz[]');
  return { ctes, select: pools.map((pool) => levelSelect(params, pool, { from, cuts })).join('\nUNION ALL\n') };
}

function levelSelect(
  params: SqlParameters,
  { meter, by }: MeterPool<AggregatedMeter>,
  { from, cuts }: { readonly from: string; readonly cuts: string },
): string {
  const groups = groupColumns(params, by);
  const names = groups.map(({ name }) => name);
  const columns = [
    `width_bucket(e.event_time, ${cuts}) AS k, e.event_time, e.content_hash, e.event_id, e.source`,
    ...groups.map(({ name, text }) => `${text} AS ${name}`),
    `e.metadata ->> ${params.add(meter.valueProperty, 'text')} AS t`,
  ];
  const facts = `SELECT ${columns.join(', ')} FROM ${from} WHERE ${takesSql(params, meter, 'e.metadata')} ${apart}`;
  const sums = `SELECT ${['k', ...names].join(', ')}, count(v) AS n, coalesce(sum(v), 0) AS d,
        coalesce(sum(v * ${microsSql('event_time', `(${cuts})[k + 1]`)}), 0) AS moment,
        coalesce(sum(content_hash) FILTER (WHERE v IS NOT NULL), 0) AS h, count(*) - count(v) AS x,
        ${exampleSql} FILTER (WHERE v IS NULL) AS example
      FROM (SELECT e.*, ${valueSql('t')} AS v FROM (${facts}) AS e ${apart}) AS e
      GROUP BY ${['k', ...names].join(', ')}`;
  const grouped = `SELECT k, ${groupKeySql(groups)} AS group_key, n, d, moment, h, x, example FROM (${sums}) AS s`;
  // The row k = 0 is what came before the first bound.
  const levels = `SELECT w.k, g.group_key, coalesce(s.n, 0) AS n, coalesce(s.d, 0) AS d, coalesce(s.moment, 0) AS moment,
        coalesce(s.h, 0) AS h, s.example, coalesce(s.x, 0) AS x,
        coalesce(sum(s.d) OVER before, 0) AS opening, coalesce(lag(s.x) OVER by_window, 0) AS x_before,
        lag(s.example) OVER by_window AS example_before, (${cuts})[w.k] AS w, (${cuts})[w.k + 1] AS w_end
      FROM (SELECT DISTINCT group_key FROM s) AS g
      CROSS JOIN generate_series(0, array_length(${cuts}, 1) - 1) AS w (k)
      LEFT JOIN s ON s.k = w.k AND s.group_key = g.group_key
      WINDOW by_window AS (PARTITION BY g.group_key ORDER BY w.k),
        before AS (by_window ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)`;
  const length = microsSql('w', 'w_end');
  return `(WITH s AS MATERIALIZED (${grouped}), levels AS (${levels})
    SELECT ${params.add(meter.meterId, 'uuid')} AS meter_id, ${params.add(meter.code, 'text')} AS code, w AS window_start,
      w_end AS window_end, group_key, ${divideSql(`opening * ${length} + moment`, length, levelPlaces)} AS quantity,
      n AS event_count, ${digestSql('h')} AS digest, x + CASE WHEN k = 1 THEN x_before ELSE 0 END AS unreadable,
      coalesce(example, CASE WHEN k = 1 THEN example_before END) AS unreadable_example, opening + d AS closing_level
    FROM levels WHERE k > 0 AND (n > 0 OR opening <> 0 OR x > 0 OR (k = 1 AND x_before > 0)))`;
}
