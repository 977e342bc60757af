/** Checkpoints: heads of chains and the last block, signed together, each with the hash of the one before. */
import type pg from 'pg';
import { checkpointText, signedText, type SignedHead } from '../domain/audit/texts.js';
import { groupBy } from '../domain/group-by.js';
import type { Instant } from '../domain/values.js';
import { sha256 } from './audit-hashes.js';
import type { Database } from './database.js';
import type { AuditKey, AuditSigner, Checkpoint } from './types-audit.js';

/** Any number that nothing else locks: one signs at a time. */
const signingLock = 0x41554454;
const headsByDefault = 1_000;

export async function signHeads(
  db: Database,
  signer: AuditSigner,
  { at, headsMax = headsByDefault }: { readonly at: Instant; readonly headsMax?: number },
): Promise<readonly Checkpoint[]> {
  const made: Checkpoint[] = [];
  for (;;) {
    const checkpoint = await signNext(db, signer, { at, headsMax });
    if (checkpoint === null) return made;
    made.push(checkpoint);
    if (checkpoint.heads.length < headsMax) return made;
  }
}

/** A transaction each, so that a great number of heads is not held up by its last one. */
function signNext(
  db: Database,
  signer: AuditSigner,
  { at, headsMax }: { readonly at: Instant; readonly headsMax: number },
): Promise<Checkpoint | null> {
  return db.transaction(async (client) => {
    const key = 'INSERT INTO audit_keys (key_id, public_key) VALUES ($1, $2) ON CONFLICT (key_id) DO NOTHING';
    await client.query(key, [signer.keyId, signer.publicKey]);
    const last = (await readCheckpoints(client, 'ORDER BY c.checkpoint_number DESC LIMIT 1', [])).at(0);
    const block = await lastBlock(client);
    const heads = await movedHeads(client, headsMax);
    if (heads.length === 0 && block?.number === last?.block?.number) return null;
    const content = { checkpoint: (last?.checkpoint ?? 0) + 1, at, block, heads, previousHash: last?.hash ?? '' };
    const hash = sha256(checkpointText(content));
    const checkpoint = { ...content, hash, keyId: signer.keyId, signature: signer.sign(signedText(hash)) };
    await insertCheckpoint(client, checkpoint);
    return checkpoint;
  }, `SELECT pg_advisory_xact_lock(${signingLock})`);
}

async function lastBlock(client: pg.PoolClient): Promise<Checkpoint['block']> {
  const { rows } = await client.query<{ readonly number: string; readonly hash: string }>(
    `SELECT block_number AS number, encode(hash, 'hex') AS hash FROM audit_blocks ORDER BY block_number DESC LIMIT 1`,
  );
  const [row] = rows;
  return row === undefined ? null : { number: Number(row.number), hash: row.hash };
}

/** From chain to chain in the index, its last entry each; those that no checkpoint has. */
const movedHeadsSql = `WITH RECURSIVE heads AS (
    (SELECT scope, sequence, hash FROM audit_entries ORDER BY scope, sequence LIMIT 1)
    UNION ALL
    SELECT next.* FROM heads, LATERAL (
      SELECT e.scope, e.sequence, e.hash FROM audit_entries e WHERE e.scope > heads.scope ORDER BY e.scope, e.sequence LIMIT 1) AS next)
  SELECT l.scope, l.sequence, encode(l.hash, 'hex') AS hash
  FROM heads h, LATERAL (SELECT e.* FROM audit_entries e WHERE e.scope = h.scope ORDER BY e.sequence DESC LIMIT 1) AS l
  WHERE NOT EXISTS (SELECT FROM audit_checkpoint_heads s WHERE s.scope = l.scope AND s.sequence = l.sequence)
  LIMIT $1`;

async function movedHeads(client: pg.PoolClient, headsMax: number): Promise<readonly SignedHead[]> {
  const { rows } = await client.query<{ readonly scope: string; readonly sequence: string; readonly hash: string }>(
    movedHeadsSql,
    [headsMax],
  );
  return rows.map((row) => ({ ...row, sequence: Number(row.sequence) })).sort(byScope);
}

