/** What aggregation needs to know of a customer before its SQL can be written. */
import type pg from 'pg';
import { type DatedPeriod, metersOfPeriod } from '../calendar/meters-of-period.js';
import { invariant } from '../domain/failure.js';
import type { Meter } from '../domain/metering/meter.js';
import type { MeterInForce } from '../domain/metering/meter-versions.js';
import { parseInstant } from '../domain/time/instant.js';
import type { LocalDate } from '../domain/values.js';
import { isAdjustedSql } from './backfills-sql.js';
import { pinnedDates } from './pinned-dates.js';
import type { PeriodKeyOf } from './types.js';

export interface MeteringContext {
  /** The versions of meters in the period, by code and version; those that hold no more take no event. */
  readonly meters: readonly MeterInForce[];
  /** Whether the customer has any event adjustment or replacing backfill: the common "no" makes aggregation cheaper. */
  readonly adjusted: boolean;
}

/** Columns `meters` and `adjusted` of a context query; $1 is the customer. */
export const meteringColumns = `
  (SELECT jsonb_agg(m ORDER BY m.code, m.version) FROM meters m) AS meters,
  ${isAdjustedSql('$1')} AS adjusted`;

export interface MeteringRow {
  readonly meters: readonly MeterRow[] | null;
  readonly adjusted: boolean;
}

/** A row of `meters` as JSON. */
export interface MeterRow {
  readonly meter_id: string;
  readonly code: string;
  readonly version: number;
  readonly event_type: string;
  readonly aggregation: Meter['aggregation'];
  readonly value_property: string | null;
  readonly group_by: readonly string[];
  readonly filters: Meter['filters'];
  readonly window_size: Meter['windowSize'];
  readonly allowed_lateness: string;
  readonly allow_negative: boolean;
  readonly max_groups: number;
  /** As Postgres writes it in JSON. */
  readonly effective_from: string | null;
  readonly effective_from_date: LocalDate | null;
}

/** A stored period: zone, cuts and ratings say when a local date begins in it. */
export type ZonedPeriod = DatedPeriod & PeriodKeyOf;

/** Read after the cutoff was taken: adjustments at or below it are then visible. */
export async function readMeteringContext(
  client: pg.Pool | pg.PoolClient,
  period: ZonedPeriod,
): Promise<MeteringContext> {
  const { rows } = await client.query<MeteringRow>({
    name: 'metering-context',
    text: `SELECT ${meteringColumns}`,
    values: [period.customerId],
  });
  const [row] = rows;
  invariant(row !== undefined, 'a SELECT without FROM has one row');
  return meteringContextFromDb(client, row, period);
}

export async function meteringContextFromDb(
  client: pg.Pool | pg.PoolClient,
  { meters, adjusted }: MeteringRow,
  period: ZonedPeriod,
): Promise<MeteringContext> {
  const versions = (meters ?? []).map(meterFromDb);
  return { meters: metersOfPeriod(versions, period, await pinnedDates(client, period, versions)), adjusted };
}

/** These versions as they share the period among themselves: what a document pinned, whatever was learned since. */
export async function readMeters(
  client: pg.Pool | pg.PoolClient,
  meterIds: readonly string[],
  period: ZonedPeriod,
): Promise<readonly MeterInForce[]> {
  const { rows } = await client.query<{ readonly meter: MeterRow }>({
    name: 'meters-by-id',
    text: 'SELECT to_jsonb(m) AS meter FROM meters m WHERE meter_id = ANY ($1::uuid[]) ORDER BY code, version',
    values: [meterIds],
  });
  invariant(rows.length === new Set(meterIds).size, 'meters are never deleted');
  const versions = rows.map(({ meter }) => meterFromDb(meter));
  return metersOfPeriod(versions, period, await pinnedDates(client, period, versions));
}

function meterFromDb(row: MeterRow): Meter {
  return {
    meterId: row.meter_id,
    code: row.code,
    version: row.version,
    eventType: row.event_type,
    aggregation: row.aggregation,
    valueProperty: row.value_property,
    groupBy: row.group_by,
    filters: row.filters,
    windowSize: row.window_size,
    allowedLateness: row.allowed_lateness,
    allowNegative: row.allow_negative,
    maxGroups: row.max_groups,
    effectiveFrom: row.effective_from === null ? row.effective_from_date : parseInstant(row.effective_from),
  };
}
