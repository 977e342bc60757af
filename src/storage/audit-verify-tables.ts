/** What is in audited tables and in the log but in no chain, and whether the tables are still watched. */
import type pg from 'pg';
import type { AuditProblem, Tampering } from '../domain/audit/findings.js';
import { chainedTables, digestsOf, keySql, type Layout, type Layouts } from './audit-rows.js';

/** The layout of the table of layouts itself: not taken from it, or a changed one would say how it is to be read. */
const layoutOfLayouts: Layout = {
  table: 'audit_layouts',
  version: 1,
  mode: 'chain',
  keyColumns: ['table_name', 'version'],
  columns: ['added_at', 'columns', 'key_columns', 'mode', 'personal', 'table_name', 'version'],
  personal: [],
  types: new Map([
    ['added_at', 'timestamp with time zone'],
    ['columns', 'text[]'],
    ['key_columns', 'text[]'],
    ['mode', 'text'],
    ['personal', 'text[]'],
    ['table_name', 'text'],
    ['version', 'integer'],
  ]),
};

interface LoggedLayout {
  readonly key: string;
  readonly digest: string;
  readonly scope: string;
  readonly sequence: string | null;
}

/** Before anything is read by them: the layouts against their digests in the log, which the chains prove later. */
export async function layoutsProblem(client: pg.ClientBase): Promise<AuditProblem | null> {
  const { rows } = await client.query<LoggedLayout>(
    `SELECT u.key, encode(u.digest, 'hex') AS digest, c.scope, e.sequence
     FROM audit_changes c CROSS JOIN LATERAL unnest(c.row_keys, c.row_digests) AS u (key, digest)
     LEFT JOIN audit_entries e ON e.scope = c.scope AND e.batch = c.batch
     WHERE c.table_name = 'audit_layouts' ORDER BY c.change_id, u.key`,
  );
  const wellFormed = rows.filter(({ key }) => /^\["[a-z_0-9]+","\d{1,9}"\]$/.test(key));
  const found = await digestsOf(
    client,
    layoutOfLayouts,
    wellFormed.map(({ key }) => key),
  );
  for (const { key, digest, scope, sequence } of rows) {
    const row = found.get(key);
    if (row?.digest === digest) continue;
    const what = row === undefined ? 'row_missing' : 'row_changed';
    const detail = row === undefined ? 'The layout is not there any more.' : 'The layout is not what was written.';
    return { ...at(what, 'audit_layouts', key, detail), scope, sequence: sequence === null ? null : Number(sequence) };
  }
  return rowOutside(client, layoutOfLayouts);
}

/** The first problem; the chains themselves have been read. */
export async function tablesProblem(client: pg.ClientBase, layouts: Layouts): Promise<AuditProblem | null> {
  const tables = chainedTables(layouts);
  for (const layout of tables) {
    const problem = await rowOutside(client, layout);
    if (problem !== null) return problem;
  }
  return (await changeOutside(client)) ?? commitmentOutside(client);
}

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

async function rowOutside(client: pg.ClientBase, layout: Layout): Promise<AuditProblem | null> {
  const { table } = layout;
  const logged = `SELECT unnest(c.row_keys) AS key FROM audit_changes c WHERE c.table_name = $1`;
  const outside = await firstKey(
    client,
    `SELECT k.key FROM (SELECT ${keySql(layout)} AS key FROM ${quoted(table)} r) AS k
     WHERE NOT EXISTS (SELECT FROM (${logged}) AS l WHERE l.key = k.key) ORDER BY k.key COLLATE "C" LIMIT 1`,
    table,
  );
  if (outside !== null) return at('row_not_in_log', table, outside, 'The row was written without the log.');
  const twice = await firstKey(
    client,
    `SELECT l.key FROM (${logged}) AS l GROUP BY l.key HAVING count(*) > 1 ORDER BY l.key COLLATE "C" LIMIT 1`,
    table,
  );
  return twice === null
    ? null
    : at('row_twice_in_log', table, twice, 'Two changes speak of the row, which was written once.');
}

async function changeOutside(client: pg.ClientBase): Promise<AuditProblem | null> {
  const { rows } = await client.query<{ readonly change_id: string; readonly scope: string }>(
    `SELECT c.change_id, c.scope FROM audit_changes c
     WHERE NOT EXISTS (SELECT FROM audit_entries e WHERE e.scope = c.scope AND e.batch = c.batch) ORDER BY c.change_id LIMIT 1`,
  );
  const [row] = rows;
  if (row === undefined) return null;
  const problem = at(
    'change_not_in_chain',
    'audit_changes',
    JSON.stringify([row.change_id]),
    'No entry names this change.',
  );
  return { ...problem, scope: row.scope };
}

async function commitmentOutside(client: pg.ClientBase): Promise<AuditProblem | null> {
  const { rows } = await client.query<{ readonly table_name: string; readonly row_key: string }>(
    `SELECT m.table_name, m.row_key FROM audit_commitments m WHERE NOT EXISTS (
       SELECT FROM (SELECT c.table_name, unnest(c.row_keys) AS key FROM audit_changes c) AS l
       WHERE l.table_name = m.table_name AND l.key = m.row_key) ORDER BY 1, 2 LIMIT 1`,
  );
  const [row] = rows;
  if (row === undefined) return null;
  const key = JSON.stringify([row.table_name, row.row_key]);
  return at('row_not_in_log', 'audit_commitments', key, 'It stands for no row that the log knows.');
}

/** Triggers that must be there and enabled: without them rows are written past the log, or changed. */
export async function guardProblem(client: pg.ClientBase, layouts: Layouts): Promise<AuditProblem | null> {
  const names = chainedTables(layouts).map(({ table }) => table);
  const { rows } = await client.query<{ readonly table_name: string; readonly trigger: string }>(
    `SELECT w.table_name, w.trigger FROM (
       SELECT t AS table_name, unnest(ARRAY['audit', 'refuse_change']) AS trigger FROM unnest($1::text[]) AS t
       UNION ALL VALUES ('audit_changes', 'audit_chain'), ('audit_changes', 'refuse_change'), ('audit_entries', 'refuse_change'),
         ('audit_blocks', 'refuse_change'), ('audit_blocks', 'require_contiguous_block'), ('audit_checkpoints', 'refuse_change'),
         ('audit_checkpoint_heads', 'refuse_change'), ('audit_commitments', 'only_erase_salt'), ('audit_commitments', 'refuse_change')) AS w
     WHERE NOT EXISTS (SELECT FROM pg_trigger g WHERE g.tgrelid = to_regclass(quote_ident(w.table_name)) AND g.tgname = w.trigger
       AND g.tgenabled IN ('O', 'A')) ORDER BY 1, 2 LIMIT 1`,
    [names],
  );
  const [row] = rows;
  if (row === undefined) return null;
  return at('guard_missing', row.table_name, null, `The trigger "${row.trigger}" is disabled or not there.`);
}

async function firstKey(client: pg.ClientBase, text: string, table: string): Promise<string | null> {
  const { rows } = await client.query<{ readonly key: string }>(text, text.includes('$1') ? [table] : []);
  return rows[0]?.key ?? null;
}

const at = (what: Tampering, table: string, key: string | null, detail: string): AuditProblem => ({
  what,
  table,
  key,
  scope: null,
  sequence: null,
  detail,
});
