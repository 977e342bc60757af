/**
 * Generated SQL for usage by meter, window and group: specialised for the meters at hand, because an expression with
 * constants costs a fraction of one that reads meters as data. Property names and values are parameters, never text.
 */
import type { AggregatedMeter } from '../domain/metering/fold.js';
import { addsUp, type Meter, type MeterPool } from '../domain/metering/meter.js';
import type { MeteringPeriod } from '../domain/metering/window.js';
import type { GroupKey, Instant, Interval, Position } from '../domain/values.js';
import { countedSql, type CountedQuery, inForceOrOrdinarySql } from './backfills-sql.js';
import {
  countSql,
  digestSql,
  dimensionTextSql,
  exampleSql,
  scalarTextSql,
  smallWindows,
  type SqlParameters,
  type TimeCuts,
  valueSql,
  windowBounds,
  windowsBetween,
} from './aggregation-sql-fragments.js';

/** Which events: the state of one customer's events at a cutoff, within stretches of event time. */
export interface EventScope {
  readonly customerId: string;
  /** Disjoint, at least one. */
  readonly ranges: readonly Interval[];
  /** null: everything committed so far. Otherwise a safe horizon, now or in the past. */
  readonly cutoff: Position | null;
  /**
   * Whether the customer has any event adjustment at or below the cutoff, or a backfill that replaces (`isAdjustedSql`; `true`
   * is always right, only slower).
   */
  readonly adjusted: boolean;
}

/** Columns of `effectiveEvents`. */
const factColumns = `source, event_id, position, event_type, event_time, ingestion_time, content_hash, metadata,
      request_id, user_id, trace_id, backfill_id, schema_version`;

export interface EventsSql {
  /** For WITH; empty where none is needed. */
  readonly ctes: readonly string[];
  /** What stands after FROM, with the columns named as in telemetry_events. */
  readonly from: string;
}

/**
 * The state of a customer's events at a cutoff (DESIGN 3): events at or below it, each as its last adjustment at or below it
 * left it (void removes it; an amendment replaces type, time, metadata and hash and may so move it in or out of the
 * ranges), and of these what counts by the backfills in force (`countedSql`).
 * @param name ends the names of the CTEs, so that a statement can have several scopes
 */
export function effectiveEvents(params: SqlParameters, scope: EventScope, name = ''): EventsSql {
  const customer = params.add(scope.customerId, 'text');
  const cutoff = scope.cutoff === null ? null : params.add(scope.cutoff, 'bigint');
  const known = (alias: string): string => (cutoff === null ? 'true' : `${alias}.position <= ${cutoff}`);
  const ranges = scope.ranges.map(
    (range) => [params.add(range.from, 'timestamptz'), params.add(range.to, 'timestamptz')] as const,
  );
  const within = (time: string): string =>
    `(${ranges.map(([from, to]) => `${time} >= ${from} AND ${time} < ${to}`).join(' OR ')})`;
  const query = (time: string): CountedQuery => ({ customer, cutoff, time });
  const asStored = (counted: string): string => `SELECT ${factColumns} FROM telemetry_events e
    WHERE e.customer_id = ${customer} AND ${within('e.event_time')} AND ${known('e')} AND ${counted}`;
  if (!scope.adjusted) return { ctes: [], from: `(${asStored(inForceOrOrdinarySql(query('e.event_time')))}) AS e` };
  const adjusted = `adjusted${name} AS MATERIALIZED (
    SELECT DISTINCT ON (a.source, a.event_id) a.*
    FROM event_adjustments a WHERE a.customer_id = ${customer} AND ${known('a')}
    ORDER BY a.source, a.event_id, a.position DESC)`;
  const effective = `effective${name} AS (
    ${asStored(countedSql(query('e.event_time')))} AND NOT EXISTS (SELECT FROM adjusted${name} a WHERE a.source = e.source AND a.event_id = e.event_id)
    UNION ALL
    SELECT e.source, e.event_id, e.position, a.replacement_event_type, a.replacement_event_time, e.ingestion_time,
      a.replacement_content_hash, a.replacement_metadata, e.request_id, e.user_id, e.trace_id, e.backfill_id, e.schema_version
    FROM adjusted${name} a
    JOIN telemetry_events e ON e.customer_id = ${customer} AND e.source = a.source AND e.event_id = a.event_id
    WHERE a.type = 'amend' AND ${within('a.replacement_event_time')} AND ${known('e')} AND ${countedSql(query('a.replacement_event_time'))})`;
  return { ctes: [adjusted, effective], from: `effective${name} AS e` };
}

