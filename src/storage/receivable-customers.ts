/** Whose receivables are looked at. */
import type pg from 'pg';
import { SqlParameters } from './aggregation-sql-fragments.js';
import { cursorPart, decodeCursor, mapPage, pageOf } from './paging.js';
import type { Page, PageRequest } from './types-paging.js';
import type { SettlementStore } from './types-settlement.js';

const list = 'receivables';

/** More than owe something: what credit has settled is only known once a chain is computed. */
export async function customersOwing(
  db: pg.Pool,
  { overdueAt }: Parameters<SettlementStore['customersOwing']>[0],
  page: PageRequest,
): Promise<Page<string>> {
  const params = new SqlParameters();
  const unsettled = `EXISTS (SELECT FROM invoices i CROSS JOIN LATERAL (
      SELECT status FROM invoice_transitions WHERE invoice_id = i.invoice_id ORDER BY sequence DESC LIMIT 1) AS t
    WHERE i.customer_id = c.customer_id AND i.total > 0 AND t.status IN ('issued', 'partly_paid', 'overdue')
      ${overdueAt === undefined ? '' : `AND i.due_at < ${params.add(overdueAt, 'timestamptz')}`})`;
  const balance = `EXISTS (SELECT FROM account_balances b WHERE b.customer_id = c.customer_id AND b.account = 'accounts_receivable'
    AND b.debit <> b.credit)`;
  const refunded = 'EXISTS (SELECT FROM refunds f WHERE f.customer_id = c.customer_id)';
  // A refund that nothing covers any more is owed since it was paid out.
  const conditions = [`(${[unsettled, refunded, ...(overdueAt === undefined ? [balance] : [])].join(' OR ')})`];
  const after = decodeCursor(page, list, [cursorPart.text]);
  if (after !== null) conditions.push(`c.customer_id > ${params.add(after[0], 'text')}`);
  const { rows } = await db.query<{ readonly customer_id: string }>(
    `SELECT c.customer_id FROM customers c WHERE ${conditions.join(' AND ')}
     ORDER BY c.customer_id LIMIT ${params.add(page.limit + 1, 'int')}`,
    [...params.values],
  );
  return mapPage(
    pageOf(rows, { ...page, list }, (row) => [row.customer_id]),
    (row) => row.customer_id,
  );
}
