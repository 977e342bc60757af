/** The checkpoints, one after the other: their hashes, their signatures, and the heads that they signed. */
import type pg from 'pg';
import type { AuditProblem, Tampering } from '../domain/audit/findings.js';
import { checkpointText, signedText, type SignedHead } from '../domain/audit/texts.js';
import { readCheckpoints, readKeys } from './audit-checkpoints.js';
import { isSignedBy, publicKeyOf, sha256 } from './audit-hashes.js';
import type { AnchoredState, Checkpoint } from './types-audit.js';

const pageSize = 50;

export interface CheckpointReading {
  readonly checkpoints: number;
  /** At most one a checkpoint. */
  readonly problems: readonly AuditProblem[];
  readonly keyIds: readonly string[];
}

interface Checking {
  /** Ids of the keys that may sign; undefined: all that the log knows. */
  readonly trustedKeys: readonly string[] | undefined;
  /**
   * Only this chain, against the checkpoints that signed a head of it; undefined: all. That none of those was taken away, only
   * all checkpoints together can tell.
   */
  readonly scope?: string | undefined;
}

export async function* checkCheckpoints(
  client: pg.ClientBase,
  { trustedKeys, scope }: Checking,
): AsyncGenerator<CheckpointReading> {
  const keys = new Map((await readKeys(client)).map(({ keyId, publicKey }) => [keyId, publicKey]));
  const keyIds = new Set<string>();
  let last: Checkpoint | undefined;
  let count = 0;
  for (;;) {
    const problems: AuditProblem[] = [];
    const page = await checkpointsAfter(client, last?.checkpoint ?? 0, scope);
    for (const checkpoint of page) {
      const problem =
        (scope === undefined ? linkProblem(checkpoint, last) : null) ??
        contentProblem(checkpoint) ??
        signatureProblem(checkpoint, keys, trustedKeys) ??
        (await stateProblem(client, scope === undefined ? checkpoint : ofChain(checkpoint, scope)));
      last = checkpoint;
      if (problem !== null) {
        problems.push(problem);
        continue;
      }
      keyIds.add(checkpoint.keyId);
      count += 1;
    }
    const isLast = page.length < pageSize;
    const outside = isLast && scope === undefined ? await headOutside(client) : null;
    if (outside !== null) problems.push(outside);
    yield { checkpoints: count, problems, keyIds: [...keyIds] };
    if (isLast) return;
  }
}

function checkpointsAfter(
  client: pg.ClientBase,
  after: number,
  scope: string | undefined,
): Promise<readonly Checkpoint[]> {
  return readCheckpoints(
    client,
    `WHERE c.checkpoint_number > $1 AND ($2::text IS NULL OR EXISTS (SELECT FROM audit_checkpoint_heads s
       WHERE s.checkpoint_number = c.checkpoint_number AND s.scope = $2)) ORDER BY c.checkpoint_number LIMIT $3`,
    [after, scope ?? null, pageSize],
  );
}

/** What a checkpoint has signed of one chain. */
function ofChain({ checkpoint, heads }: Checkpoint, scope: string): Parameters<typeof stateProblem>[1] {
  return { checkpoint, heads: heads.filter((head) => head.scope === scope), block: null };
}

/** A head of a checkpoint that there is not. */
async function headOutside(client: pg.ClientBase): Promise<AuditProblem | null> {
  const { rows } = await client.query<{ readonly checkpoint_number: string; readonly scope: string }>(
    `SELECT h.checkpoint_number, h.scope FROM audit_checkpoint_heads h WHERE NOT EXISTS (
       SELECT FROM audit_checkpoints c WHERE c.checkpoint_number = h.checkpoint_number) ORDER BY 1, 2 LIMIT 1`,
  );
  const [row] = rows;
  if (row === undefined) return null;
  const key = JSON.stringify([row.checkpoint_number, row.scope]);
  const problem = at('checkpoint_missing', Number(row.checkpoint_number), 'The head belongs to no checkpoint.');
  return { ...problem, table: 'audit_checkpoint_heads', key };
}

function linkProblem(checkpoint: Checkpoint, last: Checkpoint | undefined): AuditProblem | null {
  const expected = (last?.checkpoint ?? 0) + 1;
  if (checkpoint.checkpoint !== expected) {
    return at('checkpoint_missing', expected, `Checkpoint ${expected} is not there; ${checkpoint.checkpoint} is.`);
  }
  if (checkpoint.previousHash !== (last?.hash ?? '')) {
    return at('checkpoint_changed', expected, 'It does not follow on the checkpoint before it.');
  }
  return null;
}

function contentProblem(checkpoint: Checkpoint): AuditProblem | null {
  if (sha256(checkpointText(checkpoint)) === checkpoint.hash) return null;
  return at('checkpoint_changed', checkpoint.checkpoint, 'Its hash is not that of its content and the heads it signs.');
}

