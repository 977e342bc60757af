/** Metadata of an event: bounded, storable as jsonb, its numbers exact. */
import { decimalTextOf, numberTextToDecimal } from '../../domain/decimal.js';
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
    const detail = `"metadata" has more than ${ingestLimits.metadataProperties} properties; no more are accepted.`;
    throw refused(detail);
  }
  const json = plain
    ? JSON.stringify(metadata)
    : stringifyExactJson(checkedTree(metadata, { above: null, token: '', depth: 1 }, { ...check, left: valuesMax }));
  if (json.length * 3 > ingestLimits.metadataBytes && Buffer.byteLength(json) > ingestLimits.metadataBytes) {
    throw tooLarge();
  }
  return json;
}

/** A value takes at least two bytes, with what parts it from the next: more of them are too large before they are written. */
const valuesMax = ingestLimits.metadataBytes / 2;

const tooLarge = (): DomainFailure => refused(`"metadata" is larger than ${ingestLimits.metadataBytes} bytes.`);

/** One look at the properties, no further than they are too many; `plain` when they are texts, booleans, nulls and numbers that a float holds exactly. */
function surveyFlat(
  metadata: Metadata,
  check: MetadataCheck,
): { readonly properties: number; readonly plain: boolean } {
  let properties = 0;
  let plain = !check.strings;
  for (const key in metadata) {
    properties += 1;
    if (properties > ingestLimits.metadataProperties) break;
    if (key.length > ingestLimits.metadataKeyLength || key === '' || key === '__proto__') plain = false;
    const value = metadata[key];
    if (typeof value === 'object' && value !== null) plain = false;
  }
  return { properties, plain };
}

/** Metadata with objects, long numbers or doubtful texts in it: everything checked, long numbers in plain notation. */
function checkedTree(value: ExactJson, place: Place, check: TreeCheck): ExactJson {
  check.left -= 1;
  if (check.left < 0) throw tooLarge();
  if (typeof value === 'string') return storable(value, place, check);
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof NumberText) {
    return new NumberText(decimalTextOf(value.text) ?? numberTextToDecimal(value.text, pointerTo(place)));
  }
  const { depth } = place;
  if (depth > ingestLimits.metadataDepth) {
    throw refused(`"metadata" is nested deeper than ${ingestLimits.metadataDepth} levels.`);
  }
  if (isList(value))
    return value.map((item, token) => checkedTree(item, { above: place, token, depth: depth + 1 }, check));
  const checked: Record<string, ExactJson> = {};
  for (const key in value) {
    requireKey(key, place, check);
    checked[key] = checkedTree(value[key] ?? null, { above: place, token: key, depth: depth + 1 }, check);
  }
  return checked;
}

interface TreeCheck extends MetadataCheck {
  /** How many more values there may be. */
  left: number;
}

/** Where a value stands. Its pointer is written only where it is needed: not for what is right, which may be very many. */
interface Place {
  readonly above: Place | null;
  readonly token: string | number;
  readonly depth: number;
}

function pointerTo({ above, token }: Place): string {
  return above === null ? '/metadata' : `${pointerTo(above)}/${escapedToken(String(token))}`;
}

function requireKey(key: string, place: Place, check: MetadataCheck): void {
  if (key === '__proto__') {
    throw new DomainFailure(
      'UNKNOWN_PROPERTY',
      '"__proto__" is not accepted as a name of a property.',
      `${pointerTo(place)}/__proto__`,
    );
  }
  if (key === '' || key.length > ingestLimits.metadataKeyLength) {
    const detail = `Names of metadata properties have 1 to ${ingestLimits.metadataKeyLength} characters.`;
    throw refused(detail, pointerTo(place));
  }
  storable(key, place, check);
}

function storable(text: string, place: Place, check: MetadataCheck): string {
  if (!check.strings || isStorable(text)) return text;
  throw refused('Texts cannot contain the character U+0000 or half of a surrogate pair.', pointerTo(place));
}

const isList = (value: ExactJson): value is readonly ExactJson[] => Array.isArray(value);

function refused(detail: string, pointer = '/metadata'): DomainFailure {
  return new DomainFailure('VALIDATION_FAILED', detail, pointer);
}
