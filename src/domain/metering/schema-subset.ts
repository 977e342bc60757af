/**
 * Whether every value that one schema accepts another accepts too. Conservative: what cannot be told counts as a difference, so
 * that "none" is always true and a difference may be one only by appearance.
 */
import type { JsonSchema, JsonSchemaObject, JsonValue } from './json-schema.js';
import { sameSchema } from './schema-equality.js';
import {
  closedNames,
  countOf,
  exactly,
  flattened,
  kindOf,
  kindsOf,
  listedValues,
  membersOf,
  propertyIn,
  propertyOf,
  type At,
  type Conjunct,
  type Kind,
} from './schema-facts.js';
import { keywordProblem } from './schema-keywords.js';

/** A place at which the wider schema does not accept all that the narrower one does. */
export interface Gap {
  readonly keyword: string;
  /** JSON pointers into the two schemas. */
  readonly narrow: string;
  readonly wide: string;
  /** What the wider one asks for, in words. */
  readonly detail: string;
}

/** How much is looked at; beyond it the answer is that it cannot be told. */
const stepsMax = 20_000;

/**
 * Empty: whatever `narrow` accepts `wide` accepts.
 * @param of what values both are about; metadata is always an object
 */
export function gapsBetween(
  narrow: JsonSchemaObject,
  wide: JsonSchemaObject,
  of: 'anything' | 'metadata' = 'anything',
): readonly Gap[] {
  const given: readonly JsonSchemaObject[] = of === 'metadata' ? [narrow, { type: 'object' }] : [narrow];
  const left = given.map((schema) => ({ schema, pointer: '', root: narrow }));
  return new Comparison().gaps({ schemas: left, pointer: '' }, { schema: wide, pointer: '', root: wide });
}

/** What the values of the narrower schema at one place satisfy. */
interface Left {
  readonly schemas: readonly At[];
  readonly pointer: string;
  /** It is one value, of which all is known (`exactly`). */
  readonly isOneValue?: true;
}

interface Known {
  readonly conjuncts: readonly Conjunct[];
  readonly kinds: ReadonlySet<Kind>;
  readonly pointer: string;
}

class Comparison {
  private steps = 0;

  gaps(left: Left, right: At): readonly Gap[] {
    const { schema } = right;
    if (schema === true || left.schemas.some((at) => sameSchema(at, right))) return [];
    const conjuncts = flattened(left.schemas);
    if (conjuncts === null) return [];
    const kinds = kindsOf(conjuncts);
    if (kinds.size === 0) return [];
    const gap = (keyword: string, detail: string): Gap => ({
      keyword,
      narrow: left.pointer,
      wide: right.pointer,
      detail,
    });
    this.steps += 1 + conjuncts.length;
    if (this.steps > stepsMax) return [gap('', 'the schemas are too intricate to be compared')];
    if (schema === false) return [gap('', 'nothing at all is accepted here')];
    const known = { conjuncts, kinds, pointer: left.pointer };
    const listed = left.isOneValue === true ? null : this.byValue(known, right);
    if (listed !== null) return listed;
    const direct = this.byKeyword(known, right);
    if (direct.length === 0) return [];
    return this.byBranch(conjuncts, right) ?? direct;
  }

  /** Where the narrower schema lists its values: one by one. */
  private byValue({ conjuncts, kinds, pointer }: Known, right: At): readonly Gap[] | null {
    const listed = conjuncts.map(({ schema }) => listedValues(schema)).find((values) => values !== null);
    const values = listed ?? ([...kinds].every(isSmallKind) ? smallKindValues : null);
    if (values === null) return null;
    return values
      .filter((value) => kinds.has(kindOf(value)))
      .flatMap((value) => {
        const at = { schema: exactly(value), pointer, root: right.root };
        return this.gaps({ schemas: [at], pointer, isOneValue: true }, right);
      });
  }