function signatureProblem(
  { checkpoint, hash, keyId, signature }: Checkpoint,
  keys: ReadonlyMap<string, string>,
  trusted: readonly string[] | undefined,
): AuditProblem | null {
  const publicKey = keys.get(keyId) ?? '';
  if (publicKeyOf(publicKey, keyId) === null) {
    const detail = `The log does not have the public key ${keyId}, or another one in its place.`;
    return { ...at('key_unknown', checkpoint, detail), table: 'audit_keys', key: JSON.stringify([keyId]) };
  }
  if (trusted !== undefined && !trusted.includes(keyId)) {
    return at('key_unknown', checkpoint, `It is signed by the key ${keyId}, which is not one of those that may sign.`);
  }
  if (isSignedBy(publicKey, keyId, { text: signedText(hash), signature })) return null;
  return at('signature_wrong', checkpoint, `The signature is not one of the key ${keyId}.`);
}

const at = (what: Tampering, checkpoint: number, detail: string): AuditProblem => ({
  what,
  table: 'audit_checkpoints',
  key: JSON.stringify([String(checkpoint)]),
  scope: 'checkpoints',
  sequence: checkpoint,
  detail,
});

/** Whether chains and blocks still have what was signed or anchored. */
async function stateProblem(
  client: pg.ClientBase | pg.Pool,
  { checkpoint, heads, block }: Pick<AnchoredState, 'checkpoint' | 'heads' | 'block'>,
): Promise<AuditProblem | null> {
  return (await headProblem(client, checkpoint, heads)) ?? (await blockProblem(client, checkpoint, block));
}

async function headProblem(
  client: pg.ClientBase | pg.Pool,
  checkpoint: number,
  heads: readonly SignedHead[],
): Promise<AuditProblem | null> {
  const { rows } = await client.query<{
    readonly scope: string;
    readonly sequence: string;
    readonly has: string | null;
  }>(
    `SELECT h.scope, h.sequence, (SELECT max(e.sequence) FROM audit_entries e WHERE e.scope = h.scope) AS has
     FROM unnest($1::text[], $2::bigint[], $3::text[]) AS h (scope, sequence, hash)
     LEFT JOIN audit_entries e ON e.scope = h.scope AND e.sequence = h.sequence
     WHERE encode(e.hash, 'hex') IS DISTINCT FROM h.hash ORDER BY h.scope COLLATE "C" LIMIT 1`,
    [heads.map(({ scope }) => scope), heads.map(({ sequence }) => sequence), heads.map(({ hash }) => hash)],
  );
  const [row] = rows;
  if (row === undefined) return null;
  const has = Number(row.has ?? 0);
  const isCut = has < Number(row.sequence);
  const sequence = isCut ? has + 1 : Number(row.sequence);
  return {
    what: isCut ? 'entries_cut' : 'entry_changed',
    table: 'audit_entries',
    key: JSON.stringify([row.scope, String(sequence)]),
    scope: row.scope,
    sequence,
    detail: isCut
      ? `Checkpoint ${checkpoint} has signed entry ${row.sequence}; the chain ends with ${has}.`
      : `Checkpoint ${checkpoint} has signed another entry.`,
  };
}

async function blockProblem(
  client: pg.ClientBase | pg.Pool,
  checkpoint: number,
  block: AnchoredState['block'],
): Promise<AuditProblem | null> {
  if (block === null) return null;
  const { rows } = await client.query<{ readonly hash: string | null; readonly has: string | null }>(
    `SELECT (SELECT encode(hash, 'hex') FROM audit_blocks WHERE block_number = $1) AS hash, (SELECT max(block_number) FROM audit_blocks) AS has`,
    [block.number],
  );
  const [row] = rows;
  if (row === undefined || row.hash === block.hash) return null;
  const has = Number(row.has ?? 0);
  const isCut = has < block.number;
  const number = isCut ? has + 1 : block.number;
  return {
    what: isCut ? 'blocks_cut' : 'block_changed',
    table: 'audit_blocks',
    key: JSON.stringify([String(number)]),
    scope: 'ledger',
    sequence: number,
    detail: isCut
      ? `Checkpoint ${checkpoint} has signed block ${block.number}; the blocks end with ${has}.`
      : `Checkpoint ${checkpoint} has signed another block.`,
  };
}

/** Whether the database still has what was written outside of it. */
export async function anchorProblem(
  client: pg.ClientBase | pg.Pool,
  anchored: AnchoredState,
): Promise<AuditProblem | null> {
  const problem = await stateProblem(client, anchored);
  if (problem !== null) return problem;
  const [stored] = await readCheckpoints(client, 'WHERE c.checkpoint_number = $1', [anchored.checkpoint]);
  if (stored === undefined) {
    return at(
      'checkpoint_missing',
      anchored.checkpoint,
      `Checkpoint ${anchored.checkpoint} was anchored and is not there.`,
    );
  }
  if (stored.hash === anchored.hash) return null;
  return at('checkpoint_changed', anchored.checkpoint, 'Another checkpoint was anchored under this number.');
}