/** Meters that one scan can serve: same event type, filters, groups and stretch of time. */
interface MeterFamily {
  readonly eventType: string;
  readonly filters: Meter['filters'];
  readonly inForce: Interval | null;
  readonly pool: readonly string[];
  readonly meters: readonly Meter[];
}

/** What adds up keeps a scan of its own: sets and orders of values cost more, and keep parallel workers away. */
function familiesOf(pools: readonly MeterPool<AggregatedMeter>[]): readonly MeterFamily[] {
  const families = new Map<string, MeterFamily & { readonly meters: Meter[] }>();
  for (const { meter, by } of pools) {
    const { eventType, filters, inForce = null } = meter;
    const key = JSON.stringify([
      eventType,
      Object.entries(filters).sort(([a], [b]) => (a < b ? -1 : 1)),
      [...by].sort(),
      inForce,
      storedAsSum(meter),
    ]);
    const family = families.get(key);
    if (family === undefined) families.set(key, { eventType, filters, inForce, pool: by, meters: [meter] });
    else family.meters.push(meter);
  }
  return [...families.values()];
}

/** A `weighted_sum` is, by window, what its events change the level by. */
const storedAsSum = (meter: Meter): boolean => addsUp(meter) || meter.aggregation === 'weighted_sum';

/** Conditions under which a meter takes an event (`takesAt` in src/domain/metering/fold.ts). */
export function takesSql(
  params: SqlParameters,
  meter: Pick<AggregatedMeter, 'eventType' | 'filters' | 'inForce'>,
  metadata: string,
): string {
  const conditions = [`e.event_type = ${params.add(meter.eventType, 'text')}`];
  const { inForce } = meter;
  if (inForce !== undefined && inForce !== null) {
    const [from, to] = [params.add(inForce.from, 'timestamptz'), params.add(inForce.to, 'timestamptz')];
    conditions.push(`e.event_time >= ${from} AND e.event_time < ${to}`);
  }
  for (const [property, allowed] of Object.entries(meter.filters)) {
    conditions.push(`${dimensionTextSql(params, metadata, property)} = ANY (${params.add(allowed, 'text[]')})`);
  }
  return conditions.join(' AND ');
}

/** Condition under which the meter can read an event that it takes (`readingOf` in src/domain/metering/reading.ts). */
export function isReadSql(params: SqlParameters, meter: Meter, metadata: string): string {
  const { aggregation, valueProperty } = meter;
  if (valueProperty === null) return 'true';
  const property = params.add(valueProperty, 'text');
  if (aggregation === 'unique_count') return `(${scalarTextSql(metadata, property)}) IS NOT NULL`;
  const text = `(${metadata} ->> ${property})`;
  return `(${aggregation === 'count' ? countSql(text) : valueSql(text)}) IS NOT NULL`;
}

/** Condition under which an event belongs to a (pricing) group of its meter. */
export function inGroupSql(params: SqlParameters, group: GroupKey, metadata: string): string {
  const conditions = Object.entries(group).map(
    ([property, text]) =>
      `${dimensionTextSql(params, metadata, property)} IS NOT DISTINCT FROM ${params.add(text, 'text')}`,
  );
  return conditions.length === 0 ? 'true' : conditions.join(' AND ');
}

export interface UsageSql {
  readonly ctes: readonly string[];
  /**
   * One row a meter, window and group: meter_id, code, window_start, window_end, group_key, quantity, event_count, digest,
   * unreadable (events whose value is missing or not a decimal: in none of the other figures), unreadable_example
   * (`exampleSql`).
   */
  readonly select: string;
}

/**
 * Usage by the smallest windows of a period, of a `weighted_sum` the change of its level (`aggregate` in
 * src/domain/metering/fold.ts). The scope must lie within the period.
 */
