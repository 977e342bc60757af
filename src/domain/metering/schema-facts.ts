/** What is certain of every value that satisfies several schemas at once (a conjunction of them). */
import { D } from '../decimal.js';
import { escapedToken } from '../json-pointer.js';
import {
  isSchemaObject,
  resolveReference,
  type JsonSchema,
  type JsonSchemaObject,
  type JsonValue,
} from './json-schema.js';
import { matchesPattern } from './linear-pattern.js';

/** Types by which values differ: a whole number is an `integer`, any other number a `fraction`. */
export type Kind = 'null' | 'boolean' | 'object' | 'array' | 'string' | 'integer' | 'fraction';
const allKinds: readonly Kind[] = ['null', 'boolean', 'object', 'array', 'string', 'integer', 'fraction'];

/** A schema, its place, and the document in which its references hold. */
export interface At<S extends JsonSchema = JsonSchema> {
  readonly schema: S;
  readonly pointer: string;
  readonly root: JsonSchemaObject;
}
export type Conjunct = At<JsonSchemaObject>;

/** References and `allOf` taken apart; null when one of them accepts nothing. */
export function flattened(schemas: readonly At[]): readonly Conjunct[] | null {
  const conjuncts: Conjunct[] = [];
  const queue = [...schemas];
  for (let at = queue.pop(); at !== undefined; at = queue.pop()) {
    const { schema, pointer, root } = at;
    if (schema === false) return null;
    if (schema === true) continue;
    const { $ref: reference, allOf, ...own } = schema;
    if (typeof reference === 'string') {
      const target = resolveReference(root, reference);
      if (target !== undefined) queue.push({ ...target, root });
    }
    if (Array.isArray(allOf)) {
      allOf.forEach((member: JsonValue, index) =>
        queue.push({ schema: member as JsonSchema, pointer: `${pointer}/allOf/${index}`, root }),
      );
    }
    if (Object.keys(own).length > 0) conjuncts.push({ schema: own, pointer, root });
  }
  return conjuncts.reverse();
}

export function kindOf(value: JsonValue): Kind {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'array';
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'fraction';
  return typeof value as 'boolean' | 'object' | 'string';
}

/** The kinds that a value of the keyword `type` names. */
export function kindsOfType(type: JsonValue): ReadonlySet<Kind> {
  const names = Array.isArray(type) ? (type as readonly JsonValue[]) : [type];
  return new Set(
    names.flatMap((name): readonly Kind[] => (name === 'number' ? ['integer', 'fraction'] : [name as Kind])),
  );
}

export function kindsOf(conjuncts: readonly Conjunct[]): ReadonlySet<Kind> {
  let kinds: readonly Kind[] = allKinds;
  for (const { schema } of conjuncts) {
    const { type } = schema;
    if (type !== undefined) {
      const named = kindsOfType(type);
      kinds = kinds.filter((kind) => named.has(kind));
    }
    const listed = listedValues(schema);
    if (listed === null) continue;
    const present = new Set(listed.map(kindOf));
    kinds = kinds.filter((kind) => present.has(kind));
  }
  return new Set(kinds);
}

/** The values that a schema lists; null when it lists none. */
export function listedValues(schema: JsonSchemaObject): readonly JsonValue[] | null {
  if (schema['const'] !== undefined) return [schema['const']];
  return Array.isArray(schema['enum']) ? (schema['enum'] as readonly JsonValue[]) : null;
}

/** A schema that accepts this value and nothing else, in keywords that comparisons look at. */
export function exactly(value: JsonValue): JsonSchemaObject {
  const own = { const: value };
  if (typeof value === 'number') return { ...own, minimum: value, maximum: value };
  if (typeof value === 'string') return { ...own, minLength: lengthOf(value), maxLength: lengthOf(value) };
  if (Array.isArray(value)) {
    const items = value as readonly JsonValue[];
    return { ...own, prefixItems: items.map(exactly), items: false, minItems: items.length, maxItems: items.length };
  }
  if (!isSchemaObject(value)) return own;
  const properties = Object.fromEntries(Object.entries(value).map(([name, member]) => [name, exactly(member)]));
  return { ...own, properties, additionalProperties: false, required: Object.keys(value) };
}

