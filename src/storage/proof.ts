/**
 * Reads of the stages that a proof holds against each other, each from its own rows and nothing else: raw events through the
 * generated SQL of aggregation, aggregates from their revisions, charges, journal entries.
 */
import { addDecimals } from '../domain/decimal.js';
import { groupBy } from '../domain/group-by.js';
import { sumDigests } from '../domain/metering/digest.js';
import type { MeterPool, PeriodUsage } from '../domain/metering/meter.js';
import type { MeterInForce } from '../domain/metering/meter-versions.js';
import type { DecimalString, Digest, GroupKey, Instant, Position } from '../domain/values.js';
import { metersWithEvents } from './aggregation-event-types.js';
import { readMeters } from './aggregation-meters.js';
import {
  betweenSql,
  isUsageSql,
  periodUsageFromDb,
  type PeriodUsageRow,
  readPeriodUsage,
} from './aggregation-periods.js';
import { effectiveEvents, isReadSql, takesSql, usageSql, withSql } from './aggregation-sql.js';
import type { EventScope } from './aggregation-sql.js';
import { decimalSql, digestSql, digestValueSql, SqlParameters } from './aggregation-sql-fragments.js';
import { isAdjustedSql } from './backfills-sql.js';
import { readChain } from './chain.js';
import { readCharges } from './charges.js';
import type { Database } from './database.js';
import { eachEvent } from './events-in-order.js';
import { entryFromDb, type PostingRow, type StoredEntryRow } from './journal-mapping.js';
import type { BillingPeriod, EventCounts, FinalWindow, PeriodKeyOf, ProofStore, StageUsage } from './types.js';

export function createProofStore(db: Database): ProofStore {
  return {
    chain: (period) => readChain(db.pool, period),
    rawUsage: (period, meterIds, cutoff) => rawUsage(db, { period, meterIds, cutoff }),
    rawPeriodUsage: (period, pools, cutoff) => rawPeriodUsage(db, { period, pools, cutoff }),
    periodUsage: (period, pools, cutoff) => readPeriodUsage(db.pool, { period, pools, cutoff }),
    eachEvent: async (period, query, visit) => {
      const { meters, scope } = await rawContext(db, { period, ...query });
      const events = { period, meters, cutoff: query.cutoff, adjusted: scope.adjusted };
      await db.transaction((client) => eachEvent(client, events, visit), 'SET LOCAL jit = off;');
    },
    eventCounts: (period, meterIds, cutoff) => eventCounts(db, { period, meterIds, cutoff }),
    aggregatedUsage: (period, meterIds, cutoff) => aggregatedUsage(db, { period, meterIds, cutoff }),
    finalWindows: (period) => finalWindows(db, period),
    charges: (period, chargeIds) => readCharges(db.pool, period, chargeIds),
    entries: (invoiceIds) => entriesOf(db, invoiceIds),
  };
}

interface Query<Period> {
  readonly period: Period;
  readonly meterIds: readonly string[];
  /** A safe horizon, now or in the past. */
  readonly cutoff: Position;
}

/** What the statements over raw events need to know. */
async function rawContext(
  db: Database,
  { period, meterIds, cutoff }: Query<BillingPeriod>,
): Promise<{ readonly meters: readonly MeterInForce[]; readonly scope: EventScope }> {
  const meters = await readMeters(db.pool, meterIds, period);
  const { customerId } = period;
  return {
    meters,
    scope: { customerId, ranges: [period], cutoff, adjusted: await isAdjusted(db, customerId, cutoff) },
  };
}

async function isAdjusted(db: Database, customerId: string, cutoff: Position): Promise<boolean> {
  const { rows } = await db.pool.query<{ readonly adjusted: boolean }>({
    name: 'proof-adjusted',
    text: `SELECT ${isAdjustedSql('$1', '$2')} AS adjusted`,
    values: [customerId, cutoff],
  });
  return rows[0]?.adjusted ?? true;
}

/** Compiling such statements (JIT) never pays. */
async function readLarge<Row extends object>(
  db: Database,
  text: string,
  params: SqlParameters,
): Promise<readonly Row[]> {
  const { rows } = await db.transaction(
    (client) => client.query<Row>(text, [...params.values]),
    'SET LOCAL jit = off;',
  );
  return rows;
}

interface UsageRow {
  readonly meter: string;
  readonly group_key: GroupKey;
  readonly window_start: Instant;
  readonly window_end: Instant;
  readonly quantity: DecimalString;
  readonly event_count: string;
  readonly digest: Digest;
}

