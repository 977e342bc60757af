/** Who sends a request, and the id of what it makes. */
import { randomUUID } from 'node:crypto';
import type { Instant } from '../../domain/values.js';
import { uuidOf } from '../../storage/identifiers.js';

/** Who asks, and the Idempotency-Key that makes a repeated request the same one; null: it came without a key. */
export interface Asking {
  readonly actor: string;
  readonly key: string | null;
}

/** And when. */
export interface Asked extends Asking {
  readonly now: Instant;
}

/**
 * The same request under the same key is the same thing, also once the stored answer of the key is forgotten; without a key every
 * request is another one. What these ids are made of never changes: a repeated request would make its row a second time.
 * @param parts name what it is about, with the body where that can say another thing about it
 */
export const idOf = (kind: string, { actor, key }: Asking, ...parts: readonly (string | number)[]): string =>
  key === null ? randomUUID() : uuidOf(kind, actor, key, ...parts);
