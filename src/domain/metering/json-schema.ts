/**
 * JSON Schema (draft 2020-12) as far as event types may use it: a closed list of keywords, references within the document that
 * never lead back to themselves, bounded in size. What is not on the list is refused, never passed over: `unevaluatedProperties`
 * too, because nothing can be said of a schema that looks at its neighbours.
 */
import { escapedToken } from '../json-pointer.js';
import { patternProblem, patternSteps } from './linear-pattern.js';

export type JsonValue = string | number | boolean | null | readonly JsonValue[] | { readonly [key: string]: JsonValue };

/** Numbers in it have at most 15 significant digits, so that a float holds them exactly. */
export type JsonSchemaObject = Readonly<Record<string, JsonValue>>;
export type JsonSchema = boolean | JsonSchemaObject;

/** How the value of a keyword holds schemas. */
type Keyword = 'plain' | 'annotation' | 'schema' | 'list' | 'named';

const keywords: ReadonlyMap<string, Keyword> = new Map<string, Keyword>([
  ...['title', 'description', '$comment', 'default', 'examples', 'deprecated', 'readOnly', 'writeOnly', '$schema'].map(
    (keyword) => [keyword, 'annotation'] as const,
  ),
  ...['type', 'enum', 'const', 'multipleOf', 'minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum'].map(
    (keyword) => [keyword, 'plain'] as const,
  ),
  ...['minLength', 'maxLength', 'pattern', 'format', 'minItems', 'maxItems', 'uniqueItems', 'minContains'].map(
    (keyword) => [keyword, 'plain'] as const,
  ),
  ...['maxContains', 'minProperties', 'maxProperties', 'required', 'dependentRequired', '$ref'].map(
    (keyword) => [keyword, 'plain'] as const,
  ),
  ...['additionalProperties', 'propertyNames', 'items', 'contains', 'not', 'if', 'then', 'else'].map(
    (keyword) => [keyword, 'schema'] as const,
  ),
  ...['properties', 'patternProperties', 'dependentSchemas', '$defs'].map((keyword) => [keyword, 'named'] as const),
  ...['allOf', 'anyOf', 'oneOf', 'prefixItems'].map((keyword) => [keyword, 'list'] as const),
]);

const schemaDialect = 'https://json-schema.org/draft/2020-12/schema';

/** What a schema may be. docs/reference/LIMITS.md states them. */
const schemaLimits = {
  ...{ depth: 32, unfolded: 1_000, listed: 1_000, patternLength: 256 },
  /** Of all patterns, with references written out: what a character of an event may cost. */
  patternSteps: 5_000,
} as const;

export interface SchemaProblem {
  /** JSON pointer into the schema. */
  readonly pointer: string;
  readonly detail: string;
}

/** A schema and where it stands in its document. */
export interface PlacedSchema {
  readonly schema: JsonSchema;
  readonly pointer: string;
}

export function isSchemaObject(value: JsonValue | undefined): value is JsonSchemaObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** The schemas directly below one; members that are no schemas are left to whoever checks shapes. */
export function* subschemas({ schema, pointer }: PlacedSchema): Generator<PlacedSchema> {
  if (typeof schema === 'boolean') return;
  for (const [keyword, value] of Object.entries(schema)) {
    const at = `${pointer}/${escapedToken(keyword)}`;
    const kind = keywords.get(keyword);
    if (kind === 'schema' && isSchema(value)) yield { schema: value, pointer: at };
    if (kind !== 'named' && kind !== 'list') continue;
    if (typeof value !== 'object' || value === null) continue;
    for (const [name, member] of Object.entries(value)) {
      if (isSchema(member)) yield { schema: member, pointer: `${at}/${escapedToken(name)}` };
    }
  }
}

const isSchema = (value: JsonValue | undefined): value is JsonSchema =>
  typeof value === 'boolean' || isSchemaObject(value);

/** The value at a reference (`#`, `#/…`); undefined when there is none. */
export function resolveReference(root: JsonSchemaObject, reference: string): PlacedSchema | undefined {
  const tokens = tokensOf(reference);
  if (tokens === null) return undefined;
  let value: JsonValue | undefined = root;
  for (const token of tokens) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, token)) return undefined;
    value = (value as Readonly<Record<string, JsonValue>>)[token];
  }
  const pointer = tokens.map((token) => `/${escapedToken(token)}`).join('');
  return isSchema(value) ? { schema: value, pointer } : undefined;
}

function tokensOf(reference: string): readonly string[] | null {
  if (reference === '#') return [];
  if (!reference.startsWith('#/')) return null;
  try {
    const tokens = reference.slice(2).split('/');
    return tokens.map((token) => decodeURIComponent(token).replaceAll('~1', '/').replaceAll('~0', '~'));
  } catch {
    return null;
  }
}

/** Everything that a schema of an event type cannot have, beyond what the standard itself refuses. */
export function schemaProblems(root: JsonSchemaObject): readonly SchemaProblem[] {
  const problems: SchemaProblem[] = [];
  const places = new Map<string, JsonSchema>();
  const visit = (place: PlacedSchema, depth: number): void => {
    if (depth > schemaLimits.depth) {
      problems.push({ pointer: place.pointer, detail: `Schemas are nested at most ${schemaLimits.depth} deep.` });
      return;
    }
    places.set(place.pointer, place.schema);
    problems.push(...ownProblems(place));
    for (const below of subschemas(place)) visit(below, depth + 1);
  };
  visit({ schema: root, pointer: '' }, 1);
  return problems.length > 0 ? problems : referenceProblems(root, places);
}

