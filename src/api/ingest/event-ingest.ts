/**
 * POST /events: reads, checks and commits the events of a request, and says what became of them. The answer is given only
 * after the commit; what is refused is kept as a dead letter in the same transaction.
 */
import { DomainFailure } from '../../domain/failure.js';
import type { UsageEvent } from '../../domain/metering/event.js';
import { msToInstant } from '../../domain/time/instant.js';
import type { AppendOutcome, NewDeadLetter, Refusal, UsageLedger } from '../../storage/types.js';
import { RequestRefused } from '../problem.js';
import { type Awaitable, whenKnown } from './awaitable.js';
import { refusalsOfCommit, type KnownBackfills, type TargetBackfill } from './backfilled.js';
import type { DuplicateFlood } from './duplicate-flood.js';
import { cloudEventFormat, customersNamed, identifierOf } from './event-format.js';
import { stringifyExactJson } from './exact-json.js';
import type { CommitJob, GroupCommit } from './group-commit.js';
import type { KnownCustomers } from './known-customers.js';
import type { KnownMeters } from './known-meters.js';
import type { KnownSchemas } from './known-schemas.js';
import type { KnownTags } from './known-tags.js';
import { ingestLimits } from './limits.js';
import { boundedText, itemText, UnreadableData, type EventsBody } from './parse-body.js';
import type { ReadContext } from './read-event.js';
import { mayHoldUnstorableText } from './read-metadata.js';
import { readRequest, withRepeats, type EventResult, type ReadRequest } from './read-request.js';

/** The answer to POST /events (docs/reference/API.md). `results` lists, by index, what was not newly accepted. */
export interface IngestAnswer {
  readonly accepted: number;
  readonly duplicates: number;
  readonly rejected: number;
  readonly results: readonly EventResult[];
}

/** Counts what became of events. */
export interface IngestObserver {
  ingested(answer: IngestAnswer): void;
}

export interface IngestDependencies {
  readonly groupCommit: GroupCommit;
  readonly ledger: Pick<UsageLedger, 'repeatsAmong'>;
  readonly customers: KnownCustomers;
  readonly meters: KnownMeters;
  readonly schemas: KnownSchemas;
  readonly tags: KnownTags;
  readonly backfills: KnownBackfills;
  readonly flood: DuplicateFlood;
  readonly observer: IngestObserver;
  readonly clock: () => number;
  readonly futureToleranceMs: number;
}

/** Events that are read, and not committed yet. */
export interface PreparedEvents {
  readonly parsed: EventsBody;
  readonly request: ReadRequest;
  readonly backfillId: string | null;
}

/** How the events of a request are sent. */
export interface SentFor {
  /** The backfill that the request says its events are for. */
  readonly backfillId?: string | undefined;
}

/** What an event is that is read once more. */
export interface ReadAgain {
  /** null: it cannot be in the ledger. */
  readonly event: UsageEvent | null;
  /** Why it is not taken, unless it is in the ledger; null: it may be. */
  readonly refusal: Refusal | null;
}

export class EventIngest {
  constructor(private readonly deps: IngestDependencies) {}

  /**
   * A body that is there as a whole.
   * @throws DomainFailure for a body that is malformed as a whole or is one malformed event (kept as a dead letter
   *   first), for a backfill that takes no events, DUPLICATE_FLOOD, and OVER_CAPACITY
   * @throws StorageUnavailable when it is not known to be committed
   */
  async ingest(body: Buffer, parse: (body: Buffer) => EventsBody, sent: SentFor = {}): Promise<IngestAnswer> {
    let parsed: EventsBody;
    try {
      parsed = parse(body);
    } catch (error) {
      if (error instanceof DomainFailure && error.code !== 'BATCH_TOO_LARGE' && body.length > 0) {
        await this.keepUnreadable(body, error);
      }
      throw error;
    }
    return this.commit(await this.prepare(parsed, sent), (job) => this.deps.groupCommit.submit(job));
  }

