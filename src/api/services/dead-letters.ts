/** Dead letters: looked at, replayed, discarded. Who decided, and why, is kept. */
import { DomainFailure, invariant } from '../../domain/failure.js';
import { isUuid } from '../../storage/identifiers.js';
import type {
  BegunBefore,
  DeadLetter,
  DeadLetterFilter,
  DeadLetterState,
  LetterReplayed,
  Storage,
} from '../../storage/types.js';
import { refusalsOfCommit } from '../ingest/backfilled.js';
import { formatOf, UnreadableLine, type EventItem } from '../ingest/event-format.js';
import type { EventIngest, ReadAgain } from '../ingest/event-ingest.js';
import { parseExactJson, stringifyExactJson, type ExactJson } from '../ingest/exact-json.js';
import type { EventsBody } from '../ingest/parse-body.js';

export interface DeadLetterServiceDependencies {
  readonly storage: Pick<Storage, 'deadLetters'>;
  readonly ingest: Pick<EventIngest, 'readAgain' | 'countReplayed'>;
}

/** Who decides, and why. */
export interface Deciding {
  readonly decidedBy: string;
  readonly reason: string | null;
}

export type Replay = Omit<Extract<LetterReplayed, { readonly kind: 'decided' }>, 'kind'>;

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
  /** What a person corrected; null: the kept payload. */
  readonly payload: string | null;
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
   * Takes the event, or the corrected one in its place, and settles the dead letter: both or neither. Rejected again it stays open.
   * @throws DomainFailure DEAD_LETTER_NOT_FOUND, DEAD_LETTER_NOT_OPEN, DEAD_LETTER_ATTEMPTED
   */
  async replay(
    deadLetterId: string,
    corrected: ExactJson | undefined,
    deciding: Deciding,
  ): Promise<{ readonly letter: DeadLetterState; readonly replay: Replay }> {
    const letter = await this.requireOpen(deadLetterId);
    const payload = corrected === undefined ? letter.begun : stringifyExactJson(corrected);
    const [replayed] = await this.replayAll([{ letter, payload }], deciding);
    invariant(replayed !== undefined, 'one attempt has one outcome');
    if (replayed.kind === 'other') throw attempted(deadLetterId, replayed);
    const now = await this.require(deadLetterId);
    if (replayed.kind === 'settled') throw notOpen(now);
    return { letter: now, replay: replayed };
  }

  /** Takes the kept payloads of open ones again, all in one transaction; those that are rejected once more stay open. */
  async replayMany(
    filter: Omit<DeadLetterFilter, 'status'> & { readonly limit: number },
    deciding: Deciding,
  ): Promise<BulkReplay> {
    const letters = await this.deps.storage.deadLetters.toReplay(filter, filter.limit);
    const replayed = await this.replayAll(
      letters.map((letter) => ({ letter, payload: letter.begun })),
      deciding,
    );
    const counts = { accepted: 0, duplicate: 0, rejected: 0 };
    const rejectedByCode: Record<string, number> = {};
    for (const replay of replayed) {
      // What somebody has settled meanwhile is left alone.
      if (replay.kind !== 'decided') continue;
      counts[replay.outcome] += 1;
      const code = replay.rejection?.code;
      if (code !== undefined) rejectedByCode[code] = (rejectedByCode[code] ?? 0) + 1;
    }
    const { accepted, duplicate: duplicates, rejected } = counts;
    return { replayed: accepted + duplicates + rejected, accepted, duplicates, rejected, rejectedByCode };
  }

  /** @throws DomainFailure DEAD_LETTER_NOT_FOUND, DEAD_LETTER_NOT_OPEN, DEAD_LETTER_ATTEMPTED */
  async discard(deadLetterId: string, deciding: Deciding): Promise<DeadLetterState> {
    const letter = await this.requireOpen(deadLetterId);
    const { stored, other } = await this.deps.storage.deadLetters.discard(deadLetterId, deciding);
    if (other !== undefined) throw attempted(deadLetterId, other);
    if (!stored) throw notOpen(await this.require(letter.deadLetterId));
    return this.require(deadLetterId);
  }

  private async requireOpen(deadLetterId: string): Promise<DeadLetterState> {
    const letter = await this.require(deadLetterId);
    if (letter.status !== 'open') throw notOpen(letter);
    return letter;
  }

  /** Answers in the order of the attempts. */
  private async replayAll(attempts: readonly Attempt[], deciding: Deciding): Promise<readonly LetterReplayed[]> {
    const read = new Map<Attempt, ReadAgain>();
    for (const group of groupsOf(attempts)) {
      for (const [index, each] of (await this.readGroup(group)).entries()) {
        const attempt = group.attempts[index]?.attempt;
        if (attempt !== undefined) read.set(attempt, each);
      }
    }
    const letters = attempts.map((attempt) => {
      const { event, refusal } = read.get(attempt) ?? {};
      invariant(event !== undefined && refusal !== undefined, 'every attempt is read');
      return { deadLetterId: attempt.letter.deadLetterId, payload: attempt.payload, event, refusal };
    });
    const replaying = { ...deciding, refusals: refusalsOfCommit };
    const replayed = await this.deps.storage.deadLetters.replay(letters, replaying);
    const counted = (outcome: Replay['outcome']): number =>
      replayed.filter((each) => each.kind === 'decided' && each.outcome === outcome).length;
    this.deps.ingest.countReplayed({ accepted: counted('accepted'), duplicates: counted('duplicate') });
    return replayed;
  }

  private async readGroup({ attempts, format, backfillId }: Group): Promise<readonly ReadAgain[]> {
    const items = attempts.map(({ item }) => item);
    const text = attempts.map(({ attempt: { letter, payload } }) => payload ?? letter.payload).join('\n');
    try {
      return await this.deps.ingest.readAgain({ form: 'batch', format, items, text }, { backfillId });
    } catch (error) {
      // Without a backfill there are no events of it.
      if (!(error instanceof DomainFailure) || error.code !== 'BACKFILL_NOT_FOUND') throw error;
      const { code, detail } = error;
      return items.map(() => ({ event: null, refusal: { code, detail } }));
    }
  }
}

