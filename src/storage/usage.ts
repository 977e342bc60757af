/** Usage by window: closing, live, and as a charge was rated on it. */
import { invariant } from '../domain/failure.js';
import { groupKeyText } from '../domain/metering/group-key.js';
import type { WindowUsage } from '../domain/metering/meter.js';
import type { DecimalString, Digest, GroupKey, Instant } from '../domain/values.js';
import { type MeteringContext, readMeteringContext } from './aggregation-meters.js';
import { betweenSql, isUsageSql } from './aggregation-periods.js';
import { appendRevisions } from './aggregation-revisions.js';
import { usageSql, withSql } from './aggregation-sql.js';
import { decimalSql, SqlParameters } from './aggregation-sql-fragments.js';
import type { Database } from './database.js';
import { guarded } from './errors.js';
import { withPeriodLocked } from './gate-lock.js';
import type { BillingPeriod, UnreadableValues, UsageSpan, UsageStore } from './types.js';
import { accumulationDifferences } from './usage-accumulation.js';

export function createUsageStore(db: Database): UsageStore {
  return guarded<UsageStore>({
    closeWindows: (period, windows, accumulated, accumulatedThrough) =>
      withPeriodLocked(db, period, async (client, cutoff) => {
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
    liveUsage: async (period, { meters, spans = [] } = {}) => {
      const context = await readMeteringContext(db.pool, period);
      const { text, values } = liveSql(period, { ...context, meters: meters ?? context.meters, spans });
      const { rows } = await db.pool.query<(LiveRow | Nothing) & { readonly as_of: Instant }>(text, [...values]);
      const [first] = rows;
      invariant(first !== undefined, 'live usage has a row for the clock');
      const found = rows.flatMap((row) => (row.meter === null ? [] : [row]));
      const used = found.filter((row) => row.is_usage);
      return {
        asOf: first.as_of,
        windows: used.filter(({ span }) => span === null).map(usageFromDb),
        spans: spans.map((_, index) => used.filter(({ span }) => span === index).map(usageFromDb)),
        unreadable: unreadableByMeter(found.filter(({ span }) => span === null)),
      };
    },
    windowsAt: async (period, meter, group, segment, cutoff) => {
      const { rows } = await db.pool.query<UsageRow & { revision: number }>(windowsAtSql, [
        period.customerId,
        period.period,
        meter,
        groupKeyText(group),
        segment.from,
        segment.to,
        cutoff,
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
  /** Index into the spans that were asked for; null: the smallest windows. */
  readonly span: number | null;
  /** Else there is only something unreadable. */
  readonly is_usage: boolean;
  readonly unreadable: string;
  readonly unreadable_example: string | null;
}
interface Nothing {
  readonly meter: null;
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

/** At least one row, so that the clock is told even where there is no usage. */
function liveSql(
  period: BillingPeriod,
  { meters, adjusted, spans }: MeteringContext & { readonly spans: readonly UsageSpan[] },
): { text: string; values: readonly unknown[] } {
  const params = new SqlParameters();
  const scope = { customerId: period.customerId, cutoff: null, adjusted };
  const hours = usageSql(params, { meters, period, scope: { ...scope, ranges: [period] } });
  const between = spans.map(({ pools, bounds }, index) =>
    betweenSql(params, { pools, bounds, scope, name: `_${index}` }),
  );
  const selects = [
    `SELECT NULL::int AS span, u.*, NULL::numeric AS closing_level FROM (${hours.select}) AS u`,
    ...between.map(
      ({ select }, index) => `SELECT ${index}, code_first.* FROM (
        SELECT meter_id, code, window_start, window_end, group_key, quantity, event_count, digest, unreadable,
          unreadable_example, closing_level FROM (${select}) AS b) AS code_first`,
    ),
  ];
  const text = `${withSql([...hours.ctes, ...between.flatMap(({ ctes }) => ctes)])}
    SELECT now() AS as_of, u.span, u.code AS meter, u.window_start, u.window_end, u.group_key,
      ${decimalSql('u.quantity')} AS quantity, u.event_count, u.digest, ${isUsageSql} AS is_usage, u.unreadable,
      u.unreadable_example
    FROM (SELECT) AS clock LEFT JOIN (${selects.join('\nUNION ALL\n')}) AS u ON ${isUsageSql} OR u.unreadable > 0
    ORDER BY u.code, u.window_start, u.group_key`;
  return { text, values: params.values };
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
  ORDER BY u.meter_id, u.window_start, u.group_key, u.revision DESC) AS w
WHERE event_count > 0
UNION ALL (
  SELECT m.code, p.period_start, p.period_end, u.group_key, u.revision, ${decimalSql('u.quantity')}, u.event_count, u.digest
  FROM aggregated_period_usage u JOIN meters m USING (meter_id) JOIN billing_periods p USING (customer_id, period)
  WHERE u.customer_id = $1 AND u.period = $2 AND m.code = $3 AND u.group_key = $4::jsonb AND m.aggregation = 'weighted_sum'
    AND u.cutoff_position <= $7
  ORDER BY u.cutoff_position DESC, m.version DESC, u.revision DESC LIMIT 1)
ORDER BY window_start, group_key`;
