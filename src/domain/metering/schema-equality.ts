/** Equality of JSON values, and of schemas with what their references lead to. */
import { isSchemaObject, resolveReference, type JsonValue } from './json-schema.js';
import type { At } from './schema-facts.js';

export function sameValue(a: JsonValue, b: JsonValue): boolean {
  return same(a, b, () => true);
}

/** Whether two schemas are written alike, and so are those that they refer to. */
export function sameSchema(a: At, b: At): boolean {
  return sameKeyword({ value: a.schema, at: a }, { value: b.schema, at: b });
}

/** A part of a schema, and the document that it stands in. */
interface Part {
  readonly value: JsonValue;
  readonly at: Pick<At, 'root'>;
}

export function sameKeyword(a: Part, b: Part): boolean {
  const compared = new Set<string>();
  const sameTarget = (reference: string): boolean => {
    if (compared.has(reference)) return true;
    compared.add(reference);
    const [left, right] = [resolveReference(a.at.root, reference), resolveReference(b.at.root, reference)];
    // What is no reference, such as a constant that looks like one, was compared as text.
    if (left === undefined || right === undefined) return left === right;
    return same(left.schema, right.schema, sameTarget);
  };
  return same(a.value, b.value, sameTarget);
}

function same(a: JsonValue, b: JsonValue, sameTarget: (reference: string) => boolean): boolean {
  // The very same object may stand in two documents, where its references lead elsewhere.
  if (typeof a !== 'object' || a === null) return a === b;
  if (Array.isArray(a) && Array.isArray(b)) {
    const [left, right] = [a as readonly JsonValue[], b as readonly JsonValue[]];
    return (
      left.length === right.length && left.every((item, index) => same(item, right[index] as JsonValue, sameTarget))
    );
  }
  if (!isSchemaObject(a) || !isSchemaObject(b)) return false;
  const keys = Object.keys(a);
  if (keys.length !== Object.keys(b).length) return false;
  const isSame = keys.every(
    (key) => Object.hasOwn(b, key) && same(a[key] as JsonValue, b[key] as JsonValue, sameTarget),
  );
  const reference = a['$ref'];
  return isSame && (typeof reference !== 'string' || sameTarget(reference));
}
