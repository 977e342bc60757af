/**
 * Generated SQL for usage by meter, window and group: specialised for the meters at hand, because an expression with
 * constants costs a fraction of one that reads meters as data. Property names and values are parameters, never text.
 */
import type { Meter } from '../domain/metering/meter.js';
import type { MeteringPeriod } from '../domain/metering/window.js';
import type { GroupKey, Interval, Position } from '../domain/values.js';
import {
  digestSql,
  scalarTextSql,
  type SqlParameters,
  valueSql,
  type WindowBounds,
  windowBounds,
  windowEndSql,
  windowStartSql,
} from './aggregation-sql-fragments.js';

/** Which events: the state of one customer's events at a cutoff, within stretches of event time. */
export interface EventScope {
  readonly customerId: string;
  /** Disjoint, at least one. */
  readonly ranges: readonly Interval[];
  /** null: everything committed so far. Otherwise a safe horizon, now or in the past. */
  readonly cutoff: Position | null;
  /** Whether the customer has any event adjustment at or below the cutoff (`true` is always right, only slower). */
  readonly adjusted: boolean;
}

/** Columns of `effectiveEvents`. */
const factColumns = `source, event_id, position, event_type, event_time, ingestion_time, content_hash, metadata,
      request_id, user_id, trace_id`;

export interface EventsSql {
  /** For WITH; empty where none is needed. */
  readonly ctes: readonly string[];
  /** What stands after FROM, with the columns named as in telemetry_events. */
  readonly from: string;
}

/**
 * The state of a customer's events at a cutoff (DESIGN 3): events at or below it, each as its last adjustment at or below it
 * left it (void removes it; an amendment replaces type, time, metadata and hash and may so move it in or out of the
 * ranges), rows of a backfill only while it is closed and not reverted.
 */
export function effectiveEvents(params: SqlParameters, scope: EventScope): EventsSql {
  const customer = params.add(scope.customerId, 'text');
  const cutoff = scope.cutoff === null ? null : params.add(scope.cutoff, 'bigint');
  const known = (alias: string): string => (cutoff === null ? 'true' : `${alias}.position <= ${cutoff}`);
  const ranges = scope.ranges.map(
    (range) => [params.add(range.from, 'timestamptz'), params.add(range.to, 'timestamptz')] as const,
  );
  const within = (time: string): string =>
    `(${ranges.map(([from, to]) => `${time} >= ${from} AND ${time} < ${to}`).join(' OR ')})`;
  // Ordinary events have no backfill, so the subquery runs only for rows of one. A backfill that replaces what is there
  // (mode 'replace') would be a further condition on the other events here.
  const counted = `(e.backfill_id IS NULL OR e.backfill_id IN (
      SELECT d.backfill_id FROM backfill_decisions d WHERE ${known('d')}
      GROUP BY d.backfill_id HAVING bool_or(d.decision = 'closed') AND NOT bool_or(d.decision = 'reverted')))`;
  const asStored = `SELECT ${factColumns} FROM telemetry_events e
    WHERE e.customer_id = ${customer} AND ${within('e.event_time')} AND ${known('e')} AND ${counted}`;
  if (!scope.adjusted) return { ctes: [], from: `(${asStored}) AS e` };
  const adjusted = `adjusted AS MATERIALIZED (
    SELECT DISTINCT ON (a.source, a.event_id) a.*
    FROM event_adjustments a WHERE a.customer_id = ${customer} AND ${known('a')}
    ORDER BY a.source, a.event_id, a.position DESC)`;
  const effective = `effective AS (
    ${asStored} AND NOT EXISTS (SELECT FROM adjusted a WHERE a.source = e.source AND a.event_id = e.event_id)
    UNION ALL
    SELECT e.source, e.event_id, e.position, a.replacement_event_type, a.replacement_event_time, e.ingestion_time,
      a.replacement_content_hash, a.replacement_metadata, e.request_id, e.user_id, e.trace_id
    FROM adjusted a
    JOIN telemetry_events e ON e.customer_id = ${customer} AND e.source = a.source AND e.event_id = a.event_id
    WHERE a.type = 'amend' AND ${within('a.replacement_event_time')} AND ${known('e')} AND ${counted})`;
  return { ctes: [adjusted, effective], from: 'effective AS e' };
}

/** Meters that one scan can serve: same event type, filters and groups. */
interface MeterFamily {
  readonly eventType: string;
  readonly filters: Meter['filters'];
  readonly groupBy: readonly string[];
  readonly meters: readonly Meter[];
}

function familiesOf(meters: readonly Meter[]): readonly MeterFamily[] {
  const families = new Map<string, { -readonly [K in keyof MeterFamily]: MeterFamily[K] } & { meters: Meter[] }>();
  for (const meter of meters) {
    const { eventType, filters, groupBy } = meter;
    const key = JSON.stringify([
      eventType,
      Object.entries(filters).sort(([a], [b]) => (a < b ? -1 : 1)),
      [...groupBy].sort(),
    ]);
    const family = families.get(key);
    if (family === undefined) families.set(key, { eventType, filters, groupBy, meters: [meter] });
    else family.meters.push(meter);
  }
  return [...families.values()];
}

/** Conditions under which a meter takes an event (`takes` in src/domain/metering/fold.ts). */
export function takesSql(params: SqlParameters, meter: Pick<Meter, 'eventType' | 'filters'>, metadata: string): string {
  const conditions = [`e.event_type = ${params.add(meter.eventType, 'text')}`];
  for (const [property, allowed] of Object.entries(meter.filters)) {
    conditions.push(
      `${scalarTextSql(metadata, params.add(property, 'text'))} = ANY (${params.add(allowed, 'text[]')})`,
    );
  }
  return conditions.join(' AND ');
}

