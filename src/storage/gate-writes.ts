/**
 * What a gate writes after its number was drawn, kept until the end and sent as one statement: the number's row is locked
 * from the draw to the commit, and every other invoice waits for it.
 */
import type pg from 'pg';
import type { FindingRow } from './gate-findings.js';
import type { InvoiceRows } from './invoices-mapping.js';
import type { EntryRows } from './journal-mapping.js';
import type { InvoicingOutcome } from './types.js';

interface OutcomeRow {
  readonly request_id: string;
  readonly outcome: InvoicingOutcome;
  readonly invoice_id: string | null;
}

export class GateWrites {
  private readonly invoices: InvoiceRows[] = [];
  private readonly entries: EntryRows[] = [];
  private readonly outcomes: OutcomeRow[] = [];
  private readonly findings: FindingRow[] = [];

  addInvoice(rows: InvoiceRows): void {
    this.invoices.push(rows);
  }

  addEntry(rows: EntryRows): void {
    this.entries.push(rows);
  }

  addOutcome(row: OutcomeRow): void {
    this.outcomes.push(row);
  }

  addFinding(row: FindingRow): void {
    this.findings.push(row);
  }

  async flush(client: pg.PoolClient): Promise<void> {
    const lists = [
      this.invoices.map(({ invoice }) => invoice),
      this.invoices.flatMap(({ lines }) => lines),
      this.invoices.map(({ transition }) => transition),
      this.entries.map(({ entry }) => entry),
      this.entries.flatMap(({ postings }) => postings),
      this.outcomes,
      this.findings,
    ];
    if (lists.every((list) => list.length === 0)) return;
    await client.query({ name: 'gate-writes', text: gateWritesSql, values: lists.map((list) => JSON.stringify(list)) });
  }
}

/** Columns by name: the rows' properties are the columns' names, and what a row leaves out has its default. */
function insertSql(parameter: number, table: string, columns: string, suffix = ''): string {
  const names = columns
    .split(', ')
    .map((column) => column.split(' ')[0])
    .join(', ');
  return `INSERT INTO ${table} (${names}) SELECT ${names} FROM jsonb_to_recordset($${parameter}::jsonb) AS r (${columns}) ${suffix}`;
}

/**
 * Foreign keys and the journal's balance are checked after the statement, so the order of its parts does not matter. A
 * request has one outcome and a finding is stored once: the first one stands.
 */
const gateWritesSql = `WITH
a AS (${insertSql(
  1,
  'invoices',
  `invoice_id uuid, number text, type text, customer_id text, period date, chain_place int, corrects_invoice_id uuid, replaces_invoice_id uuid, period_start timestamptz, period_end timestamptz, time_zone text, currency text, subtotal numeric, credits numeric, tax numeric, total numeric, seller jsonb, buyer jsonb, payment_terms text, cutoff_position bigint, pinned_versions jsonb, document_hash text, issued_at timestamptz, due_at timestamptz`,
)}),
b AS (${insertSql(
  2,
  'invoice_line_items',
  `line_item_id uuid, invoice_id uuid, line_number int, line_key text, description text, meter text, group_key jsonb, service_from timestamptz, service_to timestamptz, quantity numeric, amount numeric, currency text, original_amount numeric, corrected_amount numeric, reason text, corrects_line_item_id uuid, charge_ids uuid[], calculation_metadata jsonb`,
)}),
c AS (${insertSql(3, 'invoice_transitions', 'invoice_id uuid, sequence int, status text, actor text, reason text')}),
d AS (${insertSql(
  4,
  'journal_entries',
  'entry_id uuid, customer_id text, source_document text, invoice_id uuid, posting_date date, service_from timestamptz, service_to timestamptz, description text',
)}),
e AS (${insertSql(5, 'postings', 'posting_id uuid, entry_id uuid, posting_number int, account text, line_item_id uuid, currency text, amount numeric')}),
f AS (${insertSql(6, 'invoicing_outcomes', 'request_id uuid, outcome text, invoice_id uuid', 'ON CONFLICT (request_id) DO NOTHING')})
${insertSql(
  7,
  'findings',
  'finding_id uuid, code text, customer_id text, period date, subject jsonb, detail text',
  'ON CONFLICT (finding_id) DO NOTHING',
)}`;
