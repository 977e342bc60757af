/** Write-offs, and payments that look like one on record. */
import type pg from 'pg';
import type { DecimalString, Instant } from '../domain/values.js';
import { filtered, mapPage, newestFirst } from './paging.js';
import { reversalFromDb, type ReversalColumns } from './settlement-mapping.js';
import type { Page, PageRequest } from './types-paging.js';
import type { NewPayment, NewWriteOff, SettlementStore, WriteOff } from './types-settlement.js';

type Queryable = pg.Pool | pg.PoolClient;

interface WriteOffRow extends ReversalColumns {
  readonly write_off_id: string;
  readonly invoice_id: string;
  readonly customer_id: string;
  readonly number: string;
  readonly currency: string;
  readonly amount: DecimalString;
  readonly reason: string;
  readonly written_off_by: string;
  readonly written_off_at: Instant;
}

const writeOffSql = `SELECT w.*, i.customer_id, i.number, i.currency, r.reason AS reversal_reason, r.actor AS reversed_by, r.reversed_at
  FROM write_offs w JOIN invoices i USING (invoice_id) LEFT JOIN write_off_reversals r USING (write_off_id)`;

function writeOffFromDb(row: WriteOffRow): WriteOff {
  return {
    writeOffId: row.write_off_id,
    invoiceId: row.invoice_id,
    customerId: row.customer_id,
    number: row.number,
    currency: row.currency,
    amount: row.amount,
    reason: row.reason,
    writtenOffBy: row.written_off_by,
    writtenOffAt: row.written_off_at,
    reversal: reversalFromDb(row),
  };
}

export async function findWriteOff(db: Queryable, writeOffId: string): Promise<WriteOff | null> {
  const { rows } = await db.query<WriteOffRow>(`${writeOffSql} WHERE w.write_off_id = $1`, [writeOffId]);
  return rows[0] === undefined ? null : writeOffFromDb(rows[0]);
}

export async function listWriteOffs(
  db: Queryable,
  { customerId, invoiceId }: Parameters<SettlementStore['listWriteOffs']>[0],
  page: PageRequest,
): Promise<Page<WriteOff>> {
  const list = { sql: writeOffSql, name: 'write-offs', at: 'w.written_off_at', id: 'w.write_off_id' };
  const where = filtered({ 'i.customer_id': customerId, 'w.invoice_id': invoiceId });
  return mapPage(await newestFirst<WriteOffRow>(db, { ...list, where }, page), writeOffFromDb);
}

/** Answers false, and changes nothing, where there is one of that id. */
export async function insertWriteOff(
  client: pg.PoolClient,
  { writeOffId, invoiceId, amount, reason, writtenOffBy }: NewWriteOff,
): Promise<boolean> {
  const { rowCount } = await client.query(
    `INSERT INTO write_offs (write_off_id, invoice_id, amount, reason, written_off_by) VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT (write_off_id) DO NOTHING`,
    [writeOffId, invoiceId, amount, reason, writtenOffBy],
  );
  return rowCount === 1;
}

/** Answers false, and changes nothing, where it is reversed. */
export async function reverseWriteOff(
  client: pg.PoolClient,
  {
    writeOffId,
    customerId,
    reversedBy,
    reason,
    requestId,
  }: {
    readonly writeOffId: string;
    readonly customerId: string;
    readonly reversedBy: string;
    readonly reason: string;
    readonly requestId: string;
  },
): Promise<boolean> {
  const { rowCount } = await client.query(
    `INSERT INTO write_off_reversals (write_off_id, customer_id, actor, reason, request_id) VALUES ($1, $2, $3, $4, $5)
     ON CONFLICT (write_off_id) DO NOTHING`,
    [writeOffId, customerId, reversedBy, reason, requestId],
  );
  return rowCount === 1;
}

/** Whether it is this request that has reversed it. */
export async function isWriteOffReversedBy(
  client: pg.PoolClient,
  writeOffId: string,
  requestId: string,
): Promise<boolean> {
  const { rowCount } = await client.query(
    'SELECT FROM write_off_reversals WHERE write_off_id = $1 AND request_id = $2',
    [writeOffId, requestId],
  );
  return rowCount === 1;
}

/** Under the account's lock: of two at once the second sees the first. */
export async function paymentLike(
  client: pg.PoolClient,
  { paymentId, customerId, reference, amount, currency, receivedAt }: NewPayment,
): Promise<string | null> {
  const { rows } = await client.query<{ readonly payment_id: string }>(
    `SELECT p.payment_id FROM payments p WHERE p.customer_id = $2 AND p.payment_id <> $1 AND p.reference = $3 AND p.amount = $4
       AND p.currency = $5 AND (p.received_at AT TIME ZONE 'UTC')::date = ($6::timestamptz AT TIME ZONE 'UTC')::date
       AND NOT EXISTS (SELECT FROM payment_reversals r WHERE r.payment_id = p.payment_id)
     ORDER BY p.recorded_at, p.payment_id LIMIT 1`,
    [paymentId, customerId, reference, amount, currency, receivedAt],
  );
  return rows[0]?.payment_id ?? null;
}