function ownProblems({ schema, pointer }: PlacedSchema): readonly SchemaProblem[] {
  if (typeof schema === 'boolean') return [];
  return Object.entries(schema).flatMap(([keyword, value]) => {
    const at = `${pointer}/${escapedToken(keyword)}`;
    const detail = keywordProblem(keyword, value, pointer === '');
    return detail === null ? patternProblems(keyword, value, at) : { pointer: at, detail };
  });
}

/** The patterns of a keyword that has some. */
function patternsOf(keyword: string, value: JsonValue): readonly string[] {
  if (keyword === 'pattern') return typeof value === 'string' ? [value] : [];
  return keyword === 'patternProperties' && isSchemaObject(value) ? Object.keys(value) : [];
}

/** @param at pointer to the keyword */
function patternProblems(keyword: string, value: JsonValue, at: string): readonly SchemaProblem[] {
  return patternsOf(keyword, value).flatMap((pattern): readonly SchemaProblem[] => {
    const pointer = keyword === 'pattern' ? at : `${at}/${escapedToken(pattern.slice(0, schemaLimits.patternLength))}`;
    if (pattern.length > schemaLimits.patternLength) {
      return [{ pointer, detail: `A pattern has at most ${schemaLimits.patternLength} characters.` }];
    }
    const problem = patternProblem(pattern);
    if (problem === null) return [];
    return [{ pointer, detail: `The pattern ${JSON.stringify(pattern)} cannot be taken. ${problem}` }];
  });
}

function keywordProblem(keyword: string, value: JsonValue, atRoot: boolean): string | null {
  if (!keywords.has(keyword)) {
    return `"${keyword.slice(0, 100)}" is no keyword that is known here; with it the schema would say less than it seems to.`;
  }
  if (keyword === '$schema' && (!atRoot || value !== schemaDialect)) {
    return `"$schema" can only be "${schemaDialect}", at the root.`;
  }
  if (keyword === 'enum' && Array.isArray(value) && value.length > schemaLimits.listed) {
    return `"enum" lists at most ${schemaLimits.listed} values.`;
  }
  return null;
}

/** Of a schema with every reference written out. */
interface UnfoldedSize {
  readonly schemas: number;
  readonly patternSteps: number;
}

const sum = (sizes: readonly UnfoldedSize[]): UnfoldedSize => ({
  schemas: sizes.reduce((total, { schemas }) => total + schemas, 0),
  patternSteps: sizes.reduce((total, each) => total + each.patternSteps, 0),
});

function ownSize(schema: JsonSchema): UnfoldedSize {
  const patterns = typeof schema === 'boolean' ? [] : Object.entries(schema).flatMap((entry) => patternsOf(...entry));
  return { schemas: 1, patternSteps: patterns.reduce((total, pattern) => total + patternSteps(pattern), 0) };
}

/** References lead to a schema, and never back to where they stand; followed everywhere they stay bounded. */
function referenceProblems(root: JsonSchemaObject, places: ReadonlyMap<string, JsonSchema>): readonly SchemaProblem[] {
  const sizes = new Map<string, UnfoldedSize>();
  const open = new Set<string>();
  const problems: SchemaProblem[] = [];
  const sizeOf = (place: PlacedSchema): UnfoldedSize => {
    const known = sizes.get(place.pointer);
    if (known !== undefined) return known;
    open.add(place.pointer);
    const reference = typeof place.schema === 'boolean' ? undefined : place.schema['$ref'];
    const size = sum([
      ownSize(place.schema),
      ...(typeof reference === 'string' ? [sizeOfTarget(reference, `${place.pointer}/$ref`)] : []),
      ...[...subschemas(place)].map(sizeOf),
    ]);
    open.delete(place.pointer);
    sizes.set(place.pointer, size);
    return size;
  };
  const sizeOfTarget = (reference: string, pointer: string): UnfoldedSize => {
    const target = resolveReference(root, reference);
    if (target === undefined || !places.has(target.pointer)) {
      const detail = `"$ref" leads to a schema of this document, as "#/$defs/name"; "${reference.slice(0, 100)}" does not.`;
      problems.push({ pointer, detail });
      return sum([]);
    }
    if (!open.has(target.pointer)) return sizeOf(target);
    problems.push({
      pointer,
      detail: 'A reference cannot lead back to where it stands: metadata is not nested without end.',
    });
    return sum([]);
  };
  const size = sizeOf({ schema: root, pointer: '' });
  return problems.length > 0 ? problems : sizeProblems(size);
}

function sizeProblems({ schemas, patternSteps: steps }: UnfoldedSize): readonly SchemaProblem[] {
  const problem = (detail: string): SchemaProblem => ({
    pointer: '',
    detail: `With every reference written out ${detail}`,
  });
  if (schemas > schemaLimits.unfolded) {
    return [problem(`there are ${schemas} schemas in it; at most ${schemaLimits.unfolded} are taken.`)];
  }
  if (steps <= schemaLimits.patternSteps) return [];
  const detail = `its patterns have ${steps} characters and classes, repetitions counted as often as they may occur; at most ${schemaLimits.patternSteps} are taken. Say lengths with "minLength" and "maxLength".`;
  return [problem(detail)];
}
