/**
 * POST /events: reads, checks and commits the events of a request, and says what became of them. The answer is given only
 * after the commit; what is refused is kept as a dead letter in the same transaction.
 */
import { DomainFailure } from '../../domain/failure.js';
import { msToInstant } from '../../domain/time/instant.js';
import type { AppendOutcome } from '../../storage/types.js';
import { RequestRefused } from '../problem.js';
import type { GroupCommit, NewDeadLetter } from './group-commit.js';
import type { KnownCustomers } from './known-customers.js';
import type { KnownMeters } from './known-meters.js';
import { ingestLimits } from './limits.js';
import { boundedText, itemText, parseEventsBody, type EventsBody } from './parse-body.js';
import type { ReadContext } from './read-event.js';
import { mayHoldUnstorableText } from './read-metadata.js';
import { customersNamed, readRequest, type EventResult, type ReadRequest } from './read-request.js';

/** The answer to POST /events (docs/reference/API.md). `results` lists, by index, what was not newly accepted. */
export interface IngestAnswer {
  readonly accepted: number;
  readonly duplicates: number;
  readonly rejected: number;
  readonly results: readonly EventResult[];
}

export interface IngestDependencies {
  readonly groupCommit: GroupCommit;
  readonly customers: KnownCustomers;
  readonly meters: KnownMeters;
  readonly clock: () => number;
  readonly futureToleranceMs: number;
}

const reused = {
  code: 'EVENT_ID_REUSED',
  detail:
    'The customer and source used this event id before, for other content. Nothing was changed; a new event needs an id of its own.',
} as const;

export class EventIngest {
  constructor(private readonly deps: IngestDependencies) {}

  /**
   * @throws DomainFailure for a body that is malformed as a whole or is one malformed event (kept as a dead letter
   *   first), and OVER_CAPACITY
   * @throws StorageUnavailable when it is not known to be committed
   */
  async ingest(body: Buffer): Promise<IngestAnswer> {
    const parsed = await this.parse(body);
    const request = readRequest(parsed, await this.contextFor(parsed));
    const { events, deadLetters } = request;
    const outcomes = await this.deps.groupCommit.submit({ events, deadLetters, bytes: body.length });
    if (request.malformedSingle !== null) throw new RequestRefused(request.malformedSingle.issues);
    await this.keepConflicts(parsed, request, outcomes);
    return answerOf(request, outcomes);
  }

  private async parse(body: Buffer): Promise<EventsBody> {
    try {
      return parseEventsBody(body);
    } catch (error) {
      if (error instanceof DomainFailure && error.code !== 'BATCH_TOO_LARGE' && body.length > 0) {
        await this.keepUnreadable(body, error);
      }
      throw error;
    }
  }

  private async keepUnreadable(body: Buffer, { code, detail }: DomainFailure): Promise<void> {
    // A character takes at most four bytes, so this many are enough.
    const payload = boundedText(body.subarray(0, ingestLimits.deadLetterCharacters * 4).toString('utf8'));
    const letter = { code, detail, customerId: null, eventId: null, payload };
    await this.deps.groupCommit.submit({ events: [], deadLetters: [letter], bytes: payload.length });
  }

  private async contextFor(parsed: EventsBody): Promise<ReadContext> {
    const { customers, meters, clock, futureToleranceMs } = this.deps;
    const [isKnownCustomer, valueNeeds] = await Promise.all([
      customers.among(customersNamed(parsed.items)),
      meters.valueNeeds(),
    ]);
    return {
      latestEventTime: msToInstant(clock() + futureToleranceMs),
      isKnownCustomer,
      valueNeeds,
      doubtfulText: mayHoldUnstorableText(parsed.text),
    };
  }

  /** A conflict shows only in the commit, so its dead letter takes a second one, still before the answer. */
  private async keepConflicts(
    parsed: EventsBody,
    request: ReadRequest,
    outcomes: readonly AppendOutcome[],
  ): Promise<void> {
    const deadLetters: NewDeadLetter[] = [];
    outcomes.forEach((outcome, at) => {
      const event = request.events[at];
      if (outcome !== 'conflict' || event === undefined) return;
      const payload = itemText(parsed.items[request.indices[at] ?? 0] ?? null, parsed.text);
      deadLetters.push({ ...reused, customerId: event.customerId, eventId: event.eventId, payload });
    });
    if (deadLetters.length > 0)
      await this.deps.groupCommit.submit({ events: [], deadLetters, bytes: parsed.text.length });
  }
}

function answerOf(request: ReadRequest, outcomes: readonly AppendOutcome[]): IngestAnswer {
  const results: EventResult[] = [...request.refused];
  let duplicates = 0;
  for (let at = 0; at < outcomes.length; at += 1) {
    const outcome = outcomes[at];
    if (outcome === 'accepted') continue;
    const entry = { index: request.indices[at] ?? 0, event_id: request.events[at]?.eventId ?? null };
    if (outcome === 'conflict') results.push({ ...entry, status: 'rejected', ...reused });
    else {
      duplicates += 1;
      results.push({ ...entry, status: 'duplicate' });
    }
  }
  results.sort((a, b) => a.index - b.index);
  const rejected = results.length - duplicates;
  return {
    accepted: outcomes.length - duplicates - (rejected - request.refused.length),
    duplicates,
    rejected,
    results,
  };
}
