/** What may be asked of storage about backfills and dead letters. */
import type { Page, PageRequest } from './types-paging.js';
import type { Instant, Interval, Position } from '../domain/values.js';

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
}

/** One that is to be kept. */
export type NewDeadLetter = Omit<DeadLetter, 'deadLetterId' | 'receivedAt'>;

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
      /** The attempt that this is the outcome of. */
      readonly attempt: number;
    }
);

/** Without the number of its attempt: that is storage's. */
export type StoredDecision = (
  | Exclude<DeadLetterDecision, { readonly decision: 'replayed' }>
  | Omit<Extract<DeadLetterDecision, { readonly decision: 'replayed' }>, 'attempt'>
) & { readonly decidedAt: Instant };

/** What is to be sent in place of a dead letter. */
export interface NewAttempt {
  readonly deadLetterId: string;
  /** null: the kept payload; undefined: what an attempt that is not settled has begun with, else the kept payload. */
  readonly payload: string | null | undefined;
}

/**
 * `begun`: it may be sent, as `payload` says (null: as it was kept). `settled`: somebody has decided meanwhile. `other`: an attempt
 * with another content was begun, by whom and when, and nobody knows yet what became of it.
 */
export type AttemptBegun =
  | { readonly kind: 'begun'; readonly attempt: number; readonly payload: string | null }
  | { readonly kind: 'settled' }
  | { readonly kind: 'other'; readonly attemptedBy: string; readonly attemptedAt: Instant };

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
   * Appends, before anything is sent, what is going to be: of a dead letter at a time one content only, until `decide` says what
   * became of it. The same content again goes on with it; the same by the same person for the same reason is one attempt.
   * Answers in the order of the attempts, of different dead letters.
   * @throws DomainFailure DEAD_LETTER_NOT_FOUND
   */
  attempt(
    attempts: readonly NewAttempt[],
    by: { readonly attemptedBy: string; readonly reason: string | null },
  ): Promise<readonly AttemptBegun[]>;
  /**
   * Appends the decision, unless the dead letter is settled: `stored` false then. A replay that is not rejected settles every
   * attempt, which all have one content; one that is rejected its own and those before it.
   * Nothing is discarded while nobody knows what became of an attempt: `other` says whose.
   * @throws DomainFailure DEAD_LETTER_NOT_FOUND
   */
  decide(
    deadLetterId: string,
    decision: DeadLetterDecision,
  ): Promise<{
    readonly stored: boolean;
    readonly other?: { readonly attemptedBy: string; readonly attemptedAt: Instant };
  }>;
  /** How many are open, and since when the oldest of them is. */
  backlog(): Promise<{ readonly open: number; readonly oldest: Instant | null }>;
}