export function usageSql(
  params: SqlParameters,
  query: {
    readonly meters: readonly AggregatedMeter[];
    readonly period: MeteringPeriod;
    readonly scope: EventScope;
  },
): UsageSql {
  // A parameter that no statement uses has no type.
  if (query.meters.length === 0) return { ctes: [], select: nothing };
  const { ctes, from } = effectiveEvents(params, query.scope);
  const cuts = smallWindows(windowBounds(params, query.period));
  const pools = query.meters.map((meter) => ({ meter, by: meter.groupBy }));
  const selects = familiesOf(pools).map((family) => familySelect(params, family, { from, cuts }));
  return { ctes, select: selects.join('\nUNION ALL\n') };
}

/**
 * Sets of events between consecutive bounds, by the groups of each pool; for meters of any aggregation but `weighted_sum`,
 * which looks beyond the first bound (`usageBetween` in src/domain/metering/period-usage.ts). The scope must lie within
 * the bounds.
 * @param name of the CTE, so that a statement can have several
 */
export function setsBetweenSql(
  params: SqlParameters,
  query: {
    readonly pools: readonly MeterPool<AggregatedMeter>[];
    readonly bounds: readonly Instant[];
    readonly scope: EventScope;
    readonly name: string;
  },
): UsageSql {
  if (query.pools.length === 0) return { ctes: [], select: nothing };
  const { ctes, from } = effectiveEvents(params, query.scope, query.name);
  const cuts = windowsBetween(params.add(query.bounds, 'timestamptz[]'));
  const selects = familiesOf(query.pools).map((family) => familySelect(params, family, { from, cuts }));
  return { ctes, select: selects.join('\nUNION ALL\n') };
}

const nothing = `SELECT NULL::uuid AS meter_id, NULL::text AS code, NULL::timestamptz AS window_start, NULL::timestamptz AS window_end,
  NULL::jsonb AS group_key, NULL::numeric AS quantity, NULL::bigint AS event_count, NULL::text AS digest,
  NULL::bigint AS unreadable, NULL::text AS unreadable_example WHERE false`;

/**
 * Keeps an inner query apart: merged into the outer one, each property would be looked up for every use of its text and each
 * text read for every aggregate. A plain `OFFSET 0` (an int still to be converted) would keep it out of parallel workers.
 */
export const apart = `OFFSET bigint '0'`;

/** One property as some meters of a family read it. */
interface ReadProperty {
  readonly name: string;
  readonly text: string;
  readonly value: string;
}

/** What is read of each event for a family's meters, each property once a kind. */
class ReadProperties {
  private readonly byKey = new Map<string, ReadProperty>();

  constructor(private readonly params: SqlParameters) {}

  get all(): readonly ReadProperty[] {
    return [...this.byKey.values()];
  }

  /** null: the meter reads nothing, each event is one. */
  of({ aggregation, valueProperty }: Meter): ReadProperty | null {
    if (valueProperty === null) return null;
    const kind = aggregation === 'count' || aggregation === 'unique_count' ? aggregation : 'value';
    const key = JSON.stringify([kind, valueProperty]);
    const known = this.byKey.get(key);
    if (known !== undefined) return known;
    const property = this.params.add(valueProperty, 'text');
    const name = `v${this.byKey.size}`;
    const read = {
      name,
      text: kind === 'unique_count' ? scalarTextSql('e.metadata', property) : `e.metadata ->> ${property}`,
      value: { count: countSql, unique_count: (text: string) => text, value: valueSql }[kind](`t_${name}`),
    };
    this.byKey.set(key, read);
    return read;
  }
}

/** The aggregate over the readings of a window and group (src/domain/metering/reduce.ts). */
function aggregateSql({ aggregation }: Meter, { name }: ReadProperty): string {
  switch (aggregation) {
    case 'min':
    case 'max':
      return `${aggregation}(${name})`;
    case 'unique_count':
      return `count(DISTINCT ${name} COLLATE "C")::numeric`;
    case 'latest':
      return `(array_agg(${name} ORDER BY event_time DESC, event_id COLLATE "C" DESC, source COLLATE "C" DESC)
        FILTER (WHERE ${name} IS NOT NULL))[1]`;
    case 'count':
    case 'sum':
    case 'weighted_sum':
      return `sum(${name})`;
  }
}

