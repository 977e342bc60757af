/** What is in audited tables and in the log but in no chain. */
import type pg from 'pg';
import type { AuditProblem, Tampering } from '../domain/audit/findings.js';
import { chainedTables, digestsOf, keySql, type Layout, type Layouts } from './audit-rows.js';
import { customerScope } from './types-audit.js';

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
  const [outside = null] = await rowsOutside(client, layoutOfLayouts);
  return outside;
}

/** At most so many of a kind and table. */
const problemsMax = 100;

/** What the chains, which have been read, do not speak of. */
export async function tableProblems(client: pg.ClientBase, layouts: Layouts): Promise<readonly AuditProblem[]> {
  const problems: AuditProblem[] = [];
  for (const layout of chainedTables(layouts)) problems.push(...(await rowsOutside(client, layout)));
  return [...problems, ...(await changesOutside(client)), ...(await commitmentsOutside(client))];
}

/** What the chain of one customer, which has been read, does not speak of: rows of the customer, or of what is the customer's. */
export async function customerProblems(
  client: pg.ClientBase,
  layouts: Layouts,
  customerId: string,
): Promise<readonly AuditProblem[]> {
  const tables = chainedTables(layouts);
  const { rows } = await client.query<OwnerRow>(ownersSql, [tables.map(({ table }) => table)]);
  const problems: AuditProblem[] = [];
  for (const layout of tables) {
    const owned = rows.filter(({ table }) => table === layout.table).map(ownedSql);
    if (owned.length > 0) problems.push(...(await rowsOutsideChain(client, { layout, owned, customerId })));
  }
  return problems;
}

/** How rows of a table belong to a customer: by a column of their own, or else by keys of rows that have one. */
interface OwnerRow {
  readonly table: string;
  /** null: the table's own customer_id. */
  readonly parent: string | null;
  readonly columns: readonly string[];
  readonly parentColumns: readonly string[];
}

/** Of tables whose rows are in chains of customers at all: what their triggers write says so. */
const ownersSql = `WITH tables AS (SELECT t, to_regclass(quote_ident(t)) AS relation FROM unnest($1::text[]) AS t
    WHERE EXISTS (SELECT FROM pg_proc p WHERE p.proname = 'audit_of_' || t AND strpos(p.prosrc, 'customer/') > 0)),
  owned AS (SELECT a.attrelid FROM pg_attribute a WHERE a.attname = 'customer_id' AND NOT a.attisdropped)
  SELECT t AS "table", NULL AS parent, '{}'::text[] AS columns, '{}'::text[] AS "parentColumns" FROM tables
  WHERE relation IN (SELECT attrelid FROM owned)
  UNION ALL
  SELECT t, p.relname::text, array_agg(ca.attname::text ORDER BY u.n), array_agg(pa.attname::text ORDER BY u.n)
  FROM tables JOIN pg_constraint c ON c.conrelid = relation AND c.contype = 'f' JOIN pg_class p ON p.oid = c.confrelid
    CROSS JOIN LATERAL unnest(c.conkey, c.confkey) WITH ORDINALITY AS u (child, parent_column, n)
    JOIN pg_attribute ca ON ca.attrelid = c.conrelid AND ca.attnum = u.child
    JOIN pg_attribute pa ON pa.attrelid = c.confrelid AND pa.attnum = u.parent_column
  WHERE relation NOT IN (SELECT attrelid FROM owned) AND c.confrelid IN (SELECT attrelid FROM owned)
  GROUP BY t, p.relname, c.oid HAVING bool_and(ca.attnotnull)`;

/** SQL of a condition on `r`: it is of the customer $1. */
function ownedSql({ parent, columns, parentColumns }: OwnerRow): string {
  if (parent === null) return 'r.customer_id = $1';
  const list = (names: readonly string[], alias: string): string =>
    names.map((name) => `${alias}.${quoted(name)}`).join(', ');
  return `(${list(columns, 'r')}) IN (SELECT ${list(parentColumns, 'p')} FROM ${quoted(parent)} p WHERE p.customer_id = $1)`;
}

/**
 * A row that may be in another chain all the same (reference data that names a customer) is looked for in all of them; there is
 * hardly ever one that is not in its customer's.
 */
