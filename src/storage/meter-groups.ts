/** In how many groups of its own a meter has usage, however prices pool them (RULES 30). */
import type pg from 'pg';
import type { MeterInForce } from '../domain/metering/meter-versions.js';
import type { Position } from '../domain/values.js';
import { betweenSql, isUsageSql } from './aggregation-periods.js';
import { withSql } from './aggregation-sql.js';
import { SqlParameters } from './aggregation-sql-fragments.js';
import { planForValues } from './gate-lock.js';
import type { BillingPeriod } from './types.js';

interface GroupsQuery {
  readonly period: BillingPeriod;
  readonly meters: readonly MeterInForce[];
  readonly cutoff: Position;
  readonly adjusted: boolean;
}

/**
 * By meter code; without usage there is none. From the windows, which must have been brought to the cutoff; of levels from the
 * events, because a group that is only carried has no window.
 */
export async function countMeterGroups(
  client: pg.PoolClient,
  { meters, ...query }: GroupsQuery,
): Promise<ReadonlyMap<string, number>> {
  const isLevel = ({ aggregation }: MeterInForce): boolean => aggregation === 'weighted_sum';
  const ofWindows = await countOfWindows(client, { ...query, meters: meters.filter((meter) => !isLevel(meter)) });
  const ofLevels = await countOfLevels(client, { ...query, meters: meters.filter(isLevel) });
  return new Map([...ofWindows, ...ofLevels].map(({ code, groups }) => [code, groups]));
}

interface CountRow {
  readonly code: string;
  readonly groups: number;
}

async function countOfWindows(
  client: pg.PoolClient,
  { period: { customerId, period }, meters, cutoff }: GroupsQuery,
): Promise<readonly CountRow[]> {
  if (meters.length === 0) return [];
  const { rows } = await client.query<CountRow>({
    name: 'meter-groups',
    text: `SELECT m.code, count(DISTINCT l.group_key)::int AS groups
      FROM (SELECT DISTINCT ON (meter_id, window_start, group_key) meter_id, group_key, event_count FROM aggregated_usage
        WHERE customer_id = $1 AND period = $2 AND meter_id = ANY ($3::uuid[]) AND cutoff_position <= $4
        ORDER BY meter_id, window_start, group_key, revision DESC) AS l
      JOIN meters m USING (meter_id) WHERE l.event_count > 0 GROUP BY m.code`,
    values: [customerId, period, meters.map(({ meterId }) => meterId), cutoff],
  });
  return rows;
}

async function countOfLevels(
  client: pg.PoolClient,
  { period, meters, cutoff, adjusted }: GroupsQuery,
): Promise<readonly CountRow[]> {
  if (meters.length === 0) return [];
  const params = new SqlParameters();
  const { ctes, select } = betweenSql(params, {
    pools: meters.map((meter) => ({ meter, by: meter.groupBy })),
    bounds: [period.from, period.to],
    scope: { customerId: period.customerId, cutoff, adjusted },
    name: '',
  });
  await planForValues(client);
  const { rows } = await client.query<CountRow>(
    `${withSql(ctes)} SELECT code, count(*)::int AS groups FROM (${select}) AS u WHERE ${isUsageSql} GROUP BY code`,
    [...params.values],
  );
  return rows;
}
