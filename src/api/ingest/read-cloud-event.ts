/**
 * CloudEvents 1.0.2 in the JSON format: `id` → event_id, `source` → source, `subject` → customer_id, `type` → event_type,
 * `time` → event_time, `data` → metadata, `traceparent` → trace_id. Written out against the format instead of using the
 * `cloudevents` package, which reads numbers through floats and makes a class instance of each event.
 */
import type { FailureCode } from '../../domain/failure.js';
import { issuesMax, type ProblemIssue } from '../problem.js';
import { isObject, pointerTo, textIssue, type EventShape, type JsonObject } from './event-shape.js';
import type { ExactJson } from './exact-json.js';
import { ingestLimits } from './limits.js';
import { isRefused, readShape, type ReadContext, type ReadResult } from './read-event.js';
import type { Metadata } from './read-metadata.js';

const { idLength, sourceLength, provenanceLength } = ingestLimits;

/** Attributes that are texts here, the required ones first. `subject` and `time` are optional to CloudEvents, not to us. */
const textAttributes: ReadonlyMap<string, { readonly min: number; readonly max: number; readonly required: boolean }> =
  new Map([
    ['id', { min: 1, max: idLength, required: true }],
    ['source', { min: 1, max: sourceLength, required: true }],
    ['type', { min: 1, max: idLength, required: true }],
    ['subject', { min: 1, max: idLength, required: true }],
    ['time', { min: 1, max: 64, required: true }],
    ['datacontenttype', { min: 1, max: 256, required: false }],
    ['dataschema', { min: 1, max: 1_024, required: false }],
    ['traceparent', { min: 1, max: provenanceLength, required: false }],
    ['requestid', { min: 1, max: provenanceLength, required: false }],
    ['userid', { min: 1, max: provenanceLength, required: false }],
  ]);

/**
 * Extensions that speak of the way an event takes, never of what it counts: taken, and not kept. Any other is refused, as
 * unknown properties are everywhere here: `sampledrate`, for instance, says that an event stands for many.
 */
const transportAttributes: ReadonlySet<string> = new Set([
  'tracestate',
  'partitionkey',
  'sequence',
  'sequencetype',
  'recordedtime',
  'expirytime',
]);

const jsonMediaType = /^[\w.+-]+\/(?:[\w.+-]+\+)?json\s*(?:;|$)/i;

/** Where a property of an event stands in a CloudEvent. */
const ownToCloud: ReadonlyMap<string, string> = new Map([
  ['event_id', 'id'],
  ['customer_id', 'subject'],
  ['event_type', 'type'],
  ['event_time', 'time'],
  ['metadata', 'data'],
  ['schema_version', 'dataschema'],
]);

/** As `readEvent`, with pointers into the CloudEvent. */
export function readCloudEvent(item: ExactJson, context: ReadContext): ReadResult {
  if (!isObject(item)) {
    const detail = 'A CloudEvent is a JSON object.';
    return { malformed: true, issues: [{ pointer: '', code: 'VALIDATION_FAILED', detail }] };
  }
  const [first, ...others] = problems(item);
  if (first !== undefined) return { malformed: true, issues: [first, ...others] };
  const result = readShape(toShape(withoutNulls(item)), context);
  return isRefused(result) ? { ...result, issues: [located(result.issues[0]), ...result.issues.slice(1)] } : result;
}

/** An attribute that is null counts as not given (JSON format, 2.2). */
function withoutNulls(item: JsonObject): JsonObject {
  for (const key in item) {
    if (item[key] === null) return given(item);
  }
  return item;
}

/** Key by key: there may be very many of no value. */
function given(item: JsonObject): JsonObject {
  const found: Record<string, ExactJson> = {};
  for (const key in item) {
    const value = item[key] ?? null;
    if (value !== null) found[key] = value;
  }
  return found;
}

/** Up to one more than an answer lists. */
function problems(event: JsonObject): readonly ProblemIssue[] {
  const found: ProblemIssue[] = [];
  if (event['specversion'] !== '1.0') found.push(issue('specversion', '"specversion" must be "1.0".'));
  for (const [name, { required }] of textAttributes) {
    if (required && (event[name] ?? null) === null) found.push(issue(name, `"${name}" is missing.`));
  }
  for (const name in event) {
    const value = event[name] ?? null;
    const problem = value === null ? null : problemOf(name, value);
    if (problem !== null) found.push(problem);
    if (found.length > issuesMax) break;
  }
  return found;
}

function problemOf(name: string, value: ExactJson): ProblemIssue | null {
  const limits = textAttributes.get(name);
  if (limits !== undefined) {
    const notText = textIssue(name, value, limits);
    if (notText !== null || name !== 'datacontenttype' || jsonMediaType.test(String(value))) return notText;
    return issue(name, '"data" is read as metadata, so "datacontenttype" must be JSON.');
  }
  if (name === 'data') return isObject(value) ? null : issue(name, '"data" is read as metadata: a JSON object.');
  if (name === 'data_base64') return issue(name, 'Send the data as a JSON object in "data", not as "data_base64".');
  if (name === 'specversion' || transportAttributes.has(name)) return null;
  const shown = name.slice(0, 100);
  const detail = `The extension "${shown}" is not known here and could change what the event means; known are: traceparent, requestid, userid, ${[...transportAttributes].join(', ')}.`;
  return issue(shown, detail, 'UNKNOWN_PROPERTY');
}

