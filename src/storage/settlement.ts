/** Settling a customer's account: what is written in one transaction under the account's lock. */
import type pg from 'pg';
import { zero } from '../domain/decimal.js';
import type { Allocation } from '../domain/settlement/allocation.js';
import type { CreditNote } from '../domain/settlement/credit-note.js';
import type { CreditedSoFar } from '../domain/settlement/credit-room.js';
import type { DecimalString } from '../domain/values.js';
import type { Database } from './database.js';
import { drawNumber } from './draw-number.js';
import { GateWrites } from './gate-writes.js';
import { invoiceSql, type StatusRow, withLines } from './invoices.js';
import { entryToDb } from './journal-mapping.js';
import { cursorPart } from './paging.js';
import { issuingEntity } from './legal-entities.js';
import { customersOwing } from './receivable-customers.js';
import { lockReceivable, readOpenItems } from './receivable.js';
import {
  allocationId,
  type AllocationRow,
  allocationToDb,
  sourceColumns,
  statusToDb,
  targetOf,
} from './settlement-mapping.js';
import {
  customersPastDue,
  findCreditNote,
  findPayment,
  findRefund,
  listCreditNotes,
  listPayments,
  listRefunds,
  receivableMismatches,
  settlementOf,
} from './settlement-reads.js';
import {
  findWriteOff,
  insertWriteOff,
  isWriteOffReversedBy,
  listWriteOffs,
  paymentLike,
  reverseWriteOff,
} from './write-offs.js';
import type { NewPayment, SettlementStore, SettlementTransaction } from './types-settlement.js';

export function createSettlementStore(db: Database): SettlementStore {
  return {
    atReceivable: (customerId, work) => atReceivable(db, customerId, work),
    items: (customerId, documents) => readOpenItems(db.pool, customerId, documents),
    findPayment: async (paymentId) => (cursorPart.uuid(paymentId) ? findPayment(db.pool, paymentId) : null),
    listPayments: (filter, page) => listPayments(db.pool, filter, page),
    findRefund: async (refundId) => (cursorPart.uuid(refundId) ? findRefund(db.pool, refundId) : null),
    listRefunds: (filter, page) => listRefunds(db.pool, filter, page),
    findWriteOff: async (writeOffId) => (cursorPart.uuid(writeOffId) ? findWriteOff(db.pool, writeOffId) : null),
    listWriteOffs: (filter, page) => listWriteOffs(db.pool, filter, page),
    findCreditNote: (idOrNumber) => findCreditNote(db.pool, idOrNumber),
    listCreditNotes: (filter, page) => listCreditNotes(db.pool, filter, page),
    settlementOf: (invoiceId) => settlementOf(db.pool, invoiceId),
    customersOwing: (filter, page) => customersOwing(db.pool, filter, page),
    customersPastDue: (now, page) => customersPastDue(db.pool, now, page),
    mismatches: () => receivableMismatches(db.pool),
  };
}

function atReceivable<T>(
  db: Database,
  customerId: string,
  work: (tx: SettlementTransaction) => Promise<T>,
): Promise<T> {
  return db.transaction(async (client) => {
    await lockReceivable(client, customerId);
    const writes = new GateWrites();
    const result = await work(transactionOn(client, customerId, writes));
    await writes.flush(client);
    return result;
  });
}

