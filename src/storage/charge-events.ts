/** From a charge back to its events: those of its period, and of a level those before it that made it what it began with. */
import { parse } from 'lossless-json';
import type pg from 'pg';
import { isRetired } from '../domain/correction/retire.js';
import { invariant } from '../domain/failure.js';
import { takesAt } from '../domain/metering/fold.js';
import type { Metadata } from '../domain/metering/metadata.js';
import { addsUp, type Meter } from '../domain/metering/meter.js';
import { holdsAtAll, type MeterInForce } from '../domain/metering/meter-versions.js';
import { readingOf, standsFor } from '../domain/metering/reading.js';
import { firstInstant } from '../domain/time/instant.js';
import type { DecimalString, Digest, Interval } from '../domain/values.js';
import { readMeters } from './aggregation-meters.js';
import { apart, effectiveEvents, inGroupSql, isReadSql, takesSql, withSql } from './aggregation-sql.js';
import { decimalSql, digestSql, SqlParameters, valueSql } from './aggregation-sql-fragments.js';
import { type ChargeWithMeter, readCharge } from './charges.js';
import { storedEvent, storedEventColumns } from './ledger.js';
import { cursorPart, decodeCursor, mapPage, pageOf } from './paging.js';
import type { ChargeEvent, OpeningLevel, Page, PageRequest } from './types.js';

type Queryable = pg.Pool | pg.PoolClient;

/** Some events of a charge at its cutoff. */
interface EventsOfCharge {
  readonly charge: ChargeWithMeter;
  readonly meters: readonly MeterInForce[];
  readonly ranges: readonly Interval[];
  /** Names the list, for its cursors. */
  readonly list: string;
}

/**
 * The events of its period that a charge was rated on, as they were at its cutoff (an amended event with its replacement), in
 * order of event time, then source and event_id. Empty for a charge that does not exist.
 */
export async function chargeEvents(db: Queryable, chargeId: string, page: PageRequest): Promise<Page<ChargeEvent>> {
  const events = await eventsOfCharge(db, chargeId);
  return events === null ? none : pageOfEvents(db, events, page);
}

/** null: there is no such charge, or no event that it was rated on. */
async function eventsOfCharge(db: Queryable, chargeId: string): Promise<EventsOfCharge | null> {
  const charge = await readCharge(db, chargeId);
  // A fee is made from no event, and a charge that was retired stands for none any more.
  if (charge === null || charge.meter_id === null || charge.event_count === '0') return null;
  const meters = await metersOfCharge(db, charge);
  return { charge, meters, ranges: charge.calculation_metadata.in_force, list: 'charge-events' };
}

/** Which of the events of a charge decided, best first: of two equal extremes the earlier one; the latest by RULES 2. */
const decidingOrder: Readonly<Partial<Record<Meter['aggregation'], (value: () => string) => string>>> = {
  min: (value) => `${value()} ASC, e.event_time, e.event_id, e.source`,
  max: (value) => `${value()} DESC, e.event_time, e.event_id, e.source`,
  latest: () => 'e.event_time DESC, e.event_id DESC, e.source DESC',
};

/** The event whose value is the quantity of a charge of a `min`, `max` or `latest`. null: it is of another meter, or has no event. */
export async function decidingEvent(db: Queryable, chargeId: string): Promise<ChargeEvent | null> {
  const events = await eventsOfCharge(db, chargeId);
  const [meter] = events?.meters ?? [];
  const order = meter === undefined ? undefined : decidingOrder[meter.aggregation];
  if (events === null || meter === undefined || order === undefined) return null;
  const { params, ctes, from, conditions } = eventsSql(events);
  const value = (): string => valueSql(`(e.metadata ->> ${params.add(meter.valueProperty, 'text')})`);
  const text = `${withSql(ctes)}
    SELECT ${storedEventColumns} FROM (
      SELECT ${params.add(events.charge.customer_id, 'text')} AS customer_id, e.* FROM ${from} WHERE ${conditions.join(' AND ')}
      ORDER BY ${order(value)} LIMIT 1) AS e`;
  const { rows } = await db.query<Parameters<typeof storedEvent>[0]>(text, [...params.values]);
  return rows[0] === undefined ? null : chargeEventOf(rows[0], events.meters);
}

/**
 * The level that a charge's period began with: the sum of what changed it before, computed at the charge's cutoff as rating
 * did (RULES 70). null for a charge that is not of a level, was retired, or does not exist.
 */
export async function openingLevel(db: Queryable, chargeId: string): Promise<OpeningLevel | null> {
  const before = await beforeCharge(db, chargeId);
  if (before === null) return null;
  const [meter] = before.meters;
  invariant(meter !== undefined, 'a charge of a level has one version of its meter');
  const { params, ctes, from, conditions } = eventsSql(before);
  const read = `SELECT e.content_hash, e.metadata ->> ${params.add(meter.valueProperty, 'text')} AS t
    FROM ${from} WHERE ${conditions.join(' AND ')} ${apart}`;
  const { rows } = await db.query<{ readonly level: DecimalString; readonly n: string; readonly digest: Digest }>(
    `${withSql(ctes)}
    SELECT ${decimalSql(`coalesce(sum(${valueSql('t')}), 0)`)} AS level, count(*) AS n,
      ${digestSql('coalesce(sum(content_hash), 0)')} AS digest FROM (${read}) AS e`,
    [...params.values],
  );
  const [row] = rows;
  invariant(row !== undefined, 'an aggregate without GROUP BY has one row');
  return { at: before.charge.period_start, level: row.level, eventCount: Number(row.n), digest: row.digest };
}

