/** Whether some metadata that a schema accepts has a property in a form that its reader can read, as far as can be told. */
import type { JsonSchema, JsonSchemaObject, JsonValue } from './json-schema.js';
import { isSchemaObject, resolveReference } from './json-schema.js';
import { sameKeyword } from './schema-equality.js';
import { countOf, flattened, kindsOf, listedValues, propertyOf, requiredNames } from './schema-facts.js';
import type { At, Conjunct } from './schema-facts.js';
import { accepts, allAccept, isScalar, samplesIn, someDecimal, type Sample, type Scalar } from './schema-samples.js';

export interface Reader {
  readonly path: readonly string[];
  /** Values by which it is tried whether there is one that can be read. */
  readonly samples: readonly Sample[];
  readonly canRead: (value: Scalar) => boolean;
}

/** `unclear`: what forbids it, if anything does, is said in keywords whose meaning for it cannot be told. */
export type Reach = 'readable' | 'unreadable' | 'unclear';

/** @param previous what it says in such keywords may stay as it is */
export function reachOf(schema: JsonSchemaObject, reader: Reader, previous: JsonSchemaObject | null): Reach {
  return new Search(reader, previous).run(schema);
}

/** How many combinations of branches are looked at. */
const stepsMax = 500;
/** How many schemas are asked about a sample, the first property that is looked at not counted. */
const trialsMax = 100_000;

class Search {
  private steps = 0;
  private trials = 0;
  private isUnclear = false;

  constructor(
    private readonly reader: Reader,
    private readonly previous: JsonSchemaObject | null,
  ) {}

  run(schema: JsonSchemaObject): Reach {
    if (this.reaches([{ schema, pointer: '', root: schema }], this.reader.path)) return 'readable';
    return this.isUnclear ? 'unclear' : 'unreadable';
  }

  private reaches(schemas: readonly At[], path: readonly string[]): boolean {
    const [name, ...rest] = path;
    if (name === undefined) return this.isReadable(schemas);
    this.steps += 1;
    if (this.steps > stepsMax) return this.unclear();
    const conjuncts = flattened(schemas);
    if (conjuncts === null) return false;
    for (const [place, conjunct] of conjuncts.entries()) {
      const split = this.casesOf(conjunct, name, requiredNames(conjuncts));
      if (split === null) continue;
      const others = [...conjuncts.slice(0, place), split.rest, ...conjuncts.slice(place + 1)];
      return split.cases.some((added) => this.reaches([...others, ...added], path));
    }
    return (
      this.isPossible(conjuncts, name) &&
      this.isListed(conjuncts, path) &&
      this.reaches(propertyOf(conjuncts, name), rest)
    );
  }

  private unclear(): false {
    this.isUnclear = true;
    return false;
  }

  private isReadable(schemas: readonly At[]): boolean {
    const { samples, canRead } = this.reader;
    const { samples: named, size } = samplesIn(schemas);
    const tried = [...samples, ...named.filter(canRead)];
    if (this.trials > trialsMax) return this.unclear();
    this.trials += tried.length * size;
    return tried.some((sample) => {
      const answer = allAccept(schemas, sample);
      if (answer !== null || sample !== someDecimal) return answer !== false;
      return schemas.every((at) => this.isAsBefore(at)) || this.unclear();
    });
  }

  /** A keyword with alternatives taken off: what it comes to in each of them. null: there is none (any more). */
  private casesOf(conjunct: Conjunct, name: string, required: ReadonlySet<string>): Cases | null {
    const { schema, pointer, root } = conjunct;
    const at = (member: JsonValue | undefined, place: string): At => ({
      schema: (member ?? true) as JsonSchema,
      pointer: `${pointer}/${place}`,
      root,
    });
    const without = (...keywords: readonly string[]): Conjunct => {
      const entries = Object.entries(schema).filter(([keyword]) => !keywords.includes(keyword));
      return { ...conjunct, schema: Object.fromEntries(entries) };
    };
    for (const keyword of ['anyOf', 'oneOf'] as const) {
      const branches = schema[keyword];
      if (!Array.isArray(branches)) continue;
      return {
        rest: without(keyword),
        cases: branches.map((branch: JsonValue, index) => [at(branch, `${keyword}/${index}`)]),
      };
    }
    const { if: condition, then, else: otherwise, dependentSchemas } = schema;
    if (condition !== undefined) {
      const [yes, no] = [at(then, 'then'), at(otherwise, 'else')];
      const denied = this.mayDeny(at(condition, 'if'), name)
        ? [[no]]
        : isEmpty(at(condition, 'if'))
          ? []
          : this.unlessSame(conjunct, ['if', 'then', 'else']);
      return { rest: without('if', 'then', 'else'), cases: [[at(condition, 'if'), yes], [yes, no], ...denied] };
    }
    if (!isSchemaObject(dependentSchemas)) return null;
    const holding = Object.entries(dependentSchemas).filter(([trigger]) => trigger === name || required.has(trigger));
    return {
      rest: without('dependentSchemas'),
      cases: [holding.map(([trigger, member]) => at(member, `dependentSchemas/${trigger}`))],
    };
  }

