/**
 * Meters as consumers of an event type: a schema under which a property that a meter reads could not be read any more would take
 * usage away without anybody noticing, or have every event refused.
 */
import { decimal, decimalTextOf, isDecimal } from '../decimal.js';
import { escapedToken } from '../json-pointer.js';
import type { JsonSchema, JsonSchemaObject, JsonValue } from './json-schema.js';
import { tagPrefix } from './metadata.js';
import type { Meter } from './meter.js';
import type { Incompatibility } from './schema-compatibility.js';
import { flattened, propertyOf, requiredNames, type At, type Conjunct } from './schema-facts.js';
import { reachOf, type Reader } from './schema-reach.js';
import { decimalSamples, someDecimal, someText, type Scalar } from './schema-samples.js';

/** One thing that a version of a meter reads of an event. */
interface Reading extends Reader {
  readonly meter: string;
  readonly as: 'value_property' | 'count_property' | 'group_by' | 'filters';
  readonly needs: string;
  /** Of a filter. */
  readonly allowed?: readonly string[];
}

/**
 * What of a schema takes away from meters what they read. A property that may be missing is one that was allowed to be missing
 * before, or is new.
 * @param meters all versions of those that count the event type
 * @param previous the latest version before
 */
export function unreadableByMeters(
  schema: JsonSchemaObject,
  meters: readonly Meter[],
  previous: JsonSchemaObject | null,
): readonly Incompatibility[] {
  // Versions of a meter mostly read the same.
  const readings = new Map(meters.flatMap(readingsOf).map((each) => [keyOf(each), each]));
  return [...readings.values()].flatMap((reading) => problemOf(schema, reading, previous) ?? []);
}

/** What a meter reads that no event of its type can have. */
export interface RuledOut {
  /** JSON pointer into the definition of the meter (POST /meters). */
  readonly pointer: string;
  /** A sentence's second half, about the schema. */
  readonly detail: string;
}

/**
 * What a meter would read and the schema of its event type surely rules out (RULES 69): a value, which every event would be refused
 * for, groups and filters, which would be empty without anybody noticing. What cannot be told is left to the events.
 * @param schema the latest of the event type
 */
export function ruledOutBySchema(schema: JsonSchemaObject, meter: Meter): readonly RuledOut[] {
  return readingsOf(meter).flatMap((reading): readonly RuledOut[] => {
    const name = reading.path.join('.');
    const pointer = definedAt(reading.as, name, meter);
    if (reachOf(schema, reading, null) === 'unreadable') {
      const detail = `lets no event have "${name}" as the meter needs it: ${shortened(reading.needs)}`;
      return [{ pointer, detail }];
    }
    return reading.as === 'filters' ? otherSpellings(schema, reading, pointer) : [];
  });
}

function definedAt(as: Reading['as'], name: string, { groupBy }: Meter): string {
  if (as === 'group_by') return `/group_by/${groupBy.indexOf(name)}`;
  return as === 'filters' ? `/filters/${escapedToken(name)}` : `/${as}`;
}

/** Texts of a filter on numbers that no number has: `1.0` is the text of none, whose text is that of its value. */
function otherSpellings(
  schema: JsonSchemaObject,
  { path, allowed = [] }: Reading,
  pointer: string,
): readonly RuledOut[] {
  const isPossible = (text: string): boolean => reachOf(schema, { path, ...oneOf([text]) }, null) !== 'unreadable';
  return allowed.flatMap((text, index): readonly RuledOut[] => {
    const plain = decimalTextOf(text);
    if (plain === null || plain === text || isPossible(text) || !isPossible(plain)) return [];
    const detail = `lets "${path.join('.')}" be a number and not the text "${text}": write the number's value, "${plain}"`;
    return [{ pointer: `${pointer}/${index}`, detail }];
  });
}

const keyOf = ({ meter, path, as, needs }: Reading): string => JSON.stringify([meter, path, as, needs]);

function readingsOf(meter: Meter): readonly Reading[] {
  const { code, aggregation, valueProperty, groupBy, filters } = meter;
  const pathOf = (name: string): readonly string[] =>
    name.startsWith(tagPrefix) ? ['tags', name.slice(tagPrefix.length)] : [name];
  const isCount = aggregation === 'count';
  const kind = isCount ? counts : aggregation === 'unique_count' ? scalars : decimals;
  const value: readonly Reading[] =
    valueProperty === null
      ? []
      : [{ meter: code, path: [valueProperty], as: isCount ? 'count_property' : 'value_property', ...kind }];
  return [
    ...value,
    ...groupBy.map((name): Reading => ({ meter: code, path: pathOf(name), as: 'group_by', ...scalars })),
    ...Object.entries(filters).map(([name, allowed]): Reading => ({
      meter: code,
      path: pathOf(name),
      as: 'filters',
      allowed,
      ...oneOf(allowed),
    })),
  ];
}

