/**
 * What is hashed, as text: JSON as RFC 8785 has it (members in order of code units, no white space), made here a second time and
 * independently of the database, which made it when the rows were written (migration `audit`). Members below are written in order.
 */

/** A row's columns as text, null where it has none; instants as `Instant`, bytes as hex. */
export type RowTexts = Readonly<Record<string, string | null>>;

/** The member that stands for a row's personal data; no column has that name, and it comes after all of them. */
const personalMember = '~personal';

/**
 * Columns that are null are left out, so that a column that comes later changes no earlier row.
 * @param columns in order of code units
 * @param commitment of the row's personal data, hex; null: it has none
 */
export function rowText(row: RowTexts, columns: readonly string[], commitment: string | null = null): string {
  let text = '';
  for (const column of columns) {
    const value = row[column] ?? null;
    if (value !== null) text += `${text === '' ? '' : ','}${JSON.stringify(column)}:${JSON.stringify(value)}`;
  }
  if (commitment !== null) text += `${text === '' ? '' : ','}"${personalMember}":"${commitment}"`;
  return `{${text}}`;
}

/** Hashed to the commitment of a row's personal data. @param columns in order of code units */
export function commitmentText(salt: string, row: RowTexts, columns: readonly string[]): string {
  return salt + rowText(row, columns);
}

/** Whether nothing of the row's personal data is left: null, the empty text, or a JSON value without content. */
export function isErased(row: RowTexts, columns: readonly string[]): boolean {
  return columns.every((column) => [null, '', '{}', '[]', 'null'].includes(row[column] ?? null));
}

export interface ChangeContent {
  readonly scope: string;
  readonly table: string;
  readonly layout: number;
  readonly kind: 'insert' | 'genesis';
  readonly rowKeys: readonly string[];
  /** Hex. */
  readonly rowDigests: readonly string[];
  readonly actor: string | null;
}

export function changeText({ scope, table, layout, kind, rowKeys, rowDigests, actor }: ChangeContent): string {
  return textOf({ actor, digests: rowDigests, keys: rowKeys, kind, layout, scope, table });
}

export interface EntryContent {
  readonly scope: string;
  readonly sequence: number;
  readonly actor: string | null;
  readonly at: string;
  /** Hex; the empty text before the first entry. */
  readonly previousHash: string;
  /** Hex digests of its changes, in order. */
  readonly changes: readonly string[];
}

export function entryText({ scope, sequence, actor, at, previousHash, changes }: EntryContent): string {
  return textOf({ actor, at, changes, previous: previousHash, scope, sequence });
}

export interface BlockContent {
  readonly block: number;
  readonly from: string;
  readonly to: string;
  readonly facts: number;
  readonly layouts: Readonly<Record<string, number>>;
  readonly content: string;
  readonly at: string;
  readonly previousHash: string;
}

export function blockText({ block, from, to, facts, layouts, content, at, previousHash }: BlockContent): string {
  const sorted = Object.fromEntries(tablesOf(layouts).map((table) => [table, layouts[table]]));
  return textOf({ at, block, content, facts, from, layouts: sorted, previous: previousHash, to });
}

/** The tables of a block in the order in which its facts number them, from 1. */
export function tablesOf(layouts: Readonly<Record<string, number>>): readonly string[] {
  return Object.keys(layouts).sort();
}

export interface SignedHead {
  readonly scope: string;
  readonly sequence: number;
  readonly hash: string;
}

export interface CheckpointContent {
  readonly checkpoint: number;
  readonly at: string;
  /** The last block then; null: there was none. */
  readonly block: { readonly number: number; readonly hash: string } | null;
  /** In order of scope (code units). */
  readonly heads: readonly SignedHead[];
  readonly previousHash: string;
}

export function checkpointText({ checkpoint, at, block, heads, previousHash }: CheckpointContent): string {
  return textOf({
    at,
    block: block === null ? null : { hash: block.hash, number: block.number },
    checkpoint,
    heads: heads.map(({ scope, sequence, hash }) => [scope, sequence, hash]),
    previous: previousHash,
  });
}

/** What the key signs: the kind keeps the signature from being used for anything else. */
export const signedText = (checkpointHash: string): string => `reckoner audit checkpoint\n${checkpointHash}`;

/** Of an object whose members are in order; absent (null) ones that may be are left out. */
function textOf({ actor, ...members }: { readonly actor?: string | null } & Readonly<Record<string, unknown>>): string {
  return JSON.stringify({ ...(actor !== null && actor !== undefined && { actor }), ...members });
}
