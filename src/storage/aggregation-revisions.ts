/** Appends revisions of windows: from the raw facts at a cutoff, in one statement. */
import { createHash } from 'node:crypto';
import type pg from 'pg';
import { invariant } from '../domain/failure.js';
import { emptyDigest } from '../domain/metering/digest.js';
import type { Meter } from '../domain/metering/meter.js';
import type { Interval, Position } from '../domain/values.js';
import type { MeteringContext } from './aggregation-meters.js';
import { usageSql, withSql } from './aggregation-sql.js';
import { SqlParameters } from './aggregation-sql-fragments.js';
import { planForValues } from './gate-lock.js';
import type { BillingPeriod, OpenWindow } from './types.js';

export interface RevisionRequest extends MeteringContext {
  readonly period: BillingPeriod;
  /** null: every window of the period. */
  readonly windows: readonly OpenWindow[] | null;
  /** The period is known to have so few events that any plan aggregates them quickly. */
  readonly small: boolean;
  readonly cutoff: Position;
  readonly accumulatedThrough: Position | null;
  /** false: windows may still be filling; closing them later appends a final revision even where nothing changed. */
  readonly final: boolean;
}

export interface RevisionResult {
  readonly revisions: number;
  /** Events of the windows that a meter takes and whose value is missing or not a decimal (RULES 10). */
  readonly unreadable: readonly { readonly meter: string; readonly count: number; readonly example: string }[];
}

interface ResultRow {
  readonly revisions: string;
  readonly unreadable: RevisionResult['unreadable'] | null;
  readonly latest_cutoff: Position | null;
}

/**
 * Aggregates the windows at the cutoff and appends a revision where quantity, count or digest differs from the latest;
 * a window that has lost all its events gets a revision of zero. The caller holds the lock of (customer, period), and
 * the cutoff was taken under it.
 */
export async function appendRevisions(client: pg.PoolClient, request: RevisionRequest): Promise<RevisionResult> {
  const meters = metersOf(request);
  const ranges = rangesOf(request);
  if (meters.length === 0 || ranges.length === 0) return { revisions: 0, unreadable: [] };
  const { text, values } = revisionSql(request, { meters, ranges });
  // One text for all customers with the same meters; lists of windows would make a new one nearly every time.
  const reusable = request.small && request.windows === null;
  if (!reusable) await planForValues(client);
  const { rows } = await client.query<ResultRow>({
    ...(reusable ? { name: statementName(text) } : {}),
    text,
    values: [...values],
  });
  const [row] = rows;
  invariant(row !== undefined, 'appending revisions answers with one row');
  invariant(
    row.latest_cutoff === null || BigInt(row.latest_cutoff) <= BigInt(request.cutoff),
    `a window of ${request.period.customerId} ${request.period.period} was closed at ${row.latest_cutoff ?? ''}, beyond the cutoff ${request.cutoff}`,
  );
  return { revisions: Number(row.revisions), unreadable: row.unreadable ?? [] };
}

function statementName(text: string): string {
  return `revisions-${createHash('sha256').update(text).digest('hex').slice(0, 32)}`;
}

function metersOf({ meters, windows }: RevisionRequest): readonly Meter[] {
  if (windows === null) return meters;
  const codes = new Set(windows.map((window) => window.meter));
  return meters.filter((meter) => codes.has(meter.code));
}

/** Stretches of event time to read; more than this many become one, whose other windows are read and passed over. */
const rangesMax = 24;

function rangesOf({ period, windows }: RevisionRequest): readonly Interval[] {
  if (windows === null) return [period];
  const merged: { from: Interval['from']; to: Interval['to'] }[] = [];
  for (const { windowStart, windowEnd } of [...windows].sort((a, b) => (a.windowStart < b.windowStart ? -1 : 1))) {
    const from = windowStart < period.from ? period.from : windowStart;
    const to = windowEnd > period.to ? period.to : windowEnd;
    const last = merged.at(-1);
    if (from >= to) continue;
    if (last !== undefined && from <= last.to) last.to = to > last.to ? to : last.to;
    else merged.push({ from, to });
  }
  const [first, last] = [merged[0], merged.at(-1)];
  return merged.length > rangesMax && first !== undefined && last !== undefined
    ? [{ from: first.from, to: last.to }]
    : merged;
}

