/**
 * What a gate writes after its number was drawn, kept until the end and sent as one statement: the number's row is locked
 * from the draw to the commit, and every other invoice waits for it.
 */
import type pg from 'pg';
import type { PinnedVersions } from '../domain/invoicing/invoice.js';
import type { LocalDate, Position } from '../domain/values.js';
import type { DrawRow } from './credits-gate.js';
import type { FindingRow } from './gate-findings.js';
import type { InvoiceRows } from './invoices-mapping.js';
import type { EntryRows } from './journal-mapping.js';
import type { ComparisonRow, OutcomeRow } from './re-ratings-mapping.js';
import type { AllocationRow, CreditNoteVoidRow, StatusChangeRow } from './settlement-mapping.js';
import type { InvoicingOutcome } from './types.js';

interface InvoicingOutcomeRow {
  readonly request_id: string;
  readonly outcome: InvoicingOutcome;
  readonly invoice_id: string | null;
  readonly cutoff_position: Position;
}

interface VoidRow {
  readonly invoice_id: string;
  readonly actor: string;
  readonly reason: string;
}

interface RatingRow {
  readonly customer_id: string;
  readonly period: LocalDate;
  readonly sequence: number;
  readonly cutoff_position: Position;
  readonly pinned_versions: PinnedVersions;
  readonly charge_ids: readonly string[];
  readonly invoice_id: string | null;
  readonly re_rating_id: string | null;
}

/** Rows by destination, in the order of their parameters in the statement. */
export class GateWrites {
  readonly invoices: InvoiceRows[] = [];
  readonly entries: EntryRows[] = [];
  readonly outcomes: InvoicingOutcomeRow[] = [];
  readonly findings: FindingRow[] = [];
  readonly voids: VoidRow[] = [];
  readonly draws: DrawRow[] = [];
  readonly ratings: RatingRow[] = [];
  readonly comparisons: ComparisonRow[] = [];
  readonly reRatingOutcomes: OutcomeRow[] = [];
  readonly allocations: AllocationRow[] = [];
  readonly statuses: StatusChangeRow[] = [];
  readonly creditNoteVoids: CreditNoteVoidRow[] = [];

  flush(client: pg.PoolClient): Promise<void> {
    return flushAll(client, [this]);
  }

  /** By destination. */
  get lists(): readonly (readonly unknown[])[] {
    return [
      this.invoices.map(({ invoice }) => invoice),
      this.invoices.flatMap(({ lines }) => lines),
      this.invoices.flatMap(({ taxLines }) => taxLines),
      this.invoices.map(({ transition }) => transition),
      this.voids,
      this.draws,
      this.entries.map(({ entry }) => entry),
      this.entries.flatMap(({ postings }) => postings),
      this.ratings,
      this.comparisons,
      this.reRatingOutcomes,
      this.outcomes,
      this.findings,
      this.allocations,
      this.statuses,
      this.creditNoteVoids,
    ];
  }
}

/** What several gates of one transaction have put down. */
export async function flushAll(client: pg.PoolClient, writes: readonly GateWrites[]): Promise<void> {
  const all = writes.map(({ lists }) => lists);
  const lists = destinations.map((_, at) => all.flatMap((each) => each[at] ?? []));
  if (lists.every((list) => list.length === 0)) return;
  await client.query({ name: 'gate-writes', text: gateWritesSql, values: lists.map((list) => JSON.stringify(list)) });
}

interface Destination {
  readonly table: string;
  /** By name: the rows' properties are the columns' names, and what a row leaves out has its default. */
  readonly columns: string;
  /** Further columns, or given ones, and what they hold. */
  readonly computed?: Readonly<Record<string, string>>;
  readonly suffix?: string;
}

