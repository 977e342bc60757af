/** The triggers that keep audited and append-only tables as they are: which there must be, how enabled, and doing what. */
import type pg from 'pg';
import type { AuditProblem } from '../domain/audit/findings.js';
import type { Layouts } from './audit-rows.js';

/** Where Postgres fires it: `O` unless the session replicates, `A` always. */
type Mode = 'O' | 'A';
/** When it fires, as `pg_trigger.tgtype` has it. */
const fires = {
  beforeChange: 58,
  beforeDelete: 42,
  beforeUpdateRow: 19,
  beforeInsert: 6,
  beforeInsertRow: 7,
  afterInsert: 4,
  afterInsertRow: 5,
} as const;

/** A trigger that a migration creates. */
export interface Guard {
  readonly table: string;
  readonly trigger: string;
  readonly mode: Mode;
  readonly fires: number;
  readonly function: string;
}

/** Append-only tables whose rows are in no chain: a line a table, in the migration's words. */
const appendOnly: readonly string[] = [
  ...['audit_changes', 'audit_entries', 'audit_blocks', 'audit_checkpoints', 'audit_checkpoint_heads'],
  ...['aggregated_period_usage', 'aggregated_usage', 'backfill_customers', 'billing_periods'],
  ...['dead_letters', 'dead_letter_attempts', 'dead_letter_decisions', 'event_adjustment_requests'],
  ...['event_schemas', 'tag_definitions'],
  ...['invoicing_requests', 'invoicing_outcomes', 'ledger_snapshots', 'ledger_snapshot_balances', 'meters_looked_back'],
  ...['period_close_plans', 'period_close_steps', 'period_close_targets'],
  ...['price_evaluations', 'price_evaluation_targets', 'price_evaluation_results', 'price_evaluation_reports'],
  ...['price_fallbacks', 'price_fallback_checks', 'price_rollout_comparisons'],
  ...['re_rating_transitions', 'reconciliation_requests', 'reconciliation_results', 'reconciliation_runs'],
];

const guard = (table: string, trigger: string, at: number, mode: Mode = 'O'): Guard => ({
  ...{ table, trigger, mode },
  ...{ fires: at, function: trigger },
});

/** What else a migration has made to hold whoever writes. */
const others: readonly Guard[] = [
  guard('audit_changes', 'audit_chain', fires.afterInsertRow),
  guard('audit_blocks', 'require_contiguous_block', fires.beforeInsertRow),
  guard('audit_commitments', 'only_erase_salt', fires.beforeUpdateRow, 'A'),
  guard('audit_commitments', 'refuse_change', fires.beforeDelete, 'A'),
  guard('accounting_month_closings', 'require_next_month', fires.beforeInsertRow),
  guard('allocations', 'require_allocation', fires.afterInsertRow),
  guard('allocations', 'require_write_off_standing', fires.afterInsertRow),
  guard('backfills', 'list_backfill_customers', fires.afterInsertRow),
  guard('credit_draws', 'require_credit_balance', fires.afterInsertRow),
  guard('credit_draws', 'require_drawn_credits', fires.afterInsertRow),
  guard('credit_expiries', 'require_credit_balance', fires.afterInsertRow),
  guard('credit_grant_voids', 'require_credit_balance', fires.afterInsertRow),
  guard('credit_note_lines', 'require_creditable', fires.afterInsertRow),
  guard('credit_note_lines', 'require_own_note', fires.afterInsert),
  guard('credit_notes', 'require_note_lines', fires.afterInsertRow),
  guard('invoice_line_items', 'require_billed_once', fires.afterInsertRow),
  guard('invoice_line_items', 'require_charges', fires.beforeInsertRow),
  guard('invoice_line_items', 'require_own_invoice', fires.afterInsert),
  guard('invoice_tax_lines', 'require_own_invoice', fires.afterInsert),
  guard('invoice_decisions', 'require_decidable', fires.afterInsertRow),
  guard('invoice_transitions', 'require_transition', fires.afterInsertRow),
  guard('invoices', 'require_beside_credit', fires.afterInsertRow),
  guard('invoices', 'require_lines', fires.afterInsertRow),
  guard('journal_entries', 'lock_journal', fires.beforeInsert),
  guard('journal_entries', 'require_open_month', fires.beforeInsertRow),
  guard('ledger_account_mappings', 'require_mapping_open', fires.beforeInsertRow),
  guard('payment_reversals', 'require_unallocated', fires.afterInsertRow),
  guard('postings', 'keep_account_balances', fires.afterInsert),
  guard('postings', 'require_balance', fires.afterInsertRow, 'A'),
  guard('postings', 'require_own_entry', fires.afterInsert),
  guard('write_off_reversals', 'require_write_off_released', fires.afterInsertRow),
  guard('re_rating_decisions', 'require_other_person', fires.beforeInsertRow, 'A'),
];

/** What Postgres says of constraints that hold amounts together, and that nothing else of a document would show. */
const checks: readonly { readonly table: string; readonly constraint: string; readonly check: string }[] = [
  { table: 'invoices', constraint: 'invoices_total', check: '(total = ((subtotal - credits) + tax))' },
];

/** SHA-256 of the sources of functions that would let everything through if they did nothing. */
const sources: Readonly<Record<string, string>> = {
  audit_chain: '73387586c384da56f762f0b4b5987342a00ce6cb210933a5af770abca88fe99c',
  only_erase_salt: '7bd1a2a019de98677a5b8f48cd6b1cd847b7aca9e540b8b3f6867e06a6b59690',
  refuse_change: '6975b02a30f713ce3850c0e5aeb01ad5020bb654d31e88b1d19d75137841f9b0',
};

