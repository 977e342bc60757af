/** Periods of all customers that have still to be invoiced: what an operator looks at. */
import { type WaitingStage, waitingStages } from '../domain/invoicing/waiting.js';
import type { Instant } from '../domain/values.js';
import { instantSql, SqlParameters } from './aggregation-sql-fragments.js';
import { isVoidSql } from './chain.js';
import type { Database } from './database.js';
import { cursorPart, decodeCursor, mapPage, pageOf } from './paging.js';
import { lastRequestSql, stageSql } from './periods-stage.js';
import { statusOf, statusSql, type StatusRow } from './periods-status.js';
import type { BillingPeriodStatus, Page, PageRequest, WaitingPeriods } from './types.js';

/**
 * Periods without an invoice that counts, each with its stage: the invoice that it has (`o`) is voided. One join over all
 * periods and invoices: what has no invoice may have ended at any time, so no index finds it; it is a small part of them, and only
 * of that part the requests are looked up. measured: 120,000 periods, 10,000 of them waiting: 0.16 s.
 */
const waitingSql = `
  SELECT w.* FROM (
    SELECT p.*, ${stageSql} AS stage
      FROM billing_periods p
      LEFT JOIN LATERAL (${lastRequestSql('p.customer_id', 'p.period')}) AS r ON true
      LEFT JOIN LATERAL (SELECT true AS voided FROM invoices i WHERE i.customer_id = p.customer_id AND i.period = p.period LIMIT 1) AS o ON true
     WHERE NOT EXISTS (SELECT FROM invoices i WHERE i.customer_id = p.customer_id AND i.period = p.period AND i.type = 'invoice'
       AND NOT ${isVoidSql('i.invoice_id')})) AS w`;

const list = 'waiting-periods';

export async function listWaiting(
  db: Database,
  { stage, customerId }: { readonly stage: WaitingStage; readonly customerId?: string },
  page: PageRequest,
): Promise<Page<BillingPeriodStatus>> {
  const after = decodeCursor(page, list, [cursorPart.text, cursorPart.instant, cursorPart.text]);
  const params = new SqlParameters();
  const conditions = [`w.stage = ${params.add(stage, 'text')}`];
  if (customerId !== undefined) conditions.push(`w.customer_id = ${params.add(customerId, 'text')}`);
  if (after !== null) {
    conditions.push(
      `(w.period_end, w.customer_id COLLATE "C") > (${params.add(after[1], 'timestamptz')}, ${params.add(after[2], 'text')})`,
    );
  }
  const order = (row: string): string => `${row}.period_end, ${row}.customer_id COLLATE "C"`;
  const text = `${statusSql(`${waitingSql} WHERE ${conditions.join(' AND ')}
    ORDER BY ${order('w')} LIMIT ${params.add(page.limit + 1, 'int')}`)} ORDER BY ${order('p')}`;
  const { rows } = await db.pool.query<StatusRow>(text, [...params.values]);
  return mapPage(
    pageOf(rows, { ...page, list }, (row) => [stage, row.period_end, row.customer_id]),
    statusOf,
  );
}

export async function waitingPeriods(db: Database): Promise<readonly WaitingPeriods[]> {
  const { rows } = await db.pool.query<{ stage: WaitingStage; count: string; oldest: Instant | null }>({
    name: 'periods-waiting',
    text: `SELECT stage, count(*) AS count, ${instantSql('min(period_end)')} AS oldest FROM (${waitingSql}) AS w GROUP BY stage`,
  });
  return waitingStages.map((stage) => {
    const row = rows.find((one) => one.stage === stage);
    return { stage, count: Number(row?.count ?? 0), oldestEnd: row?.oldest ?? null };
  });
}
