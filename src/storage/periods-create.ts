/** Billing periods come into being here: stored once, with bounds that are never computed again (RULES 22). */
import type pg from 'pg';
import { type CalendarPeriod, periodContaining, periodNamed } from '../calendar/calendar.js';
import { cutsOf, tzdataVersion } from '../calendar/time-zones.js';
import { DomainFailure, invariant } from '../domain/failure.js';
import type { Instant, LocalDate } from '../domain/values.js';
import type { Database } from './database.js';
import { type CalendarFacts, calendarOf } from './reference-customers.js';
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

type Calendar = ReturnType<typeof calendarOf>;

/**
 * The stored period that contains the instant, created when it is missing.
 * @throws DomainFailure UNKNOWN_CUSTOMER
 */
export async function periodAt(db: Database, customerId: string, at: Instant): Promise<BillingPeriod> {
  const stored = await findAt(db.pool, customerId, at);
  if (stored !== null) return stored;
  const created = await create(db, customerId, (calendar) => periodContaining(calendar, at));
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
  return create(db, customerId, (calendar) => periodNamed(calendar, name));
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

/**
 * Creates what the calendar says, once, whoever else is creating it. The customer's row is locked in shared mode, so that
 * no change of zone or anchor comes between reading the calendar and storing a period by it (reference-customers.ts).
 */
async function create(
  db: Database,
  customerId: string,
  choose: (calendar: Calendar) => CalendarPeriod | null,
): Promise<BillingPeriod | null> {
  return db.transaction(async (client) => {
    const calendar = calendarOf(await lockCalendar(client, customerId));
    const chosen = calendar.length === 0 ? null : choose(calendar);
    if (chosen === null) return null;
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

/** Periods of a customer never overlap: where the calendar would cut into a stored one, nothing is written. */
const insertSql = `
  INSERT INTO billing_periods
    (customer_id, period, period_start, period_end, customer_version_id, time_zone, tzdata_version, cuts)
  SELECT $1, $2::date, $3::timestamptz, $4::timestamptz, $5::uuid, $6, $7, $8::timestamptz[]
   WHERE NOT EXISTS (SELECT FROM billing_periods WHERE customer_id = $1 AND period_start < $4 AND period_end > $3)
  ON CONFLICT DO NOTHING`;

async function lockCalendar(client: pg.PoolClient, customerId: string): Promise<readonly CalendarFacts[]> {
  await client.query('SELECT FROM customers WHERE customer_id = $1 FOR SHARE', [customerId]);
  const { rows } = await client.query<CalendarFacts>(
    `SELECT time_zone AS "timeZone", billing_anchor_day AS "billingAnchorDay", calendar_from AS "calendarFrom",
            customer_version_id AS "customerVersionId"
       FROM customer_versions WHERE customer_id = $1 ORDER BY version`,
    [customerId],
  );
  return rows;
}