function revisionSql(
  { period, windows, cutoff, accumulatedThrough, adjusted, final }: RevisionRequest,
  { meters, ranges }: { meters: readonly Meter[]; ranges: readonly Interval[] },
): { text: string; values: readonly unknown[] } {
  const params = new SqlParameters();
  const { customerId } = period;
  const usage = usageSql(params, { meters, period, scope: { customerId, ranges, cutoff, adjusted } });
  const customer = params.add(customerId, 'text');
  const name = params.add(period.period, 'date');
  const ids = new Map(meters.map((meter) => [meter.code, meter.meterId]));
  const asked = windows?.filter((window) => ids.has(window.meter)) ?? null;
  const wanted =
    asked === null
      ? `meter_id = ANY (${params.add([...ids.values()], 'uuid[]')})`
      : `(meter_id, window_start) IN (SELECT * FROM unnest(
          ${params.add(
            asked.map((window) => ids.get(window.meter)),
            'uuid[]',
          )}, ${params.add(
            asked.map((window) => window.windowStart),
            'timestamptz[]',
          )}))`;
  const ctes = [
    ...usage.ctes,
    `fresh AS MATERIALIZED (SELECT * FROM (${usage.select}) AS u WHERE ${wanted})`,
    `latest AS MATERIALIZED (
      SELECT DISTINCT ON (meter_id, window_start, group_key)
        meter_id, window_start, window_end, group_key, revision, quantity, event_count, digest, cutoff_position, is_final
      FROM aggregated_usage WHERE customer_id = ${customer} AND period = ${name} AND ${wanted}
      ORDER BY meter_id, window_start, group_key, revision DESC)`,
    `changed AS (
      SELECT meter_id, window_start, coalesce(f.window_end, l.window_end) AS window_end, group_key,
        coalesce(l.revision, 0) + 1 AS revision, coalesce(f.quantity, 0) AS quantity, coalesce(f.event_count, 0) AS event_count,
        coalesce(f.digest, '${emptyDigest}') AS digest
      FROM (SELECT * FROM fresh WHERE event_count > 0) AS f FULL JOIN latest AS l USING (meter_id, window_start, group_key)
      WHERE (coalesce(f.quantity, 0), coalesce(f.event_count, 0), coalesce(f.digest, '${emptyDigest}'))
        IS DISTINCT FROM (coalesce(l.quantity, 0), coalesce(l.event_count, 0), coalesce(l.digest, '${emptyDigest}'))${final ? ' OR NOT l.is_final' : ''})`,
    `appended AS (
      INSERT INTO aggregated_usage (aggregation_id, customer_id, period, meter_id, window_start, window_end, group_key, revision,
        quantity, event_count, digest, cutoff_position, accumulated_position, is_final)
      SELECT ${revisionIdSql(customer, name)}, ${customer}, ${name}, meter_id, window_start, window_end, group_key, revision,
        quantity, event_count, digest, ${params.add(cutoff, 'bigint')}, ${params.add(accumulatedThrough, 'bigint')}, ${final}
      FROM changed RETURNING 1)`,
  ];
  const text = `${withSql(ctes)}
    SELECT (SELECT count(*) FROM appended) AS revisions, (SELECT max(cutoff_position) FROM latest) AS latest_cutoff,
      (SELECT jsonb_agg(x) FROM (
        SELECT code AS meter, sum(unreadable)::int AS count, min(unreadable_example) AS example
        FROM fresh WHERE unreadable > 0 GROUP BY code ORDER BY code) AS x) AS unreadable`;
  return { text, values: params.values };
}

/**
 * A name-based UUID (version 8 with SHA-256, RFC 9562 appendix B.2) of the window's key and revision: so that rows need not
 * travel to Node for their ids. Postgres has no SHA-1, which version 5 would take, without an extension.
 */
function revisionIdSql(customer: string, period: string): string {
  const key = `jsonb_build_array('aggregated-usage', ${customer}, ${period}, meter_id, extract(epoch FROM window_start), group_key, revision)`;
  const hex = `left(encode(sha256(convert_to(${key}::text, 'UTF8')), 'hex'), 32)`;
  return `overlay(overlay(${hex} PLACING '8' FROM 13 FOR 1) PLACING '8' FROM 17 FOR 1)::uuid`;
}