const byScope = (a: SignedHead, b: SignedHead): number => (a.scope < b.scope ? -1 : Number(a.scope > b.scope));

async function insertCheckpoint(client: pg.PoolClient, checkpoint: Checkpoint): Promise<void> {
  const { block, heads } = checkpoint;
  await client.query(
    `INSERT INTO audit_checkpoints (checkpoint_number, at, block_number, block_hash, previous_hash, hash, key_id, signature)
     VALUES ($1, $2, $3, decode($4, 'hex'), decode($5, 'hex'), decode($6, 'hex'), $7, decode($8, 'base64'))`,
    [
      checkpoint.checkpoint,
      checkpoint.at,
      block?.number ?? null,
      block?.hash ?? null,
      checkpoint.previousHash,
      checkpoint.hash,
      checkpoint.keyId,
      checkpoint.signature,
    ],
  );
  await client.query(
    `INSERT INTO audit_checkpoint_heads (checkpoint_number, scope, sequence, hash)
     SELECT $1, scope, sequence, decode(hash, 'hex') FROM unnest($2::text[], $3::bigint[], $4::text[]) AS h (scope, sequence, hash)`,
    [
      checkpoint.checkpoint,
      heads.map(({ scope }) => scope),
      heads.map(({ sequence }) => sequence),
      heads.map(({ hash }) => hash),
    ],
  );
}

interface CheckpointRow {
  readonly checkpoint_number: string;
  readonly at: Instant;
  readonly block_number: string | null;
  readonly block_hash: string | null;
  readonly previous_hash: string;
  readonly hash: string;
  readonly key_id: string;
  readonly signature: string;
}

interface HeadRow {
  readonly checkpoint_number: string;
  readonly scope: string;
  readonly sequence: string;
  readonly hash: string;
}

/** @param condition on `c`, with ORDER BY and LIMIT */
export async function readCheckpoints(
  client: pg.ClientBase | pg.Pool,
  condition: string,
  values: readonly unknown[],
): Promise<readonly Checkpoint[]> {
  const { rows } = await client.query<CheckpointRow>(
    `SELECT c.checkpoint_number, c.at, c.block_number, encode(c.block_hash, 'hex') AS block_hash,
       encode(c.previous_hash, 'hex') AS previous_hash, encode(c.hash, 'hex') AS hash, c.key_id,
       translate(encode(c.signature, 'base64'), E'\\n', '') AS signature FROM audit_checkpoints c ${condition}`,
    [...values],
  );
  const { rows: heads } = await client.query<HeadRow>(
    `SELECT checkpoint_number, scope, sequence, encode(hash, 'hex') AS hash FROM audit_checkpoint_heads
     WHERE checkpoint_number = ANY ($1::bigint[])`,
    [rows.map((row) => row.checkpoint_number)],
  );
  const byCheckpoint = groupBy(heads, (row) => row.checkpoint_number);
  return rows.map((row) => ({
    checkpoint: Number(row.checkpoint_number),
    at: row.at,
    block: row.block_number === null ? null : { number: Number(row.block_number), hash: row.block_hash ?? '' },
    heads: (byCheckpoint.get(row.checkpoint_number) ?? [])
      .map(({ scope, sequence, hash }) => ({ scope, sequence: Number(sequence), hash }))
      .sort(byScope),
    previousHash: row.previous_hash,
    hash: row.hash,
    keyId: row.key_id,
    signature: row.signature,
  }));
}

export async function readKeys(client: pg.ClientBase | pg.Pool): Promise<readonly AuditKey[]> {
  const { rows } = await client.query<AuditKey>(
    'SELECT key_id AS "keyId", public_key AS "publicKey", added_at AS "addedAt" FROM audit_keys ORDER BY added_at, key_id',
  );
  return rows;
}
