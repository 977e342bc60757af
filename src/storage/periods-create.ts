/** Billing periods come into being here: stored once, with bounds that are never computed again (RULES 22). */
import type pg from 'pg';
import {
  calendarOf,
  type CalendarFacts,
  type CalendarPeriod,
  periodContaining,
  periodNamed,
} from '../calendar/calendar.js';
import { cutsOf, tzdataVersion } from '../calendar/time-zones.js';
import { DomainFailure, invariant } from '../domain/failure.js';
import { addMs } from '../domain/time/instant.js';
import type { Instant, LocalDate } from '../domain/values.js';
import { instantSql } from './aggregation-sql-fragments.js';
import type { Database } from './database.js';
import type { BillingPeriod } from './types.js';

/** A row of billing_periods; `periodColumns` selects it. */
export interface PeriodRow {
  readonly customer_id: string;
  readonly period: LocalDate;
  readonly period_start: Instant;
  readonly period_end: Instant;
  readonly customer_version_id: string;
  readonly time_zone: string;
  readonly cuts: readonly Instant[];
}

export const periodColumns = 'customer_id, period, period_start, period_end, customer_version_id, time_zone, cuts';

export function periodOf(row: PeriodRow): BillingPeriod {
  return {
    customerId: row.customer_id,
    period: row.period,
    from: row.period_start,
    to: row.period_end,
    customerVersionId: row.customer_version_id,
    timeZone: row.time_zone,
    cuts: row.cuts,
  };
}

/** A version, by which its periods are stored. */
type StoredFacts = CalendarFacts & Pick<BillingPeriod, 'customerVersionId'>;
type Calendar = ReturnType<typeof calendarOf<StoredFacts>>;

/** For FROM: a customer's calendar facts of all versions as JSON, oldest first, and the latest `billing_from`. */
export const calendarFactsSql = (customer: string): string => `
  SELECT (array_agg(billing_from ORDER BY version DESC))[1] AS billing_from,
         jsonb_agg(jsonb_build_object('timeZone', time_zone, 'billingAnchorDay', billing_anchor_day,
           'calendarFrom', ${instantSql('calendar_from')}) ORDER BY version) AS versions
    FROM customer_versions WHERE customer_id = ${customer}`;

/**
 * The stored period that contains the instant, created when it is missing.
 * @throws DomainFailure UNKNOWN_CUSTOMER
 */
export async function periodAt(db: Database, customerId: string, at: Instant): Promise<BillingPeriod> {
  const stored = await findAt(db.pool, customerId, at);
  if (stored !== null) return stored;
  const created = await create(db, customerId, () => ({ at, name: null }));
  if (created === null) {
    throw new DomainFailure('UNKNOWN_CUSTOMER', `There is no customer "${customerId}"; create it first.`);
  }
  return created;
}

/** The stored period of that name, created when the customer's calendar has one; else null. */
export async function findOrCreateNamed(
  db: Database,
  customerId: string,
  name: LocalDate,
): Promise<BillingPeriod | null> {
  const { rows } = await db.pool.query<PeriodRow>({
    name: 'period-named',
    text: `SELECT ${periodColumns} FROM billing_periods WHERE customer_id = $1 AND period = $2`,
    values: [customerId, name],
  });
  if (rows[0] !== undefined) return periodOf(rows[0]);
  return create(db, customerId, (calendar) => {
    const at = periodNamed(calendar, name)?.from;
    return at === undefined ? null : { at, name };
  });
}

/** Of the customer's last stored period; null: there is none. */
export async function lastStart(db: Database, customerId: string): Promise<Instant | null> {
  const { rows } = await db.pool.query<{ readonly last: Instant | null }>({
    name: 'period-last-start',
    text: 'SELECT max(period_start) AS last FROM billing_periods WHERE customer_id = $1',
    values: [customerId],
  });
  return rows[0]?.last ?? null;
}

async function findAt(client: Pick<pg.Pool, 'query'>, customerId: string, at: Instant): Promise<BillingPeriod | null> {
  // The latest that begins before: with the unique key on period_start it is one row, however many periods there are.
  const { rows } = await client.query<PeriodRow>({
    name: 'period-at',
    text: `SELECT ${periodColumns} FROM billing_periods
            WHERE customer_id = $1 AND period_start <= $2 ORDER BY period_start DESC LIMIT 1`,
    values: [customerId, at],
  });
  const [row] = rows;
  return row !== undefined && at < row.period_end ? periodOf(row) : null;
}

/** A period by an instant of it, or by its name and where it starts by the calendar. */
interface Asked {
  readonly at: Instant;
  readonly name: LocalDate | null;
}

/**
 * Creates what the calendar says, once, whoever else is creating it. The customer's row is locked in shared mode, so that
 * no change of zone or anchor comes between reading the calendar and storing a period by it (reference-customers.ts).
 */
