/** Metadata of an event: bounded, storable as jsonb, its numbers exact. */
import { numberTextToDecimal } from '../../domain/decimal.js';
import { DomainFailure } from '../../domain/failure.js';
import { escapedToken } from '../../domain/json-pointer.js';
import { NumberText, stringifyExactJson, type ExactJson } from './exact-json.js';
import { ingestLimits } from './limits.js';

export type Metadata = Readonly<Record<string, ExactJson>>;

/** What Postgres can neither keep in text nor in jsonb: the NUL character and half of a surrogate pair. */
const notStorable = /[\0\p{Surrogate}]/u;

/** Whether a body has an escape that could make such a character; only then its strings are looked at one by one. */
export function mayHoldUnstorableText(body: string): boolean {
  return /\\u(?:0000|d[89a-f])/i.test(body);
}

export function isStorable(text: string): boolean {
  return !notStorable.test(text);
}

export interface MetadataCheck {
  /** Look at every string. */
  readonly strings: boolean;
}

/**
 * The JSON text to store: keys as sent, numbers in plain notation.
 * @throws DomainFailure VALIDATION_FAILED, UNKNOWN_PROPERTY (`__proto__`), NUMBER_TOO_LONG, with the pointer below `/metadata`
 */
export function metadataToJson(metadata: Metadata, check: MetadataCheck): string {
  const { properties, plain } = surveyFlat(metadata, check);
  if (properties > ingestLimits.metadataProperties) {
    throw refused(`"metadata" has ${properties} properties; at most ${ingestLimits.metadataProperties} are accepted.`);
  }
  const json = plain
    ? JSON.stringify(metadata)
    : stringifyExactJson(checkedTree(metadata, { pointer: '/metadata', depth: 1 }, check));
  if (json.length * 3 > ingestLimits.metadataBytes && Buffer.byteLength(json) > ingestLimits.metadataBytes) {
    throw refused(`"metadata" is larger than ${ingestLimits.metadataBytes} bytes.`);
  }
  return json;
}

/** One look at the properties; `plain` when they are texts, booleans, nulls and numbers that a float holds exactly. */
function surveyFlat(
  metadata: Metadata,
  check: MetadataCheck,
): { readonly properties: number; readonly plain: boolean } {
  let properties = 0;
  let plain = !check.strings;
  for (const key in metadata) {
    properties += 1;
    if (key.length > ingestLimits.metadataKeyLength || key === '' || key === '__proto__') plain = false;
    const value = metadata[key];
    if (typeof value === 'object' && value !== null) plain = false;
  }
  return { properties, plain };
}

/** Metadata with objects, long numbers or doubtful texts in it: everything checked, long numbers in plain notation. */
function checkedTree(value: ExactJson, place: Place, check: MetadataCheck): ExactJson {
  const { pointer, depth } = place;
  if (typeof value === 'string') return storable(value, pointer, check);
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof NumberText) return new NumberText(numberTextToDecimal(value.text, pointer));
  if (depth > ingestLimits.metadataDepth) {
    throw refused(`"metadata" is nested deeper than ${ingestLimits.metadataDepth} levels.`);
  }
  const below = (token: string | number): Place => ({
    pointer: `${pointer}/${escapedToken(String(token))}`,
    depth: depth + 1,
  });
  if (isList(value)) return value.map((item, index) => checkedTree(item, below(index), check));
  const entries = Object.entries(value).map(([key, member]) => {
    requireKey(key, pointer, check);
    return [key, checkedTree(member, below(key), check)] as const;
  });
  return Object.fromEntries(entries);
}

interface Place {
  readonly pointer: string;
  readonly depth: number;
}

function requireKey(key: string, pointer: string, check: MetadataCheck): void {
  if (key === '__proto__') {
    throw new DomainFailure(
      'UNKNOWN_PROPERTY',
      '"__proto__" is not accepted as a name of a property.',
      `${pointer}/__proto__`,
    );
  }
  if (key === '' || key.length > ingestLimits.metadataKeyLength) {
    throw refused(`Names of metadata properties have 1 to ${ingestLimits.metadataKeyLength} characters.`, pointer);
  }
  storable(key, pointer, check);
}

function storable(text: string, pointer: string, check: MetadataCheck): string {
  if (!check.strings || isStorable(text)) return text;
  throw refused('Texts cannot contain the character U+0000 or half of a surrogate pair.', pointer);
}

const isList = (value: ExactJson): value is readonly ExactJson[] => Array.isArray(value);

function refused(detail: string, pointer = '/metadata'): DomainFailure {
  return new DomainFailure('VALIDATION_FAILED', detail, pointer);
}
