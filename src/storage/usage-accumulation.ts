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
  const found = new Map(ledger.rows.map((row) => [row.index, row]));
  const different = doubtful.filter((window) => {
    const row = found.get(window.index);
    return row !== undefined && !equals(window, row);
  });
  const explained = await explainedByVersions(client, { key, windows: different, through });
  return different.flatMap((window) => {
    const row = found.get(window.index);
    return row === undefined || explained.has(window.index) ? [] : [differenceOf(window, row)];
  });
}

/**
 * Windows whose figures are right by the versions of their meters that were known when their ranges were planned, which need not
 * be those of now (a version may begin in the past, RULES 31).
 *
 * Where one version was learned since the first event of the range came, the relay took the rules without it up to some
 * position and those with it from there on: if any position makes what was told, that explains it, and nothing else does.
 * Of several there are too many ways: such a window is not compared, as one whose range said "look in the ledger".
 */
async function explainedByVersions(
  client: pg.PoolClient,
  { key, windows, through }: Told,
): Promise<ReadonlySet<number>> {
  const explained = new Set<number>();
  if (windows.length === 0) return explained;
  const { rows } = await client.query<{ readonly index: number; readonly meter_ids: readonly string[] }>({
    name: 'versions-learned-since',
    text: learnedSinceSql,
    values: [...key, ...columnsOf(windows), through],
  });
  const byVersion = new Map<string, Set<number>>();
  for (const { index, meter_ids: meterIds } of rows) {
    const [only] = meterIds;
    if (only === undefined || meterIds.length > 1) explained.add(index);
    else byVersion.set(only, (byVersion.get(only) ?? new Set()).add(index));
  }
  for (const [meterId, indexes] of byVersion) {
    const own = windows.filter(({ index }) => indexes.has(index));
    const told = [own.map(({ n }) => n), own.map(({ q }) => q), own.map(({ d }) => d)];
    const matching = await client.query<{ readonly index: number }>({
      name: 'told-before-version',
      text: toldBeforeSql,
      values: [...key, ...columnsOf(own), through, meterId, ...told],
    });
    for (const { index } of matching.rows) explained.add(index);
  }
  return explained;
}

interface Told {
  /** Customer and period. */
  readonly key: readonly string[];
  readonly windows: readonly AskedWindow[];
  readonly through: Position;
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

/** The windows asked for whose range holds events as they came and nothing else. */
const placedCte = `placed AS (
  SELECT a.*, p.period_start, p.period_end,
    least(date_bin('1 hour', a.window_start, timestamptz 'epoch') + interval '1 hour', p.period_end,
      (SELECT min(c) FROM unnest(p.cuts) AS c WHERE c > a.window_start)) AS window_end
  FROM asked a JOIN billing_periods p ON p.customer_id = $1 AND p.period = $2
  WHERE NOT EXISTS (SELECT FROM event_adjustments j WHERE j.customer_id = $1 AND j.position > a.since AND j.position <= $7)
    AND NOT EXISTS (SELECT FROM backfill_decisions d JOIN backfills b USING (backfill_id)
      WHERE $1 = ANY (b.customer_ids) AND d.position > a.since AND d.position <= $7))`;

const ruleOfWindow = `r.code = a.code AND ${ruleHoldsSql.replaceAll('e.period_start', 'a.period_start')}`;

/** Join condition: event `e` came into window `a` in its range. */
const cameIn = `e.customer_id = $1 AND e.event_time >= a.window_start AND e.event_time < a.window_end
  AND e.position > a.since AND e.position <= $7 AND e.backfill_id IS NULL`;

/** Events as they came in (since, $7]. */
const ledgerRangeSql = `WITH ${askedCte}, ${meterRuleCte()}, ${placedCte}
SELECT a.index, count(x.quantity) AS n,
  ${figures('sum(x.quantity)', 'sum(e.content_hash) FILTER (WHERE x.quantity IS NOT NULL)')}
FROM placed a JOIN meter_rule r ON ${ruleOfWindow}
LEFT JOIN telemetry_events e ON ${cameIn} AND ${ruleTakesSql}
LEFT JOIN LATERAL (${ruleQuantitySql}) AS x ON e.event_id IS NOT NULL
GROUP BY a.index`;

/**
 * Versions that ranges of a window may not have known. What came within the minutes before a version was learned may have been
 * planned with it or without it, and clocks differ: both are tried. The first version of a meter is never one: without it
 * there were no sums.
 */
const learnedSinceSql = `WITH ${askedCte}, ${placedCte},
came AS (
  SELECT a.index, a.code, a.period_end, min(e.ingestion_time) AS first FROM placed a JOIN telemetry_events e ON ${cameIn}
  GROUP BY a.index, a.code, a.period_end)
SELECT c.index, array_agg(m.meter_id::text) AS meter_ids
FROM came c JOIN meters m ON m.code = c.code AND m.version > 1 AND m.learned_at > c.first - interval '5 minutes'
  AND coalesce(m.effective_from, m.effective_from_date::timestamp AT TIME ZONE 'UTC', '-infinity') < c.period_end + interval '1 day'
GROUP BY c.index`;

/** One row an event that rule `r` takes. */
const takenBy = (rules: string, isKnown: boolean): string => `SELECT a.index, e.position, ${isKnown} AS known,
    x.quantity, e.content_hash
  FROM placed a JOIN ${rules} r ON ${ruleOfWindow} JOIN telemetry_events e ON ${cameIn} AND ${ruleTakesSql}
  CROSS JOIN LATERAL (${ruleQuantitySql}) AS x WHERE x.quantity IS NOT NULL`;

/** Up to each position by the rules without the version, after it by those with it. */
const upToThenAfter = (value: string): string => `coalesce(sum(${value}) FILTER (WHERE NOT known) OVER upto, 0)
  + coalesce(sum(${value}) FILTER (WHERE known) OVER whole, 0) - coalesce(sum(${value}) FILTER (WHERE known) OVER upto, 0)`;

/** Windows of which some position makes the figures told ($9 to $11), were the version $8 known from there on. */
const toldBeforeSql = `WITH ${askedCte}, ${meterRuleCte()}, ${meterRuleCte('rule_before', '(SELECT * FROM meters WHERE meter_id <> $8::uuid)')},
${placedCte},
taken AS (${takenBy('rule_before', false)} UNION ALL ${takenBy('meter_rule', true)}),
told AS (
  SELECT index, ${upToThenAfter('1')} AS n, ${upToThenAfter('quantity')} AS q, ${upToThenAfter('content_hash')} AS h
  FROM taken WINDOW upto AS (PARTITION BY index ORDER BY position), whole AS (PARTITION BY index))
SELECT DISTINCT index
FROM told JOIN unnest($3::int[], $9::bigint[], $10::numeric[], $11::text[]) AS w (index, n, q, d) USING (index)
WHERE told.n = w.n AND told.q = w.q AND ${digestSql('told.h')} = w.d`;
