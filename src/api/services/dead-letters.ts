/** Dead letters: looked at, replayed, discarded. Who decided, and why, is kept. */
import { DomainFailure, invariant, type FailureCode } from '../../domain/failure.js';
import type { Instant } from '../../domain/values.js';
import type { AttemptBegun, DeadLetter, DeadLetterFilter, DeadLetterState, Storage } from '../../storage/types.js';
import { formatOf, UnreadableLine, type EventItem } from '../ingest/event-format.js';
import type { EventIngest } from '../ingest/event-ingest.js';
import { parseExactJson, stringifyExactJson, type ExactJson } from '../ingest/exact-json.js';
import type { EventsBody } from '../ingest/parse-body.js';
import { isUuid } from './uuid.js';

export interface DeadLetterServiceDependencies {
  readonly storage: Pick<Storage, 'deadLetters'>;
  readonly ingest: Pick<EventIngest, 'retry'>;
}

/** Who decides, and why. */
export interface Deciding {
  readonly decidedBy: string;
  readonly reason: string | null;
}

export interface Replay {
  readonly outcome: 'accepted' | 'duplicate' | 'rejected';
  /** null: it was not rejected. */
  readonly rejection: { readonly code: FailureCode; readonly detail: string } | null;
}

export interface BulkReplay {
  readonly replayed: number;
  readonly accepted: number;
  readonly duplicates: number;
  readonly rejected: number;
  readonly rejectedByCode: Readonly<Record<string, number>>;
}

/** A dead letter and what is tried in its place. */
interface Attempt {
  readonly letter: DeadLetter;
  readonly item: EventItem;
  /** What a person corrected; null: the kept payload. */
  readonly corrected: string | null;
  /** Its number, as storage keeps it. */
  readonly number: number;
}

export class DeadLetterService {
  constructor(private readonly deps: DeadLetterServiceDependencies) {}

  /** @throws DomainFailure DEAD_LETTER_NOT_FOUND */
  async require(deadLetterId: string): Promise<DeadLetterState> {
    const found = isUuid(deadLetterId) ? await this.deps.storage.deadLetters.find(deadLetterId) : null;
    if (found !== null) return found;
    throw new DomainFailure('DEAD_LETTER_NOT_FOUND', `There is no dead letter "${deadLetterId}".`);
  }

  /**
   * Sends the event again, or the corrected one in its place. What is sent is kept first, and nothing else is sent until it is
   * known what became of it; the event is stored before the decision is, so whoever repeats a request that was lost between
   * the two finds a duplicate. Without a correction it goes on with what was begun, else sends the kept payload.
   * @throws DomainFailure DEAD_LETTER_NOT_FOUND, DEAD_LETTER_NOT_OPEN, DEAD_LETTER_ATTEMPTED, OVER_CAPACITY
   */
  async replay(
    deadLetterId: string,
    corrected: ExactJson | undefined,
    deciding: Deciding,
  ): Promise<{ readonly letter: DeadLetterState; readonly replay: Replay }> {
    const letter = await this.requireOpen(deadLetterId);
    const payload = corrected === undefined ? undefined : stringifyExactJson(corrected);
    const [begun] = await this.begin([{ letter, payload }], deciding);
    invariant(begun !== undefined, 'of one attempt it is said whether it is begun');
    if (begun.kind === 'settled') throw notOpen(await this.require(deadLetterId));
    if (begun.kind === 'other') throw attempted(deadLetterId, begun);
    const attempt = attemptOf(letter, begun);
    const [replay] = await this.attemptAll([attempt]);
    invariant(replay !== undefined, 'one attempt has one outcome');
    await this.keep(attempt, replay, deciding);
    return { letter: await this.require(deadLetterId), replay };
  }

  /** Sends the kept payloads of open ones again, or goes on with what was begun; those that are rejected once more stay open. */
  async replayMany(
    filter: Omit<DeadLetterFilter, 'status'> & { readonly limit: number },
    deciding: Deciding,
  ): Promise<BulkReplay> {
    const letters = await this.deps.storage.deadLetters.toReplay(filter, filter.limit);
    const begun = await this.begin(
      letters.map((letter) => ({ letter, payload: undefined })),
      deciding,
    );
    // What somebody has settled meanwhile is left alone.
    const attempts = letters.flatMap((letter, index) => {
      const each = begun[index];
      return each?.kind === 'begun' ? [attemptOf(letter, each)] : [];
    });
    const replays = await this.attemptAll(attempts);
    const counts = { accepted: 0, duplicate: 0, rejected: 0 };
    const rejectedByCode: Record<string, number> = {};
    for (const [index, attempt] of attempts.entries()) {
      const replay = replays[index];
      invariant(replay !== undefined, 'every attempt has an outcome');
      await this.keep(attempt, replay, deciding);
      counts[replay.outcome] += 1;
      const code = replay.rejection?.code;
      if (code !== undefined) rejectedByCode[code] = (rejectedByCode[code] ?? 0) + 1;
    }
    const { accepted, duplicate: duplicates, rejected } = counts;
    return { replayed: attempts.length, accepted, duplicates, rejected, rejectedByCode };
  }

