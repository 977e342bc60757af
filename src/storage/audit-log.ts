/** Entries of the audit log with their changes, as rows. */
import type pg from 'pg';
import { groupBy } from '../domain/group-by.js';
import type { Instant } from '../domain/values.js';
import type { AuditChange, AuditEntry } from './types-audit.js';

interface EntryRow {
  readonly scope: string;
  readonly sequence: string;
  readonly batch: string;
  readonly change_ids: readonly string[];
  readonly actor: string | null;
  readonly at: Instant;
  readonly previous_hash: string;
  readonly hash: string;
}

interface ChangeRow {
  readonly change_id: string;
  readonly batch: string;
  readonly scope: string;
  readonly table_name: string;
  readonly layout: number;
  readonly kind: AuditChange['kind'];
  readonly row_keys: readonly string[];
  readonly row_digests: readonly string[] | null;
  readonly actor: string | null;
  readonly digest: string;
}

/** An entry, and which changes it names. */
export interface StoredEntry extends AuditEntry {
  readonly changeIds: readonly string[];
}

const entryColumns = `e.scope, e.sequence, e.batch, e.change_ids, e.actor, e.at,
  encode(e.previous_hash, 'hex') AS previous_hash, encode(e.hash, 'hex') AS hash`;

const changesSql = `SELECT c.change_id, c.batch, c.scope, c.table_name, c.layout, c.kind, c.row_keys, c.actor, encode(c.digest, 'hex') AS digest,
    (SELECT array_agg(encode(d, 'hex') ORDER BY n) FROM unnest(c.row_digests) WITH ORDINALITY AS u (d, n)) AS row_digests
  FROM audit_changes c JOIN unnest($1::bigint[], $2::text[]) AS b (batch, scope) ON c.batch = b.batch AND c.scope = b.scope
  ORDER BY c.change_id`;

/** @param condition on `e`, with ORDER BY and LIMIT */
export async function readEntries(
  client: pg.ClientBase | pg.Pool,
  condition: string,
  values: readonly unknown[],
): Promise<readonly StoredEntry[]> {
  const { rows } = await client.query<EntryRow>(`SELECT ${entryColumns} FROM audit_entries e ${condition}`, [
    ...values,
  ]);
  if (rows.length === 0) return [];
  const { rows: changes } = await client.query<ChangeRow>(changesSql, [
    rows.map((row) => row.batch),
    rows.map((row) => row.scope),
  ]);
  const byEntry = groupBy(changes, (row) => `${row.batch} ${row.scope}`);
  return rows.map((row) => ({
    scope: row.scope,
    sequence: Number(row.sequence),
    at: row.at,
    actor: row.actor,
    previousHash: row.previous_hash,
    hash: row.hash,
    changeIds: row.change_ids,
    changes: (byEntry.get(`${row.batch} ${row.scope}`) ?? []).map(changeFromDb),
  }));
}

function changeFromDb(row: ChangeRow): AuditChange {
  const digests = row.row_digests ?? [];
  const length = Math.max(row.row_keys.length, digests.length);
  return {
    changeId: row.change_id,
    table: row.table_name,
    layout: row.layout,
    kind: row.kind,
    actor: row.actor,
    digest: row.digest,
    rows: Array.from({ length }, (_, at) => ({ key: row.row_keys[at] ?? '', digest: digests[at] ?? '' })),
  };
}