/** The events that made the opening level, as `chargeEvents` gives those of the period. */
export async function openingEvents(db: Queryable, chargeId: string, page: PageRequest): Promise<Page<ChargeEvent>> {
  const before = await beforeCharge(db, chargeId);
  return before === null ? none : pageOfEvents(db, before, page);
}

const none: Page<ChargeEvent> = { data: [], nextCursor: null };

/** Of a level everything before the period; null: the charge is not of a level, or nothing is left of it. */
async function beforeCharge(db: Queryable, chargeId: string): Promise<EventsOfCharge | null> {
  const charge = await readCharge(db, chargeId);
  if (charge === null || charge.meter_id === null || isRetired(charge.calculation_metadata)) return null;
  const meters = (await metersOfCharge(db, charge)).filter(({ aggregation }) => aggregation === 'weighted_sum');
  if (meters.length === 0) return null;
  return { charge, meters, ranges: [{ from: firstInstant, to: charge.period_start }], list: 'opening-events' };
}

/** The charge's version of the meter, and those that counted another part of the period. */
async function metersOfCharge(db: Queryable, charge: ChargeWithMeter): Promise<readonly MeterInForce[]> {
  const { meter_id: id, version_ids: ids, period_start: from, period_end: to, time_zone: timeZone, cuts } = charge;
  const stored = { customerId: charge.customer_id, period: charge.period, from, to, timeZone, cuts };
  const meters = await readMeters(db, [...new Set([...(id === null ? [] : [id]), ...ids])], stored);
  const own = meters.find(({ meterId }) => meterId === id);
  return own !== undefined && addsUp(own) ? meters.filter(holdsAtAll) : meters.filter(({ meterId }) => meterId === id);
}

async function pageOfEvents(db: Queryable, events: EventsOfCharge, page: PageRequest): Promise<Page<ChargeEvent>> {
  const { text, values } = pageSql(events, page);
  const { rows } = await db.query<Parameters<typeof storedEvent>[0]>(text, [...values]);
  const found = pageOf(rows, { ...page, list: events.list }, (row) => [row.event_time, row.source, row.event_id]);
  return mapPage(found, (row) => chargeEventOf(row, events.meters));
}

function chargeEventOf(row: Parameters<typeof storedEvent>[0], meters: readonly MeterInForce[]): ChargeEvent {
  const event = storedEvent(row);
  const metadata = parse(event.metadataJson) as Metadata;
  const meter = meters.find((each) => takesAt(each, { ...event, metadata }));
  if (meter === undefined) return { ...event, standsFor: null, value: null };
  return { ...event, standsFor: standsFor(meter, metadata), value: readingOf(meter, metadata) };
}

const eventCursor = [cursorPart.instant, cursorPart.text, cursorPart.text];

function pageSql(events: EventsOfCharge, page: PageRequest): { text: string; values: readonly unknown[] } {
  const { params, ctes, from, conditions } = eventsSql(events);
  const after = decodeCursor(page, events.list, eventCursor);
  if (after !== null) {
    const [time, source, eventId] = after;
    conditions.push(`(e.event_time, e.source, e.event_id) >
      (${params.add(time, 'timestamptz')}, ${params.add(source, 'text')}, ${params.add(eventId, 'text')})`);
  }
  const text = `${withSql(ctes)}
    SELECT ${storedEventColumns} FROM (
      SELECT ${params.add(events.charge.customer_id, 'text')} AS customer_id, e.* FROM ${from} WHERE ${conditions.join(' AND ')}
      ORDER BY e.event_time, e.source, e.event_id LIMIT ${params.add(page.limit + 1, 'int')}) AS e
    ORDER BY event_time, source, event_id`;
  return { text, values: params.values };
}

/** The events that the charge's meters took and could read, of the charge's pricing group. */
function eventsSql({ charge, meters, ranges }: EventsOfCharge): {
  readonly params: SqlParameters;
  readonly ctes: readonly string[];
  readonly from: string;
  readonly conditions: string[];
} {
  const params = new SqlParameters();
  const { ctes, from } = effectiveEvents(params, {
    customerId: charge.customer_id,
    ranges,
    cutoff: charge.cutoff_position,
    adjusted: charge.adjusted,
  });
  const taken = meters.map(
    (meter) => `(${takesSql(params, meter, 'e.metadata')} AND ${isReadSql(params, meter, 'e.metadata')})`,
  );
  const conditions = [`(${taken.join(' OR ')})`, inGroupSql(params, charge.group_key, 'e.metadata')];
  for (const match of charge.calculation_metadata.except ?? [])
    conditions.push(`NOT (${inGroupSql(params, match, 'e.metadata')})`);
  return { params, ctes, from, conditions };
}
