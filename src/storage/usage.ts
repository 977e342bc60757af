/** Usage by window: closing, live, and as a charge was rated on it. */
import type pg from 'pg';
import { groupKeyText } from '../domain/metering/group-key.js';
import type { WindowUsage } from '../domain/metering/meter.js';
import type { DecimalString, Digest, GroupKey, Instant, Position } from '../domain/values.js';
import { metersWithEvents } from './aggregation-event-types.js';
import { type MeteringContext, readMeteringContext } from './aggregation-meters.js';
import { betweenSql, isUsageSql, mayHaveUsage } from './aggregation-periods.js';
import { appendRevisions } from './aggregation-revisions.js';
import { usageSql, type UsageSql, withSql } from './aggregation-sql.js';
import { decimalSql, SqlParameters } from './aggregation-sql-fragments.js';
import type { BoundsQuery } from './aggregation-sql-levels.js';
import type { Database } from './database.js';
import { guarded } from './errors.js';
import { withPeriodsLocked } from './gate-lock.js';
import type { BillingPeriod, LiveUsage, RevisedWindow, UnreadableValues, UsageSpan, UsageStore } from './types.js';
import { accumulationDifferences } from './usage-accumulation.js';

export function createUsageStore(db: Database): UsageStore {
  return guarded<UsageStore>({
    closeWindows: (period, windows, accumulated, accumulatedThrough) =>
      withPeriodsLocked(db, [period], async (client, cutoff) => {
        const context = await readMeteringContext(client, period);
        const { revisions } = await appendRevisions(client, {
          ...context,
          small: false,
          period,
          windows,
          cutoff,
          accumulatedThrough,
          final: true,
        });
        const differences =
          accumulatedThrough === null
            ? []
            : await accumulationDifferences(client, { period, windows: accumulated, through: accumulatedThrough });
        return { cutoff, revisions, differences };
      }),
    liveUsage: async (period, query = {}) => {
      const context = await readMeteringContext(db.pool, period);
      return db.transaction((client) => readLiveUsage(client, period, { ...context, ...query }), oneSnapshot);
    },
    windowsAt: async (period, meter, group, segment, cutoff, except = []) => {
      const { rows } = await db.pool.query<UsageRow & { revision: number }>(windowsAtSql, [
        period.customerId,
        period.period,
        meter,
        groupKeyText(group),
        segment.from,
        segment.to,
        cutoff,
        except.map(groupKeyText),
      ]);
      return rows.map((row) => ({ ...usageFromDb(row), revision: row.revision }));
    },
  });
}

interface UsageRow {
  readonly meter: string;
  readonly window_start: Instant;
  readonly window_end: Instant;
  readonly group_key: GroupKey;
  readonly quantity: DecimalString;
  readonly event_count: string;
  readonly digest: Digest;
}
interface LiveRow extends UsageRow {
  /** Index into the spans that were asked for; of the smallest windows 0. */
  readonly span: number;
  /** Else there is only something unreadable. */
  readonly is_usage: boolean;
  readonly unreadable: string;
  readonly unreadable_example: string | null;
  /** Whether a final revision says what there is; null: nothing to be revised, or a span. */
  readonly settled: boolean | null;
}

function usageFromDb(row: UsageRow): WindowUsage {
  return {
    meter: row.meter,
    windowStart: row.window_start,
    windowEnd: row.window_end,
    group: row.group_key,
    quantity: row.quantity,
    eventCount: Number(row.event_count),
    digest: row.digest,
  };
}

function unreadableByMeter(rows: readonly LiveRow[]): UnreadableValues {
  const byMeter = new Map<string, { meter: string; count: number; example: string }>();
  for (const { meter, unreadable, unreadable_example: example } of rows) {
    if (example === null) continue;
    const known = byMeter.get(meter);
    if (known === undefined) byMeter.set(meter, { meter, count: Number(unreadable), example });
    else known.count += Number(unreadable);
  }
  return [...byMeter.values()];
}

/** The statements see the same events. */
const oneSnapshot = 'SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY';

interface LiveQuery extends MeteringContext {
  readonly spans?: readonly UsageSpan[];
  readonly cutoff?: Position | null;
}

/**
 * The smallest windows of all meters in one reading of the events; then the spans, but only for meters that may have usage.
 */
async function readLiveUsage(
  client: pg.PoolClient,
  period: BillingPeriod,
  { meters, adjusted, spans = [], cutoff = null }: LiveQuery,
): Promise<LiveUsage> {
  const params = new SqlParameters();
  const scope = { customerId: period.customerId, cutoff, adjusted };
  const ofPeriod = { ...scope, ranges: [period] };
  const taking = await metersWithEvents(client, meters, ofPeriod);
  const hours = usageSql(params, { meters: taking, period, scope: ofPeriod });
  const rows = await readRows(client, params, withRevisions(params, hours, { period, meters }));
  const used = new Set(rows.map(({ meter }) => meter));
  const isAskedFor = ({ pools }: UsageSpan): boolean => pools.some((pool) => mayHaveUsage(pool, used));
  return {
    windows: rows.filter((row) => row.is_usage).map(usageFromDb),
    revised: revisedWindows(rows),
    spans: await readSpans(
      client,
      spans.map((span) => (isAskedFor(span) ? span : null)),
      scope,
    ),
    unreadable: unreadableByMeter(rows),
  };
}

