/** Lines that were written outside the database, one a checkpoint: what a database must still have. */
import { isObject } from './json.js';
import type { CheckpointContent, SignedHead } from './texts.js';

/** A checkpoint as it stands in an anchor file; the hash is that of its content, the signature is on the hash. */
export interface Anchor extends CheckpointContent {
  readonly hash: string;
  readonly keyId: string;
  /** PEM; its id is made of it, so that whoever trusts the id can check the signature with it. */
  readonly publicKey: string;
  /** Base64. */
  readonly signature: string;
}

export function anchorLine(anchor: Anchor): string {
  const { checkpoint, at, block, heads, previousHash, hash, keyId, publicKey, signature } = anchor;
  return JSON.stringify({
    checkpoint,
    at,
    block,
    heads: heads.map(({ scope, sequence, hash: head }) => [scope, sequence, head]),
    previous: previousHash,
    hash,
    key_id: keyId,
    public_key: publicKey,
    signature,
  });
}

/** null: the line is none. */
export function parseAnchor(line: string): Anchor | null {
  const value = parsed(line);
  if (!isObject(value)) return null;
  const { checkpoint, at, previous, hash, key_id: keyId, public_key: publicKey, signature } = value;
  const heads = headsOf(value['heads']);
  const block = blockOf(value['block']);
  const texts = [at, previous, hash, keyId, publicKey, signature];
  const isAnchor = typeof checkpoint === 'number' && texts.every((text) => typeof text === 'string');
  if (!isAnchor || heads === null || block === undefined) return null;
  const [atText = '', previousHash = '', hashText = '', id = '', pem = '', signed = ''] = texts as readonly string[];
  return {
    checkpoint,
    at: atText,
    block,
    heads,
    previousHash,
    hash: hashText,
    keyId: id,
    publicKey: pem,
    signature: signed,
  };
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return null;
  }
}

function headsOf(value: unknown): readonly SignedHead[] | null {
  if (!Array.isArray(value)) return null;
  const heads = value.flatMap((head: unknown) => {
    if (!Array.isArray(head)) return [];
    const [scope, sequence, hash] = head as readonly unknown[];
    const isHead = typeof scope === 'string' && typeof sequence === 'number' && typeof hash === 'string';
    return isHead ? [{ scope, sequence, hash }] : [];
  });
  return heads.length === value.length ? heads : null;
}

function blockOf(value: unknown): CheckpointContent['block'] | undefined {
  if (value === null) return null;
  if (!isObject(value)) return undefined;
  const { number, hash } = value;
  return typeof number === 'number' && typeof hash === 'string' ? { number, hash } : undefined;
}
