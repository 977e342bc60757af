/** Ids are UUIDv5 of identity keys, so that a retried step writes the same row (DESIGN 1). */
import { v5 } from 'uuid';

/** Fixed for ever: another namespace would give every row another id. */
const namespace = 'b9b1f5a8-6c0e-5d43-9a2f-0f6f3a6e7c11';

const uuidPattern = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Ids of ours. What is none names nothing, and does not get to the database. */
export const isUuid = (text: string): boolean => uuidPattern.test(text);

/**
 * The id of the thing that these parts identify; the first one names the kind (`customer-version`, `charge`). JSON keeps
 * the parts apart whatever they contain, and null apart from the text "null".
 */
export function uuidOf(kind: string, ...parts: readonly (string | number | null)[]): string {
  return v5(JSON.stringify([kind, ...parts]), namespace);
}