  /** Where the narrower schema is one of several: each of them by itself. */
  private byBranch(conjuncts: readonly Conjunct[], right: At): readonly Gap[] | null {
    for (const [place, conjunct] of conjuncts.entries()) {
      for (const keyword of ['anyOf', 'oneOf'] as const) {
        const branches = conjunct.schema[keyword];
        if (!Array.isArray(branches)) continue;
        const { [keyword]: _branches, ...own } = conjunct.schema;
        const others = [...conjuncts.slice(0, place), { ...conjunct, schema: own }, ...conjuncts.slice(place + 1)];
        return branches.flatMap((branch: JsonValue, index) => {
          const pointer = `${conjunct.pointer}/${keyword}/${index}`;
          const at = { schema: branch as JsonSchema, pointer, root: conjunct.root };
          return this.gaps({ schemas: [...others, at], pointer }, right);
        });
      }
    }
    return null;
  }

  private byKeyword(left: Known, right: At): readonly Gap[] {
    const requirements = flattened([right]);
    if (requirements === null)
      return [{ keyword: '', narrow: left.pointer, wide: right.pointer, detail: 'nothing at all is accepted here' }];
    return requirements.flatMap((requirement) => [
      ...Object.keys(requirement.schema).flatMap((keyword) => this.ofKeyword(left, requirement, keyword)),
      ...(left.kinds.has('object') ? this.ofProperties(left, requirement) : []),
      ...(left.kinds.has('array') ? this.ofItems(left, requirement) : []),
    ]);
  }

  private ofKeyword(left: Known, requirement: Conjunct, keyword: string): readonly Gap[] {
    const { schema, pointer, root } = requirement;
    if (keyword === 'anyOf' || keyword === 'oneOf') {
      const branches = schema[keyword] as readonly JsonSchema[];
      const isCovered = branches.some((branch, index) => {
        const at = { schema: branch, pointer: `${pointer}/${keyword}/${index}`, root };
        return this.gaps({ schemas: left.conjuncts, pointer: left.pointer }, at).length === 0;
      });
      if (isCovered && (keyword === 'anyOf' || branches.length === 1)) return [];
    }
    const detail = keywordProblem(left, requirement, keyword);
    return detail === null ? [] : [{ keyword, narrow: left.pointer, wide: `${pointer}/${keyword}`, detail }];
  }

  private ofProperties(left: Known, right: Conjunct): readonly Gap[] {
    const named = membersOf(right.schema, 'properties').map(([name]) => name);
    const closed = closedNames(left.conjuncts);
    const gaps = named.flatMap((name) => this.ofProperty(left, right, name));
    const patterns = membersOf(right.schema, 'patternProperties');
    const others = right.schema['additionalProperties'] as JsonSchema | undefined;
    if (patterns.length === 0 && (others === undefined || others === true)) return gaps;
    const leftNames =
      closed ?? left.conjuncts.flatMap(({ schema }) => membersOf(schema, 'properties').map(([name]) => name));
    const rest = [...new Set(leftNames)].filter((name) => !named.includes(name));
    const further = rest.flatMap((name) => this.ofProperty(left, right, name));
    if (closed !== null) return [...gaps, ...further];
    return [
      ...gaps,
      ...further,
      ...patterns.flatMap(([pattern]) => this.ofPattern(left, right, pattern)),
      ...(others === undefined ? [] : this.ofOtherNames(left, right, others)),
    ];
  }

  /** A property of this name, whatever keyword says what it must be. */
  private ofProperty(left: Known, right: Conjunct, name: string): readonly Gap[] {
    const schemas = propertyOf(left.conjuncts, name);
    // Where the narrower one says nothing of it, its place is that of the object.
    const pointer = schemas[0]?.pointer ?? left.pointer;
    return (propertyIn(right, name, 'possible') ?? []).flatMap((at) => this.gaps({ schemas, pointer }, at));
  }