/** All that there must be: for audited tables by rule, so that a table that comes with its line in a migration needs none here. */
export function guardsOf(layouts: Layouts): readonly Guard[] {
  const tablesOf = (mode: 'chain' | 'block'): readonly string[] => [
    ...new Set([...layouts.values()].filter((layout) => layout.mode === mode).map(({ table }) => table)),
  ];
  const chained = tablesOf('chain');
  const kept = new Set([...chained, ...tablesOf('block'), ...appendOnly]);
  return [
    ...chained.map((table) => ({
      ...guard(table, 'audit', fires.afterInsert),
      function: `audit_of_${table}`,
    })),
    ...[...kept].map((table) => guard(table, 'refuse_change', fires.beforeChange, 'A')),
    ...others,
  ].sort((a, b) => compare(a.table, b.table) || compare(a.trigger, b.trigger));
}

const compare = (a: string, b: string): number => (a < b ? -1 : Number(a > b));

/** A partition carries its table's statement triggers itself: Postgres does not clone those. */
const guardsSql = `WITH wanted AS (
    SELECT w.*, coalesce(i.inhrelid, to_regclass(quote_ident(w.table_name))) AS relation
    FROM unnest($1::text[], $2::text[], $3::text[], $4::int[], $5::text[]) AS w (table_name, trigger, mode, fires, function)
    LEFT JOIN LATERAL (SELECT NULL::oid AS inhrelid UNION ALL
      SELECT i.inhrelid FROM pg_inherits i WHERE w.trigger = 'refuse_change' AND i.inhparent = to_regclass(quote_ident(w.table_name))) AS i ON true)
  SELECT coalesce(c.relname, w.table_name) AS "table", w.trigger, w.mode, g.tgenabled AS enabled,
    g.tgtype = w.fires AND g.tgqual IS NULL AND cardinality(g.tgattr::int2[]) = 0 AND p.proname = w.function AS "isSame",
    p.proname AS function, encode(sha256(convert_to(p.prosrc, 'UTF8')), 'hex') AS source
  FROM wanted w LEFT JOIN pg_class c ON c.oid = w.relation
    LEFT JOIN pg_trigger g ON g.tgrelid = w.relation AND g.tgname = w.trigger AND NOT g.tgisinternal
    LEFT JOIN pg_proc p ON p.oid = g.tgfoid
  ORDER BY 1, 2`;

interface FoundGuard {
  readonly table: string;
  readonly trigger: string;
  readonly mode: Mode;
  /** null: there is no such trigger. */
  readonly enabled: string | null;
  readonly isSame: boolean | null;
  readonly function: string | null;
  readonly source: string | null;
}

/** Triggers without which rows are written past the log, or changed: gone, disabled, or weaker than they were made. */
export async function guardProblems(client: pg.ClientBase, layouts: Layouts): Promise<readonly AuditProblem[]> {
  const guards = guardsOf(layouts);
  const { rows } = await client.query<FoundGuard>(guardsSql, [
    guards.map(({ table }) => table),
    guards.map(({ trigger }) => trigger),
    guards.map(({ mode }) => mode),
    guards.map((wanted) => wanted.fires),
    guards.map((wanted) => wanted.function),
  ]);
  const triggers = rows.flatMap((found) => {
    const wrong = wrongWith(found);
    return wrong === null ? [] : [missing(found.table, `The trigger "${found.trigger}" ${wrong}.`)];
  });
  return [...triggers, ...(await checkProblems(client))];
}

const missing = (table: string, detail: string): AuditProblem => ({
  ...{ what: 'guard_missing', table, key: null, scope: null, sequence: null, detail },
});

async function checkProblems(client: pg.ClientBase): Promise<readonly AuditProblem[]> {
  const { rows } = await client.query<{
    readonly table: string;
    readonly constraint: string;
    readonly expression: string | null;
  }>(
    `SELECT w.t AS "table", w.c AS constraint, pg_get_expr(c.conbin, c.conrelid) AS expression FROM unnest($1::text[], $2::text[]) AS w (t, c)
     LEFT JOIN pg_constraint c ON c.conrelid = to_regclass(quote_ident(w.t)) AND c.conname = w.c AND c.contype = 'c'`,
    [checks.map(({ table }) => table), checks.map(({ constraint }) => constraint)],
  );
  return rows.flatMap(({ table, constraint, expression }) => {
    const wanted = checks.find((each) => each.table === table && each.constraint === constraint);
    if (expression === wanted?.check) return [];
    const wrong = expression === null ? 'not there' : 'another one than was made';
    return [missing(table, `The constraint "${constraint}" is ${wrong}.`)];
  });
}

function wrongWith({ mode, enabled, isSame, function: name, source }: FoundGuard): string | null {
  if (enabled === null) return 'is not there';
  if (enabled === 'D') return 'is disabled';
  if (enabled === 'R' || (mode === 'A' && enabled !== 'A')) {
    return enabled === 'R'
      ? 'fires only where a session replicates'
      : 'does not fire where a session replicates, and was made to';
  }
  if (isSame !== true) return 'is another one than was made';
  const expected = sources[name ?? ''];
  return expected === undefined || expected === source ? null : `calls ${String(name)}(), whose source was changed`;
}