function transactionOn(client: pg.PoolClient, customerId: string, writes: GateWrites): SettlementTransaction {
  return {
    items: (documents) => readOpenItems(client, customerId, documents),
    chain: (originalId) => chainOf(client, customerId, originalId),
    creditedOf: (originalId) => creditedOf(client, originalId),
    creditedItems: (originalId) => creditedItems(client, originalId),
    allocatedBy: (source) => allocatedBy(client, source),
    isAllocated: async (allocation, causeId) => {
      const { rowCount } = await client.query('SELECT FROM allocations WHERE allocation_id = $1', [
        allocationId(causeId, allocation),
      ]);
      return rowCount === 1;
    },
    legalEntity: (code) => issuingEntity(client, code),
    drawNumber: (series) => drawNumber(client, series),
    insertPayment: (payment) => insertPayment(client, payment),
    reversePayment: (paymentId, { reason, reversedBy, requestId }) =>
      insertOnce(
        client,
        `INSERT INTO payment_reversals (payment_id, reason, reversed_by, request_id) VALUES ($1, $2, $3, $4)
         ON CONFLICT (payment_id) DO NOTHING`,
        [paymentId, reason, reversedBy, requestId],
      ),
    isReversedBy: async (paymentId, requestId) => {
      const { rowCount } = await client.query(
        'SELECT FROM payment_reversals WHERE payment_id = $1 AND request_id = $2',
        [paymentId, requestId],
      );
      return rowCount === 1;
    },
    insertRefund: (refund) =>
      insertOnce(
        client,
        `INSERT INTO refunds (refund_id, customer_id, currency, amount, method, reference, reason, refunded_by)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (refund_id) DO NOTHING`,
        [
          refund.refundId,
          refund.customerId,
          refund.currency,
          refund.amount,
          refund.method,
          refund.reference,
          refund.reason,
          refund.refundedBy,
        ],
      ),
    insertWriteOff: (row) => insertWriteOff(client, row),
    isWriteOffReversedBy: (writeOffId, requestId) => isWriteOffReversedBy(client, writeOffId, requestId),
    reverseWriteOff: (writeOffId, reversal) => reverseWriteOff(client, { ...reversal, writeOffId, customerId }),
    paymentLike: (payment) => paymentLike(client, payment),
    hasCreditNote: async (creditNoteId) => {
      const { rowCount } = await client.query('SELECT FROM credit_notes WHERE credit_note_id = $1', [creditNoteId]);
      return rowCount === 1;
    },
    insertCreditNote: (note) => insertCreditNote(client, note),
    allocate: (allocations, cause) => {
      writes.allocations.push(...allocations.map((each) => allocationToDb(each, { ...cause, customerId })));
    },
    change: (changes, cause) => {
      writes.statuses.push(...changes.map((change) => statusToDb(change, cause)));
    },
    post: (entry) => {
      writes.entries.push(entryToDb(entry));
    },
  };
}

function insertPayment(client: pg.PoolClient, payment: NewPayment): Promise<boolean> {
  return insertOnce(
    client,
    `INSERT INTO payments (payment_id, customer_id, currency, amount, received_at, method, reference, recorded_by)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (payment_id) DO NOTHING`,
    [
      payment.paymentId,
      payment.customerId,
      payment.currency,
      payment.amount,
      payment.receivedAt,
      payment.method,
      payment.reference,
      payment.recordedBy,
    ],
  );
}

async function insertOnce(client: pg.PoolClient, sql: string, values: readonly unknown[]): Promise<boolean> {
  const { rowCount } = await client.query(sql, [...values]);
  return rowCount === 1;
}

async function chainOf(
  client: pg.PoolClient,
  customerId: string,
  originalId: string,
): ReturnType<SettlementTransaction['chain']> {
  const { rows } = await client.query<StatusRow>(
    `${invoiceSql} WHERE i.customer_id = $1 AND (i.invoice_id = $2 OR i.corrects_invoice_id = $2) AND t.status <> 'void'
     ORDER BY i.chain_place`,
    [customerId, originalId],
  );
  return withLines(client, rows);
}

/** What notes that count have credited of a chain. */
async function creditedOf(client: pg.Pool | pg.PoolClient, originalId: string): Promise<CreditedSoFar> {
  const { rows } = await client.query<{
    readonly line_key: string;
    readonly amount: DecimalString;
    readonly subtotal: DecimalString;
    readonly tax: DecimalString;
  }>(
    `SELECT l.line_key, sum(l.amount) AS amount, sum(sum(l.amount)) OVER () AS subtotal, sum(sum(l.tax)) OVER () AS tax
     FROM credit_notes c JOIN credit_note_lines l USING (credit_note_id)
     WHERE c.invoice_id = $1 AND NOT EXISTS (SELECT FROM credit_note_voids v WHERE v.credit_note_id = c.credit_note_id)
     GROUP BY l.line_key`,
    [originalId],
  );
  const [first] = rows;
  return {
    byLine: new Map(rows.map((row) => [row.line_key, row.amount])),
    subtotal: first?.subtotal ?? zero,
    tax: first?.tax ?? zero,
  };
}

