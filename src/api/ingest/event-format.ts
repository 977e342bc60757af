/** The notations in which an event may come. */
import type { ExactJson } from './exact-json.js';
import { isObject, isSchemaVersion, type JsonObject } from './event-shape.js';
import { ingestLimits } from './limits.js';
import { readCloudEvent, schemaVersionNamed } from './read-cloud-event.js';
import { readEvent, type ReadContext, type ReadResult } from './read-event.js';
import { isStorable } from './read-metadata.js';

/** A line of a stream that is no JSON text; it takes the place of the event that it may have been. */
export class UnreadableLine {
  constructor(
    readonly text: string,
    readonly detail: string,
    readonly code: 'INVALID_JSON' | 'VALIDATION_FAILED',
  ) {}

  static tooLong(text: string): UnreadableLine {
    return new UnreadableLine(text, `The line is longer than ${ingestLimits.lineBytes} bytes.`, 'VALIDATION_FAILED');
  }
}

export type EventItem = ExactJson | UnreadableLine;

/** How to read an item, and where it says whose event it is, readable or not. */
export interface EventFormat {
  readonly read: (item: EventItem, context: ReadContext) => ReadResult;
  readonly eventIdKey: string;
  readonly customerIdKey: string;
  readonly eventTypeKey: string;
  /** The version of its type's schema that an item names, of whatever shape it is otherwise. */
  readonly schemaVersionOf: (item: JsonObject) => number | undefined;
}

/** docs/reference/API.md, section Event. */
export const ownFormat: EventFormat = {
  read: (item, context) => (item instanceof UnreadableLine ? refusedLine(item) : readEvent(item, context)),
  eventIdKey: 'event_id',
  customerIdKey: 'customer_id',
  eventTypeKey: 'event_type',
  schemaVersionOf: ({ schema_version: version }) => (isSchemaVersion(version) ? version : undefined),
};

/** CloudEvents 1.0.2, JSON format. */
export const cloudEventFormat: EventFormat = {
  read: (item, context) => (item instanceof UnreadableLine ? refusedLine(item) : readCloudEvent(item, context)),
  eventIdKey: 'id',
  customerIdKey: 'subject',
  eventTypeKey: 'type',
  schemaVersionOf: schemaVersionNamed,
};

/** In which of the formats an item is that was kept, a dead letter for instance. */
export function formatOf(item: ExactJson): EventFormat {
  return isObject(item) && Object.hasOwn(item, 'specversion') ? cloudEventFormat : ownFormat;
}

function refusedLine({ code, detail }: UnreadableLine): ReadResult {
  return { malformed: true, issues: [{ pointer: '', code, detail }] };
}

/** An identifier of an item that may have any shape; null when it has none that could be stored. */
export function identifierOf(item: EventItem, key: string): string | null {
  if (!isObject(item) || !Object.hasOwn(item, key)) return null;
  const value = item[key];
  const isId = typeof value === 'string' && value.length >= 1 && value.length <= ingestLimits.idLength;
  return isId && isStorable(value) ? value : null;
}

/** Empty when the item has none (RULES 6). */
export function sourceOf(item: EventItem): string {
  const source = isObject(item) ? item['source'] : '';
  return typeof source === 'string' ? source : '';
}

/** The customers that the items name, well-formed or not. */
export function* customersNamed(items: readonly EventItem[], { customerIdKey }: EventFormat): Generator<string> {
  for (const item of items) {
    const id = identifierOf(item, customerIdKey);
    if (id !== null) yield id;
  }
}