function familySelect(
  params: SqlParameters,
  family: MeterFamily,
  source: { readonly from: string; readonly cuts: TimeCuts },
): string {
  const groups = groupColumns(params, family.pool);
  const reads = new ReadProperties(params);
  const figures: string[] = [];
  const quantities = new Map<string, string>();
  for (const meter of family.meters) {
    const read = reads.of(meter);
    const ids = `${params.add(meter.meterId, 'uuid')}, ${params.add(meter.code, 'text')}`;
    if (read === null) {
      figures.push(`(${ids}, n::numeric, n, h, 0::bigint, NULL::text)`);
      continue;
    }
    const { name } = read;
    const aggregated = aggregateSql(meter, read);
    const quantity = quantities.get(aggregated) ?? `q${quantities.size}`;
    quantities.set(aggregated, quantity);
    figures.push(`(${ids}, ${quantity}, n_${name}, h_${name}, n - n_${name}, x_${name})`);
  }
  const isOrdered = family.meters.some(({ aggregation }) => aggregation === 'latest');
  const parts = [
    `${source.cuts.startOf('e.event_time')} AS w, e.content_hash, e.event_id${reads.all.length > 0 ? ', e.source' : ''}${isOrdered ? ', e.event_time' : ''}`,
    ...groups.map(({ name, text }) => `${text} AS ${name}`),
    ...reads.all.map(({ name, text }) => `${text} AS t_${name}`),
  ];
  const facts = `SELECT ${parts.join(', ')} FROM ${source.from} WHERE ${takesSql(params, family, 'e.metadata')} ${apart}`;
  const values = reads.all.map(({ name, value }) => `${value} AS ${name}`);
  const readFacts = values.length === 0 ? facts : `SELECT e.*, ${values.join(', ')} FROM (${facts}) AS e ${apart}`;
  const aggregates = [
    'count(*) AS n, sum(content_hash) AS h',
    ...[...quantities].map(([aggregated, name]) => `${aggregated} AS ${name}`),
    ...reads.all.map(
      ({ name }) => `count(${name}) AS n_${name}, sum(content_hash) FILTER (WHERE ${name} IS NOT NULL) AS h_${name},
        ${exampleSql} FILTER (WHERE ${name} IS NULL) AS x_${name}`,
    ),
  ];
  return `SELECT m.meter_id, m.code, f.w AS window_start, ${source.cuts.endOf('f.w')} AS window_end,
      ${groupKeySql(groups)} AS group_key, coalesce(m.quantity, 0) AS quantity, m.event_count,
      ${digestSql('coalesce(m.hashes, 0)')} AS digest, m.unreadable, m.unreadable_example
    FROM (
      SELECT w, ${[...groups.map(({ name }) => name), ...aggregates].join(', ')}
      FROM (${readFacts}) AS e
      GROUP BY ${['w', ...groups.map(({ name }) => name)].join(', ')}
    ) AS f
    CROSS JOIN LATERAL (VALUES ${figures.join(', ')}) AS m (meter_id, code, quantity, event_count, hashes, unreadable, unreadable_example)`;
}

/** A property that usage is grouped by: its name as a parameter, its text, and the name of the column. */
export interface GroupColumn {
  readonly name: string;
  readonly property: string;
  readonly text: string;
}

export function groupColumns(params: SqlParameters, groupBy: readonly string[]): readonly GroupColumn[] {
  return groupBy.map((property, i) => ({
    name: `g${i}`,
    property: params.add(property, 'text'),
    text: dimensionTextSql(params, 'e.metadata', property),
  }));
}

export function groupKeySql(groups: readonly GroupColumn[]): string {
  return `jsonb_build_object(${groups.map(({ name, property }) => `${property}, ${name}`).join(', ')})`;
}

/** A WITH clause of these, or nothing. */
export function withSql(ctes: readonly string[]): string {
  return ctes.length === 0 ? '' : `WITH ${ctes.join(',\n')}`;
}