  private unlessSame(conjunct: Conjunct, keywords: readonly string[]): readonly (readonly At[])[] {
    if (this.isUnchanged(conjunct, keywords)) return [[]];
    this.unclear();
    return [];
  }

  /** What an object must satisfy besides its properties. */
  private isPossible(conjuncts: readonly Conjunct[], name: string): boolean {
    if (!kindsOf(conjuncts).has('object')) return false;
    const countMax = countOf(conjuncts, 'maxProperties', -1) ?? Infinity;
    if (countMax < new Set([...requiredNames(conjuncts), name]).size) return false;
    return conjuncts.every((conjunct) => {
      const { schema, pointer, root } = conjunct;
      const { propertyNames, not } = schema;
      if (propertyNames !== undefined) {
        const answer = accepts({ schema: propertyNames as JsonSchema, root }, name);
        if (answer !== true) return answer === null && this.unclear();
      }
      if (not === undefined || this.isUnchanged(conjunct, ['not'])) return true;
      const denied = { schema: not as JsonSchema, pointer, root };
      return this.mayDeny(denied, name) || (!isEmpty(denied) && this.unclear());
    });
  }

  /** Where whole objects are listed, one of them must have the property. */
  private isListed(conjuncts: readonly Conjunct[], path: readonly string[]): boolean {
    return conjuncts.every(({ schema }) => {
      const listed = listedValues(schema);
      return listed === null || listed.some((value) => this.canReadIn(value, path));
    });
  }

  private canReadIn(value: JsonValue, path: readonly string[]): boolean {
    let found: JsonValue | undefined = value;
    for (const name of path) found = isSchemaObject(found) && Object.hasOwn(found, name) ? found[name] : undefined;
    return isScalar(found) && this.reader.canRead(found);
  }

  /** Whether metadata can fail a schema whatever the property is. */
  private mayDeny(at: At, name: string): boolean {
    return at.schema === false || (!isEmpty(at) && !concerns(at, name));
  }

  /** All that it says; of what was taken away nothing is asked. */
  private isAsBefore({ schema, pointer, root }: At): boolean {
    return typeof schema === 'boolean' || this.isUnchanged({ schema, pointer, root }, Object.keys(schema));
  }

  private isUnchanged({ schema, pointer, root }: Conjunct, keywords: readonly string[]): boolean {
    if (this.previous === null) return false;
    const before = this.previous;
    const place = pointer.split('/').map(encodeURIComponent).join('/');
    const other = resolveReference(before, `#${place}`)?.schema;
    if (!isSchemaObject(other)) return false;
    const saidIn = (all: JsonSchemaObject): JsonSchemaObject =>
      Object.fromEntries(Object.entries(all).filter(([keyword]) => keywords.includes(keyword)));
    return sameKeyword({ value: saidIn(schema), at: { root } }, { value: saidIn(other), at: { root: before } });
  }
}

interface Cases {
  readonly rest: Conjunct;
  readonly cases: readonly (readonly At[])[];
}

/** Whether a schema asks for nothing of an object. */
function isEmpty(at: At): boolean {
  const conjuncts = flattened([at]);
  return (
    conjuncts?.every(({ schema, root }) =>
      Object.entries(schema).every(([keyword, value]) => {
        if (keyword === 'type') return [value].flat().includes('object');
        if (keyword === 'required') return (value as readonly string[]).length === 0;
        if (keyword !== 'properties') return !assertions.has(keyword);
        return Object.values(value as JsonSchemaObject).every((member) => {
          const below = flattened([{ schema: member as JsonSchema, pointer: '', root }]);
          return below?.length === 0;
        });
      }),
    ) ?? false
  );
}

/** Those that say something of an object. */
const assertions: ReadonlySet<string> = new Set([
  ...['const', 'enum', 'not', 'if', 'anyOf', 'oneOf', 'dependentSchemas', 'dependentRequired', 'patternProperties'],
  ...['additionalProperties', 'propertyNames', 'minProperties', 'maxProperties'],
]);

/** Those that speak of properties without naming them. */
const general = ['const', 'enum', 'patternProperties', 'additionalProperties', 'propertyNames', 'minProperties'];
const ofSame = ['allOf', 'anyOf', 'oneOf', 'not', 'if', 'then', 'else'] as const;

/** Whether a schema speaks of a property, or of properties that it does not name. */
function concerns({ schema, pointer, root }: At, name: string): boolean {
  if (typeof schema === 'boolean') return schema;
  if ([...general, 'maxProperties'].some((keyword) => schema[keyword] !== undefined)) return true;
  const { $ref: reference, required = [], properties = {}, dependentRequired = {}, dependentSchemas = {} } = schema;
  const names = [...(required as readonly string[]), ...Object.keys(properties as JsonSchemaObject)];
  if (names.includes(name) || JSON.stringify([dependentRequired, dependentSchemas]).includes(JSON.stringify(name)))
    return true;
  const target = typeof reference === 'string' ? resolveReference(root, reference) : undefined;
  const members = ofSame.flatMap((keyword) => (schema[keyword] ?? []) as JsonSchema | readonly JsonSchema[]);
  return [...members, ...(target === undefined ? [] : [target.schema])].some((member) =>
    concerns({ schema: member, pointer, root }, name),
  );
}
