/**
 * One text for one content: two events are the same if and only if their canonical texts are equal (RULES 6). Key order,
 * white space and the notation of numbers do not show; strings stay strings. The content hash is taken over it.
 */
import { isDecimal, numberTextToDecimal } from '../decimal.js';
import { jsonText } from '../json-text.js';
import type { Instant } from '../values.js';
import { type Metadata, type MetadataValue, numberTextOf } from './metadata.js';

/** What an event says. Request id, user id and trace id are how it came, and are left out (RULES 6). */
export interface EventContent {
  readonly eventType: string;
  /** Truncated to the microsecond. */
  readonly eventTime: Instant;
  readonly metadata: Metadata;
}

export interface IdentifiedContent extends EventContent {
  readonly customerId: string;
  /** Empty when not given. */
  readonly source: string;
  readonly eventId: string;
}

/**
 * The text whose hash is the event's content hash: a JSON array of identity and content, so that no value can run into
 * the next one.
 *
 * @throws DomainFailure NUMBER_TOO_LONG for a number beyond the limits (ingest refuses it before)
 */
export function canonicalEvent(event: IdentifiedContent): string {
  const identity = `${jsonText(event.customerId)},${jsonText(event.source)},${jsonText(event.eventId)}`;
  return `[${identity},${canonicalContent(event, noValueProperties)}]`;
}

/**
 * Whether two events say the same. Properties that some meter reads as its value are compared by value even where they
 * are strings: `"10"`, `"10.0"` and `10` are one quantity.
 */
export function sameContent(a: EventContent, b: EventContent, valueProperties: ReadonlySet<string>): boolean {
  return canonicalContent(a, valueProperties) === canonicalContent(b, valueProperties);
}

const noValueProperties: ReadonlySet<string> = new Set();

function canonicalContent(content: EventContent, valueProperties: ReadonlySet<string>): string {
  const { metadata } = content;
  // Appended to one text: this is on the way of every event, and a list of members to be joined costs a quarter more.
  let members = '';
  for (const key of sortedKeys(metadata)) {
    const value = metadata[key] as MetadataValue;
    const byValue = valueProperties.has(key) && isDecimal(value);
    members += `${members === '' ? '' : ','}${jsonText(key)}:${byValue ? numberTextToDecimal(value) : canonicalValue(value)}`;
  }
  return `${jsonText(content.eventType)},"${content.eventTime}",{${members}}`;
}

function canonicalValue(value: MetadataValue): string {
  if (typeof value === 'string') return jsonText(value);
  if (typeof value === 'number')
    return Number.isSafeInteger(value) ? String(value) : numberTextToDecimal(String(value));
  if (typeof value === 'boolean') return value ? 'true' : 'false';
  if (value === null) return 'null';
  if (Array.isArray(value)) return `[${(value as readonly MetadataValue[]).map(canonicalValue).join(',')}]`;
  const text = numberTextOf(value);
  if (text !== null) return numberTextToDecimal(text);
  const object = value as Metadata;
  const members = sortedKeys(object).map((key) => `${jsonText(key)}:${canonicalValue(object[key] as MetadataValue)}`);
  return `{${members.join(',')}}`;
}

/** By code units: the same in every locale. */
function sortedKeys(object: Metadata): string[] {
  return Object.keys(object).sort();
}
