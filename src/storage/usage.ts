/** Usage by window: closing, live, and as a charge was rated on it. */
import { invariant } from '../domain/failure.js';
import { groupKeyText } from '../domain/metering/group-key.js';
import type { WindowUsage } from '../domain/metering/meter.js';
import type { DecimalString, Digest, GroupKey, Instant } from '../domain/values.js';
import { type MeteringContext, readMeteringContext } from './aggregation-meters.js';
import { appendRevisions } from './aggregation-revisions.js';
import { usageSql, withSql } from './aggregation-sql.js';
import { decimalSql, SqlParameters } from './aggregation-sql-fragments.js';
import type { Database } from './database.js';
import { guarded } from './errors.js';
import { withPeriodLocked } from './gate-lock.js';
import type { BillingPeriod, UsageStore } from './types.js';
import { accumulationDifferences } from './usage-accumulation.js';

export function createUsageStore(db: Database): UsageStore {
  return guarded<UsageStore>({
    closeWindows: (period, windows, accumulated, accumulatedThrough) =>
      withPeriodLocked(db, period, async (client, cutoff) => {
        const context = await readMeteringContext(client, period.customerId);
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
    liveUsage: async (period) => {
      const { text, values } = liveSql(period, await readMeteringContext(db.pool, period.customerId));
      const { rows } = await db.pool.query<(UsageRow | Nothing) & { readonly as_of: Instant }>(text, [...values]);
      const [first] = rows;
      invariant(first !== undefined, 'live usage has a row for the clock');
      return { asOf: first.as_of, windows: rows.flatMap((row) => (row.meter === null ? [] : [usageFromDb(row)])) };
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

/** At least one row, so that the clock is told even where there is no usage. */
function liveSql(
  period: BillingPeriod,
  { meters, adjusted }: MeteringContext,
): { text: string; values: readonly unknown[] } {
  const params = new SqlParameters();
  const scope = { customerId: period.customerId, ranges: [period], cutoff: null, adjusted };
  const { ctes, select } = usageSql(params, { meters, period, scope });
  const text = `${withSql(ctes)}
    SELECT now() AS as_of, u.code AS meter, u.window_start, u.window_end, u.group_key, ${decimalSql('u.quantity')} AS quantity,
      u.event_count, u.digest
    FROM (SELECT) AS clock LEFT JOIN (${select}) AS u ON u.event_count > 0
    ORDER BY u.code, u.window_start, u.group_key`;
  return { text, values: params.values };
}

/** `@>`: a pricing group stands for every group that agrees with it in its properties (RULES 17). */
const windowsAtSql = `SELECT * FROM (
  SELECT DISTINCT ON (u.meter_id, u.window_start, u.group_key) m.code AS meter, u.window_start, u.window_end, u.group_key,
    u.revision, ${decimalSql('u.quantity')} AS quantity, u.event_count, u.digest
  FROM aggregated_usage u JOIN meters m USING (meter_id)
  WHERE u.customer_id = $1 AND u.period = $2 AND m.code = $3 AND u.group_key @> $4::jsonb
    AND u.window_start >= $5 AND u.window_start < $6 AND u.cutoff_position <= $7
  ORDER BY u.meter_id, u.window_start, u.group_key, u.revision DESC) AS w
WHERE event_count > 0 ORDER BY window_start, group_key`;