const destinations: readonly Destination[] = [
  {
    table: 'invoices',
    columns: `invoice_id uuid, number text, type text, customer_id text, period date, chain_place int, corrects_invoice_id uuid, replaces_invoice_id uuid, period_start timestamptz, period_end timestamptz, time_zone text, currency text, subtotal numeric, credits numeric, tax numeric, total numeric, seller jsonb, buyer jsonb, payment_terms text, cutoff_position bigint, pinned_versions jsonb, document_hash text, issued_at timestamptz, due_at timestamptz, legal_entity text, schema_version int, locale text, itemisation text, tax_terms jsonb`,
  },
  {
    table: 'invoice_line_items',
    columns: `line_item_id uuid, invoice_id uuid, line_number int, line_key text, description text, meter text, group_key jsonb, service_from timestamptz, service_to timestamptz, quantity numeric, amount numeric, currency text, original_amount numeric, corrected_amount numeric, reason text, corrects_line_item_id uuid, charge_ids uuid[], calculation_metadata jsonb, kind text, charge_code text, unit text, unit_price numeric, tags jsonb, metadata jsonb, provenance jsonb, tax_lines int[]`,
  },
  {
    table: 'invoice_tax_lines',
    columns: `invoice_id uuid, tax_line_number int, jurisdiction text, category text, rate numeric, taxable_amount numeric, amount numeric, reason_code text, reason text`,
  },
  { table: 'invoice_transitions', columns: 'invoice_id uuid, sequence int, status text, actor text, reason text' },
  {
    table: 'invoice_transitions',
    columns: 'invoice_id uuid, actor text, reason text',
    computed: {
      status: `'void'`,
      sequence: '(SELECT max(t.sequence) + 1 FROM invoice_transitions t WHERE t.invoice_id = r.invoice_id)',
    },
  },
  {
    table: 'credit_draws',
    columns: 'invoice_id uuid, entry text, draw_number int, grant_id uuid, amount numeric',
  },
  {
    table: 'journal_entries',
    columns:
      'entry_id uuid, customer_id text, source_document text, invoice_id uuid, posting_date date, service_from timestamptz, service_to timestamptz, description text',
    computed: { posting_date: 'open_posting_date(r.posting_date)' },
  },
  {
    table: 'postings',
    columns:
      'posting_id uuid, entry_id uuid, posting_number int, account text, line_item_id uuid, currency text, amount numeric, product text, invoice_id uuid',
  },
  {
    table: 'period_ratings',
    columns:
      'customer_id text, period date, sequence int, cutoff_position bigint, pinned_versions jsonb, charge_ids uuid[], invoice_id uuid, re_rating_id uuid',
  },
  {
    table: 're_rating_comparisons',
    columns: `re_rating_id uuid, attempt int, customer_id text, period date, result text, rating_sequence int, cutoff_position bigint, pinned_versions jsonb, currency text, difference numeric, needs_approval boolean, differences jsonb, detail text`,
    suffix: 'ON CONFLICT (re_rating_id, attempt, customer_id, period) DO NOTHING',
  },
  {
    // Without ON CONFLICT: a re-rating settles a period once, and what would do it again fails as a whole.
    table: 're_rating_outcomes',
    columns: 're_rating_id uuid, customer_id text, period date, outcome text, invoice_id uuid',
  },
  {
    table: 'invoicing_outcomes',
    columns: 'request_id uuid, outcome text, invoice_id uuid, cutoff_position bigint',
    suffix: 'ON CONFLICT (request_id) DO NOTHING',
  },
  {
    table: 'findings',
    columns: 'finding_id uuid, code text, customer_id text, period date, subject jsonb, detail text, class text',
    suffix: 'ON CONFLICT (finding_id) DO NOTHING',
  },
  {
    table: 'allocations',
    columns:
      'allocation_id uuid, customer_id text, currency text, payment_id uuid, source_invoice_id uuid, write_off_id uuid, invoice_id uuid, refund_id uuid, amount numeric, actor text, reason text',
  },
  {
    table: 'invoice_transitions',
    columns: 'invoice_id uuid, status text, actor text, reason text',
    // A document that this very statement issues has its first transition from it.
    computed: {
      sequence:
        '(SELECT coalesce(max(t.sequence), 1) + 1 FROM invoice_transitions t WHERE t.invoice_id = r.invoice_id)',
    },
  },
  { table: 'credit_note_voids', columns: 'credit_note_id uuid, reason text, voided_by text' },
];

function insertSql({ table, columns, computed = {}, suffix = '' }: Destination, parameter: number): string {
  const given = columns.split(', ').flatMap((column) => {
    const [name = ''] = column.split(' ');
    return name in computed ? [] : [name];
  });
  const names = [...given, ...Object.keys(computed)].join(', ');
  const values = [...given, ...Object.values(computed)].join(', ');
  return `INSERT INTO ${table} (${names}) SELECT ${values} FROM jsonb_to_recordset($${parameter}::jsonb) AS r (${columns}) ${suffix}`;
}

/**
 * Foreign keys and the journal's balance are checked after the statement, so the order of its parts does not matter. A
 * request has one outcome, a period one comparison an attempt, and a finding is stored once: the first one stands.
 */
const gateWritesSql = `WITH ${destinations
  .map((destination, i) => `w${i} AS (${insertSql(destination, i + 1)})`)
  .join(',\n')}
SELECT`;
