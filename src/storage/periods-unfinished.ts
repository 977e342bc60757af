/** The daily sweep's question: which billing periods should exist by now, and are not done. */
import { type CalendarFacts, calendarOf, type CalendarPeriod, periodContaining } from '../calendar/calendar.js';
import { startOfLocalDay } from '../calendar/time-zones.js';
import type { Instant, LocalDate } from '../domain/values.js';
import type { Database } from './database.js';
import { reasonOfOne } from './errors.js';
import { insertFinding } from './gate-findings.js';
import { cursorPart, decodeCursor, pageOf } from './paging.js';
import { mayCarryOnSql } from './periods-carried.js';
import {
  calendarFactsSql,
  findOrCreateNamed,
  periodAt,
  periodColumns,
  periodOf,
  type PeriodRow,
} from './periods-create.js';
import { isSettledEmptySql, lastRequestSql } from './periods-stage.js';
import type { BillingPeriod, LeavesLevel, Page, PageRequest } from './types.js';

/** Customers whose calendars are looked at together. */
const customersAtOnce = 100;
const list = 'unfinished-periods';

interface SweptCustomer {
  readonly customer_id: string;
  readonly billing_from: LocalDate;
  /** All versions, oldest first. */
  readonly versions: readonly CalendarFacts[];
  /** Starts of the stored periods. */
  readonly starts: readonly Instant[];
  /** Names of periods before `billing_from` that may carry a level on to where no stored period begins. */
  readonly may_carry_on: readonly LocalDate[];
}

const customersSql = `
  SELECT c.customer_id, v.billing_from, v.versions,
         ARRAY(SELECT period_start FROM billing_periods p WHERE p.customer_id = c.customer_id) AS starts,
         ${mayCarryOnSql} AS may_carry_on
    FROM (SELECT customer_id FROM customers WHERE customer_id >= $1 ORDER BY customer_id LIMIT $2) AS c
   CROSS JOIN LATERAL (${calendarFactsSql('c.customer_id')}) AS v
   WHERE v.versions IS NOT NULL
   ORDER BY c.customer_id`;

const unfinishedSql = `
  SELECT ${periodColumns} FROM billing_periods p
   WHERE customer_id >= $1 AND customer_id <= $2 AND (customer_id, period_start) > ($1, $3) AND period_start <= $4
     AND NOT EXISTS (SELECT FROM invoices i WHERE i.customer_id = p.customer_id AND i.period = p.period)
     AND NOT EXISTS (SELECT FROM (${lastRequestSql('p.customer_id', 'p.period')}) AS r
       WHERE r.outcome = 'held' OR ${isSettledEmptySql})
   ORDER BY customer_id, period_start LIMIT $5`;

/**
 * Begun periods that were never invoiced (a voided invoice is replaced on demand only), and neither held nor skipped after their end, in order of customer and start. Creates those between
 * `billing_from` and now that are missing; before `billing_from` there are only those that usage made, and of these the ones into which a
 * level is carried (RULES 65).
 */
export async function unfinishedPeriods(
  db: Database,
  now: Instant,
  { leavesLevel, ...page }: PageRequest & { readonly leavesLevel: LeavesLevel },
): Promise<Page<BillingPeriod>> {
  let [customer = '', start = '-infinity'] = decodeCursor(page, list, [cursorPart.text, cursorPart.instant]) ?? [];
  const found: PeriodRow[] = [];
  for (;;) {
    const { rows: customers } = await db.pool.query<SweptCustomer>(customersSql, [customer, customersAtOnce]);
    const last = customers.at(-1);
    if (last === undefined) break;
    for (const each of customers) await createMissingOrNote(db, each, { now, leavesLevel });
    const values = [customer, last.customer_id, start, now, page.limit + 1 - found.length];
    found.push(...(await db.pool.query<PeriodRow>(unfinishedSql, values)).rows);
    if (found.length > page.limit || customers.length < customersAtOnce) break;
    // The next chunk begins with this customer again, whose periods are all before infinity.
    [customer, start] = [last.customer_id, 'infinity'];
  }
  const { data, nextCursor } = pageOf(found, { ...page, list }, (row) => [row.customer_id, row.period_start]);
  return { data: data.map(periodOf), nextCursor };
}

/** One customer whose calendar cannot be read holds up nobody: a finding says so. */
async function createMissingOrNote(db: Database, swept: SweptCustomer, until: Until): Promise<void> {
  try {
    await createMissing(db, swept, until);
  } catch (error) {
    const { customer_id: customerId } = swept;
    const reason = reasonOfOne(error);
    await insertFinding(db.pool, {
      code: 'PERIODS_NOT_CREATED',
      customerId,
      period: null,
      subject: { customer_id: customerId },
      detail: `Billing periods of customer "${customerId}" that have begun cannot be created: ${reason} They are not invoiced until that is mended.`,
    });
  }
}

interface Until {
  readonly now: Instant;
  readonly leavesLevel: LeavesLevel;
}

async function createMissing(db: Database, swept: SweptCustomer, { now, leavesLevel }: Until): Promise<void> {
  const calendar = calendarOf(swept.versions);
  const timeZone = swept.versions.at(-1)?.timeZone ?? 'UTC';
  const first = startOfLocalDay(swept.billing_from, timeZone);
  const stored = new Set(swept.starts);
  for (const { from } of calendarPeriods(calendar, { from: first, to: now })) {
    if (!stored.has(from)) await periodAt(db, swept.customer_id, from);
  }
  for (const name of swept.may_carry_on) {
    const before = await findOrCreateNamed(db, swept.customer_id, name);
    if (before !== null && before.to <= now && (await leavesLevel(before)))
      await periodAt(db, before.customerId, before.to);
  }
}

/** The periods of the calendar from the one that contains `from` to the one that contains `to`. */
function* calendarPeriods(
  calendar: ReturnType<typeof calendarOf>,
  { from, to }: { readonly from: Instant; readonly to: Instant },
): Generator<CalendarPeriod> {
  if (from > to) return;
  let period = periodContaining(calendar, from);
  for (; period.to <= to; period = periodContaining(calendar, period.to)) yield period;
  yield period;
}
