/** Stored bounds that another version of the time-zone data has cut: few, however many customers share them. */
import type { Instant } from '../domain/values.js';
import type { Database } from './database.js';
import type { StoredBounds } from './types.js';

interface BoundsRow {
  readonly period_start: Instant;
  readonly period_end: Instant;
  readonly time_zone: string;
  readonly zone_of_start: string;
  readonly cuts: readonly Instant[];
  readonly tzdata_version: string;
  readonly customers: string;
  readonly customer_id: string;
}

export async function boundsByOtherTimeZoneData(db: Database, running: string): Promise<readonly StoredBounds[]> {
  const { rows } = await db.pool.query<BoundsRow>(boundsSql, [running]);
  return rows.map((row) => ({
    from: row.period_start,
    to: row.period_end,
    timeZone: row.time_zone,
    timeZoneOfStart: row.zone_of_start,
    cuts: row.cuts,
    tzdataVersion: row.tzdata_version,
    customers: Number(row.customers),
    customerId: row.customer_id,
  }));
}

const boundsSql = `
  SELECT p.period_start, p.period_end, p.time_zone, coalesce(b.time_zone, p.time_zone) AS zone_of_start, p.cuts, p.tzdata_version,
    count(*) AS customers, min(p.customer_id) AS customer_id
  FROM billing_periods p
  LEFT JOIN billing_periods b ON b.customer_id = p.customer_id AND b.period_end = p.period_start
  WHERE p.tzdata_version <> $1
  GROUP BY 1, 2, 3, 4, 5, 6 ORDER BY p.period_start, p.time_zone, zone_of_start, p.period_end`;