async function rawUsage(db: Database, query: Query<BillingPeriod>): ReturnType<ProofStore['rawUsage']> {
  const { meters, scope } = await rawContext(db, query);
  const params = new SqlParameters();
  const taking = await metersWithEvents(db.pool, meters, scope);
  const { ctes, select } = usageSql(params, { meters: taking, period: query.period, scope });
  const rows = await readLarge<UsageRow>(
    db,
    `${withSql(ctes)}
    SELECT u.code AS meter, u.group_key, u.window_start, u.window_end, ${decimalSql('u.quantity')} AS quantity, u.event_count, u.digest
    FROM (${select}) AS u WHERE u.event_count > 0 ORDER BY u.code, u.window_start, u.group_key`,
    params,
  );
  return rows.map((row) => ({
    ...stageUsageFromDb(row),
    group: row.group_key,
    windowStart: row.window_start,
    windowEnd: row.window_end,
  }));
}

async function rawPeriodUsage(
  db: Database,
  { period, pools, cutoff }: { period: BillingPeriod; pools: readonly MeterPool[]; cutoff: Position },
): Promise<readonly PeriodUsage[]> {
  if (pools.length === 0) return [];
  const { customerId } = period;
  const params = new SqlParameters();
  const scope = { customerId, cutoff, adjusted: await isAdjusted(db, customerId, cutoff) };
  const { ctes, select } = betweenSql(params, { pools, bounds: [period.from, period.to], scope, name: '' });
  const rows = await readLarge<PeriodUsageRow>(
    db,
    `${withSql(ctes)}
    SELECT u.code AS meter, u.group_key, ${decimalSql('u.quantity')} AS quantity, u.event_count, u.digest,
      ${decimalSql('u.closing_level')} AS closing_level
    FROM (${select}) AS u WHERE ${isUsageSql} ORDER BY u.code, u.group_key`,
    params,
  );
  return rows.map(periodUsageFromDb);
}

function stageUsageFromDb(row: Pick<UsageRow, 'meter' | 'quantity' | 'event_count' | 'digest'>): StageUsage {
  return { meter: row.meter, quantity: row.quantity, eventCount: Number(row.event_count), digest: row.digest };
}

interface CountRow {
  readonly meter: string;
  readonly stored: string;
  readonly voided: string;
  readonly filtered: string;
}

/** One pass over the events as they are, one over the voided ones; nothing is taken from aggregation but what a meter takes. */
async function eventCounts(db: Database, query: Query<BillingPeriod>): Promise<readonly EventCounts[]> {
  const { meters, scope } = await rawContext(db, query);
  if (meters.length === 0) return [];
  const params = new SqlParameters();
  const { ctes, from } = effectiveEvents(params, scope);
  const inner = meters.map(
    (meter, i) => `${ofTypeSql(params, meter)} AS type_${i}, CASE WHEN ${takesSql(params, meter, 'e.metadata')}
      THEN ${isReadSql(params, meter, 'e.metadata')} END AS taken_${i}`,
  );
  const outer = meters.map(
    (_, i) => `count(*) FILTER (WHERE type_${i}) AS stored_${i},
      count(*) FILTER (WHERE type_${i} AND taken_${i} IS NOT TRUE) AS filtered_${i}`,
  );
  const codes = meters.map((meter, i) => {
    const voided = scope.adjusted ? `(SELECT count(*) FROM voided e WHERE ${ofTypeSql(params, meter)})` : '0';
    return `(${params.add(meter.code, 'text')}, stored_${i}, ${voided}, filtered_${i})`;
  });
  const all = [...ctes, ...(scope.adjusted ? [voidedSql(params, query)] : [])];
  const rows = await readLarge<CountRow>(
    db,
    `${withSql(all)}
    SELECT m.meter, sum(m.live + m.voided) AS stored, sum(m.voided) AS voided, sum(m.filtered) AS filtered
    FROM (SELECT ${outer.join(', ')} FROM (SELECT ${inner.join(', ')} FROM ${from} OFFSET 0) AS e) AS c
    CROSS JOIN LATERAL (VALUES ${codes.join(', ')}) AS m (meter, live, voided, filtered) GROUP BY m.meter ORDER BY m.meter`,
    params,
  );
  return rows.map((row) => ({
    meter: row.meter,
    stored: Number(row.stored),
    voided: Number(row.voided),
    filtered: Number(row.filtered),
  }));
}

/** Condition under which an event is of the meter's type, within the stretch of time that this version of it counts. */
function ofTypeSql(params: SqlParameters, { eventType, inForce }: MeterInForce): string {
  return takesSql(params, { eventType, inForce, filters: {} }, 'e.metadata');
}

