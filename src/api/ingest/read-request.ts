/** From the items of a request to what is committed for it and what it is told about what is refused. */
import type { FailureCode } from '../../domain/failure.js';
import type { UsageEvent } from '../../domain/metering/event.js';
import type { AppendOutcome, NewDeadLetter, Refusal } from '../../storage/types.js';
import { placedIn, refusalsOfCommit } from './backfilled.js';
import { identifierOf } from './event-format.js';
import { itemText, malformedTexts, type EventsBody } from './parse-body.js';
import { isRefused, type ReadContext, type RefusedEvent } from './read-event.js';

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
  /** Refused events that may be in the ledger already, by their place in `refused` (and in `deadLetters`). */
  readonly perhapsTaken: ReadonlyMap<number, UsageEvent>;
  /** Those of them that are, and are duplicates. */
  readonly taken: readonly UsageEvent[];
}

export function readRequest(body: EventsBody, context: ReadContext): ReadRequest {
  const events: UsageEvent[] = [];
  const indices: number[] = [];
  const refused: EventResult[] = [];
  const deadLetters: NewDeadLetter[] = [];
  const perhapsTaken = new Map<number, UsageEvent>();
  let malformedSingle: RefusedEvent | null = null;
  const { read, eventIdKey, customerIdKey } = body.format;
  const { backfill } = context;
  const malformedText = malformedTexts(body);
  for (let index = 0; index < body.items.length; index += 1) {
    const item = body.items[index] ?? null;
    const result = backfill === undefined ? read(item, context) : placedIn(backfill, read(item, context));
    if (!isRefused(result)) {
      events.push(result);
      indices.push(index);
      continue;
    }
    const [{ code, detail }] = result.issues;
    if (result.event !== undefined) perhapsTaken.set(refused.length, result.event);
    const eventId = identifierOf(item, eventIdKey);
    refused.push({ index, event_id: eventId, status: 'rejected', code, detail });
    deadLetters.push({
      code,
      detail,
      customerId: identifierOf(item, customerIdKey),
      eventId,
      payload: result.malformed ? malformedText(item, index) : itemText(item),
      backfillId: backfill?.backfillId ?? null,
    });
    if (body.form === 'single' && result.malformed) malformedSingle = result;
  }
  return { events, indices, refused, deadLetters, malformedSingle, perhapsTaken, taken: [] };
}

/** The request when those of `perhapsTaken` that are in the ledger are told what they would be told without what refuses them now. */
export function withRepeats(request: ReadRequest, repeats: ReadonlyMap<UsageEvent, AppendOutcome>): ReadRequest {
  const duplicates = new Map<number, UsageEvent>();
  const refusals = new Map<number, Refusal>();
  for (const [place, event] of request.perhapsTaken) {
    const outcome = repeats.get(event);
    if (outcome === undefined) continue;
    const refusal = refusalsOfCommit[outcome];
    if (refusal === undefined) duplicates.set(place, event);
    else refusals.set(place, refusal);
  }
  return {
    ...request,
    taken: [...duplicates.values()],
    refused: request.refused.map((result, place) =>
      duplicates.has(place)
        ? { index: result.index, event_id: result.event_id, status: 'duplicate' }
        : { ...result, ...refusals.get(place) },
    ),
    deadLetters: request.deadLetters.flatMap((letter, place) =>
      duplicates.has(place) ? [] : { ...letter, ...refusals.get(place) },
    ),
  };
}
