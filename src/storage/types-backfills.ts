/** What may be asked of storage about backfills and dead letters. */
import type { FailureCode } from '../domain/failure.js';
import type { UsageEvent } from '../domain/metering/event.js';
import type { Instant, Interval, Position } from '../domain/values.js';
import type { Page, PageRequest } from './types-paging.js';

// Backfills -----------------------------------------------------------------------------------------------------------

/** `replace`: other events of its range and customers do not count while it is in force. */
export type BackfillMode = 'add' | 'replace';
/** A backfill is in force, its events count, while it is `closed`. */
export type BackfillStatus = 'open' | 'closed' | 'reverted';

export interface NewBackfill {
  readonly backfillId: string;
  /** At least one, no repetition. */
  readonly customerIds: readonly string[];
  /** Event times that its events may have. */
  readonly range: Interval;
  readonly mode: BackfillMode;
  readonly reason: string | null;
  readonly createdBy: string;
}

export interface BackfillDecision {
  readonly decision: 'closed' | 'reverted';
  readonly position: Position;
  readonly decidedBy: string;
  readonly reason: string | null;
  readonly decidedAt: Instant;
}

export interface Backfill extends NewBackfill {
  readonly status: BackfillStatus;
  readonly createdAt: Instant;
  /** In the order of their positions: closed, then reverted, at most one of each. */
  readonly decisions: readonly BackfillDecision[];
}

export interface BackfillStore {
  /** Stored once; repeating it changes nothing. */
  create(backfill: NewBackfill): Promise<void>;
  find(backfillId: string): Promise<Backfill | null>;
  /** The same without its facts, which may be many. */
  status(backfillId: string): Promise<BackfillStatus | null>;
  /** The newest first. */
  list(filter: { customerId?: string; status?: BackfillStatus }, page: PageRequest): Promise<Page<Backfill>>;
  /** Events stored for it, counting or not. */
  eventCount(backfillId: string): Promise<number>;
  /**
   * Appends the decision as a fact of the ledger, after every append of its events that is under way. One statement, whatever
   * the number of its customers and events. Repeating a decision changes nothing; a closed one can be reverted, a reverted one
   * never closed.
   * @throws DomainFailure BACKFILL_NOT_FOUND, BACKFILL_REVERTED
   */
  decide(backfillId: string, decision: Pick<BackfillDecision, 'decision' | 'decidedBy' | 'reason'>): Promise<Backfill>;
  /** Whether a stored event counts at a time of the customer's: its own, or that of its last amendment. */
  standing(
    event: { readonly customerId: string; readonly source: string; readonly eventId: string },
    at: Instant,
  ): Promise<EventStanding>;
  /** Of the customer, those that are open and cover a part of the stretch, in order of their ranges. */
  openIn(customerId: string, stretch: Interval): Promise<readonly OpenBackfill[]>;
}

export interface EventStanding {
  /** As far as backfills decide. */
  readonly counts: boolean;
  /** Where its backfill was closed: it counts from there on. null: it came without one, or that was not closed. */
  readonly closedAt: Position | null;
}

export interface OpenBackfill {
  readonly backfillId: string;
  readonly range: Interval;
}

/**
 * What an event that is appended becomes. `in_backfill`: the identity is used, with the same content, in a backfill that does not count (open or reverted).
 * `to_be_replaced`: it is used outside the event's backfill, which replaces it. `backfill_closed`: the event's backfill is not
 * open any more. None of these is stored.
 */
export type AppendOutcome =
  'accepted' | 'duplicate' | 'conflict' | 'in_backfill' | 'to_be_replaced' | 'backfill_closed';

// Dead letters --------------------------------------------------------------------------------------------------------

export interface DeadLetter {
  readonly deadLetterId: string;
  readonly code: string;
  readonly detail: string;
  readonly customerId: string | null;
  readonly eventId: string | null;
  /** The event as it came, as text. */
  readonly payload: string;
  readonly receivedAt: Instant;
  /** The backfill that it was sent for; null or absent: none. */
  readonly backfillId?: string | null;
  /** What was sent in its place before there were replays in one transaction, and no decision tells of; null: nothing, or itself. */
  readonly begun: string | null;
}

/** One that is to be kept. */
export type NewDeadLetter = Omit<DeadLetter, 'deadLetterId' | 'receivedAt' | 'begun'>;