async function rowsOutsideChain(
  client: pg.ClientBase,
  {
    layout,
    owned,
    customerId,
  }: { readonly layout: Layout; readonly owned: readonly string[]; readonly customerId: string },
): Promise<readonly AuditProblem[]> {
  const { table } = layout;
  const ofCustomer = owned.map((of) => `SELECT ${keySql(layout)} AS key FROM ${quoted(table)} r WHERE ${of}`);
  const { rows } = await client.query<{ readonly key: string }>(
    `SELECT o.key FROM ((${ofCustomer.join(' UNION ')})
       EXCEPT SELECT unnest(c.row_keys) FROM audit_entries e JOIN audit_changes c ON (c.batch, c.scope) = (e.batch, e.scope)
         WHERE e.scope = $2 AND c.table_name = $3) AS o
     WHERE NOT EXISTS (SELECT FROM audit_changes c JOIN audit_entries e ON (e.scope, e.batch) = (c.scope, c.batch)
       WHERE c.table_name = $3 AND e.scope <> $2 AND o.key = ANY (c.row_keys))
     ORDER BY o.key COLLATE "C" LIMIT ${problemsMax}`,
    [customerId, customerScope(customerId), table],
  );
  return rows.map(({ key }) => at('row_not_in_log', table, key, 'The row was written without the log.'));
}

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

async function rowsOutside(client: pg.ClientBase, layout: Layout): Promise<readonly AuditProblem[]> {
  const { table } = layout;
  const logged = `SELECT unnest(c.row_keys) AS key FROM audit_changes c WHERE c.table_name = $1`;
  const outside = await keysOf(
    client,
    // EXCEPT, whose work grows with the rows: an anti join with a LIMIT is planned as if the first row were outside.
    `SELECT o.key FROM (SELECT ${keySql(layout)} AS key FROM ${quoted(table)} r EXCEPT ${logged}) AS o
     ORDER BY o.key COLLATE "C" LIMIT ${problemsMax}`,
    table,
  );
  const twice = await keysOf(
    client,
    `SELECT l.key FROM (${logged}) AS l GROUP BY l.key HAVING count(*) > 1 ORDER BY l.key COLLATE "C" LIMIT ${problemsMax}`,
    table,
  );
  return [
    ...outside.map((key) => at('row_not_in_log', table, key, 'The row was written without the log.')),
    ...twice.map((key) => at('row_twice_in_log', table, key, 'Two changes speak of the row, which was written once.')),
  ];
}

async function changesOutside(client: pg.ClientBase): Promise<readonly AuditProblem[]> {
  const { rows } = await client.query<{ readonly change_id: string; readonly scope: string }>(
    `SELECT c.change_id, c.scope FROM audit_changes c
     WHERE NOT EXISTS (SELECT FROM audit_entries e WHERE e.scope = c.scope AND e.batch = c.batch)
     ORDER BY c.change_id LIMIT ${problemsMax}`,
  );
  return rows.map(({ change_id: id, scope }) => ({
    ...at('change_not_in_chain', 'audit_changes', JSON.stringify([id]), 'No entry names this change.'),
    scope,
  }));
}

async function commitmentsOutside(client: pg.ClientBase): Promise<readonly AuditProblem[]> {
  const { rows } = await client.query<{ readonly table_name: string; readonly row_key: string }>(
    `SELECT o.table_name, o.row_key FROM (
       SELECT m.table_name, m.row_key FROM audit_commitments m
       EXCEPT SELECT c.table_name, unnest(c.row_keys) FROM audit_changes c
         WHERE c.table_name IN (SELECT DISTINCT d.table_name FROM audit_commitments d)) AS o ORDER BY 1, 2 LIMIT ${problemsMax}`,
  );
  return rows.map((row) => {
    const key = JSON.stringify([row.table_name, row.row_key]);
    return at('row_not_in_log', 'audit_commitments', key, 'It stands for no row that the log knows.');
  });
}

async function keysOf(client: pg.ClientBase, text: string, table: string): Promise<readonly string[]> {
  const { rows } = await client.query<{ readonly key: string }>(text, [table]);
  return rows.map(({ key }) => key);
}

const at = (what: Tampering, table: string, key: string | null, detail: string): AuditProblem => ({
  what,
  table,
  key,
  scope: null,
  sequence: null,
  detail,
});
