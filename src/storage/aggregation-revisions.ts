/** Appends revisions of windows: from the raw facts at a cutoff. */
import { createHash } from 'node:crypto';
import type pg from 'pg';
import { invariant } from '../domain/failure.js';
import { groupBy } from '../domain/group-by.js';
import { emptyDigest } from '../domain/metering/digest.js';
import type { MeterInForce } from '../domain/metering/meter-versions.js';
import type { Interval, Position } from '../domain/values.js';
import { metersWithEvents } from './aggregation-event-types.js';
import type { MeteringContext } from './aggregation-meters.js';
import { type EventScope, usageSql, withSql } from './aggregation-sql.js';
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

interface ChangedRow extends ResultRow {
  /** JSON text of the first `changedMax` changed windows; null without any. */
  readonly changed: string | null;
}

/** So many changed windows travel through Node; more would be too much memory, and stay in the database. */
const changedMax = 10_000;

/**
 * Aggregates the windows at the cutoff and appends a revision where quantity, count or digest differs from the latest;
 * a window that has lost all its events gets a revision of zero. The caller holds the lock of (customer, period), and
 * the cutoff was taken under it.
 *
 * A statement that writes may not run in parallel workers. So where there may be many events, one statement finds what
 * changed, and another, under the same lock, appends it. A few are aggregated and appended in one round trip.
 */
export async function appendRevisions(client: pg.PoolClient, request: RevisionRequest): Promise<RevisionResult> {
  const meters = metersOf(request);
  const ranges = rangesOf(request);
  if (meters.length === 0 || ranges.length === 0) return { revisions: 0, unreadable: [] };
  const { period, cutoff, adjusted } = request;
  const scope = { customerId: period.customerId, ranges, cutoff, adjusted };
  // One text for all customers with the same meters; lists of windows would make a new one nearly every time.
  const reusable = request.small && request.windows === null;
  if (!reusable) await planForValues(client);
  const taking = await metersWithEvents(client, meters, scope);
  const row = await (reusable ? appendAtOnce : findThenAppend)(client, request, { meters, taking, scope });
  invariant(
    row.latest_cutoff === null || BigInt(row.latest_cutoff) <= BigInt(cutoff),
    `a window of ${period.customerId} ${period.period} was closed at ${row.latest_cutoff ?? ''}, beyond the cutoff ${cutoff}`,
  );
  return { revisions: Number(row.revisions), unreadable: row.unreadable ?? [] };
}

interface ToRead {
  readonly meters: readonly MeterInForce[];
  /** Those of them that may take an event of the scope; windows of the others can only have lost theirs. */
  readonly taking: readonly MeterInForce[];
  readonly scope: EventScope;
}

async function appendAtOnce(client: pg.PoolClient, request: RevisionRequest, what: ToRead): Promise<ResultRow> {
  const { text, values } = appendSql(request, what);
  // Sets of event types are as many as customers, and a name stays for as long as the connection.
  const name = what.taking.length === what.meters.length ? statementName(text) : undefined;
  return onlyRow(await client.query<ResultRow>({ ...(name !== undefined && { name }), text, values: [...values] }));
}

async function findThenAppend(client: pg.PoolClient, request: RevisionRequest, what: ToRead): Promise<ResultRow> {
  const find = findSql(request, what);
  const found = onlyRow(await client.query<ChangedRow>(find.text, [...find.values]));
  if (found.changed === null) return found;
  if (Number(found.revisions) > changedMax) {
    const { text, values } = appendSql(request, what);
    return onlyRow(await client.query<ResultRow>(text, [...values]));
  }
  const append = appendFoundSql(request, found.changed);
  const { rowCount } = await client.query(append.text, [...append.values]);
  invariant(rowCount === Number(found.revisions), `${found.revisions} windows changed, ${rowCount} revisions appended`);
  return found;
}

function onlyRow<T>({ rows }: { readonly rows: readonly T[] }): T {
  const [row] = rows;
  invariant(row !== undefined, 'appending revisions answers with one row');
  return row;
}

/** One name for one text: the statement is planned once a connection. */
export function statementName(text: string): string {
  return `revisions-${createHash('sha256').update(text).digest('hex').slice(0, 32)}`;
}

