/** Reading payments, refunds, credit notes, and what they settle. */
import type pg from 'pg';
import { groupBy } from '../domain/group-by.js';
import type { CreditNoteLine, CreditReason } from '../domain/settlement/credit-note.js';
import type { Party } from '../domain/invoicing/invoice.js';
import type { DecimalString, Instant } from '../domain/values.js';
import { decimalSql } from './aggregation-sql-fragments.js';
import { cursorPart, filtered, mapPage, newestFirst } from './paging.js';
import { type AllocationRow, reversalFromDb, type ReversalColumns, sourceOf, targetOf } from './settlement-mapping.js';
import type { DocumentStore } from './types-documents.js';
import type { Page, PageRequest } from './types-paging.js';
import type {
  InvoiceSettlement,
  Payment,
  ReceivableMismatch,
  Refund,
  SettlementStore,
  StoredCreditNote,
} from './types-settlement.js';

type Queryable = pg.Pool | pg.PoolClient;

interface PaymentRow extends ReversalColumns {
  readonly payment_id: string;
  readonly customer_id: string;
  readonly currency: string;
  readonly amount: DecimalString;
  readonly received_at: Instant;
  readonly method: string;
  readonly reference: string | null;
  readonly recorded_by: string;
  readonly recorded_at: Instant;
  readonly settles: readonly {
    readonly invoice_id: string | null;
    readonly refund_id: string | null;
    readonly number: string | null;
    readonly amount: DecimalString;
  }[];
}

const paymentSql = `SELECT p.*, r.reason AS reversal_reason, r.reversed_by, r.reversed_at, (
    SELECT coalesce(jsonb_agg(jsonb_build_object('invoice_id', a.invoice_id, 'refund_id', a.refund_id, 'number', i.number,
      'amount', a.amount::text) ORDER BY i.issued_at, i.number, a.refund_id), '[]')
    FROM (SELECT invoice_id, refund_id, sum(amount) AS amount FROM allocations WHERE payment_id = p.payment_id
      GROUP BY invoice_id, refund_id HAVING sum(amount) <> 0) AS a LEFT JOIN invoices i USING (invoice_id)) AS settles
  FROM payments p LEFT JOIN payment_reversals r USING (payment_id)`;

function paymentFromDb(row: PaymentRow): Payment {
  return {
    paymentId: row.payment_id,
    customerId: row.customer_id,
    currency: row.currency,
    amount: row.amount,
    receivedAt: row.received_at,
    method: row.method,
    reference: row.reference,
    recordedBy: row.recorded_by,
    recordedAt: row.recorded_at,
    reversal: reversalFromDb(row),
    settles: row.settles.map((each) => ({ target: targetOf(each), number: each.number, amount: each.amount })),
  };
}

export async function findPayment(db: Queryable, paymentId: string): Promise<Payment | null> {
  const { rows } = await db.query<PaymentRow>(`${paymentSql} WHERE p.payment_id = $1`, [paymentId]);
  return rows[0] === undefined ? null : paymentFromDb(rows[0]);
}

export async function listPayments(
  db: Queryable,
  { customerId }: Parameters<SettlementStore['listPayments']>[0],
  page: PageRequest,
): Promise<Page<Payment>> {
  const list = { sql: paymentSql, name: 'payments', at: 'p.recorded_at', id: 'p.payment_id' };
  const where = filtered({ 'p.customer_id': customerId });
  return mapPage(await newestFirst<PaymentRow>(db, { ...list, where }, page), paymentFromDb);
}

interface RefundRow {
  readonly refund_id: string;
  readonly customer_id: string;
  readonly currency: string;
  readonly amount: DecimalString;
  readonly method: string;
  readonly reference: string | null;
  readonly reason: string;
  readonly refunded_by: string;
  readonly refunded_at: Instant;
}

const refundFromDb = (row: RefundRow): Refund => ({
  refundId: row.refund_id,
  customerId: row.customer_id,
  currency: row.currency,
  amount: row.amount,
  method: row.method,
  reference: row.reference,
  reason: row.reason,
  refundedBy: row.refunded_by,
  refundedAt: row.refunded_at,
});

export async function findRefund(db: Queryable, refundId: string): Promise<Refund | null> {
  const { rows } = await db.query<RefundRow>('SELECT * FROM refunds WHERE refund_id = $1', [refundId]);
  return rows[0] === undefined ? null : refundFromDb(rows[0]);
}

export async function listRefunds(
  db: Queryable,
  { customerId }: Parameters<SettlementStore['listRefunds']>[0],
  page: PageRequest,
): Promise<Page<Refund>> {
  const list = { sql: 'SELECT f.* FROM refunds f', name: 'refunds', at: 'f.refunded_at', id: 'f.refund_id' };
  const where = filtered({ 'f.customer_id': customerId });
  return mapPage(await newestFirst<RefundRow>(db, { ...list, where }, page), refundFromDb);
}

