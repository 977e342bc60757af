/** One keyword of the wider schema at a time: whether all that is known of the narrower one implies it. */
import type { JsonValue } from './json-schema.js';
import { satisfiesPattern } from './linear-pattern.js';
import { sameKeyword, sameValue } from './schema-equality.js';
import {
  boundOf,
  closedNames,
  countOf,
  isMultiple,
  isWithinBound,
  kindsOfType,
  requiredNames,
  type Bound,
  type Conjunct,
  type Kind,
} from './schema-facts.js';

interface Known {
  readonly conjuncts: readonly Conjunct[];
  readonly kinds: ReadonlySet<Kind>;
}

/** null: implied. Otherwise what the keyword asks for, in words. */
type Check = (left: Known, requirement: Conjunct) => string | null;

/** Says nothing of values, or is looked at together with others (`ofProperties`, `ofItems`). */
const passedOver: ReadonlySet<string> = new Set([
  ...['title', 'description', '$comment', 'default', 'examples', 'deprecated', 'readOnly', 'writeOnly', '$schema'],
  ...['$defs', 'properties', 'patternProperties', 'additionalProperties', 'prefixItems', 'items'],
]);

/** Keywords that hang together, and cannot be compared otherwise than by being the same. */
const companions: Readonly<Record<string, readonly string[]>> = {
  if: ['if', 'then', 'else'],
  then: ['if', 'then', 'else'],
  else: ['if', 'then', 'else'],
  contains: ['contains', 'minContains', 'maxContains'],
  minContains: ['contains', 'minContains', 'maxContains'],
  maxContains: ['contains', 'minContains', 'maxContains'],
};

/** The kinds of values that a keyword speaks of; absent: all. */
const kindsOfKeyword: Readonly<Record<string, readonly Kind[]>> = {
  ...Object.fromEntries(
    ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf'].map((keyword) => [
      keyword,
      ['integer', 'fraction'] as const,
    ]),
  ),
  ...Object.fromEntries(
    ['minLength', 'maxLength', 'pattern', 'format'].map((keyword) => [keyword, ['string'] as const]),
  ),
  ...Object.fromEntries(
    ['minItems', 'maxItems', 'uniqueItems', 'contains', 'minContains', 'maxContains'].map((keyword) => [
      keyword,
      ['array'] as const,
    ]),
  ),
  ...Object.fromEntries(
    [...['minProperties', 'maxProperties', 'required', 'dependentRequired', 'dependentSchemas'], 'propertyNames'].map(
      (keyword) => [keyword, ['object'] as const],
    ),
  ),
};

export function keywordProblem(left: Known, requirement: Conjunct, keyword: string): string | null {
  if (passedOver.has(keyword)) return null;
  const spokenOf = kindsOfKeyword[keyword];
  if (spokenOf !== undefined && !spokenOf.some((kind) => left.kinds.has(kind))) return null;
  if (isRepeated(left, requirement, keyword)) return null;
  const check = checks[keyword];
  if (check !== undefined) return check(left, requirement);
  return `"${keyword}" is asked for, and whether that changes anything cannot be told`;
}

/** Whether the narrower schema says the very same. */
function isRepeated({ conjuncts }: Known, { schema, root }: Conjunct, keyword: string): boolean {
  return conjuncts.some((own) =>
    (companions[keyword] ?? [keyword]).every((each) => {
      const [a, b] = [own.schema[each], schema[each]];
      if (a === undefined || b === undefined) return a === b;
      return sameKeyword({ value: a, at: own }, { value: b, at: { root } });
    }),
  );
}

const numberOf = ({ schema }: Conjunct, keyword: string): number => schema[keyword] as number;

/** What every value that lists itself says for itself. */
function onlyValue({ conjuncts }: Known): unknown {
  const [first] = conjuncts;
  return conjuncts.length === 1 ? first?.schema['const'] : undefined;
}

function bound(keyword: string, side: 1 | -1, words: string): Check {
  return ({ conjuncts, kinds }, requirement) => {
    const other = { value: numberOf(requirement, keyword), exclusive: keyword.startsWith('exclusive') };
    const said = boundOf(conjuncts, side);
    const kept = said === null || kinds.has('fraction') ? said : wholeBound(said, side);
    return kept !== null && isWithinBound(kept, other, side) ? null : `numbers must be ${words} ${other.value}`;
  };
}

