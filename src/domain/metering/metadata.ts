/** Metadata of an event after parsing, and how meters read a property of it. */
import { decimalTextOf, isDecimal } from '../decimal.js';
import type { DecimalString } from '../values.js';
import type { MetadataScalar } from './event.js';

/**
 * A number that a float would not hold, as an instance of the parser's class that carries its text: `text` or, as
 * lossless-json names it, `value`.
 */
export type NumberText = { readonly text: string } | { readonly value: string };

export type MetadataValue =
  string | number | boolean | null | NumberText | readonly MetadataValue[] | { readonly [key: string]: MetadataValue };

export type Metadata = Readonly<Record<string, MetadataValue>>;

/**
 * The text of a number that is carried by an object, or null for an ordinary JSON object. Told apart by the prototype: what
 * JSON.parse makes has a root prototype, so a sender's `{"text":"1"}` cannot pass for the number 1.
 */
export function numberTextOf(value: object): string | null {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype === null || Object.getPrototypeOf(prototype) === null) return null;
  const { text, value: valueText } = value as { text?: unknown; value?: unknown };
  if (typeof text === 'string') return text;
  return typeof valueText === 'string' ? valueText : null;
}

/**
 * A property as filters, groups and unique counts see it: strings as they are, numbers by value (`1.50` is `1.5`, so that
 * two spellings of one content group alike), true and false as words. Missing properties, null, and what is no scalar
 * (lists, objects) have no text: null.
 */
export function readScalar(metadata: Metadata, property: string): MetadataScalar | null {
  const value = Object.hasOwn(metadata, property) ? metadata[property] : undefined;
  if (typeof value === 'string') return { kind: 'string', text: value };
  if (typeof value === 'boolean') return { kind: 'boolean', text: String(value) };
  const text = numberValue(value);
  return text === null ? null : { kind: 'number', text };
}

/** A dimension whose name begins so is a tag: the rest of the name is its key in `metadata.tags`. */
export const tagPrefix = 'tags.';

/**
 * What groups and filters read: a property of the metadata, or of its `tags` where the name says so. `tags` that is no JSON
 * object has no tags.
 */
export function readDimension(metadata: Metadata, dimension: string): MetadataScalar | null {
  if (!dimension.startsWith(tagPrefix)) return readScalar(metadata, dimension);
  const tags = asJsonObject(tagsOf(metadata));
  return tags === null ? null : readScalar(tags, dimension.slice(tagPrefix.length));
}

/** `metadata.tags` as it was sent; undefined where there is none. */
export function tagsOf(metadata: Metadata): MetadataValue | undefined {
  return Object.hasOwn(metadata, 'tags') ? metadata['tags'] : undefined;
}

/** null for anything else, the objects that carry a number among them. */
export function asJsonObject(value: MetadataValue | undefined): Metadata | null {
  if (typeof value !== 'object' || value === null || Array.isArray(value) || numberTextOf(value) !== null) return null;
  return value as Metadata;
}

/**
 * The value a meter sums: a JSON number, or a string that is a plain decimal. null: missing or not a decimal, for which
 * ingest rejects the event, and which holds the invoice when it is found later (RULES 10).
 */
export function readValue(metadata: Metadata, property: string): DecimalString | null {
  const value = Object.hasOwn(metadata, property) ? metadata[property] : undefined;
  return isDecimal(value) ? value : numberValue(value);
}

function numberValue(value: MetadataValue | undefined): DecimalString | null {
  if (typeof value === 'number') return decimalTextOf(String(value));
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
  const text = numberTextOf(value);
  return text === null ? null : decimalTextOf(text);
}
