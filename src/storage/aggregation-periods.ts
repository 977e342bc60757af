/** What does not add up over windows: revisions of a whole period by meter and pricing group, from the raw facts at a cutoff. */
import type pg from 'pg';
import { invariant } from '../domain/failure.js';
import { emptyDigest } from '../domain/metering/digest.js';
import type { AggregatedMeter } from '../domain/metering/fold.js';
import type { MeterPool, PeriodUsage } from '../domain/metering/meter.js';
import type { DecimalString, Digest, GroupKey, Position } from '../domain/values.js';
import { nameBasedIdSql, type RevisionResult, statementName } from './aggregation-revisions.js';
import { setsBetweenSql, type UsageSql, withSql } from './aggregation-sql.js';
import { decimalSql, SqlParameters } from './aggregation-sql-fragments.js';
import { type BoundsQuery, levelsBetweenSql } from './aggregation-sql-levels.js';
import { planForValues } from './gate-lock.js';
import type { BillingPeriod } from './types.js';

/** Usage between bounds for meters of any aggregation: the columns of `usageSql`, closing_level and pool_number. */
export function betweenSql(params: SqlParameters, { pools, bounds, scope, name }: BoundsQuery): UsageSql {
  const ranges = [{ from: bounds[0], to: bounds.at(-1) ?? bounds[1] }];
  const parts = pools.map((pool, index): UsageSql => {
    const isLevel = pool.meter.aggregation === 'weighted_sum';
    const part = isLevel
      ? levelsBetweenSql(params, { pools: [pool], bounds, scope, name: `${name}_${index}` })
      : setsBetweenSql(params, { pools: [pool], bounds, scope: { ...scope, ranges }, name: `${name}_${index}` });
    const level = isLevel ? 'closing_level' : 'NULL::numeric';
    return {
      ctes: part.ctes,
      select: `SELECT meter_id, code, window_start, window_end, group_key, quantity, event_count, digest, unreadable,
        unreadable_example, ${level} AS closing_level, ${index} AS pool_number FROM (${part.select}) AS p`,
    };
  });
  return { ctes: parts.flatMap(({ ctes }) => ctes), select: parts.map(({ select }) => select).join('\nUNION ALL\n') };
}

/** Rows of usage, as against those that only tell of unreadable values. */
export const isUsageSql = '(event_count > 0 OR coalesce(closing_level, 0) <> 0)';

export interface PeriodRevisionRequest {
  readonly period: BillingPeriod;
  readonly pools: readonly MeterPool<AggregatedMeter>[];
  readonly adjusted: boolean;
  readonly cutoff: Position;
  readonly final: boolean;
  /** The period is known to have so few events that any plan aggregates them quickly. */
  readonly small: boolean;
}

/**
 * Aggregates the period at the cutoff and appends a revision where anything differs from the latest one; a group that has
 * lost all its events, and any level, gets a revision of zero. The caller holds the lock of (customer, period), and the
 * cutoff was taken under it.
 */
export async function appendPeriodRevisions(
  client: pg.PoolClient,
  request: PeriodRevisionRequest,
): Promise<RevisionResult> {
  if (request.pools.length === 0) return { revisions: 0, unreadable: [] };
  const { text, values } = appendSql(request);
  // A level looks at all that came before the period, of which there may be much more.
  const reusable = request.small && request.pools.every(({ meter }) => meter.aggregation !== 'weighted_sum');
  if (!reusable) await planForValues(client);
  const { rows } = await client.query<{
    readonly revisions: string;
    readonly unreadable: RevisionResult['unreadable'] | null;
    readonly latest_cutoff: Position | null;
  }>({ ...(reusable && { name: statementName(text) }), text, values: [...values] });
  const [row] = rows;
  invariant(row !== undefined, 'appending revisions answers with one row');
  const { period, cutoff } = request;
  invariant(
    row.latest_cutoff === null || BigInt(row.latest_cutoff) <= BigInt(cutoff),
    `usage of ${period.customerId} ${period.period} was aggregated at ${row.latest_cutoff ?? ''}, beyond the cutoff ${cutoff}`,
  );
  return { revisions: Number(row.revisions), unreadable: row.unreadable ?? [] };
}

