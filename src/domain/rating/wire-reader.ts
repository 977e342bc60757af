import { DomainFailure } from '../failure.js';
import type { FailureCode } from '../failure.js';
import { escapedToken } from '../json-pointer.js';

/** A JSON object that nobody has looked at yet. */
export type WireObject = Readonly<Record<string, unknown>>;

const refuse = (code: FailureCode, detail: string, pointer: string): never => {
  throw new DomainFailure(code, detail, pointer);
};

/** RFC 6901: `~` and `/` inside a property name are escaped. */
export const pointerTo = (parent: string, token: string | number): string => `${parent}/${escapedToken(String(token))}`;

export function readObject(value: unknown, pointer: string): WireObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    return refuse('VALIDATION_FAILED', 'An object is expected here.', pointer);
  }
  return value as WireObject;
}

export function readList(value: unknown, pointer: string, limit: number): readonly unknown[] {
  if (!Array.isArray(value)) return refuse('VALIDATION_FAILED', 'A list is expected here.', pointer);
  if (value.length > limit) {
    return refuse(
      'VALIDATION_FAILED',
      `At most ${limit} entries are allowed here; there are ${value.length}.`,
      pointer,
    );
  }
  return value as readonly unknown[];
}

/** A name of 1–128 characters. */
export function readName(value: unknown, pointer: string): string {
  if (typeof value !== 'string' || value.length < 1 || value.length > 128) {
    return refuse('VALIDATION_FAILED', 'A text of 1 to 128 characters is expected here.', pointer);
  }
  return value;
}

export function readBoolean(value: unknown, pointer: string): boolean {
  if (typeof value !== 'boolean') return refuse('VALIDATION_FAILED', 'true or false is expected here.', pointer);
  return value;
}

/** Refuses the first property that is not in `known`; nothing unknown is ever dropped in silence. */
export function refuseUnknownProperties(object: WireObject, known: readonly string[], pointer: string): void {
  for (const key of Object.keys(object)) {
    if (!known.includes(key)) {
      refuse(
        'UNKNOWN_PROPERTY',
        `"${key}" is not a property of this object; known are: ${known.join(', ')}.`,
        pointerTo(pointer, key),
      );
    }
  }
}
