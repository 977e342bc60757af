/** Deferred revenue becomes revenue (RULES 45): what the journal says of a period's lines, and the entries that are due. */
import type pg from 'pg';
import { partsByMonth } from '../calendar/accounting-months.js';
import { addDecimals, decimal, toDecimalString, zero } from '../domain/decimal.js';
import { invariant } from '../domain/failure.js';
import { groupBy } from '../domain/group-by.js';
import { kindOf } from '../domain/ledger/journal.js';
import { recognitionEntries } from '../domain/ledger/recognition.js';
import type { DeferredLine, DeferringDocument } from '../domain/ledger/recognition.js';
import type { DecimalString, Instant, LocalDate } from '../domain/values.js';
import type { Database } from './database.js';
import { lockPeriod } from './gate-lock.js';
import { GateWrites } from './gate-writes.js';
import { entryToDb } from './journal-mapping.js';
import type { JournalStore, PeriodKeyOf } from './types.js';

type Recognition = Pick<JournalStore, 'deferringPeriods' | 'recognise'>;

export function createRecognition(db: Database): Recognition {
  return {
    deferringPeriods: async ({ after, limit }, now) => {
      const { rows } = await db.pool.query<{ readonly customer_id: string; readonly period: LocalDate }>(
        `SELECT DISTINCT i.customer_id, i.period
         FROM (SELECT line_item_id, sum(amount) AS left_over FROM postings
           WHERE account = 'deferred_revenue' GROUP BY line_item_id) AS d
         JOIN invoice_line_items l USING (line_item_id) JOIN invoices i USING (invoice_id)
         WHERE l.service_from < $1 AND (d.left_over <> 0 OR l.service_to > $1)
           AND ($2::text IS NULL OR (i.customer_id, i.period) > ($2, $3::date))
         ORDER BY i.customer_id, i.period LIMIT $4`,
        [now, after?.customerId ?? null, after?.period ?? null, limit],
      );
      return rows.map(({ customer_id: customerId, period }) => ({ customerId, period }));
    },
    recognise: (period, now) =>
      db.transaction(async (client) => {
        await lockPeriod(client, period);
        return recognise(client, period, now);
      }),
  };
}

/**
 * Posts what is due, within a transaction that holds the lock of the period.
 * @param through null: only what was recognised is put right, after a void
 * @returns how many entries
 */
export async function recognise(client: pg.PoolClient, period: PeriodKeyOf, through: Instant | null): Promise<number> {
  const writes = new GateWrites();
  for (const document of await deferringDocuments(client, period)) {
    for (const entry of recognitionEntries(document, through)) writes.entries.push(entryToDb(entry));
  }
  await writes.flush(client);
  return writes.entries.length;
}

interface PostingRow {
  readonly invoice_id: string;
  readonly number: string;
  readonly time_zone: string;
  readonly line_item_id: string;
  readonly service_from: Instant;
  readonly service_to: Instant;
  readonly currency: string;
  readonly product: string | null;
  readonly amount: DecimalString;
  readonly source_document: string;
}

async function deferringDocuments(
  client: pg.PoolClient,
  { customerId, period }: PeriodKeyOf,
): Promise<readonly DeferringDocument[]> {
  const { rows } = await client.query<PostingRow>({
    name: 'deferred-revenue',
    text: `SELECT i.invoice_id, i.number, i.time_zone, l.line_item_id, l.service_from, l.service_to, p.currency, p.product, p.amount,
        e.source_document
      FROM invoices i JOIN invoice_line_items l USING (invoice_id)
      JOIN postings p ON p.line_item_id = l.line_item_id AND p.account = 'deferred_revenue'
      JOIN journal_entries e ON e.entry_id = p.entry_id
      WHERE i.customer_id = $1 AND i.period = $2 ORDER BY i.chain_place, l.line_number, e.entry_order, p.posting_number`,
    values: [customerId, period],
  });
  return [...groupBy(rows, (row) => row.invoice_id).values()].map((own): DeferringDocument => {
    const [first] = own;
    invariant(first !== undefined, 'a group has rows');
    const entries = new Map<LocalDate, number>();
    for (const source of new Set(own.filter(isRecognition).map((row) => row.source_document)))
      entries.set(monthOf(source), (entries.get(monthOf(source)) ?? 0) + 1);
    const lines = [...groupBy(own, (row) => row.line_item_id).values()].map(lineOf);
    return { invoiceId: first.invoice_id, number: first.number, customerId, lines, entries };
  });
}

function lineOf(rows: readonly PostingRow[]): DeferredLine {
  const [first] = rows;
  invariant(first !== undefined, 'a group has rows');
  const recognised = new Map<LocalDate, DecimalString>();
  for (const row of rows.filter(isRecognition)) {
    const month = monthOf(row.source_document);
    recognised.set(month, addDecimals([recognised.get(month) ?? zero, row.amount]));
  }
  const posted = addDecimals(rows.filter((row) => !isRecognition(row)).map(({ amount }) => amount));
  return {
    lineItemId: first.line_item_id,
    product: first.product,
    currency: first.currency,
    deferred: toDecimalString(decimal(posted).negated()),
    parts: partsByMonth({ from: first.service_from, to: first.service_to }, first.time_zone),
    recognised,
  };
}

const isRecognition = (row: Pick<PostingRow, 'source_document'>): boolean =>
  kindOf({ sourceDocument: row.source_document }) === 'recognition';

/** `recognition/{invoice}/2024-02/1`. */
const monthOf = (sourceDocument: string): LocalDate => `${sourceDocument.split('/')[2] ?? ''}-01` as LocalDate;
