/** When local dates begin in a period: what its ratings have pinned (`PinnedVersions.local_dates`). */
import type pg from 'pg';
import { datesNear, type DatedPeriod, type PinnedDates } from '../calendar/meters-of-period.js';
import type { Meter } from '../domain/metering/meter.js';
import type { PeriodKeyOf } from './types.js';

/**
 * The first rating that pins a date pins it for good. Asked only where a version begins on a local date about the period:
 * nearly never.
 */
export async function pinnedDates(
  client: pg.Pool | pg.PoolClient,
  period: DatedPeriod & PeriodKeyOf,
  versions: readonly Meter[],
): Promise<PinnedDates> {
  if (datesNear(versions, period).length === 0) return {};
  const { rows } = await client.query<{ readonly dates: PinnedDates }>({
    name: 'pinned-dates',
    text: `SELECT pinned_versions -> 'local_dates' AS dates FROM period_ratings
      WHERE customer_id = $1 AND period = $2 AND pinned_versions ? 'local_dates' ORDER BY sequence DESC`,
    values: [period.customerId, period.period],
  });
  return Object.assign({}, ...rows.map(({ dates }) => dates)) as PinnedDates;
}
