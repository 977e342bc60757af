/** What aggregation needs to know of a customer before its SQL can be written. */
import type pg from 'pg';
import { invariant } from '../domain/failure.js';
import type { Meter } from '../domain/metering/meter.js';
import { supportedAggregations } from '../domain/metering/meter.js';

export interface MeteringContext {
  /** The meters in force, by code. */
  readonly meters: readonly Meter[];
  /** Whether any event of the customer was ever adjusted: the common "no" makes aggregation cheaper. */
  readonly adjusted: boolean;
}

/** Columns `meters` and `adjusted` of a context query; $1 is the customer. */
export const meteringColumns = `
  (SELECT jsonb_agg(m ORDER BY m.code) FROM (
    SELECT DISTINCT ON (code) * FROM meters WHERE aggregation IN (${supportedAggregations.map((name) => `'${name}'`).join(', ')})
    ORDER BY code, version DESC) AS m) AS meters,
  EXISTS (SELECT FROM event_adjustments WHERE customer_id = $1) AS adjusted`;

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
}

/** Read after the cutoff was taken: adjustments at or below it are then visible. */
export async function readMeteringContext(
  client: pg.Pool | pg.PoolClient,
  customerId: string,
): Promise<MeteringContext> {
  const { rows } = await client.query<MeteringRow>({
    name: 'metering-context',
    text: `SELECT ${meteringColumns}`,
    values: [customerId],
  });
  const [row] = rows;
  invariant(row !== undefined, 'a SELECT without FROM has one row');
  return meteringContextFromDb(row);
}

export function meteringContextFromDb({ meters, adjusted }: MeteringRow): MeteringContext {
  return { meters: (meters ?? []).map(meterFromDb), adjusted };
}

/** These versions, whether in force or not, by code. */
export async function readMeters(
  client: pg.Pool | pg.PoolClient,
  meterIds: readonly string[],
): Promise<readonly Meter[]> {
  const { rows } = await client.query<{ readonly meter: MeterRow }>({
    name: 'meters-by-id',
    text: 'SELECT to_jsonb(m) AS meter FROM meters m WHERE meter_id = ANY ($1::uuid[]) ORDER BY code, version',
    values: [meterIds],
  });
  invariant(rows.length === new Set(meterIds).size, 'meters are never deleted');
  return rows.map(({ meter }) => meterFromDb(meter));
}

export function meterFromDb(row: MeterRow): Meter {
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
  };
}
