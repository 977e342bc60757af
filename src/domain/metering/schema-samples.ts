/** Whether a schema accepts a scalar, as far as can be told, and scalars that are worth asking about. */
import { decimalDigitsMax, isDecimal } from '../decimal.js';
import { resolveReference, subschemas, type JsonSchema, type JsonSchemaObject, type JsonValue } from './json-schema.js';
import { patternProblem, satisfiesPattern } from './linear-pattern.js';
import { exampleOf } from './pattern-example.js';
import { isMultiple, kindOf, kindsOfType, listedValues, type At } from './schema-facts.js';

/** Stands for a text that no schema lists. */
export const someText = Symbol('some text');
/** Stands for a decimal written as a text that no schema lists: the ways to write one are too many to try. */
export const someDecimal = Symbol('some decimal text');
export type Scalar = string | number | boolean;
export type Sample = Scalar | typeof someText | typeof someDecimal;

/** null: it cannot be told. */
export type Answer = boolean | null;
type Place = Pick<At, 'schema' | 'root'>;

const negated = (answer: Answer): Answer => (answer === null ? null : !answer);

/** Asks no further than it must: patterns are slow. */
function everyOf<T>(items: readonly T[], ask: (item: T) => Answer): Answer {
  let isCertain = true;
  for (const item of items) {
    const answer = ask(item);
    if (answer === false) return false;
    isCertain &&= answer === true;
  }
  return isCertain ? true : null;
}

export function accepts({ schema, root }: Place, sample: Sample): Answer {
  if (typeof schema === 'boolean') return schema;
  const own = { schema, root };
  return everyOf(Object.keys(schema), (keyword) => ofKeyword(own, keyword, sample));
}

export function allAccept(places: readonly Place[], sample: Sample): Answer {
  return everyOf(places, (place) => accepts(place, sample));
}

function ofKeyword({ schema, root }: Place & { schema: JsonSchemaObject }, keyword: string, sample: Sample): Answer {
  const value = schema[keyword] as JsonValue;
  const by = (other: JsonValue | undefined): Answer => accepts({ schema: (other ?? true) as JsonSchema, root }, sample);
  switch (keyword) {
    case '$ref':
      return by(resolveReference(root, value as string)?.schema);
    case 'allOf':
      return everyOf(value as readonly JsonSchema[], by);
    case 'anyOf':
      return negated(everyOf(value as readonly JsonSchema[], (branch) => negated(by(branch))));
    case 'oneOf':
      return exactlyOne((value as readonly JsonSchema[]).map(by));
    case 'not':
      return negated(by(value));
    case 'if':
      return either(by(value), by(schema['then']), by(schema['else']));
    case 'type':
      return kindsOfType(value).has(typeof sample === 'symbol' ? 'string' : kindOf(sample));
    case 'const':
      return value === sample;
    case 'enum':
      return (value as readonly JsonValue[]).includes(sample as JsonValue);
    default:
      if (typeof sample === 'number') return ofNumber(keyword, value, sample);
      return typeof sample === 'boolean' || ofText(keyword, value, sample);
  }
}

function exactlyOne(answers: readonly Answer[]): Answer {
  if (answers.filter((answer) => answer === true).length > 1) return false;
  return answers.includes(null) ? null : answers.includes(true);
}

function either(condition: Answer, then: Answer, otherwise: Answer): Answer {
  if (condition === null) return then === otherwise ? then : null;
  return condition ? then : otherwise;
}

function ofNumber(keyword: string, value: JsonValue, sample: number): boolean {
  switch (keyword) {
    case 'minimum':
      return sample >= (value as number);
    case 'exclusiveMinimum':
      return sample > (value as number);
    case 'maximum':
      return sample <= (value as number);
    case 'exclusiveMaximum':
      return sample < (value as number);
    case 'multipleOf':
      return isMultiple(sample, value as number);
    default:
      return true;
  }
}

function ofText(keyword: string, value: JsonValue, sample: Exclude<Sample, number | boolean>): Answer {
  if (!['minLength', 'maxLength', 'pattern', 'format'].includes(keyword)) return true;
  if (sample === someText) return null;
  if (sample === someDecimal) return ofSomeDecimal(keyword, value);
  switch (keyword) {
    case 'minLength':
      return [...sample].length >= (value as number);
    case 'maxLength':
      return [...sample].length <= (value as number);
    case 'pattern':
      return satisfiesPattern(value as string, sample);
    default:
      // None of the formats that a schema may name is written as a decimal.
      return isDecimal(sample) ? false : null;
  }
}

