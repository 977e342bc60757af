/** Replays: the events that are sent in place of dead letters and the decisions about these, in one transaction (ADR-023). */
import type pg from 'pg';
import { invariant } from '../domain/failure.js';
import type { UsageEvent } from '../domain/metering/event.js';
import type { Meter } from '../domain/metering/meter.js';
import { valueProperties } from '../domain/metering/reading.js';
import { backfillIdsOf, beginSql, isDecidedMeanwhile, openAmong, type OpenBackfills } from './backfills-append.js';
import type { Database } from './database.js';
import { appendDecisions, lockLetters, storable, type LockedLetter } from './dead-letters-decisions.js';
import { sqlState } from './errors.js';
import {
  deadlockDetected,
  insertNew,
  outcomesInLedger,
  outcomesOf,
  sortBatch,
  type EarlierEvents,
  type OutcomeContext,
  type SortedBatch,
} from './ledger-append.js';
import { nextOf } from './next-of.js';
import type { AppendOutcome, LetterReplayed, LetterToReplay, Refusal, Replaying } from './types.js';

interface Replay {
  readonly letters: readonly LetterToReplay[];
  readonly replaying: Replaying;
}

interface Context extends OutcomeContext {
  readonly backfills: OpenBackfills;
}

/** Whoever rejects what it sends locks events before dead letters, here it is the other way round. */
const attemptsMax = 5;

/** @throws DomainFailure DEAD_LETTER_NOT_FOUND; StorageUnavailable */
export async function replayLetters(
  db: Database,
  meters: () => Promise<readonly Meter[]>,
  replay: Replay,
): Promise<readonly LetterReplayed[]> {
  if (replay.letters.length === 0) return [];
  const backfillIds = backfillIdsOf(replay.letters.flatMap(({ event }) => event ?? []));
  // Before the transaction: asking may take a connection, and the ledger's lock should not be held meanwhile.
  const known = await meters();
  const valuePropertiesOf = (eventType: string): ReadonlySet<string> => valueProperties(known, eventType);
  for (let deadlocks = 0; ;) {
    const backfills = await openAmong(db, backfillIds);
    const context = { backfills, replacing: backfills.replacing, valuePropertiesOf };
    try {
      return await db.transaction((client) => replayOnce(client, replay, context), beginSql(backfills.ids));
    } catch (error) {
      if (sqlState(error) === deadlockDetected && ++deadlocks < attemptsMax) continue;
      // Each backfill is decided at most twice, so that ends.
      if (!isDecidedMeanwhile(error)) throw error;
    }
  }
}

async function replayOnce(
  client: pg.ClientBase,
  { letters, replaying }: Replay,
  context: Context,
): Promise<readonly LetterReplayed[]> {
  const locked = await lockLetters(
    client,
    letters.map(({ deadLetterId }) => deadLetterId),
  );
  const before = letters.map((letter) => decidedBefore(letter, locked.get(letter.deadLetterId)));
  const open = letters.filter((_, index) => before[index] === null);
  const outcomes = await storeEvents(client, open, context);
  const became = open.map((letter) => replayedAs(letter, outcomes, replaying));
  const { decidedBy, reason } = replaying;
  const decisions = open.map(({ deadLetterId, payload }, index) => {
    const { outcome = 'rejected', rejection = null } = became[index] ?? {};
    const { code, detail } = rejection ?? { code: null, detail: null };
    return {
      deadLetterId,
      decision: { decision: 'replayed', outcome, code, detail, payload, decidedBy, reason },
    } as const;
  });
  if (decisions.length > 0) await appendDecisions(client, decisions);
  const decided = became.values();
  return before.map((each) => each ?? nextOf(decided, 'every dead letter that was open is decided'));
}

/** null: it is open, and nothing else was begun. */
function decidedBefore({ payload }: LetterToReplay, letter: LockedLetter | undefined): LetterReplayed | null {
  invariant(letter !== undefined, 'a dead letter that is locked is there');
  if (letter.settled) return { kind: 'settled' };
  const { begun } = letter;
  if (begun === null || begun.payload === storable(payload)) return null;
  return { kind: 'other', attemptedBy: begun.attemptedBy, attemptedAt: begun.attemptedAt };
}

/** What each event became that is in the ledger now. */
async function storeEvents(
  client: pg.ClientBase,
  letters: readonly LetterToReplay[],
  context: Context,
): Promise<ReadonlyMap<UsageEvent, AppendOutcome>> {
  const taken: UsageEvent[] = [];
  const notTaken: UsageEvent[] = [];
  for (const { event, refusal } of letters) {
    if (event === null) continue;
    const { backfillId } = event;
    const isOpen = backfillId === undefined || context.backfills.ids.includes(backfillId);
    (refusal === null && isOpen ? taken : notTaken).push(event);
  }
  const outcomes = new Map<UsageEvent, AppendOutcome>();
  if (taken.length > 0) {
    const sorted = sortBatch(taken, backfillIdsOf(taken));
    const earlier = await insertNew(client, sorted);
    for (const [index, outcome] of outcomesOf(sorted, earlier, context).entries()) {
      outcomes.set(taken[index] as UsageEvent, outcome);
    }
  }
  const judge = (sorted: SortedBatch, earlier: EarlierEvents): readonly AppendOutcome[] =>
    outcomesOf(sorted, earlier, context);
  return new Map([...outcomes, ...(await outcomesInLedger(client, notTaken, judge))]);
}

type Decided = Extract<LetterReplayed, { readonly kind: 'decided' }>;

function replayedAs(
  { event, refusal }: LetterToReplay,
  outcomes: ReadonlyMap<UsageEvent, AppendOutcome>,
  { refusals }: Replaying,
): Decided {
  const outcome = (event === null ? undefined : outcomes.get(event)) ?? 'backfill_closed';
  // Refused as it is now, it was taken before only with the same content.
  const isOther = refusal !== null && (outcome === 'conflict' || outcome === 'backfill_closed');
  const rejection: Refusal | null = isOther ? refusal : (refusals[outcome] ?? null);
  if (rejection !== null) return { kind: 'decided', outcome: 'rejected', rejection };
  return { kind: 'decided', outcome: outcome === 'accepted' ? 'accepted' : 'duplicate', rejection: null };
}