/** Events of the period that are void at the cutoff, by their original type and time. Follows the CTE `adjusted`. */
function voidedSql(params: SqlParameters, { period, cutoff }: Query<BillingPeriod>): string {
  const at = params.add(cutoff, 'bigint');
  return `voided AS (
    SELECT e.event_type, e.event_time FROM adjusted a
    JOIN telemetry_events e ON e.customer_id = a.customer_id AND e.source = a.source AND e.event_id = a.event_id
    WHERE a.type = 'void' AND e.event_time >= ${params.add(period.from, 'timestamptz')} AND e.event_time < ${params.add(period.to, 'timestamptz')}
      AND e.position <= ${at} AND (e.backfill_id IS NULL OR e.backfill_id IN (
        SELECT d.backfill_id FROM backfill_decisions d WHERE d.position <= ${at}
        GROUP BY d.backfill_id HAVING bool_or(d.decision = 'closed') AND NOT bool_or(d.decision = 'reverted'))))`;
}

async function aggregatedUsage(
  db: Database,
  { period, meterIds, cutoff }: Query<PeriodKeyOf>,
): Promise<readonly StageUsage[]> {
  const { rows } = await db.pool.query<UsageRow>({
    name: 'proof-aggregated',
    text: `SELECT m.code AS meter, ${decimalSql('sum(l.quantity)')} AS quantity, sum(l.event_count) AS event_count,
        ${digestSql(`sum(${digestValueSql('l.digest')})`)} AS digest
      FROM (
        SELECT DISTINCT ON (meter_id, window_start, group_key) meter_id, quantity, event_count, digest
        FROM aggregated_usage
        WHERE customer_id = $1 AND period = $2 AND meter_id = ANY ($3::uuid[]) AND cutoff_position <= $4
        ORDER BY meter_id, window_start, group_key, revision DESC) AS l
      JOIN meters m USING (meter_id) GROUP BY m.code ORDER BY m.code`,
    values: [period.customerId, period.period, meterIds, cutoff],
  });
  return rows.map(stageUsageFromDb);
}

interface FinalRow extends Omit<UsageRow, 'group_key'> {
  readonly meter_id: string;
  readonly cutoff_position: Position;
  readonly is_final: boolean;
}

/**
 * Groups of a window are closed together, but each has a revision only where it changed: the last one's cutoff is the window's.
 * Where a provisional rating has brought some group further, the window is filling again.
 */
async function finalWindows(db: Database, { customerId, period }: PeriodKeyOf): Promise<readonly FinalWindow[]> {
  const { rows } = await db.pool.query<FinalRow>({
    name: 'proof-final-windows',
    text: `SELECT l.meter_id, m.code AS meter, l.window_start, l.window_end, ${decimalSql('l.quantity')} AS quantity,
        l.event_count, l.digest, l.cutoff_position, l.is_final
      FROM (
        SELECT DISTINCT ON (meter_id, window_start, group_key) *
        FROM aggregated_usage WHERE customer_id = $1 AND period = $2
        ORDER BY meter_id, window_start, group_key, revision DESC) AS l
      JOIN meters m USING (meter_id) ORDER BY m.code, l.window_start`,
    values: [customerId, period],
  });
  const byWindow = groupBy(rows, (row) => `${row.meter_id} ${row.window_start}`);
  return [...byWindow.values()].flatMap((groups) => {
    const [first] = groups;
    if (first === undefined || groups.some((row) => !row.is_final)) return [];
    return {
      meterId: first.meter_id,
      meter: first.meter,
      windowStart: first.window_start,
      windowEnd: first.window_end,
      quantity: addDecimals(groups.map(({ quantity }) => quantity)),
      eventCount: groups.reduce((sum, row) => sum + Number(row.event_count), 0),
      digest: sumDigests(groups.map(({ digest }) => digest)),
      cutoff: groups.map((row) => row.cutoff_position).reduce((a, b) => (BigInt(a) < BigInt(b) ? b : a)),
    };
  });
}

async function entriesOf(db: Database, invoiceIds: readonly string[]): ReturnType<ProofStore['entries']> {
  if (invoiceIds.length === 0) return [];
  const { rows } = await db.pool.query<StoredEntryRow>({
    name: 'proof-entries',
    text: 'SELECT * FROM journal_entries WHERE invoice_id = ANY ($1::uuid[]) ORDER BY entry_order',
    values: [invoiceIds],
  });
  const postings = await db.pool.query<PostingRow>({
    name: 'proof-postings',
    text: 'SELECT * FROM postings WHERE entry_id = ANY ($1::uuid[]) ORDER BY entry_id, posting_number',
    values: [rows.map((row) => row.entry_id)],
  });
  const byEntry = groupBy(postings.rows, (row) => row.entry_id);
  return rows.map((row) => entryFromDb(row, byEntry.get(row.entry_id) ?? []));
}
