/** The blocks of the usage ledger, one by one, each with the facts between its positions. */
import { createHash } from 'node:crypto';
import type pg from 'pg';
import type { AuditProblem, Tampering } from '../domain/audit/findings.js';
import { blockText, rowText, type RowTexts, tablesOf } from '../domain/audit/texts.js';
import type { Instant, Position } from '../domain/values.js';
import { sha256 } from './audit-hashes.js';
import { columnsSql, keySql, type Layout, layoutKey, type Layouts } from './audit-rows.js';

interface BlockRow {
  readonly block_number: string;
  readonly from_position: Position;
  readonly to_position: Position;
  readonly facts: number;
  readonly layouts: Readonly<Record<string, number>>;
  readonly content: string;
  readonly fact_index: Buffer;
  readonly sealed_at: Instant;
  readonly previous_hash: string;
  readonly hash: string;
}

export interface BlockReading {
  readonly blocks: number;
  readonly facts: number;
  /** At most one a block. */
  readonly problems: readonly AuditProblem[];
}

/** A fact as it is now. */
interface Fact {
  readonly position: bigint;
  /** Of its table in the block, from 1. */
  readonly place: number;
  readonly table: string;
  readonly key: string;
  /** Hex. */
  readonly digest: string;
}

/** Blocks between two words of progress. */
const pageSize = 20;

export async function* readBlocks(client: pg.ClientBase, layouts: Layouts): AsyncGenerator<BlockReading> {
  let last: BlockRow | undefined;
  let [blocks, facts] = [0, 0];
  await client.query('SET LOCAL enable_seqscan = off');
  for (;;) {
    const problems: AuditProblem[] = [];
    const { rows } = await client.query<BlockRow>(
      `SELECT block_number, from_position, to_position, facts, layouts, encode(content, 'hex') AS content, fact_index, sealed_at,
         encode(previous_hash, 'hex') AS previous_hash, encode(hash, 'hex') AS hash
       FROM audit_blocks WHERE block_number > $1 ORDER BY block_number LIMIT $2`,
      [last?.block_number ?? '0', pageSize],
    );
    for (const row of rows) {
      const problem = blockProblem(row, last) ?? (await factProblem(client, row, layouts));
      last = row;
      if (problem !== null) {
        problems.push(problem);
        continue;
      }
      blocks += 1;
      facts += row.facts;
    }
    yield { blocks, facts, problems };
    if (rows.length < pageSize) break;
  }
  await client.query('RESET enable_seqscan');
}

function blockProblem(row: BlockRow, last: BlockRow | undefined): AuditProblem | null {
  const number = Number(row.block_number);
  const expected = last === undefined ? 1 : Number(last.block_number) + 1;
  if (number !== expected) return inBlock('block_missing', expected, `Block ${expected} is not there; ${number} is.`);
  if (row.previous_hash !== (last?.hash ?? '') || row.from_position !== (last?.to_position ?? '0')) {
    return inBlock('block_changed', number, 'The block does not go on where the one before it ends.');
  }
  const text = blockText({
    block: number,
    from: row.from_position,
    to: row.to_position,
    facts: row.facts,
    layouts: row.layouts,
    content: row.content,
    at: row.sealed_at,
    previousHash: row.previous_hash,
  });
  return sha256(text) === row.hash ? null : inBlock('block_changed', number, 'Its hash is not that of its content.');
}

async function factProblem(client: pg.ClientBase, row: BlockRow, layouts: Layouts): Promise<AuditProblem | null> {
  const block = Number(row.block_number);
  const tables = tablesOf(row.layouts);
  const found: Fact[] = [];
  for (const [index, table] of tables.entries()) {
    const layout = layouts.get(layoutKey(table, row.layouts[table] ?? 0));
    if (layout === undefined) return inBlock('block_changed', block, `The log does not know its layout of ${table}.`);
    for (const fact of await factsOf(client, { layout, place: index + 1, row })) found.push(fact);
  }
  found.sort((a, b) => (a.position < b.position ? -1 : Number(a.position > b.position)));
  const differing = firstDifference(row.fact_index, found);
  if (differing !== null) return { ...inBlock(differing.what, block, differing.detail), ...placeOf(differing, tables) };
  const content = createHash('sha256');
  for (const fact of found) content.update(headOf(fact)).update(Buffer.from(fact.digest, 'hex'));
  if (content.digest('hex') === row.content && found.length === row.facts) return null;
  return inBlock('block_changed', block, 'Its facts are there, and are not what was sealed.');
}

