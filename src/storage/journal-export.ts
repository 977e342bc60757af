/** Account mappings, and reading the journal for an export. */
import { DomainFailure } from '../domain/failure.js';
import type { DecimalString, Instant, LocalDate } from '../domain/values.js';
import { SqlParameters } from './aggregation-sql-fragments.js';
import type { Database } from './database.js';
import { constraintOf } from './errors.js';
import type { ExportedPosting, ExportPlace, ExportRange, JournalStore, StoredAccountMapping } from './types.js';

type Exports = Pick<JournalStore, 'addMappings' | 'mappings' | 'mappingNames' | 'mappedIn' | 'exported'>;

export function createExports(db: Database): Exports {
  return {
    addMappings: (mappings) => addMappings(db, mappings),
    mappings: async (mapping) => {
      const { rows } = await db.pool.query<MappingRow>(
        'SELECT * FROM ledger_account_mappings WHERE mapping = $1 ORDER BY learned_order',
        [mapping],
      );
      return rows.map(mappingFromDb);
    },
    mappingNames: async () => {
      const { rows } = await db.pool.query<{ readonly mapping: string; readonly rows: number }>(
        'SELECT mapping, count(*)::int AS rows FROM ledger_account_mappings GROUP BY mapping ORDER BY mapping',
      );
      return rows;
    },
    mappedIn: async (range) => {
      const params = new SqlParameters();
      const { rows } = await db.pool.query<Awaited<ReturnType<JournalStore['mappedIn']>>[number]>(
        `SELECT DISTINCT p.account, p.product, e.posting_date AS "postingDate"
         FROM journal_entries e JOIN postings p USING (entry_id) WHERE ${inRange(params, range)}
         ORDER BY "postingDate", p.account, p.product`,
        [...params.values],
      );
      return rows;
    },
    exported: (range, page) => exported(db, range, page),
  };
}

async function addMappings(db: Database, mappings: readonly Omit<StoredAccountMapping, 'learnedAt'>[]): Promise<void> {
  try {
    await db.transaction(async (client) => {
      for (const row of mappings) {
        // Asked first: what is stored already is not held against what was closed since.
        await client.query(
          `INSERT INTO ledger_account_mappings
             (account_mapping_id, mapping, account, product, external_account, effective_from, reason, mapped_by)
           SELECT $1::uuid, $2, $3, $4, $5, $6::date, $7, $8
           WHERE NOT EXISTS (SELECT FROM ledger_account_mappings WHERE account_mapping_id = $1::uuid)
           ON CONFLICT (account_mapping_id) DO NOTHING`,
          [
            row.accountMappingId,
            row.mapping,
            row.account,
            row.product,
            row.externalAccount,
            row.effectiveFrom,
            row.reason,
            row.mappedBy,
          ],
        );
      }
    });
  } catch (error) {
    if (constraintOf(error) !== 'ledger_account_mappings_open_month') throw error;
    throw new DomainFailure(
      'ACCOUNTING_MONTH_CLOSED',
      'It would change what closed accounting months are exported as. Give it an effective_from in an open month (GET /ledger/months).',
    );
  }
}

interface MappingRow {
  readonly account_mapping_id: string;
  readonly mapping: string;
  readonly account: string;
  readonly product: string | null;
  readonly external_account: string;
  readonly effective_from: LocalDate | null;
  readonly reason: string | null;
  readonly mapped_by: string;
  readonly learned_at: Instant;
}

function mappingFromDb(row: MappingRow): StoredAccountMapping {
  return {
    accountMappingId: row.account_mapping_id,
    mapping: row.mapping,
    account: row.account,
    product: row.product,
    externalAccount: row.external_account,
    effectiveFrom: row.effective_from,
    reason: row.reason,
    mappedBy: row.mapped_by,
    learnedAt: row.learned_at,
  };
}

function inRange(params: SqlParameters, range: ExportRange): string {
  const through = `e.entry_order <= ${params.add(range.throughEntry, 'bigint')}`;
  if ('fromEntry' in range) return `e.entry_order >= ${params.add(range.fromEntry, 'bigint')} AND ${through}`;
  const month = params.add(range.month, 'date');
  return `e.posting_date >= ${month} AND e.posting_date < ${month} + interval '1 month' AND ${through}`;
}

interface ExportRow {
  readonly entry_order: string;
  readonly entry_id: string;
  readonly posting_number: number;
  readonly posting_date: LocalDate;
  readonly service_from: Instant;
  readonly service_to: Instant;
  readonly source_document: string;
  readonly description: string;
  readonly customer_id: string;
  readonly invoice_number: string | null;
  readonly line_item_id: string | null;
  readonly account: string;
  readonly product: string | null;
  readonly currency: string;
  readonly debit: DecimalString;
  readonly credit: DecimalString;
  readonly balance: DecimalString;
}

async function exported(
  db: Database,
  range: ExportRange,
  { after, entries }: Parameters<JournalStore['exported']>[1],
): ReturnType<JournalStore['exported']> {
  const params = new SqlParameters();
  const conditions = [inRange(params, range)];
  const isMonth = 'month' in range;
  if (after !== null) {
    const order = params.add(after.entryOrder, 'bigint');
    conditions.push(
      isMonth
        ? `(e.posting_date, e.entry_order) > (${params.add(after.postingDate, 'date')}, ${order})`
        : `e.entry_order > ${order}`,
    );
  }
  const place = isMonth ? 'e.posting_date, e.entry_order' : 'e.entry_order';
  const { rows } = await db.pool.query<ExportRow>(
    `SELECT e.*, p.posting_number, p.line_item_id, p.account, p.product, p.currency, i.number AS invoice_number,
       greatest(p.amount, 0) AS debit, greatest(-p.amount, 0) AS credit, p.amount AS balance
     FROM (SELECT * FROM journal_entries e WHERE ${conditions.join(' AND ')} ORDER BY ${place} LIMIT ${params.add(entries, 'int')}) AS e
     JOIN postings p USING (entry_id) LEFT JOIN invoices i ON i.invoice_id = coalesce(p.invoice_id, e.invoice_id)
     ORDER BY ${place}, p.posting_number`,
    [...params.values],
  );
  const postings = rows.map(postingFromDb);
  const last = postings.at(-1);
  const reached: ExportPlace | null =
    last === undefined ? null : { postingDate: last.postingDate, entryOrder: last.entryOrder };
  return { postings, last: reached };
}

function postingFromDb(row: ExportRow): ExportedPosting {
  return {
    entryOrder: row.entry_order,
    entryId: row.entry_id,
    postingNumber: row.posting_number,
    postingDate: row.posting_date,
    serviceFrom: row.service_from,
    serviceTo: row.service_to,
    sourceDocument: row.source_document,
    description: row.description,
    customerId: row.customer_id,
    invoiceNumber: row.invoice_number,
    lineItemId: row.line_item_id,
    account: row.account,
    product: row.product,
    currency: row.currency,
    debit: row.debit,
    credit: row.credit,
    balance: row.balance,
  };
}
