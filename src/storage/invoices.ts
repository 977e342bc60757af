/** Reading invoices: the document with its lines; its status is the last transition. */
import type pg from 'pg';
import { groupBy } from '../domain/group-by.js';
import type { Invoice, InvoiceLineItem, InvoiceStatus } from '../domain/invoicing/invoice.js';
import { type CreditedInvoiceRow, invoiceFromDb, lineFromDb, type LineRow } from './invoices-mapping.js';
import { cursorPart, filtered, newestFirst } from './paging.js';
import type { BillingStore, InvoiceLife, Page, PageRequest } from './types.js';

type Queryable = pg.Pool | pg.PoolClient;
export type StatusRow = CreditedInvoiceRow & { readonly status: InvoiceStatus };

/** Numbers as texts, so that no digit is lost on the way. */
const taxLinesSql = `(
      SELECT coalesce(jsonb_agg(to_jsonb(l) || jsonb_build_object('rate', rate::text, 'taxable_amount', taxable_amount::text, 'amount', amount::text) ORDER BY tax_line_number), '[]')
      FROM invoice_tax_lines l WHERE i.tax_terms IS NOT NULL AND l.invoice_id = i.invoice_id)`;

/** Documents with their status; a condition on `i` or `t` may follow. */
export const invoiceSql = `SELECT i.*, t.status, (
      SELECT coalesce(jsonb_agg(jsonb_build_object('grant_id', grant_id, 'amount', amount::text) ORDER BY draw_number), '[]')
      FROM credit_draws WHERE invoice_id = i.invoice_id AND entry = 'issued') AS credit_draws, ${taxLinesSql} AS tax_lines
  FROM invoices i CROSS JOIN LATERAL (
    SELECT status FROM invoice_transitions WHERE invoice_id = i.invoice_id ORDER BY sequence DESC LIMIT 1) AS t`;

/** By id, or by the number that is printed on it. */
export async function findInvoice(db: Queryable, idOrNumber: string): Promise<Invoice | null> {
  const column = cursorPart.uuid(idOrNumber) ? 'invoice_id' : 'number';
  const { rows } = await db.query<StatusRow>(`${invoiceSql} WHERE i.${column} = $1`, [idOrNumber]);
  const [invoice] = await withLines(db, rows);
  return invoice ?? null;
}

export async function lifeOf(db: Queryable, invoiceId: string): Promise<InvoiceLife> {
  const transitions = await db.query<InvoiceLife['transitions'][number]>(
    'SELECT status, actor, reason, at FROM invoice_transitions WHERE invoice_id = $1 ORDER BY sequence',
    [invoiceId],
  );
  // Through the period, which has an index; both are documents of the same one.
  const later = await db.query<{ readonly invoice_id: string; readonly corrects: boolean }>(
    `SELECT l.invoice_id, l.corrects_invoice_id IS NOT NULL AS corrects
     FROM invoices i JOIN invoices l USING (customer_id, period)
     WHERE i.invoice_id = $1 AND i.invoice_id IN (l.corrects_invoice_id, l.replaces_invoice_id) ORDER BY l.chain_place`,
    [invoiceId],
  );
  const ids = (corrects: boolean): readonly string[] =>
    later.rows.filter((row) => row.corrects === corrects).map((row) => row.invoice_id);
  return { transitions: transitions.rows, correctedBy: ids(true), replacedBy: ids(false)[0] ?? null };
}

/** The newest first. */
export async function listInvoices(
  db: Queryable,
  filter: Parameters<BillingStore['listInvoices']>[0],
  page: PageRequest,
): Promise<Page<Invoice>> {
  const { customerId, status, period, type } = filter;
  // Whoever looks for corrections wants those that are to the customer's favour too.
  const isCorrection = type === 'correction';
  const where = filtered({
    'i.customer_id': customerId,
    't.status': status,
    'i.type': isCorrection ? undefined : type,
  });
  if (isCorrection) where.conditions.push(`i.type IN ('correction', 'credit_note')`);
  if (period !== undefined) where.conditions.push(`i.period = ${where.params.add(period, 'date')}`);
  const list = { sql: invoiceSql, name: 'invoices', at: 'i.issued_at', id: 'i.invoice_id' };
  const found = await newestFirst<StatusRow>(db, { ...list, where }, page);
  return { data: await withLines(db, found.data), nextCursor: found.nextCursor };
}

/** The documents of these rows, in their order. */
export async function withLines(db: Queryable, invoices: readonly StatusRow[]): Promise<readonly Invoice[]> {
  if (invoices.length === 0) return [];
  const { rows } = await db.query<LineRow>(
    'SELECT * FROM invoice_line_items WHERE invoice_id = ANY ($1::uuid[]) ORDER BY invoice_id, line_number',
    [invoices.map((invoice) => invoice.invoice_id)],
  );
  const byInvoice = groupBy(rows, (row) => row.invoice_id);
  return invoices.map((invoice) => invoiceFromDb(invoice, byInvoice.get(invoice.invoice_id) ?? []));
}

/** Through the charge's customer and period: an array column has no index that would be worth its writes. */
export async function linesOfCharge(
  db: Queryable,
  chargeId: string,
): Promise<readonly (InvoiceLineItem & { readonly invoiceId: string })[]> {
  if (!cursorPart.uuid(chargeId)) return [];
  const { rows } = await db.query<LineRow>(
    `SELECT l.* FROM rated_charges c JOIN invoices i USING (customer_id, period) JOIN invoice_line_items l USING (invoice_id)
     WHERE c.charge_id = $1 AND c.charge_id = ANY (l.charge_ids) ORDER BY i.chain_place, l.line_number`,
    [chargeId],
  );
  return rows.map((row) => ({ ...lineFromDb(row), invoiceId: row.invoice_id }));
}
