/** A customer's account: its lock, and what of it is not settled. */
import { createHash } from 'node:crypto';
import pg from 'pg';
import { groupBy } from '../domain/group-by.js';
import type { InvoiceStatus } from '../domain/invoicing/invoice.js';
import type { OpenItems, PaymentItem, ReceivableChain, RefundItem } from '../domain/settlement/items.js';
import type { DecimalString, Instant } from '../domain/values.js';

type Queryable = pg.Pool | pg.PoolClient;

function lockSql(customerId: string): string {
  const hex = createHash('sha256')
    .update(JSON.stringify(['receivable', customerId]))
    .digest('hex');
  return `SELECT pg_advisory_xact_lock(${BigInt.asIntN(64, BigInt(`0x${hex.slice(0, 16)}`))})`;
}

/**
 * One transaction a customer settles, credits, issues or voids at a time. Always taken after the locks of a period and of
 * credits and before a number is drawn, so that nobody waits in a circle.
 */
export async function lockReceivable(client: pg.PoolClient, customerId: string): Promise<void> {
  await client.query(lockSql(customerId));
}

/**
 * Takes the lock and says, in the same round trip, whether the customer may have unapplied credit: who has neither paid nor
 * was credited has none.
 */
export async function lockAndLook(client: pg.PoolClient, customerId: string): Promise<boolean> {
  const customer = pg.escapeLiteral(customerId);
  const answers = (await client.query(`${lockSql(customerId)}; SELECT
    EXISTS (SELECT FROM payments WHERE customer_id = ${customer}) OR EXISTS (SELECT FROM credit_notes WHERE customer_id = ${customer})
    OR EXISTS (SELECT FROM invoices WHERE customer_id = ${customer} AND total < 0) AS credited`)) as unknown as readonly pg.QueryResult<{
    readonly credited: boolean;
  }>[];
  return answers[1]?.rows[0]?.credited ?? true;
}

interface DocumentRow {
  readonly invoice_id: string;
  readonly original_id: string;
  readonly number: string;
  readonly currency: string;
  readonly total: DecimalString;
  readonly status: InvoiceStatus;
  readonly issued_at: Instant;
  readonly due_at: Instant;
  readonly settled: DecimalString;
  readonly credited: DecimalString;
  readonly carried: DecimalString;
  readonly written_off: DecimalString;
}

/** A chain of which nothing is open and nothing is over comes to 0. */
const documentsSql = `WITH documents AS (
    SELECT i.invoice_id, coalesce(i.corrects_invoice_id, i.invoice_id) AS original_id, i.number, i.currency, i.total, t.status,
      i.issued_at, i.due_at, i.period_start, i.chain_place, s.settled, s.written_off
    FROM invoices i CROSS JOIN LATERAL (
      SELECT status FROM invoice_transitions WHERE invoice_id = i.invoice_id ORDER BY sequence DESC LIMIT 1) AS t
    CROSS JOIN LATERAL (
      SELECT coalesce(sum(amount), 0) AS settled, coalesce(sum(amount) FILTER (WHERE write_off_id IS NOT NULL), 0) AS written_off
      FROM allocations WHERE invoice_id = i.invoice_id) AS s
    WHERE i.customer_id = $1 AND t.status <> 'void'),
  chains AS (
    SELECT d.original_id, c.credited, c.carried, bool_or(d.invoice_id = ANY ($2::uuid[])) AS asked,
      sum(d.written_off) AS written_off,
      sum(d.total) - sum(d.settled) - c.credited + c.carried AS rest
    FROM documents d CROSS JOIN LATERAL (SELECT
      coalesce((SELECT sum(n.total) FROM credit_notes n WHERE n.invoice_id = d.original_id
        AND NOT EXISTS (SELECT FROM credit_note_voids v WHERE v.credit_note_id = n.credit_note_id)), 0) AS credited,
      coalesce((SELECT sum(a.amount) FROM allocations a WHERE a.source_invoice_id = d.original_id), 0) AS carried) AS c
    GROUP BY d.original_id, c.credited, c.carried)
  SELECT d.invoice_id, d.original_id, d.number, d.currency, d.total, d.status, d.issued_at, d.due_at, d.settled, c.credited, c.carried,
    c.written_off
  FROM documents d JOIN chains c USING (original_id) WHERE c.rest <> 0 OR c.asked
  ORDER BY d.period_start, d.chain_place`;

const paymentsSql = `SELECT p.payment_id AS "paymentId", p.currency, p.received_at AS "receivedAt", p.amount, a.allocated
  FROM payments p CROSS JOIN LATERAL (
    SELECT coalesce(sum(amount), 0) AS allocated FROM allocations WHERE payment_id = p.payment_id) AS a
  WHERE p.customer_id = $1 AND p.amount <> a.allocated
    AND NOT EXISTS (SELECT FROM payment_reversals r WHERE r.payment_id = p.payment_id)
  ORDER BY p.received_at, p.payment_id`;

const refundsSql = `SELECT f.refund_id AS "refundId", f.currency, f.refunded_at AS "refundedAt", f.amount, a.covered
  FROM refunds f CROSS JOIN LATERAL (
    SELECT coalesce(sum(amount), 0) AS covered FROM allocations WHERE refund_id = f.refund_id) AS a
  WHERE f.customer_id = $1 AND f.amount <> a.covered ORDER BY f.refunded_at, f.refund_id`;

/** @param documents ids: their chains are part of the answer even if all of them is settled */
export async function readOpenItems(
  db: Queryable,
  customerId: string,
  documents: readonly string[] = [],
): Promise<OpenItems> {
  const found = await db.query<DocumentRow>({
    name: 'receivable-documents',
    text: documentsSql,
    values: [customerId, documents],
  });
  const payments = await db.query<PaymentItem>({
    name: 'receivable-payments',
    text: paymentsSql,
    values: [customerId],
  });
  const refunds = await db.query<RefundItem>({ name: 'receivable-refunds', text: refundsSql, values: [customerId] });
  return { chains: chainsOf(found.rows), payments: payments.rows, refunds: refunds.rows };
}

function chainsOf(rows: readonly DocumentRow[]): readonly ReceivableChain[] {
  return [...groupBy(rows, (row) => row.original_id)].flatMap(([originalId, own]) => {
    const [first] = own;
    if (first === undefined) return [];
    const { currency, credited, carried, written_off: writtenOff } = first;
    const documents = own.map((row) => ({
      invoiceId: row.invoice_id,
      number: row.number,
      total: row.total,
      status: row.status,
      issuedAt: row.issued_at,
      dueAt: row.due_at,
      settled: row.settled,
    }));
    return [{ originalId, currency, credited, carried, writtenOff, documents }];
  });
}
