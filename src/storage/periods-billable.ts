/**
 * Which of the stored billing periods there are to bill: all from `billing_from` on and, before it, those with usage (RULES 60), a level
 * that is carried into them (RULES 65), an invoice all the same, or a first fee in advance (RULES 18). What is stored for any other
 * reason (somebody asked for the period of now, `billing_from` was moved) is nobody's to bill.
 */
import type { LocalDate } from '../domain/values.js';
import type { Database } from './database.js';
import { isCarriedIntoSql } from './periods-carried.js';

/**
 * Whether the period contains days from a local date on. A period begins at a local midnight, which tells the offset of its
 * zone without Postgres knowing the zone; the half day is for clocks that change within the period.
 */
function endsAfterSql(period: string, date: string): string {
  const offset = `(${period}.period::timestamp - (${period}.period_start AT TIME ZONE 'UTC'))`;
  return `(${period}.period_end AT TIME ZONE 'UTC') + ${offset} >= ${date}::timestamp + interval '12 hours'`;
}

/**
 * Whether the period is the opening one (RULES 18): the next one is the first that is billed, and a price book that the customer
 * has or had bills in advance. It is stored only because there is something to bill.
 */
function isOpeningSql(period: string, billingFrom: string): string {
  return `(EXISTS (SELECT FROM billing_periods n WHERE n.customer_id = ${period}.customer_id AND n.period_start = ${period}.period_end
      AND ${endsAfterSql('n', billingFrom)})
    AND EXISTS (SELECT FROM price_book_assignments a JOIN price_books b ON b.code = a.price_book
      WHERE a.customer_id = ${period}.customer_id AND b.prices @? '$[*] ? (@.billed == "in_advance")'))`;
}

/**
 * Whether an event is in the period of an alias, or an amendment has moved one there; voided ones too, and those of backfills in any state.
 * @param isMeant a condition on the event type, of the column that has it
 */
export function usedSql(period: string, isMeant: (eventType: string) => string = () => 'true'): string {
  const fact = (table: string, type: string, at: string): string => `EXISTS (SELECT FROM ${table} e
    WHERE e.customer_id = ${period}.customer_id AND e.${at} >= ${period}.period_start AND e.${at} < ${period}.period_end
      AND ${isMeant(`e.${type}`)})`;
  return `(${fact('telemetry_events', 'event_type', 'event_time')}
    OR ${fact('event_adjustments', 'replacement_event_type', 'replacement_event_time')})`;
}

/** Whether there is a period of an alias to bill; what is known of it without a look at the ledger comes first. */
export const isBillableSql = (period: string): string => `EXISTS (
  SELECT FROM (SELECT billing_from FROM customer_versions WHERE customer_id = ${period}.customer_id ORDER BY version DESC LIMIT 1) AS v
   WHERE ${endsAfterSql(period, 'v.billing_from')} OR ${isOpeningSql(period, 'v.billing_from')}
      OR EXISTS (SELECT FROM invoices i WHERE i.customer_id = ${period}.customer_id AND i.period = ${period}.period)
      OR ${usedSql(period)} OR ${isCarriedIntoSql(period)})`;

/** false also where no such period is stored. */
export async function isBillable(db: Database, customerId: string, period: LocalDate): Promise<boolean> {
  const { rows } = await db.pool.query({
    name: 'period-is-billable',
    text: `SELECT FROM billing_periods p WHERE p.customer_id = $1 AND p.period = $2 AND ${isBillableSql('p')}`,
    values: [customerId, period],
  });
  return rows.length > 0;
}
