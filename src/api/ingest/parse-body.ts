/** From the bytes of a request to the items in it. */
import { isUtf8 } from 'node:buffer';
import { hash } from 'node:crypto';
import { DomainFailure } from '../../domain/failure.js';
import { escapedToken } from '../../domain/json-pointer.js';
import { jsonTextOf } from '../json-text.js';
import { memberNames } from './read-known-json.js';
import { cloudEventFormat, ownFormat, UnreadableLine, type EventFormat, type EventItem } from './event-format.js';
import { isObject, type JsonObject } from './event-shape.js';
import {
  beginningOfJson,
  parseExactJson,
  stringifyDeepJson,
  stringifyExactJson,
  type ExactJson,
} from './exact-json.js';
import { ingestLimits } from './limits.js';
import { notUtf8, type Line } from './line-batches.js';
import { attributesOf, repeatedAttributes } from './read-cloud-event.js';

export interface EventsBody {
  /** `single`: the body is one event, so what is wrong with it is the answer's own problem. */
  readonly form: 'single' | 'batch';
  readonly format: EventFormat;
  readonly items: readonly EventItem[];
  readonly text: string;
  /** What the body says itself: beside `events`. */
  readonly backfillId?: string;
}

/**
 * One event, an array of events, or `{"events": […]}`, beside which `backfill_id` may stand. Of these neither may stand twice:
 * JSON.parse would take the last, and the events of the first would be gone.
 * @throws DomainFailure INVALID_JSON, UNKNOWN_PROPERTY, VALIDATION_FAILED, BATCH_TOO_LARGE
 */
export function parseEventsBody(body: Buffer): EventsBody {
  const text = textOf(body);
  const split = splitEnvelope(text);
  const value = split === null ? valueOf(text) : { ...split.around, events: split.events };
  const found = itemsOf(value);
  if (found !== null && !Array.isArray(value)) requireEachOnce(split === null ? text : split.aroundText);
  if (found === null) return { form: 'single', format: ownFormat, items: [value], text };
  const { items, ...more } = found;
  return batchOf(items, { format: ownFormat, text, ...more });
}

/**
 * One CloudEvent (`application/cloudevents+json`).
 * @throws DomainFailure INVALID_JSON
 */
export function parseCloudEvent(body: Buffer): EventsBody {
  const { value, text } = parseJson(body);
  return { form: 'single', format: cloudEventFormat, items: [value], text };
}

/**
 * A list of CloudEvents (`application/cloudevents-batch+json`).
 * @throws DomainFailure INVALID_JSON, VALIDATION_FAILED, BATCH_TOO_LARGE
 */
export function parseCloudEventBatch(body: Buffer): EventsBody {
  const { value, text } = parseJson(body);
  if (!Array.isArray(value))
    throw new DomainFailure('VALIDATION_FAILED', 'A batch is a JSON array of CloudEvents.', '');
  return batchOf(value as readonly ExactJson[], { format: cloudEventFormat, text });
}

/** Data that are no JSON text, of a CloudEvent whose attributes are headers. What is kept of it has both. */
export class UnreadableData extends DomainFailure {
  constructor(
    { code, detail }: DomainFailure,
    readonly attributes: JsonObject,
  ) {
    super(code, detail);
  }
}

/**
 * A CloudEvent in binary mode: attributes in headers, data in the body, which may be empty. No other header goes any further:
 * there are credentials among them.
 * @param headers those that came more than once as lists
 * @throws UnreadableData INVALID_JSON, VALIDATION_FAILED (an attribute came twice)
 */
export function parseBinaryCloudEvent(headers: Readonly<Record<string, unknown>>, body: Buffer): EventsBody {
  const attributes = attributesOf(headers);
  const [repeated] = repeatedAttributes(headers);
  if (repeated !== undefined) {
    const detail = `The header "${repeated}" came more than once. Send each attribute of the CloudEvent once.`;
    throw new UnreadableData(new DomainFailure('VALIDATION_FAILED', detail), attributes);
  }
  const { value, text } = body.length === 0 ? { value: undefined, text: '' } : parseDataOf(attributes, body);
  const item = value === undefined ? attributes : { ...attributes, data: value };
  return { form: 'single', format: cloudEventFormat, items: [item], text: text + JSON.stringify(attributes) };
}

function parseDataOf(attributes: JsonObject, body: Buffer): { readonly value: ExactJson; readonly text: string } {
  try {
    return parseJson(body);
  } catch (error) {
    throw error instanceof DomainFailure ? new UnreadableData(error, attributes) : error;
  }
}

/** The lines of a stream, of which one that is no JSON text spoils nothing but itself. */
export function parseLines(lines: readonly Line[]): EventsBody {
  const text = lines.filter((line) => typeof line === 'string').join('\n');
  return { form: 'batch', format: ownFormat, items: lines.map(parseLine), text };
}

function parseLine(line: Line): EventItem {
  if (typeof line !== 'string') return line;
  if (line.length * 3 > ingestLimits.lineBytes && Buffer.byteLength(line) > ingestLimits.lineBytes) {
    return UnreadableLine.tooLong(line);
  }
  try {
    return parseExactJson(line);
  } catch (error) {
    return new UnreadableLine(line, sentenceOf(error, 'line'), 'INVALID_JSON');
  }
}

function batchOf(items: readonly ExactJson[], more: Pick<EventsBody, 'format' | 'text' | 'backfillId'>): EventsBody {
  if (items.length > ingestLimits.eventsPerRequest) {
    const detail = `The request has ${items.length} events; at most ${ingestLimits.eventsPerRequest} are taken at once. Send them in parts, or as application/x-ndjson.`;
    throw new DomainFailure('BATCH_TOO_LARGE', detail);
  }
  return { form: 'batch', items, ...more };
}