interface NoteRow {
  readonly credit_note_id: string;
  readonly number: string;
  readonly customer_id: string;
  readonly invoice_id: string;
  readonly invoice_number: string;
  readonly currency: string;
  readonly subtotal: DecimalString;
  readonly tax: DecimalString;
  readonly total: DecimalString;
  readonly reason: string | null;
  readonly seller: Party;
  readonly buyer: Party;
  readonly document_hash: string;
  readonly issued_by: string;
  readonly issued_at: Instant;
  readonly void_reason: string | null;
  readonly voided_by: string | null;
  readonly voided_at: Instant | null;
}

interface NoteLineRow {
  readonly credit_note_id: string;
  readonly line_number: number;
  readonly line_key: string;
  readonly line_item_id: string;
  readonly description: string;
  readonly original_amount: DecimalString;
  readonly amount: DecimalString;
  readonly tax: DecimalString;
  readonly reason_code: CreditReason;
  readonly reason: string | null;
}

const noteSql = `SELECT c.*, i.number AS invoice_number, v.reason AS void_reason, v.voided_by, v.voided_at
  FROM credit_notes c JOIN invoices i USING (invoice_id) LEFT JOIN credit_note_voids v USING (credit_note_id)`;

const noteLineFromDb = (row: NoteLineRow): CreditNoteLine => ({
  lineNumber: row.line_number,
  lineKey: row.line_key,
  lineItemId: row.line_item_id,
  description: row.description,
  originalAmount: row.original_amount,
  amount: row.amount,
  tax: row.tax,
  reasonCode: row.reason_code,
  reason: row.reason,
});

async function notesOf(db: Queryable, rows: readonly NoteRow[]): Promise<readonly StoredCreditNote[]> {
  if (rows.length === 0) return [];
  const { rows: lines } = await db.query<NoteLineRow>(
    'SELECT * FROM credit_note_lines WHERE credit_note_id = ANY ($1::uuid[]) ORDER BY credit_note_id, line_number',
    [rows.map((row) => row.credit_note_id)],
  );
  const byNote = groupBy(lines, (line) => line.credit_note_id);
  return rows.map((row) => ({
    creditNoteId: row.credit_note_id,
    number: row.number,
    customerId: row.customer_id,
    invoiceId: row.invoice_id,
    invoiceNumber: row.invoice_number,
    currency: row.currency,
    subtotal: row.subtotal,
    tax: row.tax,
    total: row.total,
    reason: row.reason,
    seller: row.seller,
    buyer: row.buyer,
    documentHash: row.document_hash,
    issuedBy: row.issued_by,
    issuedAt: row.issued_at,
    void:
      row.void_reason === null || row.voided_by === null || row.voided_at === null
        ? null
        : { reason: row.void_reason, voidedBy: row.voided_by, voidedAt: row.voided_at },
    lines: (byNote.get(row.credit_note_id) ?? []).map(noteLineFromDb),
  }));
}

export async function findCreditNote(db: Queryable, idOrNumber: string): Promise<StoredCreditNote | null> {
  const column = cursorPart.uuid(idOrNumber) ? 'credit_note_id' : 'number';
  const { rows } = await db.query<NoteRow>(`${noteSql} WHERE c.${column} = $1`, [idOrNumber]);
  return (await notesOf(db, rows))[0] ?? null;
}

export async function listCreditNotes(
  db: Queryable,
  { customerId, invoiceId }: Parameters<SettlementStore['listCreditNotes']>[0],
  page: PageRequest,
): Promise<Page<StoredCreditNote>> {
  const list = { sql: noteSql, name: 'credit-notes', at: 'c.issued_at', id: 'c.credit_note_id' };
  const where = filtered({ 'c.customer_id': customerId, 'c.invoice_id': invoiceId });
  const found = await newestFirst<NoteRow>(db, { ...list, where }, page);
  return { data: await notesOf(db, found.data), nextCursor: found.nextCursor };
}

/** Credit notes of a chain that count, in the order of their numbers. */
export async function standingNotes(db: Queryable, originalId: string): Promise<readonly StoredCreditNote[]> {
  const { rows } = await db.query<NoteRow>(
    `${noteSql} WHERE c.invoice_id = $1 AND v.credit_note_id IS NULL ORDER BY c.number`,
    [originalId],
  );
  return notesOf(db, rows);
}