  /** Names that match a pattern of the wider schema: the narrower one must know the same pattern. */
  private ofPattern(left: Known, right: Conjunct, pattern: string): readonly Gap[] {
    const at = patternIn(right, pattern);
    if (at === undefined) return [];
    const schemas = left.conjuncts.flatMap((conjunct) => patternIn(conjunct, pattern) ?? []);
    return this.gaps({ schemas, pointer: schemas[0]?.pointer ?? left.pointer }, at);
  }

  /** Names that neither schema lists. */
  private ofOtherNames(left: Known, right: Conjunct, schema: JsonSchema): readonly Gap[] {
    const at = { schema, pointer: `${right.pointer}/additionalProperties`, root: right.root };
    const isPatterned = ({ schema: own }: Conjunct): boolean => membersOf(own, 'patternProperties').length > 0;
    const plain = left.conjuncts.filter((conjunct) => !isPatterned(conjunct)).flatMap(othersIn);
    const found = this.gaps({ schemas: plain, pointer: plain[0]?.pointer ?? left.pointer }, at);
    if (found.length === 0) return [];
    // A name matches one of the patterns, or none of them; those of the wider schema are looked at by themselves.
    const own = new Set(membersOf(right.schema, 'patternProperties').map(([pattern]) => pattern));
    const isCovered = left.conjuncts.filter(isPatterned).some((conjunct) => {
      const patterns = membersOf(conjunct.schema, 'patternProperties').flatMap(([pattern]) =>
        own.has(pattern) ? [] : (patternIn(conjunct, pattern) ?? []),
      );
      const cases = [othersIn(conjunct), ...patterns.map((pattern) => [pattern])];
      return cases.every((each) => this.gaps({ schemas: [...plain, ...each], pointer: left.pointer }, at).length === 0);
    });
    return isCovered ? [] : found;
  }

  private ofItems(left: Known, right: Conjunct): readonly Gap[] {
    const prefix = prefixOf(right);
    const rest = itemsOf(right);
    if (prefix.length === 0 && rest === undefined) return [];
    const longest = Math.max(prefix.length, ...left.conjuncts.map((conjunct) => prefixOf(conjunct).length));
    const itemsMax = countOf(left.conjuncts, 'maxItems', -1) ?? Infinity;
    // The last place stands for all that follow it.
    const places = Array.from({ length: longest + 1 }, (_, place) => place);
    return places.flatMap((place) => {
      if (place >= itemsMax) return [];
      const at = prefix[place] ?? rest;
      if (at === undefined) return [];
      const schemas = left.conjuncts.flatMap((conjunct) => prefixOf(conjunct)[place] ?? itemsOf(conjunct) ?? []);
      return this.gaps({ schemas, pointer: schemas[0]?.pointer ?? left.pointer }, at);
    });
  }
}

const smallKindValues: readonly JsonValue[] = [null, false, true];
const isSmallKind = (kind: Kind): boolean => kind === 'null' || kind === 'boolean';

function patternIn({ schema, pointer, root }: Conjunct, pattern: string): At | undefined {
  const found = membersOf(schema, 'patternProperties').find(([own]) => own === pattern);
  return found === undefined ? undefined : { schema: found[1], pointer: `${pointer}/patternProperties`, root };
}

function othersIn({ schema, pointer, root }: Conjunct): readonly At[] {
  const others = schema['additionalProperties'] as JsonSchema | undefined;
  return others === undefined ? [] : [{ schema: others, pointer: `${pointer}/additionalProperties`, root }];
}

function prefixOf({ schema, pointer, root }: Conjunct): readonly At[] {
  const prefix = (schema['prefixItems'] ?? []) as readonly JsonSchema[];
  return prefix.map((item, index) => ({ schema: item, pointer: `${pointer}/prefixItems/${index}`, root }));
}

function itemsOf({ schema, pointer, root }: Conjunct): At | undefined {
  const items = schema['items'] as JsonSchema | undefined;
  return items === undefined ? undefined : { schema: items, pointer: `${pointer}/items`, root };
}