  /** @throws DomainFailure DEAD_LETTER_NOT_FOUND, DEAD_LETTER_NOT_OPEN, DEAD_LETTER_ATTEMPTED */
  async discard(deadLetterId: string, deciding: Deciding): Promise<DeadLetterState> {
    const letter = await this.requireOpen(deadLetterId);
    const decision = { decision: 'discarded', ...deciding } as const;
    const { stored, other } = await this.deps.storage.deadLetters.decide(deadLetterId, decision);
    if (other !== undefined) throw attempted(deadLetterId, other);
    if (!stored) throw notOpen(await this.require(letter.deadLetterId));
    return this.require(deadLetterId);
  }

  private begin(
    attempts: readonly { readonly letter: DeadLetter; readonly payload: string | undefined }[],
    { decidedBy, reason }: Deciding,
  ): Promise<readonly AttemptBegun[]> {
    return this.deps.storage.deadLetters.attempt(
      attempts.map(({ letter: { deadLetterId }, payload }) => ({ deadLetterId, payload })),
      { attemptedBy: decidedBy, reason },
    );
  }

  private async requireOpen(deadLetterId: string): Promise<DeadLetterState> {
    const letter = await this.require(deadLetterId);
    if (letter.status !== 'open') throw notOpen(letter);
    return letter;
  }

  /** One request for each notation and backfill. Answers in the order of the attempts. */
  private async attemptAll(attempts: readonly Attempt[]): Promise<readonly Replay[]> {
    const replays = new Map<Attempt, Replay>();
    for (const group of groupsOf(attempts)) {
      for (const [index, replay] of (await this.attemptGroup(group)).entries()) {
        const attempt = group.attempts[index];
        if (attempt !== undefined) replays.set(attempt, replay);
      }
    }
    return attempts.flatMap((attempt) => replays.get(attempt) ?? []);
  }

  private async attemptGroup({ attempts, format, backfillId }: Group): Promise<readonly Replay[]> {
    const items = attempts.map(({ item }) => item);
    const text = attempts.map(({ letter, corrected }) => corrected ?? letter.payload).join('\n');
    try {
      const { results } = await this.deps.ingest.retry({ form: 'batch', format, items, text }, { backfillId });
      const byIndex = new Map(results.map((result) => [result.index, result]));
      return items.map((_, index) => replayOf(byIndex.get(index)));
    } catch (error) {
      // A backfill that takes no more events refuses all that were sent for it.
      if (!(error instanceof DomainFailure) || backfillId === undefined || error.code === 'OVER_CAPACITY') throw error;
      const { code, detail } = error;
      return items.map(() => ({ outcome: 'rejected', rejection: { code, detail } }));
    }
  }

  /** One that was settled meanwhile stays as it is: only the same content can have been sent. */
  private async keep({ letter, corrected, number }: Attempt, replay: Replay, deciding: Deciding): Promise<void> {
    const { outcome, rejection } = replay;
    await this.deps.storage.deadLetters.decide(letter.deadLetterId, {
      decision: 'replayed',
      outcome,
      code: rejection?.code ?? null,
      detail: rejection?.detail ?? null,
      payload: corrected,
      attempt: number,
      ...deciding,
    });
  }
}

function attemptOf(
  letter: DeadLetter,
  { attempt, payload }: Extract<AttemptBegun, { readonly kind: 'begun' }>,
): Attempt {
  return { letter, item: itemOf(payload ?? letter.payload), corrected: payload, number: attempt };
}

interface Group {
  readonly format: EventsBody['format'];
  readonly backfillId: string | undefined;
  readonly attempts: readonly Attempt[];
}

function groupsOf(attempts: readonly Attempt[]): readonly Group[] {
  const groups: (Group & { readonly attempts: Attempt[] })[] = [];
  for (const attempt of attempts) {
    const format = formatOf(attempt.item instanceof UnreadableLine ? null : attempt.item);
    const backfillId = attempt.letter.backfillId ?? undefined;
    const group = groups.find((known) => known.format === format && known.backfillId === backfillId);
    if (group === undefined) groups.push({ format, backfillId, attempts: [attempt] });
    else group.attempts.push(attempt);
  }
  return groups;
}

/** What was kept may be no JSON at all. */
function itemOf(payload: string): EventItem {
  try {
    return parseExactJson(payload);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return new UnreadableLine(payload, 'What was kept is not JSON: send the corrected event.', 'INVALID_JSON');
  }
}

type Result = Awaited<ReturnType<EventIngest['retry']>>['results'][number];

/** What is not listed was accepted. */
function replayOf(result: Result | undefined): Replay {
  if (result === undefined) return { outcome: 'accepted', rejection: null };
  if (result.status === 'duplicate') return { outcome: 'duplicate', rejection: null };
  const { code = 'VALIDATION_FAILED', detail = '' } = result;
  return { outcome: 'rejected', rejection: { code, detail } };
}

function attempted(
  deadLetterId: string,
  { attemptedBy, attemptedAt }: { readonly attemptedBy: string; readonly attemptedAt: Instant },
): DomainFailure {
  return new DomainFailure(
    'DEAD_LETTER_ATTEMPTED',
    `Another content was sent in place of the dead letter ${deadLetterId} by "${attemptedBy}" at ${attemptedAt}, and what became of ` +
      'it is not known yet. Replay it without an event to go on with that one; if it is rejected, send yours.',
  );
}

function notOpen({ deadLetterId, decisions }: DeadLetterState): DomainFailure {
  const last = decisions.at(-1);
  const by = last === undefined ? '' : ` by "${last.decidedBy}"`;
  return new DomainFailure('DEAD_LETTER_NOT_OPEN', `The dead letter ${deadLetterId} was settled before${by}.`);
}