async function factsOf(
  client: pg.ClientBase,
  { layout, place, row }: { readonly layout: Layout; readonly place: number; readonly row: BlockRow },
): Promise<readonly Fact[]> {
  // Nothing has a position at or below that of the first block.
  const from = row.block_number === '1' ? null : row.from_position;
  const { rows } = await client.query<RowTexts & { readonly audit_key: string; readonly audit_position: string }>(
    `SELECT r.position AS audit_position, ${keySql(layout)} AS audit_key, ${columnsSql(layout)} FROM ${layout.table} r
     WHERE ($1::bigint IS NULL OR r.position > $1) AND r.position <= $2 ORDER BY r.position`,
    [from, row.to_position],
  );
  return rows.map((fact) => ({
    position: BigInt(fact.audit_position),
    place,
    table: layout.table,
    key: fact.audit_key,
    digest: sha256(rowText(fact, layout.columns)),
  }));
}

/** Position and table of a fact, as they stand before its digest in the block. */
function headOf({ position, place }: Pick<Fact, 'position' | 'place'>): Buffer {
  const head = Buffer.alloc(9);
  head.writeBigInt64BE(position);
  head.writeUInt8(place, 8);
  return head;
}

const indexed = 17;

interface Difference {
  readonly what: Tampering;
  readonly position: bigint;
  readonly place: number;
  /** null: a fact that is not there has no key any more. */
  readonly fact: Fact | null;
  readonly detail: string;
}

/** Sealed and found facts are both in order of position. */
function firstDifference(index: Buffer, found: readonly Fact[]): Difference | null {
  for (let at = 0; at * indexed < index.length || at < found.length; at += 1) {
    const sealed = sealedAt(index, at);
    const fact = found[at] ?? null;
    if (sealed === null) return fact === null ? null : extra(fact);
    const { position, place } = sealed;
    if (fact !== null && (fact.position < position || isBeforeItsOriginal(found, at, sealed))) return extra(fact);
    if (fact === null || fact.position > position || fact.place !== place) {
      const detail = `The fact at position ${position} is not there any more.`;
      return { what: 'fact_missing', position, place, fact: null, detail };
    }
    if (sealed.digest !== fact.digest.slice(0, 16)) {
      const detail = `The fact at position ${position} is not what was sealed.`;
      return { what: 'fact_changed', position, place, fact, detail };
    }
  }
  return null;
}

interface SealedFact {
  readonly position: bigint;
  readonly place: number;
  /** Its first 16 hex digits. */
  readonly digest: string;
}

function sealedAt(index: Buffer, at: number): SealedFact | null {
  const sealed = index.subarray(at * indexed, (at + 1) * indexed);
  if (sealed.length < indexed) return null;
  return { position: sealed.readBigInt64BE(), place: sealed.readUInt8(8), digest: sealed.toString('hex', 9) };
}

/** Two facts at one position, of which the second is the one that was sealed. */
function isBeforeItsOriginal(found: readonly Fact[], at: number, { position, digest }: SealedFact): boolean {
  const [fact, next] = [found[at], found[at + 1]];
  return fact?.digest.slice(0, 16) !== digest && next?.position === position && next.digest.slice(0, 16) === digest;
}

function extra(fact: Fact): Difference {
  const detail = 'The fact came at or below the safe horizon, after its block was sealed.';
  return { what: 'fact_not_in_block', position: fact.position, place: fact.place, fact, detail };
}

function placeOf(
  { fact, place, position }: Difference,
  tables: readonly string[],
): Pick<AuditProblem, 'table' | 'key'> {
  return fact === null
    ? { table: tables[place - 1] ?? 'audit_blocks', key: JSON.stringify({ position: String(position) }) }
    : { table: fact.table, key: fact.key };
}

const inBlock = (what: Tampering, block: number, detail: string): AuditProblem => ({
  what,
  table: 'audit_blocks',
  key: JSON.stringify([String(block)]),
  scope: 'ledger',
  sequence: block,
  detail,
});