/** Of invoices that the provider has taxed and was told of; `DocumentStore.unreportedNotes`. */
export async function unreportedNotes(
  db: Queryable,
  ...[provider, { after, limit }]: Parameters<DocumentStore['unreportedNotes']>
): Promise<readonly StoredCreditNote[]> {
  const told = (action: string): string =>
    `EXISTS (SELECT FROM credit_note_tax_reports r WHERE r.credit_note_id = c.credit_note_id ${action})`;
  const { rows } = await db.query<NoteRow>(
    `${noteSql} WHERE i.tax_terms IS NOT NULL AND i.tax_terms->>'provider' = $1
       AND EXISTS (SELECT FROM tax_reports r WHERE r.invoice_id = c.invoice_id)
       AND CASE WHEN v.credit_note_id IS NULL THEN NOT ${told('')} ELSE ${told('')} AND NOT ${told(`AND r.action = 'void'`)} END
       AND ($2::timestamptz IS NULL OR (c.issued_at, c.credit_note_id) > ($2, $3::uuid))
     ORDER BY c.issued_at, c.credit_note_id LIMIT $4`,
    [provider, after?.issuedAt ?? null, after?.id ?? null, limit],
  );
  return notesOf(db, rows);
}

export async function settlementOf(db: Queryable, invoiceId: string): Promise<InvoiceSettlement> {
  const allocations = await db.query<
    Pick<AllocationRow, 'payment_id' | 'source_invoice_id' | 'write_off_id' | 'amount' | 'actor' | 'reason'> & {
      readonly allocated_at: Instant;
    }
  >(
    `SELECT payment_id, source_invoice_id, write_off_id, amount, actor, reason, allocated_at FROM allocations
     WHERE invoice_id = $1 ORDER BY allocation_order`,
    [invoiceId],
  );
  const { rows } = await db.query<NoteRow>(`${noteSql} WHERE c.invoice_id = $1 ORDER BY c.number`, [invoiceId]);
  return {
    allocations: allocations.rows.map((row) => ({
      source: sourceOf(row),
      amount: row.amount,
      actor: row.actor,
      reason: row.reason,
      at: row.allocated_at,
    })),
    creditNotes: await notesOf(db, rows),
  };
}

export async function customersPastDue(
  db: Queryable,
  now: Instant,
  { after, limit }: { readonly after: string; readonly limit: number },
): Promise<readonly string[]> {
  const { rows } = await db.query<{ readonly customer_id: string }>(
    `SELECT DISTINCT i.customer_id FROM invoices i CROSS JOIN LATERAL (
       SELECT status FROM invoice_transitions WHERE invoice_id = i.invoice_id ORDER BY sequence DESC LIMIT 1) AS t
     WHERE i.customer_id > $2 AND i.due_at < $1 AND i.total > 0 AND t.status IN ('issued', 'partly_paid')
     ORDER BY i.customer_id LIMIT $3`,
    [now, after, limit],
  );
  return rows.map((row) => row.customer_id);
}

export async function receivableMismatches(db: Queryable): Promise<readonly ReceivableMismatch[]> {
  const { rows } = await db.query<ReceivableMismatch>(
    `SELECT customer_id AS "customerId", currency,
       ${decimalSql('coalesce(f.expected, 0)')} AS expected, ${decimalSql('coalesce(a.account, 0)')} AS account
     FROM (SELECT customer_id, currency, sum(amount) AS expected FROM (
         SELECT customer_id, currency, total AS amount FROM invoices i WHERE NOT EXISTS (
           SELECT FROM invoice_transitions t WHERE t.invoice_id = i.invoice_id AND t.status = 'void')
         UNION ALL SELECT customer_id, currency, -total FROM credit_notes c WHERE NOT EXISTS (
           SELECT FROM credit_note_voids v WHERE v.credit_note_id = c.credit_note_id)
         UNION ALL SELECT customer_id, currency, -amount FROM payments p WHERE NOT EXISTS (
           SELECT FROM payment_reversals r WHERE r.payment_id = p.payment_id)
         UNION ALL SELECT customer_id, currency, amount FROM refunds
         UNION ALL SELECT i.customer_id, i.currency, -w.amount FROM write_offs w JOIN invoices i USING (invoice_id) WHERE NOT EXISTS (
           SELECT FROM write_off_reversals r WHERE r.write_off_id = w.write_off_id)) AS each
       GROUP BY customer_id, currency) AS f
     FULL JOIN (SELECT e.customer_id, p.currency, sum(p.amount) AS account
       FROM postings p JOIN journal_entries e USING (entry_id)
       WHERE p.account = 'accounts_receivable' GROUP BY e.customer_id, p.currency) AS a USING (customer_id, currency)
     WHERE coalesce(f.expected, 0) <> coalesce(a.account, 0)
     ORDER BY 1, 2`,
  );
  return rows;
}