type Kind = Pick<Reading, 'samples' | 'canRead' | 'needs'>;

const scalars: Kind = {
  samples: [someText, true, false, ...decimalSamples],
  canRead: () => true,
  needs: 'a text, a number, or true or false',
};

const isNumeric = (value: Scalar): boolean => typeof value === 'number' || isDecimal(value);
const decimals: Kind = {
  samples: [...decimalSamples, someDecimal],
  canRead: isNumeric,
  needs: 'a number or a decimal text',
};

/** RULES 32 takes a zero, too; a property that can be nothing else counts nothing. */
function isCounting(value: Scalar): boolean {
  const text = typeof value === 'number' ? decimalTextOf(String(value)) : value;
  return isDecimal(text) && decimal(text).isInteger() && decimal(text).greaterThanOrEqualTo(1);
}
const counts: Kind = {
  samples: [...decimalSamples.filter(isCounting), someDecimal],
  canRead: isCounting,
  needs: 'a whole number of 1 and more',
};

/** A filter takes texts, and whatever else is written so. */
function oneOf(allowed: readonly string[]): Kind {
  const samples = allowed.flatMap((text): readonly Scalar[] => {
    if (text === 'true' || text === 'false') return [text, text === 'true'];
    return decimalTextOf(text) === text ? [text, Number(text)] : [text];
  });
  const listed = allowed.map((text) => JSON.stringify(text)).join(', ');
  const needs = `one of ${listed}`;
  return { samples, canRead: (value) => samples.includes(value), needs };
}

function problemOf(
  schema: JsonSchemaObject,
  reading: Reading,
  previous: JsonSchemaObject | null,
): Incompatibility | null {
  const { meter, path, as, needs } = reading;
  const who = `The meter "${meter}" reads the property "${path.join('.')}" (${as})`;
  const reach = reachOf(schema, reading, previous);
  if (reach === 'unreadable') {
    const detail = `${who}, which this schema does not let it have: the meter needs ${shortened(needs)}. Allow that, or count by another meter first.`;
    return { pointer: pointerOf(schema, path), detail };
  }
  if (reach === 'unclear') {
    const detail = `${who}, and the registry cannot tell whether this schema lets it have that: the meter needs ${shortened(needs)}. Say it with "properties" instead of "not", conditions, many branches or patterns that few decimals match, leave those as they were, or use compatibility none.`;
    return { pointer: pointerOf(schema, path), detail };
  }
  if (previous === null || isRequired(placed(schema), path) || !isRequired(placed(previous), path)) return null;
  const detail = `${who}, which was required until now and could be missing from now on: such events would be counted otherwise, or refused. Keep it required.`;
  return { pointer: '/required', detail };
}

const shortened = (text: string): string => (text.length > 200 ? `${text.slice(0, 200)}…` : text);
const placed = (schema: JsonSchemaObject): readonly At[] => [{ schema, pointer: '', root: schema }];

/** Where a schema speaks of a property, or of what it is in. */
function pointerOf(schema: JsonSchemaObject, path: readonly string[]): string {
  let at = placed(schema);
  let pointer = '';
  for (const name of path) {
    at = propertyOf(flattened(at) ?? [], name);
    pointer = at[0]?.pointer ?? pointer;
  }
  return pointer;
}

function isRequired(schemas: readonly At[], path: readonly string[]): boolean {
  const conjuncts = flattened(schemas);
  const [name, ...rest] = path;
  if (conjuncts === null || name === undefined) return true;
  const isHere = rest.length === 0 ? requiredNames(conjuncts).has(name) : isRequired(propertyOf(conjuncts, name), rest);
  return isHere || conjuncts.some((conjunct) => alternativesOf(conjunct).some((each) => isInAll(each, conjunct, path)));
}

/** Lists of schemas of which metadata satisfies one. */
function alternativesOf({ schema }: Conjunct): readonly (readonly JsonSchema[])[] {
  const { anyOf, oneOf: exclusive, if: condition, then = true, else: otherwise = true } = schema;
  const lists = [anyOf, exclusive, condition === undefined ? undefined : [then, otherwise]];
  return lists.flatMap((list) => (Array.isArray(list) ? [list as readonly JsonValue[] as readonly JsonSchema[]] : []));
}

function isInAll(schemas: readonly JsonSchema[], { pointer, root }: Conjunct, path: readonly string[]): boolean {
  return schemas.every((schema) => isRequired([{ schema, pointer, root }], path));
}