  /**
   * Part of a stream: it waits for room instead of being refused, since it is in memory already.
   * @throws as `ingest`
   */
  commitPart(part: PreparedEvents): Promise<IngestAnswer> {
    return this.commit(part, (job) => this.deps.groupCommit.submitPatiently(job));
  }

  /**
   * How what is kept elsewhere would be taken now, by index; nothing is committed. A backfill that takes no more events refuses each.
   * @throws DomainFailure BACKFILL_NOT_FOUND; StorageUnavailable
   */
  async readAgain(parsed: EventsBody, { backfillId }: SentFor): Promise<readonly ReadAgain[]> {
    const { target, refusal } =
      backfillId === undefined ? { target: undefined, refusal: null } : await this.deps.backfills.require(backfillId);
    const request = readRequest(parsed, await this.contextFor(parsed, target));
    const byIndex = new Map<number, ReadAgain>();
    for (const [at, event] of request.events.entries()) byIndex.set(request.indices[at] ?? 0, { event, refusal });
    for (const [place, { index, code = 'VALIDATION_FAILED', detail = '' }] of request.refused.entries()) {
      const event = request.perhapsTaken.get(place) ?? null;
      byIndex.set(index, { event, refusal: refusal ?? { code, detail } });
    }
    return parsed.items.flatMap((_, index) => byIndex.get(index) ?? []);
  }

  /** What was committed elsewhere. What is refused again was counted when it was refused first. */
  countReplayed(counts: { readonly accepted: number; readonly duplicates: number }): void {
    this.deps.observer.ingested({ ...counts, rejected: 0, results: [] });
  }

  /**
   * @throws DomainFailure DUPLICATE_FLOOD, VALIDATION_FAILED (two backfills are named), BACKFILL_NOT_FOUND, BACKFILL_CLOSED,
   *   BACKFILL_REVERTED; StorageUnavailable
   */
  async prepare(parsed: EventsBody, sent: SentFor = {}): Promise<PreparedEvents> {
    this.deps.flood.check(parsed.items, parsed.format);
    const named = backfillNamed(parsed, sent);
    const backfill = named === undefined ? undefined : this.deps.backfills.requireOpen(named);
    const context = await this.contextFor(parsed, backfill);
    return { parsed, request: await this.read(parsed, context), backfillId: context.backfill?.backfillId ?? null };
  }

  private read(parsed: EventsBody, context: ReadContext): Awaitable<ReadRequest> {
    const request = readRequest(parsed, context);
    return request.perhapsTaken.size === 0 ? request : this.withThoseTaken(request);
  }

  private async withThoseTaken(request: ReadRequest): Promise<ReadRequest> {
    const events = [...request.perhapsTaken.values()];
    const repeats = await this.deps.ledger.repeatsAmong(events);
    return repeats.size === 0 ? request : withRepeats(request, repeats);
  }

  private async commit(
    prepared: PreparedEvents,
    submit: (job: CommitJob) => Promise<readonly AppendOutcome[]>,
  ): Promise<IngestAnswer> {
    const { parsed, request } = prepared;
    const { events, deadLetters } = request;
    const outcomes = await submit({ events, deadLetters, bytes: parsed.text.length });
    if (outcomes.some(isRefusedByCommit)) await this.keepConflicts(prepared, outcomes);
    const answer = answerOf(request, outcomes);
    this.deps.observer.ingested(answer);
    this.deps.flood.record(events, outcomes, events.length - answer.accepted);
    const { taken } = request;
    if (taken.length > 0)
      this.deps.flood.record(
        taken,
        Array.from(taken, () => 'duplicate' as const),
        taken.length,
      );
    if (request.malformedSingle !== null) throw new RequestRefused(request.malformedSingle.issues);
    return answer;
  }