function parseJson(body: Buffer): { readonly value: ExactJson; readonly text: string } {
  const text = textOf(body);
  return { value: valueOf(text), text };
}

/** @throws DomainFailure INVALID_JSON */
function textOf(body: Buffer): string {
  if (body.length === 0)
    throw new DomainFailure('INVALID_JSON', 'The body is empty. Send one event, or a list of them.');
  if (!isUtf8(body)) throw new DomainFailure('INVALID_JSON', notUtf8('body', body));
  return jsonTextOf(body);
}

/** @throws DomainFailure INVALID_JSON */
function valueOf(text: string): ExactJson {
  try {
    return parseExactJson(text);
  } catch (error) {
    throw new DomainFailure('INVALID_JSON', sentenceOf(error, 'body'));
  }
}

/** @throws what is no syntax error */
function sentenceOf(error: unknown, what: 'body' | 'line'): string {
  // V8's message quotes the text around the fault, bounded, and says where it is.
  if (error instanceof SyntaxError) return `The ${what} is not JSON: ${error.message}.`;
  throw error;
}

interface Envelope {
  readonly events: ExactJson;
  readonly around: JsonObject;
  /** The body without its events. */
  readonly aroundText: string;
}

/** How an object with a list of events begins, as programs write it. */
const envelopeBegins = /^\s*\{\s*(?:"backfill_id"\s*:\s*"[^"\\]*"\s*,\s*)?"events"\s*:\s*(?=\[)/;

const envelopeEndMax = 1_000;

/**
 * The list between the first and the last bracket, and what is around it: which is short, so that what stands there twice is found
 * without reading the events again. Null where that is not one list, or the body is not so written, or no JSON.
 */
function splitEnvelope(text: string): Envelope | null {
  const [begins] = envelopeBegins.exec(text) ?? [];
  if (begins === undefined) return null;
  const end = text.lastIndexOf(']') + 1;
  // What may stand there is short; more is refused for itself, and need not be read twice.
  if (text.length - end > envelopeEndMax) return null;
  const aroundText = `${begins}[]${text.slice(end)}`;
  try {
    return {
      events: parseExactJson(text.slice(begins.length, end)),
      around: valueOf(aroundText) as JsonObject,
      aroundText,
    };
  } catch {
    return null;
  }
}

/** @param text JSON, an object */
function requireEachOnce(text: string): void {
  const names = memberNames(text);
  for (const name of besideEvents) {
    if (names.filter((each) => each === name).length < 2) continue;
    const detail = `"${name}" stands in the body more than once. Nothing of it was taken; send all events in one list.`;
    throw new DomainFailure('VALIDATION_FAILED', detail, `/${name}`);
  }
}

/** Null when the body is one event, or what was meant as one. */
function itemsOf(value: ExactJson): { readonly items: readonly ExactJson[]; readonly backfillId?: string } | null {
  if (Array.isArray(value)) return { items: value as readonly ExactJson[] };
  if (!isObject(value) || !Object.hasOwn(value, 'events')) return null;
  for (const key in value) if (!besideEvents.has(key)) throw unknownBeside(key.slice(0, 100));
  const { events, backfill_id: backfillId } = value;
  if (!Array.isArray(events))
    throw new DomainFailure('VALIDATION_FAILED', '"events" must be a list of events.', '/events');
  if (backfillId === undefined) return { items: events as readonly ExactJson[] };
  if (typeof backfillId !== 'string')
    throw new DomainFailure('VALIDATION_FAILED', '"backfill_id" must be a text.', '/backfill_id');
  return { items: events as readonly ExactJson[], backfillId };
}

const besideEvents: ReadonlySet<string> = new Set(['events', 'backfill_id']);

function unknownBeside(key: string): DomainFailure {
  const detail = `"${key}" cannot stand beside "events".`;
  return new DomainFailure('UNKNOWN_PROPERTY', detail, `/${escapedToken(key)}`);
}

/** The text that a dead letter keeps of an item: as it came, but for white space. */
export function itemText(item: EventItem): string {
  if (item instanceof UnreadableLine) return boundedText(item.text);
  try {
    return stringifyExactJson(item);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return stringifyDeepJson(item);
  }
}

/**
 * The same of items that do not have an event's shape. However often one is tried again it is refused as it is, so of a long one
 * the beginning is kept, which says so. With a hash it is another dead letter than one that only begins alike: its own or, where so
 * much would have to be written for that alone, that of the body and its place in it.
 */
export function malformedTexts({ form, text }: EventsBody): (item: EventItem, index: number) => string {
  let ofBody: string | undefined;
  return (item, index) => {
    if (item instanceof UnreadableLine) return itemText(item);
    const written = beginningOfJson(item, ingestLimits.malformedCharacters + 1);
    const kept = ingestLimits.deadLetterCharacters;
    if (written.length <= kept) return written;
    const cut = (what: string): string => `${boundedText(written)}… (cut: ${what})`;
    if (written.length <= ingestLimits.malformedCharacters) {
      return cut(`these are ${kept} of ${written.length} characters; SHA-256 of all: ${hash('sha256', written)}`);
    }
    ofBody ??= hash('sha256', text);
    if (form === 'single') return cut(`these are ${kept} of ${text.length} characters; SHA-256 of all: ${ofBody}`);
    return cut(`these are the first ${kept} characters; SHA-256 of the body: ${ofBody}, place in it: ${index}`);
  };
}

/** The beginning of a body that could not be read, in a form that Postgres can store. */
export function boundedText(text: string): string {
  return text.slice(0, ingestLimits.deadLetterCharacters).replace(/[\0\p{Surrogate}]/gu, '\uFFFD');
}
