/** Usage as rating wants it: by meter, group and price segment, from stored revisions. */
import type pg from 'pg';
import { invariant } from '../domain/failure.js';
import type { PriceSegment, SegmentUsage } from '../domain/rating/rating.js';
import type { DecimalString, Digest, GroupKey, Position } from '../domain/values.js';
import { decimalSql, digestSql, digestValueSql } from './aggregation-sql-fragments.js';
import type { PeriodKeyOf } from './types.js';

interface SegmentRow {
  readonly meter: string;
  readonly group_key: GroupKey;
  readonly segment: number;
  readonly quantity: DecimalString;
  readonly event_count: string;
  readonly digest: Digest;
  readonly crosses: boolean;
}

/**
 * The latest revisions at or below the cutoff, to which the windows of these meters were brought, now or before. So what was
 * read once at a cutoff is read the same for ever.
 */
export async function readSegmentUsage(
  client: pg.PoolClient,
  segments: readonly PriceSegment[],
  {
    period,
    meterIds,
    cutoff,
  }: { readonly period: PeriodKeyOf; readonly meterIds: readonly string[]; readonly cutoff: Position },
): Promise<readonly SegmentUsage[]> {
  const { rows } = await client.query<SegmentRow>({
    name: 'segment-usage',
    text: segmentUsageSql,
    values: [
      period.customerId,
      period.period,
      segments.map((segment) => segment.from),
      segments.map((segment) => segment.to),
      meterIds,
      cutoff,
    ],
  });
  return rows.map(segmentUsageFromDb);
}

function segmentUsageFromDb(row: SegmentRow): SegmentUsage {
  invariant(!row.crosses, `a window of "${row.meter}" does not lie in price segment ${row.segment}`);
  return {
    meter: row.meter,
    group: row.group_key,
    segment: row.segment,
    quantity: row.quantity,
    eventCount: Number(row.event_count),
    digest: row.digest,
  };
}

/** Segments tile the period and change only at bounds of windows (DESIGN 3); `crosses` would say otherwise. */
const segmentUsageSql = `WITH latest AS (
  SELECT DISTINCT ON (meter_id, window_start, group_key) meter_id, window_start, window_end, group_key, quantity, event_count, digest
  FROM aggregated_usage WHERE customer_id = $1 AND period = $2 AND meter_id = ANY ($5::uuid[]) AND cutoff_position <= $6
  ORDER BY meter_id, window_start, group_key, revision DESC),
placed AS (
  SELECT *, width_bucket(window_start, $3::timestamptz[]) AS bucket FROM latest WHERE event_count > 0)
SELECT m.code AS meter, p.group_key, p.bucket - 1 AS segment, ${decimalSql('sum(p.quantity)')} AS quantity,
  sum(p.event_count) AS event_count, ${digestSql(`sum(${digestValueSql('p.digest')})`)} AS digest,
  bool_or((p.window_end <= ($4::timestamptz[])[p.bucket]) IS NOT TRUE) AS crosses
FROM placed p JOIN meters m USING (meter_id)
GROUP BY m.code, p.group_key, p.bucket ORDER BY m.code, p.group_key, p.bucket`;