/** The windows of `hours` beside what their latest revisions say, and the windows that have lost what theirs say. */
function withRevisions(
  params: SqlParameters,
  { ctes, select }: UsageSql,
  { period, meters }: { readonly period: BillingPeriod; readonly meters: MeteringContext['meters'] },
): UsageSql {
  const ids = meters.map(({ meterId }) => meterId);
  const latest = `SELECT DISTINCT ON (meter_id, window_start, group_key) meter_id, window_start, window_end, group_key, quantity,
      event_count, digest, is_final
    FROM aggregated_usage WHERE customer_id = ${params.add(period.customerId, 'text')} AND period = ${params.add(period.period, 'date')}
      AND meter_id = ANY (${params.add(ids, 'uuid[]')})
    ORDER BY meter_id, window_start, group_key, revision DESC`;
  const figures = (row: string): string => `(${row}.quantity, ${row}.event_count, ${row}.digest)`;
  return {
    ctes: [...ctes, `hours AS (${select})`, `latest AS (${latest})`],
    select: `SELECT 0 AS span, m.code, window_start, coalesce(f.window_end, l.window_end) AS window_end, group_key, f.quantity,
        coalesce(f.event_count, 0) AS event_count, f.digest, coalesce(f.unreadable, 0) AS unreadable, f.unreadable_example,
        NULL::numeric AS closing_level, CASE WHEN f.event_count > 0 OR l.event_count > 0
          THEN ${figures('f')} IS NOT DISTINCT FROM ${figures('l')} AND l.is_final END AS settled
      FROM hours f FULL JOIN (SELECT * FROM latest WHERE event_count > 0) AS l USING (meter_id, window_start, group_key)
      JOIN meters m USING (meter_id)`,
  };
}

/** By meter and window, all groups together. */
function revisedWindows(rows: readonly LiveRow[]): readonly RevisedWindow[] {
  const windows = new Map<string, RevisedWindow>();
  for (const { meter, window_start: windowStart, window_end: windowEnd, settled } of rows) {
    if (settled === null) continue;
    const key = `${windowStart} ${meter}`;
    const isSettled = settled && (windows.get(key)?.isSettled ?? true);
    windows.set(key, { meter, windowStart, windowEnd, isSettled });
  }
  return [...windows.values()];
}

/** By input order; of null there is nothing. */
async function readSpans(
  client: pg.PoolClient,
  spans: readonly (UsageSpan | null)[],
  scope: BoundsQuery['scope'],
): Promise<readonly (readonly WindowUsage[])[]> {
  const params = new SqlParameters();
  const parts = spans.flatMap((span, index) =>
    span === null ? [] : [{ index, ...betweenSql(params, { ...span, scope, name: `_${index}` }) }],
  );
  const selects = parts.map(
    ({ index, select }) => `SELECT ${index} AS span, code_first.* FROM (
      SELECT meter_id, code, window_start, window_end, group_key, quantity, event_count, digest, unreadable,
        unreadable_example, closing_level, NULL::boolean AS settled FROM (${select}) AS b) AS code_first`,
  );
  if (selects.length === 0) return spans.map(() => []);
  const ctes = parts.flatMap((part) => part.ctes);
  const rows = await readRows(client, params, { ctes, select: selects.join('\nUNION ALL\n') });
  const used = rows.filter((row) => row.is_usage);
  return spans.map((_, index) => used.filter(({ span }) => span === index).map(usageFromDb));
}

async function readRows(
  client: pg.PoolClient,
  params: SqlParameters,
  { ctes, select }: UsageSql,
): Promise<readonly LiveRow[]> {
  const text = `${withSql(ctes)}
    SELECT u.span, u.code AS meter, u.window_start, u.window_end, u.group_key, ${decimalSql('u.quantity')} AS quantity,
      u.event_count, u.digest, ${isUsageSql} AS is_usage, u.unreadable, u.unreadable_example, u.settled
    FROM (${select}) AS u WHERE ${isUsageSql} OR u.unreadable > 0 OR u.settled IS NOT NULL
    ORDER BY u.code, u.window_start, u.group_key`;
  const { rows } = await client.query<LiveRow>(text, [...params.values]);
  return rows;
}

/**
 * `@>`: a pricing group stands for every group that agrees with it in its properties (RULES 17). Windows of a level only say
 * what changed it; what was charged for is in the row of the period.
 */
const windowsAtSql = `SELECT * FROM (
  SELECT DISTINCT ON (u.meter_id, u.window_start, u.group_key) m.code AS meter, u.window_start, u.window_end, u.group_key,
    u.revision, ${decimalSql('u.quantity')} AS quantity, u.event_count, u.digest
  FROM aggregated_usage u JOIN meters m USING (meter_id)
  WHERE u.customer_id = $1 AND u.period = $2 AND m.code = $3 AND u.group_key @> $4::jsonb AND m.aggregation <> 'weighted_sum'
    AND u.window_start >= $5 AND u.window_start < $6 AND u.cutoff_position <= $7
    AND NOT EXISTS (SELECT FROM unnest($8::text[]) AS x (other) WHERE u.group_key @> x.other::jsonb)
  ORDER BY u.meter_id, u.window_start, u.group_key, u.revision DESC) AS w
WHERE event_count > 0
UNION ALL (
  SELECT m.code, p.period_start, p.period_end, u.group_key, u.revision, ${decimalSql('u.quantity')}, u.event_count, u.digest
  FROM aggregated_period_usage u JOIN meters m USING (meter_id) JOIN billing_periods p USING (customer_id, period)
  WHERE u.customer_id = $1 AND u.period = $2 AND m.code = $3 AND u.group_key = $4::jsonb AND m.aggregation = 'weighted_sum'
    AND u.cutoff_position <= $7
  ORDER BY u.cutoff_position DESC, m.version DESC, u.revision DESC LIMIT 1)
ORDER BY window_start, group_key`;
