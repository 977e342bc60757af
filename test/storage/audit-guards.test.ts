/** The guards that a verification asks for are those that the migrations make, and each that is gone or weaker is named. */
import type pg from 'pg';
import { guardProblems, guardsOf } from '../../src/storage/audit-guards.js';
import { readLayouts } from '../../src/storage/audit-rows.js';
import { createTestDatabase, type TestDatabase } from '../support/postgres.js';
import { connect } from './audit-fixture.js';

let database: TestDatabase;
let client: pg.Client;
beforeAll(async () => {
  database = await createTestDatabase();
  client = await connect(database.url);
});
afterAll(async () => {
  await client.end();
  await database.drop();
});

async function problemsAfter(statement: string): Promise<readonly string[]> {
  await client.query('BEGIN');
  try {
    await client.query(statement);
    const problems = await guardProblems(client, await readLayouts(client));
    expect(problems.every(({ what }) => what === 'guard_missing')).toBe(true);
    return problems.map(({ table, detail }) => `${table}: ${detail}`);
  } finally {
    await client.query('ROLLBACK');
  }
}

test('every trigger that a migration creates is asked for, with its mode, and none that there is not', async () => {
  const { rows } = await client.query<{ guard: string }>(
    `SELECT concat_ws(' ', c.relname, g.tgname, g.tgenabled, g.tgtype, p.proname) AS guard FROM pg_trigger g
     JOIN pg_class c ON c.oid = g.tgrelid JOIN pg_proc p ON p.oid = g.tgfoid WHERE NOT g.tgisinternal AND NOT c.relispartition`,
  );
  const wanted = guardsOf(await readLayouts(client)).map((guard) =>
    [guard.table, guard.trigger, guard.mode, guard.fires, guard.function].join(' '),
  );
  // A trigger that is missing here: add a line to `others`, or the table to `appendOnly`, in src/storage/audit-guards.ts.
  expect(wanted).toEqual(rows.map(({ guard }) => guard).sort());
  expect(await problemsAfter('SELECT 1')).toEqual([]);
});

test.each([
  [
    'ALTER TABLE telemetry_events DISABLE TRIGGER refuse_change',
    'telemetry_events: The trigger "refuse_change" is disabled.',
  ],
  [
    'ALTER TABLE telemetry_events_3 DISABLE TRIGGER refuse_change',
    'telemetry_events_3: The trigger "refuse_change" is disabled.',
  ],
  ['DROP TRIGGER refuse_change ON telemetry_events_5', 'telemetry_events_5: The trigger "refuse_change" is not there.'],
  [
    'ALTER TABLE payments ENABLE TRIGGER refuse_change',
    'payments: The trigger "refuse_change" does not fire where a session replicates, and was made to.',
  ],
  [
    'ALTER TABLE invoices ENABLE REPLICA TRIGGER audit',
    'invoices: The trigger "audit" fires only where a session replicates.',
  ],
  [
    'ALTER TABLE ledger_snapshots DISABLE TRIGGER refuse_change',
    'ledger_snapshots: The trigger "refuse_change" is disabled.',
  ],
  [
    'ALTER TABLE journal_entries DISABLE TRIGGER require_open_month',
    'journal_entries: The trigger "require_open_month" is disabled.',
  ],
  ['ALTER TABLE postings DISABLE TRIGGER require_own_entry', 'postings: The trigger "require_own_entry" is disabled.'],
  [
    'DROP TRIGGER require_own_invoice ON invoice_line_items',
    'invoice_line_items: The trigger "require_own_invoice" is not there.',
  ],
  [
    'ALTER TABLE invoice_tax_lines DISABLE TRIGGER require_own_invoice',
    'invoice_tax_lines: The trigger "require_own_invoice" is disabled.',
  ],
  ['ALTER TABLE invoices DISABLE TRIGGER require_lines', 'invoices: The trigger "require_lines" is disabled.'],
  [
    'ALTER TABLE credit_note_lines DISABLE TRIGGER require_own_note',
    'credit_note_lines: The trigger "require_own_note" is disabled.',
  ],
  ['DROP TRIGGER require_note_lines ON credit_notes', 'credit_notes: The trigger "require_note_lines" is not there.'],
  ['ALTER TABLE invoices DROP CONSTRAINT invoices_total', 'invoices: The constraint "invoices_total" is not there.'],
  [
    'ALTER TABLE invoices DROP CONSTRAINT invoices_total, ADD CONSTRAINT invoices_total CHECK (total <> 1)',
    'invoices: The constraint "invoices_total" is another one than was made.',
  ],
  ['DROP TRIGGER audit_chain ON audit_changes', 'audit_changes: The trigger "audit_chain" is not there.'],
  [
    'CREATE OR REPLACE TRIGGER refuse_change BEFORE DELETE ON payments FOR EACH STATEMENT EXECUTE FUNCTION refuse_change(); ALTER TABLE payments ENABLE ALWAYS TRIGGER refuse_change',
    'payments: The trigger "refuse_change" is another one than was made.',
  ],
  [
    `CREATE OR REPLACE TRIGGER audit AFTER INSERT ON refunds REFERENCING NEW TABLE AS audit_new_rows FOR EACH STATEMENT WHEN (1 = 2) EXECUTE FUNCTION audit_of_refunds()`,
    'refunds: The trigger "audit" is another one than was made.',
  ],
])('%s is named', async (statement, problem) => {
  expect(await problemsAfter(statement)).toEqual([problem]);
});

test('a function that refuses no more is named at every table that it guards', async () => {
  const problems = await problemsAfter(
    'CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$',
  );
  expect(problems).toContain('payments: The trigger "refuse_change" calls refuse_change(), whose source was changed.');
});
