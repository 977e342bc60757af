/**
 * Meters as consumers of an event type: a schema under which a property that a meter reads could not be read any more would take
 * usage away without anybody noticing, or have every event refused.
 */
import { parseDecimal } from '../decimal.js';
import type { JsonSchemaObject, JsonValue } from './json-schema.js';
import { tagPrefix } from './metadata.js';
import type { Meter } from './meter.js';
import type { Incompatibility } from './schema-compatibility.js';
import {
  flattened,
  kindsOf,
  listedValues,
  propertyOf,
  requiredNames,
  type At,
  type Conjunct,
  type Kind,
} from './schema-facts.js';

/** One thing that a version of a meter reads of an event. */
interface Reading {
  readonly meter: string;
  readonly path: readonly string[];
  readonly as: 'value_property' | 'count_property' | 'group_by' | 'filters';
  /** Whether a value of the property can be read at all. */
  readonly canRead: (value: JsonValue) => boolean;
  readonly kinds: readonly Kind[];
  readonly needs: string;
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
  const found = meters.flatMap(readingsOf).flatMap((reading) => problemOf(schema, reading, previous) ?? []);
  return [...new Map(found.map((each) => [each.detail, each])).values()];
}

function readingsOf(meter: Meter): readonly Reading[] {
  const { code, aggregation, valueProperty, groupBy, filters } = meter;
  const dimension = (as: 'group_by' | 'filters', name: string): Reading => ({
    meter: code,
    path: name.startsWith(tagPrefix) ? ['tags', name.slice(tagPrefix.length)] : [name],
    as,
    ...scalars,
  });
  const value: readonly Reading[] =
    valueProperty === null
      ? []
      : [
          {
            meter: code,
            path: [valueProperty],
            as: aggregation === 'count' ? 'count_property' : 'value_property',
            ...(aggregation === 'unique_count' ? scalars : decimals),
          },
        ];
  return [
    ...value,
    ...groupBy.map((name) => dimension('group_by', name)),
    ...Object.keys(filters).map((name) => dimension('filters', name)),
  ];
}

const scalars: Pick<Reading, 'canRead' | 'kinds' | 'needs'> = {
  canRead: (value) => ['string', 'number', 'boolean'].includes(typeof value),
  kinds: ['string', 'integer', 'fraction', 'boolean'],
  needs: 'a text, a number, or true or false',
};
const decimals: Pick<Reading, 'canRead' | 'kinds' | 'needs'> = {
  canRead: (value) => typeof value === 'number' || isDecimalText(value),
  kinds: ['string', 'integer', 'fraction'],
  needs: 'a number or a decimal text',
};

function isDecimalText(value: JsonValue): boolean {
  try {
    parseDecimal(value);
    return true;
  } catch {
    return false;
  }
}

function problemOf(
  schema: JsonSchemaObject,
  reading: Reading,
  previous: JsonSchemaObject | null,
): Incompatibility | null {
  const { meter, path, as, needs } = reading;
  const { at, pointer } = placeOf(schema, path);
  const who = `The meter "${meter}" reads the property "${path.join('.')}" (${as})`;
  if (!isReadable(at, reading)) {
    const detail = `${who}, which this schema does not let it have: the meter needs ${needs}. Allow that, or count by another meter first.`;
    return { pointer, detail };
  }
  if (previous === null || isRequired(schema, path) || !isRequired(previous, path)) return null;
  const detail = `${who}, which was required until now and could be missing from now on: such events would be counted otherwise, or refused. Keep it required.`;
  return { pointer: '/required', detail };
}

interface Place {
  /** What a value there must satisfy. */
  readonly at: readonly At[];
  readonly pointer: string;
}

function placeOf(schema: JsonSchemaObject, path: readonly string[]): Place {
  let place: Place = { at: [{ schema, pointer: '', root: schema }], pointer: '' };
  for (const name of path) {
    const conjuncts = flattened(place.at);
    if (conjuncts === null || !kindsOf(conjuncts).has('object'))
      return { at: [{ ...never, root: schema }], pointer: place.pointer };
    const at = propertyOf(conjuncts, name);
    place = { at, pointer: at[0]?.pointer ?? place.pointer };
  }
  return place;
}

const never = { schema: false, pointer: '' } as const;

/** Whether there is, as far as can be told, a value that the schemas accept and the meter can read. */
function isReadable(at: readonly At[], reading: Reading): boolean {
  const conjuncts = flattened(at);
  if (conjuncts === null) return false;
  const kinds = kindsOf(conjuncts);
  if (!reading.kinds.some((kind) => kinds.has(kind))) return false;
  const listed = conjuncts.map(({ schema }) => listedValues(schema)).filter((values) => values !== null);
  if (!listed.every((values) => values.some(reading.canRead))) return false;
  return conjuncts.every((conjunct) => hasReadableBranch(conjunct, reading));
}

function hasReadableBranch({ schema, pointer, root }: Conjunct, reading: Reading): boolean {
  return (['anyOf', 'oneOf'] as const).every((keyword) => {
    const branches = schema[keyword];
    if (!Array.isArray(branches)) return true;
    return (branches as readonly At['schema'][]).some((branch) =>
      isReadable([{ schema: branch, pointer, root }], reading),
    );
  });
}

function isRequired(schema: JsonSchemaObject, path: readonly string[]): boolean {
  const [last] = path.slice(-1);
  const { at } = placeOf(schema, path.slice(0, -1));
  const conjuncts = flattened(at);
  return conjuncts === null || last === undefined || requiredNames(conjuncts).has(last);
}
