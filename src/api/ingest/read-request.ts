/** From the items of a request to what is committed for it and what it is told about what is refused. */
import type { FailureCode } from '../../domain/failure.js';
import type { UsageEvent } from '../../domain/metering/event.js';
import { NumberText, type ExactJson } from './exact-json.js';
import type { NewDeadLetter } from './group-commit.js';
import { ingestLimits } from './limits.js';
import { itemText, type EventsBody } from './parse-body.js';
import { isRefused, readEvent, type ReadContext, type RefusedEvent } from './read-event.js';
import { isStorable } from './read-metadata.js';

/** One entry of `results` (docs/reference/API.md): what was not newly accepted. */
export interface EventResult {
  readonly index: number;
  /** Null when the item has none. */
  readonly event_id: string | null;
  readonly status: 'duplicate' | 'rejected';
  readonly code?: FailureCode;
  readonly detail?: string;
}

export interface ReadRequest {
  readonly events: readonly UsageEvent[];
  /** Of each event its index in the request. */
  readonly indices: readonly number[];
  readonly refused: readonly EventResult[];
  readonly deadLetters: readonly NewDeadLetter[];
  /** Why the body is refused as a whole: it is one event and not well-formed. */
  readonly malformedSingle: RefusedEvent | null;
}

export function readRequest(body: EventsBody, context: ReadContext): ReadRequest {
  const events: UsageEvent[] = [];
  const indices: number[] = [];
  const refused: EventResult[] = [];
  const deadLetters: NewDeadLetter[] = [];
  let malformedSingle: RefusedEvent | null = null;
  for (let index = 0; index < body.items.length; index += 1) {
    const item = body.items[index] ?? null;
    const result = readEvent(item, context);
    if (!isRefused(result)) {
      events.push(result);
      indices.push(index);
      continue;
    }
    const [{ code, detail }] = result.issues;
    const eventId = identifierOf(item, 'event_id');
    refused.push({ index, event_id: eventId, status: 'rejected', code, detail });
    deadLetters.push({
      code,
      detail,
      customerId: identifierOf(item, 'customer_id'),
      eventId,
      payload: itemText(item, body.text),
    });
    if (body.form === 'single' && result.malformed) malformedSingle = result;
  }
  return { events, indices, refused, deadLetters, malformedSingle };
}

/** The customers that the items name, well-formed or not. */
export function* customersNamed(items: readonly ExactJson[]): Generator<string> {
  for (const item of items) {
    const id = identifierOf(item, 'customer_id');
    if (id !== null) yield id;
  }
}

/** An identifier of an item that may have any shape; null when it has none that could be stored. */
function identifierOf(item: ExactJson, key: 'customer_id' | 'event_id'): string | null {
  if (typeof item !== 'object' || item === null || item instanceof NumberText || !Object.hasOwn(item, key)) return null;
  const value = (item as Readonly<Record<string, ExactJson>>)[key];
  const isId = typeof value === 'string' && value.length >= 1 && value.length <= ingestLimits.idLength;
  return isId && isStorable(value) ? value : null;
}
