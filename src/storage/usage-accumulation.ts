/** Holds what a workflow accumulated from its signals against the ledger (DESIGN 1, stage 6). */
import type pg from 'pg';
import { compareDecimals } from '../domain/decimal.js';
import type { DecimalString, Digest, Position } from '../domain/values.js';
import { decimalSql, digestSql, digestValueSql } from './aggregation-sql-fragments.js';
import {
  meterRuleCte,
  ruleHoldsSql,
  ruleQuantitySql,
  ruleTakesSql,
  summedQuantitySql,
} from './aggregation-sql-rules.js';
import type { AccumulatedWindow, AccumulationDifference, BillingPeriod } from './types.js';

interface Accumulation {
  readonly period: BillingPeriod;
  readonly windows: readonly AccumulatedWindow[];
  readonly through: Position;
}

interface FoundRow {
  readonly index: number;
  readonly n: string;
  readonly q: DecimalString;
  readonly d: Digest;
}

/**
 * Differences between what was accumulated in (since, through] and the ledger. Called after the windows were brought to a
 * cutoff at or above `through`.
 *
 * Nearly always the workflow has seen everything a window holds, which costs a look at the revisions. Only windows for
 * which that is not so are summed again, between their positions. Like the relay's ranges, that sum is of the events as
 * they came; a window whose range holds an adjustment or backfill decision of the customer is not compared, because the
 * range said "look in the ledger".
 */
export async function accumulationDifferences(
  client: pg.PoolClient,
  { period, windows, through }: Accumulation,
): Promise<readonly AccumulationDifference[]> {
  if (windows.length === 0) return [];
  const key = [period.customerId, period.period];
  const asked = windows.map((window, index) => ({ ...window, index }));
  const totals = await client.query<FoundRow>({
    name: 'revision-totals',
    text: revisionTotalsSql,
    values: [...key, ...columnsOf(asked)],
  });
  const byIndex = new Map(totals.rows.map((row) => [row.index, row]));
  const doubtful = asked.filter((window) => !equals(window, byIndex.get(window.index)));
  if (doubtful.length === 0) return [];
  const ledger = await client.query<FoundRow>({
    name: 'ledger-range',
    text: ledgerRangeSql,
    values: [...key, ...columnsOf(doubtful), through],
  });
  return ledger.rows.flatMap((row) => {
    const window = asked[row.index];
    return window === undefined || equals(window, row) ? [] : [differenceOf(window, row)];
  });
}

type AskedWindow = AccumulatedWindow & { readonly index: number };

function columnsOf(windows: readonly AskedWindow[]): unknown[] {
  return [
    windows.map(({ index }) => index),
    windows.map(({ m }) => m),
    windows.map(({ w }) => w),
    windows.map(({ since }) => since),
  ];
}

function equals(window: AccumulatedWindow, row: FoundRow | undefined): boolean {
  return (
    row !== undefined && window.n === Number(row.n) && window.d === row.d && compareDecimals(window.q, row.q) === 0
  );
}

function differenceOf(window: AccumulatedWindow, row: FoundRow): AccumulationDifference {
  return {
    meter: window.m,
    windowStart: window.w,
    accumulated: { n: window.n, q: window.q, d: window.d },
    ledger: { n: Number(row.n), q: row.q, d: row.d },
  };
}

const askedCte = `asked AS (
  SELECT * FROM unnest($3::int[], $4::text[], $5::timestamptz[], $6::bigint[]) AS a (index, code, window_start, since))`;

const figures = (quantity: string, hashes: string): string =>
  `${decimalSql(`coalesce(${quantity}, 0)`)} AS q, ${digestSql(`coalesce(${hashes}, 0)`)} AS d`;

/** All groups of a window together, at their latest revisions. */
const revisionTotalsSql = `WITH ${askedCte},
latest AS (
  SELECT DISTINCT ON (a.index, u.meter_id, u.group_key) a.index, ${summedQuantitySql} AS quantity, u.event_count, u.digest
  FROM asked a JOIN meters m ON m.code = a.code
  JOIN aggregated_usage u ON u.customer_id = $1 AND u.period = $2 AND u.meter_id = m.meter_id AND u.window_start = a.window_start
  ORDER BY a.index, u.meter_id, u.group_key, u.revision DESC)
SELECT index, sum(event_count) AS n, ${figures('sum(quantity)', `sum(${digestValueSql('digest')})`)} FROM latest GROUP BY index`;

/** Events as they came in (since, $7], for windows whose range holds nothing else. */
const ledgerRangeSql = `WITH ${askedCte}, ${meterRuleCte},
placed AS (
  SELECT a.*, p.period_start, least(date_bin('1 hour', a.window_start, timestamptz 'epoch') + interval '1 hour', p.period_end,
    (SELECT min(c) FROM unnest(p.cuts) AS c WHERE c > a.window_start)) AS window_end
  FROM asked a JOIN billing_periods p ON p.customer_id = $1 AND p.period = $2
  WHERE NOT EXISTS (SELECT FROM event_adjustments j WHERE j.customer_id = $1 AND j.position > a.since AND j.position <= $7)
    AND NOT EXISTS (SELECT FROM backfill_decisions d JOIN backfills b USING (backfill_id)
      WHERE $1 = ANY (b.customer_ids) AND d.position > a.since AND d.position <= $7))
SELECT a.index, count(x.quantity) AS n,
  ${figures('sum(x.quantity)', 'sum(e.content_hash) FILTER (WHERE x.quantity IS NOT NULL)')}
FROM placed a JOIN meter_rule r ON r.code = a.code AND ${ruleHoldsSql.replaceAll('e.period_start', 'a.period_start')}
LEFT JOIN telemetry_events e ON e.customer_id = $1 AND e.event_time >= a.window_start AND e.event_time < a.window_end
  AND e.position > a.since AND e.position <= $7 AND e.backfill_id IS NULL AND ${ruleTakesSql}
LEFT JOIN LATERAL (${ruleQuantitySql}) AS x ON e.event_id IS NOT NULL
GROUP BY a.index`;
