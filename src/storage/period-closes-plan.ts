/** Which periods a close means, and which of them are ready; and handing those over to invoicing in bulk. */
import { type CalendarFacts, calendarOf, periodContaining, periodNamed } from '../calendar/calendar.js';
import { localDateAt, startOfLocalDay } from '../calendar/time-zones.js';
import { addMs } from '../domain/time/instant.js';
import type { Instant, LocalDate } from '../domain/values.js';
import { lastOriginalSql } from './chain.js';
import type { Database } from './database.js';
import { isBillableSql } from './periods-billable.js';
import { calendarFactsSql, periodAt } from './periods-create.js';
import { newsSinceSkipSql } from './periods-skipped.js';
import { isSettledEmptySql, lastRequestSql, stageSql } from './periods-stage.js';
import type { PeriodCloseScope } from './types-period-closes.js';

/** Rows of `periods`, each with its `stage` and the `reason` why it is not ready (RULES 60); NULL: it is. */
export const judgedSql = (periods: string): string => `
  SELECT p.*, s.stage, CASE
      WHEN p.period_end > now() THEN 'not_ended'
      WHEN s.stage = 'invoiced' THEN 'invoiced'
      WHEN s.stage = 'ready' THEN 'requested'
      WHEN s.stage = 'skipped' AND ${isSettledEmptySql} AND NOT ${newsSinceSkipSql} THEN 'skipped'
      WHEN s.stage = 'void' THEN 'void'
      WHEN EXISTS (SELECT FROM backfill_customers b
        WHERE b.customer_id = p.customer_id AND b.range_start < p.period_end AND b.range_end > p.period_start
          AND NOT EXISTS (SELECT FROM backfill_decisions d WHERE d.backfill_id = b.backfill_id)) THEN 'backfill_open'
    END AS reason
  FROM (${periods}) AS p
  LEFT JOIN LATERAL (${lastOriginalSql('p.customer_id', 'p.period')}) AS o ON true
  LEFT JOIN LATERAL (${lastRequestSql('p.customer_id', 'p.period')}) AS r ON true
  CROSS JOIN LATERAL (SELECT ${stageSql} AS stage) AS s`;

/** The last local day of a period `p`. */
export const lastDaySql = `((p.period_end - interval '1 microsecond') AT TIME ZONE p.time_zone)::date`;

/** The periods that the close `c` names, by name or by their last local day. */
const isNamedSql = `(p.period = c.period OR (p.period_end BETWEEN c.ended_on - interval '1 day' AND c.ended_on + interval '2 days'
    AND ${lastDaySql} = c.ended_on))`;

const planSql = `
  WITH asked AS (SELECT unnest(customer_ids) AS customer_id FROM period_closes WHERE close_id = $1),
  planned AS (INSERT INTO period_close_plans (close_id) VALUES ($1) ON CONFLICT DO NOTHING RETURNING close_id)
  INSERT INTO period_close_targets (close_id, customer_id, period, request_id, reason)
  SELECT close_id, customer_id, period, gen_random_uuid(), reason FROM (${judgedSql(`
    SELECT c.close_id, p.customer_id, p.period, p.period_start, p.period_end, p.time_zone
      FROM planned JOIN period_closes c USING (close_id) CROSS JOIN billing_periods p
     CROSS JOIN LATERAL (SELECT legal_entity FROM customer_versions WHERE customer_id = p.customer_id
       ORDER BY version DESC LIMIT 1) AS v
     WHERE ${isNamedSql} AND (c.customer_ids = '{}' OR p.customer_id IN (SELECT customer_id FROM asked))
       AND (c.legal_entity IS NULL OR v.legal_entity = c.legal_entity)
       AND ${isBillableSql('p')}`)}) AS judged`;

export async function planTargets(db: Database, closeId: string): Promise<void> {
  await db.pool.query({ name: 'period-close-plan', text: planSql, values: [closeId] });
}

/**
 * A chunk in one statement: whatever stops it, it was done or it was not, and what is done twice at once is done once. The
 * request of a target has one id for ever.
 */