  private async keepUnreadable(body: Buffer, failure: DomainFailure): Promise<void> {
    const { code, detail } = failure;
    // A character takes at most four bytes, so this many are enough.
    const text = boundedText(body.subarray(0, ingestLimits.deadLetterCharacters * 4).toString('utf8'));
    const attributes = failure instanceof UnreadableData ? failure.attributes : null;
    const payload = attributes === null ? text : stringifyExactJson({ ...attributes, data: text });
    const { customerIdKey, eventIdKey } = cloudEventFormat;
    const customerId = identifierOf(attributes, customerIdKey);
    const letter = { code, detail, customerId, eventId: identifierOf(attributes, eventIdKey), payload };
    await this.deps.groupCommit.submit({ events: [], deadLetters: [letter], bytes: payload.length });
    const result = { index: 0, event_id: null, status: 'rejected', code, detail } as const;
    this.deps.observer.ingested({ accepted: 0, duplicates: 0, rejected: 1, results: [result] });
  }

  private contextFor(parsed: EventsBody, sentFor: Awaitable<TargetBackfill> | undefined): Awaitable<ReadContext> {
    const { customers, meters, schemas, tags, clock, futureToleranceMs } = this.deps;
    const parts = [
      sentFor,
      customers.among(customersNamed(parsed.items, parsed.format)),
      meters.valueNeeds(),
      schemas.among(parsed.items, parsed.format),
      tags.rules(),
    ] as const;
    return whenKnown(parts, (backfill, isKnownCustomer, valueNeeds, requestSchemas, tagRules) => ({
      latestEventTime: msToInstant(clock() + futureToleranceMs),
      isKnownCustomer,
      valueNeeds,
      schemas: requestSchemas,
      tagRules,
      doubtfulText: mayHoldUnstorableText(parsed.text),
      ...(backfill !== undefined && { backfill }),
    }));
  }

  /** A conflict shows only in the commit, so its dead letter takes a second one, still before the answer. */
  private async keepConflicts(
    { parsed, request, backfillId }: PreparedEvents,
    outcomes: readonly AppendOutcome[],
  ): Promise<void> {
    const deadLetters: NewDeadLetter[] = [];
    outcomes.forEach((outcome, at) => {
      const event = request.events[at];
      const refusal = refusalsOfCommit[outcome];
      if (refusal === undefined || event === undefined) return;
      const payload = itemText(parsed.items[request.indices[at] ?? 0] ?? null);
      deadLetters.push({ ...refusal, customerId: event.customerId, eventId: event.eventId, payload, backfillId });
    });
    // The events are committed, so refusing the request now would only have all of it sent again.
    await this.deps.groupCommit.submitPatiently({ events: [], deadLetters, bytes: parsed.text.length });
  }
}

function isRefusedByCommit(outcome: AppendOutcome): boolean {
  return refusalsOfCommit[outcome] !== undefined;
}

/** @throws DomainFailure VALIDATION_FAILED */
function backfillNamed(parsed: EventsBody, sent: SentFor): string | undefined {
  const { backfillId = sent.backfillId } = parsed;
  if (sent.backfillId === undefined || sent.backfillId === backfillId) return backfillId;
  const detail = 'The body and the query name two different backfills. Name the one that all of the events are for.';
  throw new DomainFailure('VALIDATION_FAILED', detail, '/backfill_id');
}

function answerOf(request: ReadRequest, outcomes: readonly AppendOutcome[]): IngestAnswer {
  const results: EventResult[] = [...request.refused];
  let accepted = 0;
  for (let at = 0; at < outcomes.length; at += 1) {
    const outcome = outcomes[at];
    if (outcome === 'accepted') {
      accepted += 1;
      continue;
    }
    const entry = { index: request.indices[at] ?? 0, event_id: request.events[at]?.eventId ?? null };
    const refusal = outcome === undefined ? undefined : refusalsOfCommit[outcome];
    results.push(
      refusal === undefined ? { ...entry, status: 'duplicate' } : { ...entry, status: 'rejected', ...refusal },
    );
  }
  results.sort((a, b) => a.index - b.index);
  const duplicates = results.filter(({ status }) => status === 'duplicate').length;
  return { accepted, duplicates, rejected: results.length - duplicates, results };
}