/** The outermost whole number that keeps a bound. */
function wholeBound(bound: Bound, side: 1 | -1): Bound {
  const { value, exclusive } = bound;
  const next = side * (exclusive ? Math.floor(value * side) + 1 : Math.ceil(value * side));
  return Number.isSafeInteger(next) ? { value: next, exclusive: false } : bound;
}

function count(keyword: string, side: 1 | -1, words: string): Check {
  return (left, requirement) => {
    const other = numberOf(requirement, keyword);
    const kept = countIn(left, keyword, side);
    return kept !== null && (kept - other) * side >= 0 ? null : `${words} ${other}`;
  };
}

function countIn({ conjuncts }: Known, keyword: string, side: 1 | -1): number | null {
  const said = countOf(conjuncts, keyword, side);
  if (keyword.startsWith('min') && !keyword.endsWith('Properties')) return Math.max(said ?? 0, 0);
  if (keyword === 'minProperties') return Math.max(said ?? 0, requiredNames(conjuncts).size);
  const names = keyword === 'maxProperties' ? closedNames(conjuncts) : null;
  return names === null ? said : Math.min(said ?? Infinity, names.length);
}

const oneOf = (left: Known, allowed: readonly JsonValue[]): string | null => {
  const value = onlyValue(left) as JsonValue | undefined;
  const isAllowed =
    value !== undefined &&
    (allowed.includes(value) || (typeof value === 'object' && allowed.some((each) => sameValue(each, value))));
  const words = allowed.map((each) => JSON.stringify(each)).join(', ');
  return isAllowed ? null : `only ${words.length > 200 ? `${words.slice(0, 200)}…` : words} is accepted`;
};

const checks: Readonly<Record<string, Check>> = {
  type: ({ kinds }, { schema }) => {
    const { type = [] } = schema;
    const allowed = kindsOfType(type);
    const refused = [...kinds].filter((kind) => !allowed.has(kind));
    return refused.length === 0 ? null : `the type must be ${[type].flat().join(' or ')}`;
  },
  const: (left, { schema }) => oneOf(left, [schema['const'] ?? null]),
  enum: (left, { schema }) => oneOf(left, schema['enum'] as readonly JsonValue[]),
  minimum: bound('minimum', 1, 'at least'),
  exclusiveMinimum: bound('exclusiveMinimum', 1, 'greater than'),
  maximum: bound('maximum', -1, 'at most'),
  exclusiveMaximum: bound('exclusiveMaximum', -1, 'less than'),
  multipleOf: (left, requirement) => {
    const of = numberOf(requirement, 'multipleOf');
    const multiples = left.conjuncts.flatMap(({ schema }) => schema['multipleOf'] ?? []);
    const value = onlyValue(left);
    const known = [...multiples, ...(left.kinds.has('fraction') ? [] : [1]), ...(value === undefined ? [] : [value])];
    const isImplied = known.some((each) => typeof each === 'number' && isMultiple(each, of));
    return isImplied ? null : `numbers must be multiples of ${of}`;
  },
  minLength: count('minLength', 1, 'the characters of a text must be at least'),
  maxLength: count('maxLength', -1, 'the characters of a text must be at most'),
  minItems: count('minItems', 1, 'the items must be at least'),
  maxItems: count('maxItems', -1, 'the items must be at most'),
  minProperties: count('minProperties', 1, 'the properties must be at least'),
  maxProperties: count('maxProperties', -1, 'the properties must be at most'),
  uniqueItems: ({ conjuncts }, { schema }) => {
    const longest = countOf(conjuncts, 'maxItems', -1);
    return schema['uniqueItems'] !== true || (longest !== null && longest <= 1) ? null : 'no item may occur twice';
  },
  pattern: (left, { schema }) => {
    const value = onlyValue(left);
    const pattern = schema['pattern'] as string;
    return typeof value === 'string' && satisfiesPattern(pattern, value) === true
      ? null
      : `texts must match ${pattern}`;
  },
  required: ({ conjuncts }, { schema }) => {
    const present = requiredNames(conjuncts);
    const missing = (schema['required'] as readonly string[]).filter((name) => !present.has(name));
    if (missing.length === 0) return null;
    return `${missing.map((name) => `"${name}"`).join(', ')} must be there`;
  },
};
