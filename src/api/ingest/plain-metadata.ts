/**
 * Metadata as a validator sees it, whose numbers are floats. A number of more digits than a float holds is shown as one that
 * compares with every number of at most 15 digits, and schemas have no others, exactly as it does itself; what cannot be told from
 * such a float (whole numbers, multiples, equality of two of them) is read from the number itself, which is kept beside it.
 */
import { D, decimalTextOf } from '../../domain/decimal.js';
import type { JsonValue } from '../../domain/metering/json-schema.js';
import { NumberText, type ExactJson } from './exact-json.js';

/** Of an object or list with such numbers in it: as it was sent. */
const originals = new WeakMap<object, ExactJson>();

/** The same object where no number is carried as text, as nearly always. */
export function plainView(value: ExactJson): JsonValue {
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof NumberText) return comparableNumber(value.text);
  if (!holdsNumberText(value)) return value as JsonValue;
  const entries = Object.entries(value as Readonly<Record<string, ExactJson>>);
  const plain = entries.map(([, member]) => plainView(member));
  const copy = Array.isArray(value) ? plain : Object.fromEntries(entries.map(([key], at) => [key, plain[at] ?? null]));
  originals.set(copy, value);
  return copy;
}

/** Without allocating anything, because nearly every event is asked. */
function holdsNumberText(value: object): boolean {
  for (const key in value) {
    const member = (value as Readonly<Record<string, ExactJson>>)[key];
    if (typeof member !== 'object' || member === null) continue;
    if (member instanceof NumberText || holdsNumberText(member)) return true;
  }
  return false;
}

/** An item or member of something that `plainView` made, as it was sent. */
export function exactMember(parent: unknown, key: string | number, plain: JsonValue): ExactJson {
  const original = originals.get(parent as object);
  return original === undefined ? plain : ((original as Readonly<Record<string, ExactJson>>)[key] ?? plain);
}

/** The decimal that a number is. */
export function exactNumber(value: ExactJson): D {
  return new D(value instanceof NumberText ? value.text : String(value));
}

/** One text for one value, whatever the order of keys and the notation of numbers. */
export function exactText(plain: JsonValue): string {
  return textOf(originals.get(plain as object) ?? plain);
}

function textOf(value: ExactJson): string {
  if (value instanceof NumberText || typeof value === 'number') return exactNumber(value).toFixed();
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  if (Array.isArray(value)) return `[${(value as readonly ExactJson[]).map(textOf).join(',')}]`;
  const object = value as Readonly<Record<string, ExactJson>>;
  const members = Object.keys(object).sort();
  return `{${members.map((key) => `${JSON.stringify(key)}:${textOf(object[key] ?? null)}`).join(',')}}`;
}

/**
 * Between the floats of two neighbouring decimals of 15 digits there are others. So a number that has more digits, and falls on
 * the float of one of them, is moved to the next float on its side.
 */
function comparableNumber(text: string): number {
  const float = Number(text);
  const near = float.toPrecision(15);
  if (Number(near) !== float || decimalTextOf(text) === decimalTextOf(near)) return float;
  return neighbour(float, new D(text).greaterThan(near));
}

function neighbour(float: number, greater: boolean): number {
  if (float === 0) return greater ? Number.MIN_VALUE : -Number.MIN_VALUE;
  const bits = new BigInt64Array(1);
  const floats = new Float64Array(bits.buffer);
  floats[0] = float;
  bits[0] = (bits[0] ?? 0n) + (greater === float > 0 ? 1n : -1n);
  return floats[0];
}