/** Of a text, in characters (code points), as JSON Schema counts. */
const lengthOf = (text: string): number => [...text].length;

export interface Bound {
  readonly value: number;
  readonly exclusive: boolean;
}

/** The narrowest lower (`1`) or upper (`-1`) bound; null: none. */
export function boundOf(conjuncts: readonly Conjunct[], side: 1 | -1): Bound | null {
  const [inclusive, exclusive] =
    side === 1 ? (['minimum', 'exclusiveMinimum'] as const) : (['maximum', 'exclusiveMaximum'] as const);
  let best: Bound | null = null;
  for (const { schema } of conjuncts) {
    for (const keyword of [inclusive, exclusive]) {
      const value = schema[keyword];
      if (typeof value !== 'number') continue;
      const bound = { value, exclusive: keyword === exclusive };
      if (best === null || !isWithinBound(best, bound, side)) best = bound;
    }
  }
  return best;
}

/** Whether whatever keeps the one bound keeps the other. */
export function isWithinBound(kept: Bound, other: Bound, side: 1 | -1): boolean {
  const difference = (kept.value - other.value) * side;
  return difference > 0 || (difference === 0 && (kept.exclusive || !other.exclusive));
}

/** The narrowest of a keyword's numbers: the greatest (`1`) or the least (`-1`); null: none. */
export function countOf(conjuncts: readonly Conjunct[], keyword: string, side: 1 | -1): number | null {
  const numbers = conjuncts.flatMap(({ schema }) => {
    const value = schema[keyword];
    return typeof value === 'number' ? [value] : [];
  });
  if (numbers.length === 0) return null;
  return side === 1 ? Math.max(...numbers) : Math.min(...numbers);
}

export function isMultiple(value: number, of: number): boolean {
  return new D(String(value)).mod(new D(String(of))).isZero();
}

export function requiredNames(conjuncts: readonly Conjunct[]): ReadonlySet<string> {
  return new Set(
    conjuncts.flatMap(({ schema }) => (Array.isArray(schema['required']) ? schema['required'] : []) as string[]),
  );
}

/** The names that a schema gives schemas to. */
export function membersOf(
  schema: JsonSchemaObject,
  keyword: 'properties' | 'patternProperties',
): readonly (readonly [string, JsonSchema])[] {
  const members = schema[keyword];
  return isSchemaObject(members) ? (Object.entries(members) as [string, JsonSchema][]) : [];
}

/**
 * What one schema says of a property; null: nothing.
 * @param of what it says for certain, or all that it may say: of a pattern that cannot be evaluated any more neither is known
 */
export function propertyIn(
  { schema, pointer, root }: Conjunct,
  name: string,
  of: 'certain' | 'possible' = 'certain',
): readonly At[] | null {
  const found: At[] = [];
  let isSure = true;
  for (const keyword of ['properties', 'patternProperties'] as const) {
    for (const [key, member] of membersOf(schema, keyword)) {
      const isMeant = keyword === 'properties' ? key === name : matchesPattern(key, name);
      isSure &&= isMeant !== null;
      if (isMeant ?? of === 'possible') {
        found.push({ schema: member, pointer: `${pointer}/${keyword}/${escapedToken(key)}`, root });
      }
    }
  }
  if (!isSure && of === 'certain') return found.length > 0 ? found : null;
  if (found.length > 0 && isSure) return found;
  const others = schema['additionalProperties'] as JsonSchema | undefined;
  if (others === undefined) return found.length > 0 ? found : null;
  return [...found, { schema: others, pointer: `${pointer}/additionalProperties`, root }];
}

export function propertyOf(conjuncts: readonly Conjunct[], name: string): readonly At[] {
  return conjuncts.flatMap((conjunct) => propertyIn(conjunct, name) ?? []);
}

/** The only names that a property can have; null: there may be others. */
export function closedNames(conjuncts: readonly Conjunct[]): readonly string[] | null {
  const closed = conjuncts.find(
    ({ schema }) => schema['additionalProperties'] === false && membersOf(schema, 'patternProperties').length === 0,
  );
  return closed === undefined ? null : membersOf(closed.schema, 'properties').map(([name]) => name);
}
