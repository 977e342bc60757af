/** Ids are UUIDv5 of identity keys, so that a retried step writes the same row (DESIGN 1). */
import { v5 } from 'uuid';

/** Fixed for ever: another namespace would give every row another id. */
const namespace = 'b9b1f5a8-6c0e-5d43-9a2f-0f6f3a6e7c11';

/**
 * The id of the thing that these parts identify; the first one names the kind (`customer-version`, `charge`). JSON keeps
 * the parts apart whatever they contain, and null apart from the text "null".
 */
export function uuidOf(kind: string, ...parts: readonly (string | number | null)[]): string {
  return v5(JSON.stringify([kind, ...parts]), namespace);
}