/** Attempts that are read together: of one notation and backfill. */
interface Group {
  readonly format: EventsBody['format'];
  readonly backfillId: string | undefined;
  readonly attempts: readonly { readonly attempt: Attempt; readonly item: EventItem }[];
}

function groupsOf(attempts: readonly Attempt[]): readonly Group[] {
  const groups: (Group & { readonly attempts: Group['attempts'][number][] })[] = [];
  for (const attempt of attempts) {
    const { letter, payload } = attempt;
    const item = itemOf(payload ?? letter.payload);
    const format = formatOf(item instanceof UnreadableLine ? null : item);
    const backfillId = letter.backfillId ?? undefined;
    const group = groups.find((known) => known.format === format && known.backfillId === backfillId);
    if (group === undefined) groups.push({ format, backfillId, attempts: [{ attempt, item }] });
    else group.attempts.push({ attempt, item });
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

function attempted(deadLetterId: string, { attemptedBy, attemptedAt }: BegunBefore): DomainFailure {
  return new DomainFailure(
    'DEAD_LETTER_ATTEMPTED',
    `Another content was sent in place of the dead letter ${deadLetterId} by "${attemptedBy}" at ${attemptedAt}, and what became of ` +
      'it is not known. Replay it without an event, which finds that out; if it is rejected, send yours.',
  );
}

function notOpen({ deadLetterId, decisions }: DeadLetterState): DomainFailure {
  const last = decisions.at(-1);
  const by = last === undefined ? '' : ` by "${last.decidedBy}"`;
  return new DomainFailure('DEAD_LETTER_NOT_OPEN', `The dead letter ${deadLetterId} was settled before${by}.`);
}