export type DeadLetterDecision = {
  readonly decidedBy: string;
  readonly reason: string | null;
} & (
  | { readonly decision: 'discarded' }
  /** Its content was rejected again after it was settled. */
  | { readonly decision: 'reopened' }
  | {
      readonly decision: 'replayed';
      readonly outcome: 'accepted' | 'duplicate' | 'rejected';
      /** Why it was rejected. */
      readonly code: string | null;
      readonly detail: string | null;
      /** What was replayed in place of the kept payload. */
      readonly payload: string | null;
    }
);

export type StoredDecision = DeadLetterDecision & { readonly decidedAt: Instant };

/** Why an event is not taken. */
export interface Refusal {
  readonly code: FailureCode;
  readonly detail: string;
}

/** What is sent in place of a dead letter, and how it was read. */
export interface LetterToReplay {
  readonly deadLetterId: string;
  /** null: the kept payload. */
  readonly payload: string | null;
  /** null: it cannot be in the ledger. */
  readonly event: UsageEvent | null;
  /** Why it is not taken, unless it is in the ledger; null: it may be. */
  readonly refusal: Refusal | null;
}

/** Who replays, why, and what is said of an event that the ledger does not take. */
export interface Replaying {
  readonly decidedBy: string;
  readonly reason: string | null;
  readonly refusals: Readonly<Partial<Record<AppendOutcome, Refusal>>>;
}

/** A content that was sent in place of a dead letter, by whom and when; nobody knows what became of it. */
export interface BegunBefore {
  readonly attemptedBy: string;
  readonly attemptedAt: Instant;
}

/**
 * `decided`: so it was, and it is stored. `settled`: somebody has settled it before. `other`: another content was sent before there
 * were replays in one transaction (ADR-023), and no decision says what became of it.
 */
export type LetterReplayed =
  | {
      readonly kind: 'decided';
      readonly outcome: 'accepted' | 'duplicate' | 'rejected';
      /** null: it was not rejected. */
      readonly rejection: Refusal | null;
    }
  | { readonly kind: 'settled' }
  | ({ readonly kind: 'other' } & BegunBefore);

/** `open`: nobody has settled it. A replay that was rejected settles nothing. */
export type DeadLetterStatus = 'open' | 'replayed' | 'discarded';

export interface DeadLetterState extends DeadLetter {
  readonly status: DeadLetterStatus;
  /** Oldest first. */
  readonly decisions: readonly StoredDecision[];
}

export interface DeadLetterFilter {
  readonly code?: string;
  readonly customerId?: string;
  /** Received at or after. */
  readonly since?: Instant;
  readonly status?: DeadLetterStatus;
}

export interface DeadLetterStore {
  /** The newest first. */
  list(filter: DeadLetterFilter, page: PageRequest): Promise<Page<DeadLetterState>>;
  find(deadLetterId: string): Promise<DeadLetterState | null>;
  /** Open ones to be replayed: those whose last replay is longest ago, first of all those that never were; then the oldest. */
  toReplay(filter: Omit<DeadLetterFilter, 'status'>, limit: number): Promise<readonly DeadLetter[]>;
  /**
   * Appends the events that may be taken and the decisions about all of the dead letters, in one transaction: an event that was sent
   * in place of a dead letter is in the ledger if and only if its decision is stored. An event that is refused, or whose backfill
   * takes no more, and that is in the ledger is the duplicate that it was. Answers in the order of the letters, which are different.
   * @throws DomainFailure DEAD_LETTER_NOT_FOUND
   */
  replay(letters: readonly LetterToReplay[], replaying: Replaying): Promise<readonly LetterReplayed[]>;
  /**
   * Settles it without its event, unless it is settled: `stored` false then. `other`: as in `LetterReplayed`, it is not discarded.
   * @throws DomainFailure DEAD_LETTER_NOT_FOUND
   */
  discard(
    deadLetterId: string,
    by: { readonly decidedBy: string; readonly reason: string | null },
  ): Promise<{ readonly stored: boolean; readonly other?: BegunBefore }>;
  /** How many are open, and since when the oldest of them is. */
  backlog(): Promise<{ readonly open: number; readonly oldest: Instant | null }>;
}