async function creditedItems(
  client: pg.PoolClient,
  originalId: string,
): ReturnType<SettlementTransaction['creditedItems']> {
  const { rows } = await client.query<{ readonly line_item_id: string; readonly amount: DecimalString }>(
    `SELECT p.line_item_id, sum(p.amount) AS amount FROM credit_notes c
     JOIN journal_entries e ON e.source_document = 'credit-note/' || c.credit_note_id JOIN postings p USING (entry_id)
     WHERE c.invoice_id = $1 AND p.line_item_id IS NOT NULL
       AND NOT EXISTS (SELECT FROM credit_note_voids v WHERE v.credit_note_id = c.credit_note_id)
     GROUP BY p.line_item_id`,
    [originalId],
  );
  return new Map(rows.map((row) => [row.line_item_id, row.amount]));
}

/** What of other chains' credit settles these documents. */
export async function carriedTo(client: pg.PoolClient, documents: readonly string[]): Promise<readonly Allocation[]> {
  const { rows } = await client.query<Carried>(
    `SELECT source_invoice_id, invoice_id, sum(amount) AS amount FROM allocations
     WHERE invoice_id = ANY ($1) AND source_invoice_id IS NOT NULL
     GROUP BY source_invoice_id, invoice_id HAVING sum(amount) <> 0 ORDER BY source_invoice_id, invoice_id`,
    [documents],
  );
  return rows.map((row) => ({
    source: { kind: 'chain', id: row.source_invoice_id },
    target: { kind: 'invoice', id: row.invoice_id },
    amount: row.amount,
  }));
}

interface Carried {
  readonly source_invoice_id: string;
  readonly invoice_id: string;
  readonly amount: DecimalString;
}

export async function allocatedBy(client: pg.PoolClient, source: Allocation['source']): Promise<readonly Allocation[]> {
  const { rows } = await client.query<Pick<AllocationRow, 'invoice_id' | 'refund_id' | 'amount'>>(
    `SELECT invoice_id, refund_id, sum(amount) AS amount FROM allocations WHERE ${sourceColumns[source.kind]} = $1
     GROUP BY invoice_id, refund_id HAVING sum(amount) <> 0 ORDER BY invoice_id, refund_id`,
    [source.id],
  );
  return rows.map((row) => ({ source, target: targetOf(row), amount: row.amount }));
}

async function insertCreditNote(client: pg.PoolClient, note: CreditNote): Promise<void> {
  await client.query(
    `INSERT INTO credit_notes (credit_note_id, number, customer_id, invoice_id, currency, subtotal, tax, total, reason, seller,
       buyer, document_hash, issued_by, issued_at)
     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)`,
    [
      note.creditNoteId,
      note.number,
      note.customerId,
      note.invoiceId,
      note.currency,
      note.subtotal,
      note.tax,
      note.total,
      note.reason,
      JSON.stringify(note.seller),
      JSON.stringify(note.buyer),
      note.documentHash,
      note.issuedBy,
      note.issuedAt,
    ],
  );
  const lines = note.lines.map((line) => ({
    line_number: line.lineNumber,
    line_key: line.lineKey,
    line_item_id: line.lineItemId,
    description: line.description,
    original_amount: line.originalAmount,
    amount: line.amount,
    tax: line.tax,
    reason_code: line.reasonCode,
    reason: line.reason,
  }));
  await client.query(
    `INSERT INTO credit_note_lines (credit_note_id, line_number, line_key, line_item_id, description, original_amount, amount,
       tax, reason_code, reason)
     SELECT $1, r.* FROM jsonb_to_recordset($2::jsonb) AS r (line_number int, line_key text, line_item_id uuid, description text,
       original_amount numeric, amount numeric, tax numeric, reason_code text, reason text)`,
    [note.creditNoteId, JSON.stringify(lines)],
  );
}
