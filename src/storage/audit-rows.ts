/** Audited rows as texts, for computing their digests again. */
import type pg from 'pg';
import { invariant } from '../domain/failure.js';
import { commitmentText, isErased, rowText, type RowTexts } from '../domain/audit/texts.js';
import { sha256 } from './audit-hashes.js';

export interface Layout {
  readonly table: string;
  readonly version: number;
  readonly mode: 'chain' | 'block';
  readonly keyColumns: readonly string[];
  readonly columns: readonly string[];
  readonly personal: readonly string[];
  /** Of the columns that there are. */
  readonly types: ReadonlyMap<string, string>;
}

interface LayoutRow extends Omit<Layout, 'types'> {
  readonly types: Readonly<Record<string, string>> | null;
}

/** By table and version: `layoutKey`. */
export type Layouts = ReadonlyMap<string, Layout>;
export const layoutKey = (table: string, version: number): string => `${version} ${table}`;

export async function readLayouts(client: pg.ClientBase): Promise<Layouts> {
  const { rows } = await client.query<LayoutRow>(
    `SELECT l.table_name AS table, l.version, l.mode, l.key_columns AS "keyColumns", l.columns, l.personal,
       (SELECT jsonb_object_agg(a.attname, format_type(a.atttypid, NULL)) FROM pg_attribute a
         WHERE a.attrelid = to_regclass(quote_ident(l.table_name)) AND a.attnum > 0 AND NOT a.attisdropped) AS types
     FROM audit_layouts l ORDER BY l.table_name, l.version`,
  );
  return new Map(
    rows.map((row) => [layoutKey(row.table, row.version), { ...row, types: new Map(Object.entries(row.types ?? {})) }]),
  );
}

/** The last layout of each table in a chain. */
export function chainedTables(layouts: Layouts): readonly Layout[] {
  const chained = [...layouts.values()].filter(({ mode }) => mode === 'chain');
  return [...new Map(chained.map((layout) => [layout.table, layout])).values()];
}

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** A row's column as text, of `r`: instants are made texts by the driver (`row-types.ts`), everything else by Postgres. */
function textSql({ types }: Layout, column: string): string {
  const type = types.get(column);
  const value = `r.${quoted(column)}`;
  if (type === undefined) return `NULL AS ${quoted(column)}`;
  if (type === 'timestamp with time zone') return value;
  return type === 'bytea' ? `encode(${value}, 'hex') AS ${quoted(column)}` : `${value}::text AS ${quoted(column)}`;
}

export function columnsSql(layout: Layout): string {
  return [...layout.columns, ...layout.personal].map((column) => textSql(layout, column)).join(', ');
}

/** A row's key as it stands in changes. */
export function keySql({ keyColumns }: Layout, alias = 'r'): string {
  return `to_json(ARRAY[${keyColumns.map((column) => `${alias}.${quoted(column)}::text`).join(', ')}])::text`;
}

export interface FoundRow {
  readonly digest: string;
  /** Its personal data is not what was committed to. */
  readonly personalDiffers: boolean;
  readonly isErased: boolean;
}

interface Found {
  readonly audit_key: string;
  readonly audit_commitment: string | null;
  readonly audit_salt: string | null;
}

/** The rows with these keys, by key, each with its digest as it is now. */
export async function digestsOf(
  client: pg.ClientBase,
  layout: Layout,
  keys: readonly string[],
): Promise<ReadonlyMap<string, FoundRow>> {
  const parts = layout.keyColumns.map((column, place) => {
    const type = layout.types.get(column);
    invariant(type !== undefined, `${layout.table} has its key column ${column}`);
    return `r.${quoted(column)} = (k.key::json ->> ${place})::${type}`;
  });
  const hasPersonal = layout.personal.length > 0;
  const { rows } = await client.query<Found & RowTexts>(
    `SELECT k.key AS audit_key, ${hasPersonal ? `encode(m.commitment, 'hex')` : 'NULL'} AS audit_commitment,
       ${hasPersonal ? 'm.salt::text' : 'NULL'} AS audit_salt, ${columnsSql(layout)}
     FROM unnest($1::text[]) AS k (key) JOIN ${quoted(layout.table)} AS r ON ${parts.join(' AND ')}
     ${hasPersonal ? `LEFT JOIN audit_commitments m ON m.table_name = '${layout.table}' AND m.row_key = k.key` : ''}`,
    [keys],
  );
  return new Map(rows.map((row) => [row.audit_key, foundRow(layout, row)]));
}

function foundRow({ columns, personal }: Layout, row: Found & RowTexts): FoundRow {
  const commitment = row.audit_commitment;
  const digest = sha256(rowText(row, columns, personal.length === 0 ? null : (commitment ?? '')));
  if (personal.length === 0 || commitment === null) return { digest, personalDiffers: false, isErased: false };
  if (row.audit_salt === null) return { digest, personalDiffers: !isErased(row, personal), isErased: true };
  const personalDiffers = sha256(commitmentText(row.audit_salt, row, personal)) !== commitment;
  return { digest, personalDiffers, isErased: false };
}