function appendSql({ period, pools, adjusted, cutoff, final }: PeriodRevisionRequest): {
  readonly text: string;
  readonly values: readonly unknown[];
} {
  const params = new SqlParameters();
  const { customerId } = period;
  const scope = { customerId, cutoff, adjusted };
  const usage = betweenSql(params, { pools, bounds: [period.from, period.to], scope, name: '' });
  const [customer, name] = [params.add(customerId, 'text'), params.add(period.period, 'date')];
  const asked = pools.map(
    ({ meter, by }, index) =>
      `(${index}, ${params.add(meter.meterId, 'uuid')}, ${params.add([...by].sort(), 'text[]')})`,
  );
  const ofUsage = 'quantity, event_count, digest, closing_level';
  const figures = (row: string): string =>
    `(coalesce(${row}.quantity, 0), coalesce(${row}.event_count, 0), coalesce(${row}.digest, '${emptyDigest}'), coalesce(${row}.closing_level, 0))`;
  const ctes = [
    ...usage.ctes,
    `pool (pool_number, meter_id, pool) AS (VALUES ${asked.join(', ')})`,
    `fresh AS MATERIALIZED (SELECT u.*, pool.pool FROM (${usage.select}) AS u JOIN pool USING (pool_number, meter_id))`,
    `latest AS MATERIALIZED (
      SELECT DISTINCT ON (meter_id, group_key) meter_id, pool, group_key, revision, ${ofUsage}, cutoff_position, is_final
      FROM aggregated_period_usage JOIN pool USING (meter_id, pool) WHERE customer_id = ${customer} AND period = ${name}
      ORDER BY meter_id, group_key, revision DESC)`,
    `changed AS (
      SELECT meter_id, pool, group_key, coalesce(l.revision, 0) + 1 AS revision, coalesce(f.quantity, 0) AS quantity,
        coalesce(f.event_count, 0) AS event_count, coalesce(f.digest, '${emptyDigest}') AS digest,
        -- A level that has gone is zero, so that what the last revision said is taken back.
        coalesce(f.closing_level, CASE WHEN l.closing_level IS NOT NULL THEN 0 END) AS closing_level
      FROM (SELECT * FROM fresh WHERE ${isUsageSql}) AS f FULL JOIN latest AS l USING (meter_id, pool, group_key)
      WHERE ${figures('f')} IS DISTINCT FROM ${figures('l')}${final ? ' OR NOT l.is_final' : ''})`,
    `appended AS (
      INSERT INTO aggregated_period_usage (aggregation_id, customer_id, period, meter_id, pool, group_key, revision, ${ofUsage},
        cutoff_position, is_final)
      SELECT ${nameBasedIdSql(`jsonb_build_array('aggregated-period-usage', ${customer}, ${name}, meter_id, group_key, revision)`)},
        ${customer}, ${name}, meter_id, pool, group_key, revision, ${ofUsage}, ${params.add(cutoff, 'bigint')}, ${final}
      FROM changed RETURNING 1)`,
  ];
  const text = `${withSql(ctes)} SELECT (SELECT count(*) FROM appended) AS revisions,
    (SELECT max(cutoff_position) FROM latest) AS latest_cutoff,
    (SELECT jsonb_agg(x) FROM (
      SELECT code AS meter, sum(unreadable)::int AS count, min(unreadable_example) AS example
      FROM fresh WHERE unreadable > 0 GROUP BY code ORDER BY code) AS x) AS unreadable`;
  return { text, values: params.values };
}

/**
 * Most meters are not of a customer's event types, and each costs one more reading of the period.
 * @param used codes of the meters that have something in their windows
 * @returns whether more can be found: a level may have come from an earlier period (RULES 3)
 */
export function mayHaveUsage({ meter }: MeterPool, used: ReadonlySet<string>): boolean {
  return meter.aggregation === 'weighted_sum' || used.has(meter.code);
}

/** Codes of the meters with revisions of the period, by window or as a whole; of zero too, because they may have to change. */
export async function metersWithUsage(
  client: pg.PoolClient,
  { customerId, period }: Pick<BillingPeriod, 'customerId' | 'period'>,
): Promise<ReadonlySet<string>> {
  const { rows } = await client.query<{ readonly code: string }>({
    name: 'meters-with-usage',
    text: `SELECT DISTINCT m.code FROM meters m WHERE
        EXISTS (SELECT FROM aggregated_usage u WHERE u.customer_id = $1 AND u.period = $2 AND u.meter_id = m.meter_id)
        OR EXISTS (SELECT FROM aggregated_period_usage u WHERE u.customer_id = $1 AND u.period = $2 AND u.meter_id = m.meter_id)`,
    values: [customerId, period],
  });
  return new Set(rows.map(({ code }) => code));
}

export interface PeriodUsageRow {
  readonly meter: string;
  readonly group_key: GroupKey;
  readonly quantity: DecimalString;
  readonly event_count: string;
  readonly digest: Digest;
  readonly closing_level: DecimalString | null;
}

/** The latest revisions at or below the cutoff; those of zero are left out. `pools` may be of any version of a meter. */
export async function readPeriodUsage(
  client: pg.Pool | pg.PoolClient,
  {
    period: { customerId, period },
    pools,
    cutoff,
  }: {
    readonly period: Pick<BillingPeriod, 'customerId' | 'period'>;
    readonly pools: readonly MeterPool[];
    readonly cutoff: Position;
  },
): Promise<readonly PeriodUsage[]> {
  if (pools.length === 0) return [];
  const { rows } = await client.query<PeriodUsageRow>({
    name: 'period-usage',
    text: `SELECT m.code AS meter, l.group_key, ${decimalSql('l.quantity')} AS quantity, l.event_count, l.digest,
        ${decimalSql('l.closing_level')} AS closing_level
      FROM (
        SELECT DISTINCT ON (u.meter_id, u.group_key) u.*
        FROM aggregated_period_usage u JOIN jsonb_to_recordset($3::jsonb) AS p (meter_id uuid, pool text[]) USING (meter_id, pool)
        WHERE u.customer_id = $1 AND u.period = $2 AND u.cutoff_position <= $4
        ORDER BY u.meter_id, u.group_key, u.revision DESC) AS l
      JOIN meters m USING (meter_id) WHERE ${isUsageSql} ORDER BY m.code, l.group_key`,
    values: [
      customerId,
      period,
      JSON.stringify(pools.map(({ meter, by }) => ({ meter_id: meter.meterId, pool: [...by].sort() }))),
      cutoff,
    ],
  });
  return rows.map(periodUsageFromDb);
}

export function periodUsageFromDb(row: PeriodUsageRow): PeriodUsage {
  return {
    meter: row.meter,
    group: row.group_key,
    quantity: row.quantity,
    eventCount: Number(row.event_count),
    digest: row.digest,
    closingLevel: row.closing_level,
  };
}