async function create(
  db: Database,
  customerId: string,
  choose: (calendar: Calendar) => Asked | null,
): Promise<BillingPeriod | null> {
  return db.transaction(async (client) => {
    const calendar = calendarOf(await lockCalendar(client, customerId));
    const asked = calendar.length === 0 ? null : choose(calendar);
    if (asked === null) return null;
    const place = await placeOf(client, customerId, asked);
    if ('stored' in place) return place.stored;
    const chosen = fitted(calendar, place);
    if (asked.name !== null && asked.name !== chosen.name) return null;
    const customerVersionId = calendar[chosen.segment]?.customerVersionId;
    invariant(customerVersionId !== undefined, 'a calendar period names a segment of its calendar');
    await client.query(insertSql, [
      customerId,
      chosen.name,
      chosen.from,
      chosen.to,
      customerVersionId,
      chosen.timeZone,
      tzdataVersion(),
      cutsOf(chosen, chosen.timeZone),
    ]);
    const stored = await findAt(client, customerId, chosen.from);
    invariant(
      stored !== null,
      `the period of ${customerId} from ${chosen.from} to ${chosen.to} overlaps one that is stored`,
    );
    return stored;
  });
}

interface Neighbours {
  readonly before: BillingPeriod | null;
  readonly after: BillingPeriod | null;
}

/** An instant that no stored period covers. */
interface FreePlace extends Neighbours {
  readonly at: Instant;
}

/** Where the period belongs, unless somebody else was faster. By its calendar it may start in the one before, which ends later. */
async function placeOf(
  client: pg.PoolClient,
  customerId: string,
  { at, name }: Asked,
): Promise<FreePlace | { readonly stored: BillingPeriod }> {
  let from = at;
  for (;;) {
    const neighbours = await neighboursOf(client, customerId, from);
    const { before } = neighbours;
    if (before === null || before.to <= from) return { ...neighbours, at: from };
    if (name === null || name === before.period) return { stored: before };
    from = before.to;
  }
}

/**
 * The calendar's period at the place, between its stored neighbours. Those may have been cut by other time-zone rules, and stay as
 * they are (RULES 22): so it begins where the one before it ends, and ends where the one after it begins. What lies between a
 * neighbour and where the rules of today would have cut it belongs to it: that is no period by itself.
 */
function fitted(calendar: Calendar, place: FreePlace): CalendarPeriod {
  const { before, after } = place;
  const period = periodBetween(calendar, place);
  const { from, to } = period;
  const isBefore = before !== null && (before.to > from || before.period === previous(calendar, period).name);
  const isAfter = after !== null && (after.from < to || after.period === next(calendar, period).name);
  return { ...period, from: isBefore ? before.to : from, to: isAfter ? after.from : to };
}

/** A neighbour of the same name is the calendar's period at that instant, cut otherwise: then it is the one beside it. */
function periodBetween(calendar: Calendar, { at, before, after }: FreePlace): CalendarPeriod {
  const period = periodContaining(calendar, at);
  if (period.name === before?.period) return next(calendar, period);
  return period.name === after?.period ? previous(calendar, period) : period;
}

const next = (calendar: Calendar, { to }: CalendarPeriod): CalendarPeriod => periodContaining(calendar, to);
const previous = (calendar: Calendar, { from }: CalendarPeriod): CalendarPeriod =>
  periodContaining(calendar, addMs(from, -1));

/** The stored periods that begin at or before the instant, and after it. */
async function neighboursOf(client: pg.PoolClient, customerId: string, at: Instant): Promise<Neighbours> {
  const { rows } = await client.query<PeriodRow>({
    name: 'period-neighbours',
    text: `(SELECT ${periodColumns} FROM billing_periods
        WHERE customer_id = $1 AND period_start <= $2 ORDER BY period_start DESC LIMIT 1)
      UNION ALL
      (SELECT ${periodColumns} FROM billing_periods
        WHERE customer_id = $1 AND period_start > $2 ORDER BY period_start LIMIT 1)`,
    values: [customerId, at],
  });
  const periods = rows.map(periodOf);
  return {
    before: periods.find(({ from }) => from <= at) ?? null,
    after: periods.find(({ from }) => from > at) ?? null,
  };
}

/** Periods of a customer never overlap: where the calendar would cut into a stored one, nothing is written. */
const insertSql = `
  INSERT INTO billing_periods
    (customer_id, period, period_start, period_end, customer_version_id, time_zone, tzdata_version, cuts)
  SELECT $1, $2::date, $3::timestamptz, $4::timestamptz, $5::uuid, $6, $7, $8::timestamptz[]
   WHERE NOT EXISTS (SELECT FROM billing_periods WHERE customer_id = $1 AND period_start < $4 AND period_end > $3)
  ON CONFLICT DO NOTHING`;

async function lockCalendar(client: pg.PoolClient, customerId: string): Promise<readonly StoredFacts[]> {
  await client.query('SELECT FROM customers WHERE customer_id = $1 FOR SHARE', [customerId]);
  const { rows } = await client.query<StoredFacts>(
    `SELECT time_zone AS "timeZone", billing_anchor_day AS "billingAnchorDay", calendar_from AS "calendarFrom",
            customer_version_id AS "customerVersionId"
       FROM customer_versions WHERE customer_id = $1 ORDER BY version`,
    [customerId],
  );
  return rows;
}