/** Condition under which an event belongs to a (pricing) group of its meter. */
export function inGroupSql(params: SqlParameters, group: GroupKey, metadata: string): string {
  const conditions = Object.entries(group).map(
    ([property, text]) =>
      `${scalarTextSql(metadata, params.add(property, 'text'))} IS NOT DISTINCT FROM ${params.add(text, 'text')}`,
  );
  return conditions.length === 0 ? 'true' : conditions.join(' AND ');
}

export interface UsageSql {
  readonly ctes: readonly string[];
  /**
   * One row a meter, window and group: meter_id, code, window_start, window_end, group_key, quantity, event_count, digest,
   * unreadable (events whose value is missing or not a decimal: in none of the other figures), unreadable_example
   * (an event_id).
   */
  readonly select: string;
}

/** Usage of the meters (`count`, `sum`) over the events in scope. The scope must lie within the period. */
export function usageSql(
  params: SqlParameters,
  query: { readonly meters: readonly Meter[]; readonly period: MeteringPeriod; readonly scope: EventScope },
): UsageSql {
  const { ctes, from } = effectiveEvents(params, query.scope);
  const bounds = windowBounds(params, query.period);
  const selects = familiesOf(query.meters).map((family) => familySelect(params, family, { from, bounds }));
  return { ctes, select: selects.length === 0 ? nothing : selects.join('\nUNION ALL\n') };
}

const nothing = `SELECT NULL::uuid AS meter_id, NULL::text AS code, NULL::timestamptz AS window_start, NULL::timestamptz AS window_end,
  NULL::jsonb AS group_key, NULL::numeric AS quantity, NULL::bigint AS event_count, NULL::text AS digest,
  NULL::bigint AS unreadable, NULL::text AS unreadable_example WHERE false`;

/**
 * Keeps an inner query apart: merged into the outer one, each property would be looked up for every use of its text and each
 * text read for every aggregate. A plain `OFFSET 0` (an int still to be converted) would keep it out of parallel workers.
 */
const apart = `OFFSET bigint '0'`;

function familySelect(
  params: SqlParameters,
  family: MeterFamily,
  source: { from: string; bounds: WindowBounds },
): string {
  const groups = family.groupBy.map((property, i) => ({
    name: `g${i}`,
    property: params.add(property, 'text'),
    text: scalarTextSql('e.metadata', params.add(property, 'text')),
  }));
  const valueNames = new Map<string, string>();
  for (const { aggregation, valueProperty } of family.meters) {
    if (aggregation === 'sum' && valueProperty !== null && !valueNames.has(valueProperty)) {
      valueNames.set(valueProperty, `v${valueNames.size}`);
    }
  }
  const values = [...valueNames].map(([property, name]) => ({
    name,
    text: `e.metadata ->> ${params.add(property, 'text')}`,
  }));
  const parts = [
    `${windowStartSql('e.event_time', source.bounds)} AS w, e.content_hash, e.event_id`,
    ...groups.map(({ name, text }) => `${text} AS ${name}`),
    ...values.map(({ name, text }) => `${text} AS t_${name}`),
  ];
  const facts = `SELECT ${parts.join(', ')} FROM ${source.from} WHERE ${takesSql(params, family, 'e.metadata')} ${apart}`;
  const read = values.map(({ name }) => `${valueSql(`t_${name}`)} AS ${name}`);
  const readFacts = read.length === 0 ? facts : `SELECT e.*, ${read.join(', ')} FROM (${facts}) AS e ${apart}`;
  const aggregates = [
    'count(*) AS n, sum(content_hash) AS h',
    ...values.map(
      ({
        name,
      }) => `sum(${name}) AS q_${name}, count(${name}) AS n_${name}, sum(content_hash) FILTER (WHERE ${name} IS NOT NULL) AS h_${name},
        min(event_id) FILTER (WHERE ${name} IS NULL) AS x_${name}`,
    ),
  ];
  const figures = family.meters.map((meter) => {
    const name = meter.aggregation === 'sum' ? valueNames.get(meter.valueProperty ?? '') : undefined;
    const ids = `${params.add(meter.meterId, 'uuid')}, ${params.add(meter.code, 'text')}`;
    if (name === undefined) return `(${ids}, n::numeric, n, h, 0::bigint, NULL::text)`;
    return `(${ids}, q_${name}, n_${name}, h_${name}, n - n_${name}, x_${name})`;
  });
  const groupKey = groups.map(({ name, property }) => `${property}, ${name}`).join(', ');
  return `SELECT m.meter_id, m.code, f.w AS window_start, ${windowEndSql('f.w', source.bounds)} AS window_end,
      jsonb_build_object(${groupKey}) AS group_key, coalesce(m.quantity, 0) AS quantity, m.event_count,
      ${digestSql('coalesce(m.hashes, 0)')} AS digest, m.unreadable, m.unreadable_example
    FROM (
      SELECT w, ${[...groups.map(({ name }) => name), ...aggregates].join(', ')}
      FROM (${readFacts}) AS e
      GROUP BY ${['w', ...groups.map(({ name }) => name)].join(', ')}
    ) AS f
    CROSS JOIN LATERAL (VALUES ${figures.join(', ')}) AS m (meter_id, code, quantity, event_count, hashes, unreadable, unreadable_example)`;
}

/** A WITH clause of these, or nothing. */
export function withSql(ctes: readonly string[]): string {
  return ctes.length === 0 ? '' : `WITH ${ctes.join(',\n')}`;
}