/** @param event without problems */
function toShape(event: JsonObject): EventShape {
  const text = (name: string): string => event[name] as string;
  return {
    event_id: text('id'),
    customer_id: text('subject'),
    event_type: text('type'),
    event_time: text('time'),
    source: text('source'),
    ...(event['data'] !== undefined && { metadata: event['data'] as Metadata }),
    ...(event['traceparent'] !== undefined && { trace_id: traceIdOf(text('traceparent')) }),
    ...(event['requestid'] !== undefined && { request_id: text('requestid') }),
    ...(event['userid'] !== undefined && { user_id: text('userid') }),
    ...schemaOf(event),
  };
}

function schemaOf(event: JsonObject): Pick<EventShape, 'schema_version'> {
  const version = schemaVersionNamed(event);
  return version === undefined ? {} : { schema_version: version };
}

/** What `dataschema` names, when it is a schema of ours and of the event's own type: …/event-schemas/{type}/{version}. */
export function schemaVersionNamed({ dataschema, type }: JsonObject): number | undefined {
  if (typeof dataschema !== 'string') return undefined;
  const [, encodedType = '', version = ''] = /\/event-schemas\/([^/?#]+)\/([1-9]\d{0,8})$/.exec(dataschema) ?? [];
  return version !== '' && decoded(encodedType) === type ? Number(version) : undefined;
}

function decoded(segment: string): string | null {
  try {
    return decodeURIComponent(segment);
  } catch {
    return null;
  }
}

/** The trace's id of a W3C `traceparent`; of one in another form, the whole of it: provenance never costs an event. */
function traceIdOf(traceparent: string): string {
  return /^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}/.exec(traceparent)?.[1] ?? traceparent;
}

function located(found: ProblemIssue): ProblemIssue {
  const [, property = '', rest = ''] = /^\/([^/]*)(.*)$/s.exec(found.pointer) ?? [];
  const name = ownToCloud.get(property);
  return name === undefined ? found : { ...found, pointer: `/${name}${rest}` };
}

function issue(name: string, detail: string, code: FailureCode = 'VALIDATION_FAILED'): ProblemIssue {
  return { pointer: pointerTo(name), code, detail };
}

/** Headers of the binary mode (HTTP binding, 3.1) that are attributes; `data` is the body. */
const binaryPrefix = 'ce-';

/** Whether the request is one event whose attributes are headers. */
export function isBinaryMode(headers: Readonly<Record<string, unknown>>): boolean {
  return headers['ce-specversion'] !== undefined;
}

/**
 * The headers with those attributes as lists that came more than once. Node joins them to one text, in which an id would be another.
 * @param raw names and values, in turn (Node: `rawHeaders`)
 */
export function withRepeatedAttributes<H extends Readonly<Record<string, unknown>>>(
  headers: H,
  raw: readonly string[],
): H {
  const all = new Map<string, string[]>();
  for (let at = 0; at + 1 < raw.length; at += 2) {
    const name = (raw[at] ?? '').toLowerCase();
    if (name.startsWith(binaryPrefix)) all.set(name, [...(all.get(name) ?? []), raw[at + 1] ?? '']);
  }
  const repeated = [...all].filter(([, values]) => values.length > 1);
  return repeated.length === 0 ? headers : { ...headers, ...Object.fromEntries(repeated) };
}

/** The names of the headers of attributes that came more than once (`withRepeatedAttributes`). */
export function repeatedAttributes(headers: Readonly<Record<string, unknown>>): readonly string[] {
  return Object.keys(headers).filter((name) => name.startsWith(binaryPrefix) && Array.isArray(headers[name]));
}

/** The attributes of a CloudEvent in binary mode; of those that came more than once (`withRepeatedAttributes`) none. */
export function attributesOf(headers: Readonly<Record<string, unknown>>): JsonObject {
  const event: Record<string, ExactJson> = Object.create(null) as Record<string, ExactJson>;
  for (const [name, value] of Object.entries(headers)) {
    if (name.startsWith(binaryPrefix) && typeof value === 'string')
      event[name.slice(binaryPrefix.length)] = percentDecoded(value);
  }
  // A header of this name would otherwise pass for the body.
  delete event['data'];
  return { ...event };
}

/** HTTP binding, 3.1.3.2. What is not UTF-8 after decoding stays as it was sent. */
function percentDecoded(text: string): string {
  const unquoted = /^"(.*)"$/s.exec(text)?.[1]?.replaceAll(/\\(.)/gs, '$1') ?? text;
  if (!unquoted.includes('%')) return unquoted;
  try {
    return decodeURIComponent(unquoted.replaceAll(/%(?![0-9a-f]{2})/gi, '%25'));
  } catch {
    return unquoted;
  }
}