const handOverSql = `
  WITH pending AS MATERIALIZED (
    SELECT t.close_id, t.customer_id, t.period, t.request_id, b.period_start, b.period_end, b.time_zone, c.billing_day
      FROM period_close_targets t JOIN period_closes c USING (close_id)
      JOIN billing_periods b ON (b.customer_id, b.period) = (t.customer_id, t.period)
     WHERE t.close_id = $1 AND t.reason IS NULL
       AND NOT EXISTS (SELECT FROM period_close_steps s
         WHERE s.close_id = t.close_id AND s.customer_id = t.customer_id AND s.period = t.period)
       AND NOT EXISTS (SELECT FROM period_close_cancellations x WHERE x.close_id = t.close_id)
     ORDER BY t.customer_id, t.period LIMIT $2),
  judged AS MATERIALIZED (${judgedSql('SELECT * FROM pending')}),
  requests AS (
    INSERT INTO invoicing_requests (request_id, customer_id, period, billing_day, forced, reason)
    SELECT request_id, customer_id, period, billing_day, false, 'period close ' || close_id FROM judged
     WHERE judged.reason IS NULL ORDER BY customer_id, period ON CONFLICT (request_id) DO NOTHING),
  steps AS (
    INSERT INTO period_close_steps (close_id, customer_id, period, reason)
    SELECT close_id, customer_id, period, reason FROM judged ORDER BY customer_id, period ON CONFLICT DO NOTHING)
  SELECT`;

export async function handOverTargets(db: Database, closeId: string, limit: number): Promise<void> {
  await db.pool.query({ name: 'period-close-hand-over', text: handOverSql, values: [closeId, limit] });
}

/** Customers whose calendars are looked at together. */
const customersAtOnce = 200;

interface CustomerRow {
  readonly customer_id: string;
  readonly billing_from: LocalDate;
  readonly versions: readonly CalendarFacts[];
  readonly starts: readonly Instant[];
}

/** Customers of the scope, with the periods they have. */
const customersSql = `
  SELECT u.customer_id, v.billing_from, v.versions,
         ARRAY(SELECT period_start FROM billing_periods b WHERE b.customer_id = u.customer_id) AS starts
    FROM (SELECT u.customer_id FROM customers u CROSS JOIN LATERAL (
              SELECT legal_entity FROM customer_versions WHERE customer_id = u.customer_id ORDER BY version DESC LIMIT 1) AS now
           WHERE u.customer_id > $1 AND ($2::text[] IS NULL OR u.customer_id = ANY ($2))
             AND ($3::text IS NULL OR now.legal_entity = $3) ORDER BY u.customer_id LIMIT $4) AS u
   CROSS JOIN LATERAL (${calendarFactsSql('u.customer_id')}) AS v
   ORDER BY u.customer_id`;

/** A page of customers: makes the period that the scope names, where the calendar has it, it has ended and nothing made it so far. */
export async function createMissing(
  db: Database,
  { scope, after, now }: { readonly scope: PeriodCloseScope; readonly after: string; readonly now: Instant },
): Promise<{ readonly next: string | null }> {
  const values = [after, scope.customerIds, scope.legalEntity, customersAtOnce];
  const { rows } = await db.pool.query<CustomerRow>({ name: 'period-close-customers', text: customersSql, values });
  for (const row of rows) {
    const start = missingStart(row, scope, now);
    if (start !== null) await periodAt(db, row.customer_id, start);
  }
  const last = rows.at(-1);
  return { next: last === undefined || rows.length < customersAtOnce ? null : last.customer_id };
}

function missingStart(row: CustomerRow, { period: name, endedOn }: PeriodCloseScope, now: Instant): Instant | null {
  const calendar = calendarOf(row.versions);
  const timeZone = row.versions.at(-1)?.timeZone ?? 'UTC';
  const named = name !== null ? periodNamed(calendar, name) : null;
  const period = endedOn === null ? named : periodContaining(calendar, startOfLocalDay(endedOn, timeZone));
  if (period === null || period.to > now) return null;
  const lastDay = localDateAt(addMs(period.to, -1), period.timeZone);
  // Billing may begin within the period, as `isBillableSql` has it.
  if (lastDay < row.billing_from || (endedOn !== null && lastDay !== endedOn)) return null;
  return row.starts.includes(period.from) ? null : period.from;
}
