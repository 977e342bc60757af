/** The shape of an event: its properties and their types, before anything is read from them. */
import type { FailureCode } from '../../domain/failure.js';
import { escapedToken } from '../../domain/json-pointer.js';
import { issuesMax, type ProblemIssue } from '../problem.js';
import { NumberText, type ExactJson } from './exact-json.js';
import { ingestLimits } from './limits.js';
import { isStorable, type Metadata } from './read-metadata.js';

/** An event whose time and metadata are still to be read. */
export interface EventShape {
  readonly event_id: string;
  readonly customer_id: string;
  readonly event_type: string;
  /** Not looked at: reading it as an instant tells whether it is one. */
  readonly event_time: ExactJson;
  readonly source?: string;
  readonly metadata?: Metadata;
  /** The version of the event type's schema that the metadata is to match. */
  readonly schema_version?: number;
  readonly request_id?: string;
  readonly user_id?: string;
  readonly trace_id?: string;
}

export type JsonObject = Readonly<Record<string, ExactJson>>;

export function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof NumberText);
}

/**
 * Whether the item has an event's shape. Reads the properties by name and counts them, which is faster than looking at each
 * key; what is wrong is found out, slowly, by `shapeProblems`.
 */
export function isEventShape(item: JsonObject): item is JsonObject & EventShape {
  const {
    event_id,
    customer_id,
    event_type,
    event_time,
    source,
    metadata,
    request_id,
    user_id,
    trace_id,
    schema_version,
  } = item;
  let known = 4;
  if (!isId(event_id) || !isId(customer_id) || !isId(event_type) || event_time === undefined) return false;
  if (metadata !== undefined) {
    known += 1;
    if (!isObject(metadata)) return false;
  }
  if (source !== undefined) {
    known += 1;
    if (!isText(source, ingestLimits.sourceLength)) return false;
  }
  if (schema_version !== undefined) {
    known += 1;
    if (!isSchemaVersion(schema_version)) return false;
  }
  if (request_id !== undefined || user_id !== undefined || trace_id !== undefined) {
    for (const value of [request_id, user_id, trace_id]) {
      if (value === undefined) continue;
      known += 1;
      if (!isText(value, ingestLimits.provenanceLength)) return false;
    }
  }
  let properties = 0;
  for (const _key in item) {
    properties += 1;
    if (properties > known) return false;
  }
  return properties === known;
}

const schemaVersionMax = 2_147_483_647;

export function isSchemaVersion(value: ExactJson | undefined): value is number {
  return typeof value === 'number' && Number.isInteger(value) && value >= 1 && value <= schemaVersionMax;
}

function isId(value: ExactJson | undefined): boolean {
  return typeof value === 'string' && value.length >= 1 && value.length <= ingestLimits.idLength;
}

function isText(value: ExactJson | undefined, lengthMax: number): boolean {
  return typeof value === 'string' && value.length <= lengthMax;
}

const { idLength, sourceLength, provenanceLength } = ingestLimits;

/** Length limits of the properties that are texts. */
const textProperties: ReadonlyMap<string, { readonly min: number; readonly max: number }> = new Map([
  ['event_id', { min: 1, max: idLength }],
  ['customer_id', { min: 1, max: idLength }],
  ['event_type', { min: 1, max: idLength }],
  ['source', { min: 0, max: sourceLength }],
  ['request_id', { min: 0, max: provenanceLength }],
  ['user_id', { min: 0, max: provenanceLength }],
  ['trace_id', { min: 0, max: provenanceLength }],
]);
const required = ['event_id', 'customer_id', 'event_type', 'event_time'] as const;
const known = [...required, 'metadata', 'source', 'request_id', 'user_id', 'trace_id', 'schema_version'];

/**
 * What is wrong with the item's shape, in the order of its properties, missing ones last: up to one more than an answer lists.
 */
export function shapeProblems(item: JsonObject): readonly ProblemIssue[] {
  const found: ProblemIssue[] = [];
  for (const key in item) {
    const wrong = propertyProblem(key, item[key] ?? null);
    if (wrong !== null) found.push(wrong);
    if (found.length > issuesMax) return found;
  }
  const missing = required
    .filter((key) => !Object.hasOwn(item, key))
    .map((key) => problem(`/${key}`, 'VALIDATION_FAILED', `"${key}" is missing.`));
  return [...found, ...missing];
}

function propertyProblem(key: string, value: ExactJson): ProblemIssue | null {
  if (!known.includes(key)) return unknownProperty(key);
  const limits = textProperties.get(key);
  if (key === 'schema_version' && !isSchemaVersion(value)) {
    const detail = '"schema_version" must be a whole number from 1 on: a version of the schema of the event type.';
    return problem('/schema_version', 'VALIDATION_FAILED', detail);
  }
  if (limits === undefined) {
    if (key !== 'metadata' || isObject(value)) return null;
    return problem('/metadata', 'VALIDATION_FAILED', '"metadata" must be a JSON object.');
  }
  return textIssue(key, value, limits);
}

/** What is wrong with a property that must be a text that Postgres can store; null when nothing is. */
export function textIssue(
  key: string,
  value: ExactJson,
  limits: { readonly min: number; readonly max: number },
): ProblemIssue | null {
  if (typeof value !== 'string' || value.length < limits.min || value.length > limits.max) {
    const detail = `"${key}" must be a text of ${limits.min} to ${limits.max} characters.`;
    return problem(`/${key}`, 'VALIDATION_FAILED', detail);
  }
  if (isStorable(value)) return null;
  const detail = `"${key}" cannot contain the character U+0000 or half of a surrogate pair.`;
  return problem(`/${key}`, 'VALIDATION_FAILED', detail);
}

function unknownProperty(key: string): ProblemIssue {
  const shown = key.slice(0, 100);
  const detail = `"${shown}" is not a property of an event; known are: ${known.join(', ')}.`;
  return problem(pointerTo(shown), 'UNKNOWN_PROPERTY', detail);
}

/** JSON pointer (RFC 6901) to a property of the event. */
export function pointerTo(key: string): string {
  return `/${escapedToken(key)}`;
}

function problem(pointer: string, code: FailureCode, detail: string): ProblemIssue {
  return { pointer, code, detail };
}