/** Those of decimals; a 1 tried first makes texts that are decimals, and counts. */
const decimalCharacters = '1234567890.-';
/** With a sign and a point. */
const decimalLengthMax = decimalDigitsMax + 2;

/** true of every decimal, or false of every one; else it is for samples to say. */
function ofSomeDecimal(keyword: string, value: JsonValue): Answer {
  switch (keyword) {
    case 'minLength':
      return (value as number) <= 1 || ((value as number) > decimalLengthMax ? false : null);
    case 'maxLength':
      return (value as number) >= decimalLengthMax || ((value as number) < 1 ? false : null);
    case 'pattern':
      return mayMatchDecimals(value as string) ? null : false;
    default:
      return false; // as in `ofText`
  }
}

function mayMatchDecimals(pattern: string): boolean {
  return patternProblem(pattern) !== null || exampleOf(pattern, decimalCharacters, 0) !== null;
}

const literalsMax = 500;
const patternsMax = 50;
const numeric = ['minimum', 'maximum', 'exclusiveMinimum', 'exclusiveMaximum', 'multipleOf'] as const;

/**
 * Scalars that the schemas name, numbers next to and between those that bound others, and decimals that patterns may ask for.
 * @returns `size`: how many schemas there are, with references followed
 */
export function samplesIn(places: readonly At[]): { readonly samples: readonly Scalar[]; readonly size: number } {
  let size = 0;
  const found = new Set<Scalar>();
  const steps = new Set<number>();
  const patterns = new Set<string>();
  const visit = ({ schema, root }: Place): void => {
    size += 1;
    if (typeof schema === 'boolean') return;
    for (const value of listedValues(schema) ?? []) {
      if (isScalar(value) && found.size < literalsMax) found.add(value);
    }
    for (const keyword of numeric) {
      const value = schema[keyword];
      if (typeof value === 'number') (keyword === 'multipleOf' ? steps : found).add(value);
    }
    const { $ref: reference, pattern } = schema;
    if (typeof pattern === 'string' && patterns.size < patternsMax) patterns.add(pattern);
    const target = typeof reference === 'string' ? resolveReference(root, reference) : undefined;
    if (target !== undefined) visit({ ...target, root });
    for (const below of subschemas({ schema, pointer: '' })) visit({ ...below, root });
  };
  places.forEach(visit);
  const bounds = [...found].filter((each) => typeof each === 'number').slice(0, 50);
  return { samples: [...found, ...numbersAround(bounds, [...steps]), ...[...patterns].flatMap(decimalsOf)], size };
}

function decimalsOf(pattern: string): readonly string[] {
  if (patternProblem(pattern) !== null) return [];
  return ([0, 1] as const).map((optional) => exampleOf(pattern, decimalCharacters, optional) ?? '').filter(isDecimal);
}

export function isScalar(value: JsonValue | undefined): value is Scalar {
  return ['string', 'number', 'boolean'].includes(typeof value);
}

function numbersAround(bounds: readonly number[], steps: readonly number[]): readonly number[] {
  const sorted = [...bounds, 0].sort((a, b) => a - b);
  const middles = sorted.map((value, index) => (value + (sorted[index + 1] ?? value)) / 2);
  const near = [...middles, ...sorted.flatMap((value) => [value + 1, value - 1, Math.ceil(value), Math.floor(value)])];
  const multiples = steps.slice(0, 20).flatMap((step) =>
    // A product of floats may differ from the multiple in its last digits.
    [...sorted, ...near].flatMap((value) =>
      [-1, 0, 1].map((more) => exactly15((Math.round(value / step) + more) * step)),
    ),
  );
  return [...near, ...multiples].map(exactly15);
}

const exactly15 = (value: number): number => Number(value.toPrecision(15));

/** Decimals of many lengths, for patterns that ask for one. */
export const decimalSamples: readonly (string | number)[] = [
  ...[0, 1, -1, 0.5, 1.5, 10, 100, 1_000_000],
  ...['0', '0.5', '0.50', '-0.5', '0.000001', '10', '100', '1000', '1000000', '1.0', '10.00'],
  ...[...Array.from({ length: 20 }, (_, index) => index + 1), 38].flatMap((whole) =>
    [0, 1, 2, 3, 4, 5, 6, 8, 9, 10, 12, 18].flatMap((places) => {
      const text = '1'.repeat(whole) + (places === 0 ? '' : `.${'1'.repeat(places)}`);
      return [text, `-${text}`].filter(isDecimal);
    }),
  ),
];