function metersOf({ meters, windows }: RevisionRequest): readonly MeterInForce[] {
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

interface Sql {
  readonly text: string;
  readonly values: readonly unknown[];
}

function appendSql(request: RevisionRequest, what: ToRead): Sql {
  const params = new SqlParameters();
  const key = keyOf(params, request);
  const ctes = [
    ...changedCtes(params, { request, what, key }),
    `appended AS (${insertSql(params, request, { key, from: 'changed' })} RETURNING 1)`,
  ];
  const text = `${withSql(ctes)} SELECT (SELECT count(*) FROM appended) AS revisions, ${findings}`;
  return { text, values: params.values };
}

function findSql(request: RevisionRequest, what: ToRead): Sql {
  const params = new SqlParameters();
  const ctes = changedCtes(params, { request, what, key: keyOf(params, request) });
  const text = `${withSql(ctes)} SELECT (SELECT count(*) FROM changed) AS revisions,
      (SELECT jsonb_agg(c)::text FROM (SELECT * FROM changed LIMIT ${changedMax}) AS c) AS changed, ${findings}`;
  return { text, values: params.values };
}

/** Timestamps and numerics survive JSON in Postgres to the last digit. */
function appendFoundSql(request: RevisionRequest, changed: string): Sql {
  const params = new SqlParameters();
  const from = `jsonb_to_recordset(${params.add(changed, 'jsonb')}) AS c (meter_id uuid, window_start timestamptz,
    window_end timestamptz, group_key jsonb, revision int, quantity numeric, event_count bigint, digest text)`;
  return { text: insertSql(params, request, { key: keyOf(params, request), from }), values: params.values };
}

/** Placeholders of the period's key. */
interface KeySql {
  readonly customer: string;
  readonly period: string;
}

function keyOf(params: SqlParameters, { period }: RevisionRequest): KeySql {
  return { customer: params.add(period.customerId, 'text'), period: params.add(period.period, 'date') };
}

/** CTEs `fresh`, `latest` and, with what a revision says of a window, `changed`. */
function changedCtes(
  params: SqlParameters,
  { request, what, key }: { readonly request: RevisionRequest; readonly what: ToRead; readonly key: KeySql },
): readonly string[] {
  const { period, windows, final } = request;
  const { meters, taking, scope } = what;
  const usage = usageSql(params, { meters: taking, period, scope });
  const versions = groupBy(meters, ({ code }) => code);
  const asked =
    windows?.flatMap(({ meter, windowStart }) =>
      (versions.get(meter) ?? []).map(({ meterId }) => ({ meterId, windowStart })),
    ) ?? null;
  const wanted =
    asked === null
      ? `meter_id = ANY (${params.add(
          meters.map(({ meterId }) => meterId),
          'uuid[]',
        )})`
      : `(meter_id, window_start) IN (SELECT * FROM unnest(
          ${params.add(
            asked.map(({ meterId }) => meterId),
            'uuid[]',
          )}, ${params.add(
            asked.map(({ windowStart }) => windowStart),
            'timestamptz[]',
          )}))`;
  return [
    ...usage.ctes,
    `fresh AS MATERIALIZED (SELECT * FROM (${usage.select}) AS u WHERE ${wanted})`,
    `latest AS MATERIALIZED (
      SELECT DISTINCT ON (meter_id, window_start, group_key)
        meter_id, window_start, window_end, group_key, revision, quantity, event_count, digest, cutoff_position, is_final
      FROM aggregated_usage WHERE customer_id = ${key.customer} AND period = ${key.period} AND ${wanted}
      ORDER BY meter_id, window_start, group_key, revision DESC)`,
    `changed AS (
      SELECT meter_id, window_start, coalesce(f.window_end, l.window_end) AS window_end, group_key,
        coalesce(l.revision, 0) + 1 AS revision, coalesce(f.quantity, 0) AS quantity, coalesce(f.event_count, 0) AS event_count,
        coalesce(f.digest, '${emptyDigest}') AS digest
      FROM (SELECT * FROM fresh WHERE event_count > 0) AS f FULL JOIN latest AS l USING (meter_id, window_start, group_key)
      WHERE (coalesce(f.quantity, 0), coalesce(f.event_count, 0), coalesce(f.digest, '${emptyDigest}'))
        IS DISTINCT FROM (coalesce(l.quantity, 0), coalesce(l.event_count, 0), coalesce(l.digest, '${emptyDigest}'))${final ? ' OR NOT l.is_final' : ''})`,
  ];
}

/** Output columns on top of the CTEs, besides `revisions`. */
const findings = `(SELECT max(cutoff_position) FROM latest) AS latest_cutoff,
      (SELECT jsonb_agg(x) FROM (
        SELECT code AS meter, sum(unreadable)::int AS count, min(unreadable_example) AS example
        FROM fresh WHERE unreadable > 0 GROUP BY code ORDER BY code) AS x) AS unreadable`;

function insertSql(
  params: SqlParameters,
  { cutoff, accumulatedThrough, final }: RevisionRequest,
  { key: { customer, period }, from }: { readonly key: KeySql; readonly from: string },
): string {
  return `INSERT INTO aggregated_usage (aggregation_id, customer_id, period, meter_id, window_start, window_end, group_key, revision,
        quantity, event_count, digest, cutoff_position, accumulated_position, is_final)
      SELECT ${revisionIdSql(customer, period)}, ${customer}, ${period}, meter_id, window_start, window_end, group_key, revision,
        quantity, event_count, digest, ${params.add(cutoff, 'bigint')}, ${params.add(accumulatedThrough, 'bigint')}, ${final}
      FROM ${from}`;
}

function revisionIdSql(customer: string, period: string): string {
  return nameBasedIdSql(
    `jsonb_build_array('aggregated-usage', ${customer}, ${period}, meter_id, extract(epoch FROM window_start), group_key, revision)`,
  );
}

/**
 * A name-based UUID (version 8 with SHA-256, RFC 9562 appendix B.2) of the window's key and revision: so that rows need not
 * travel to Node for their ids. Postgres has no SHA-1, which version 5 would take, without an extension.
 */
export function nameBasedIdSql(key: string): string {
  const hex = `left(encode(sha256(convert_to(${key}::text, 'UTF8')), 'hex'), 32)`;
  return `overlay(overlay(${hex} PLACING '8' FROM 13 FOR 1) PLACING '8' FROM 17 FOR 1)::uuid`;
}
