/** How candidate versions go to customers. Part of types.ts. */
import type { PriceRollout, RolloutStage } from '../domain/rollout/rollout.js';
import type { PlannedStage } from '../domain/rollout/transitions.js';
import type { Instant } from '../domain/values.js';
import type { Page, PageRequest } from './types-paging.js';

interface StageDecision {
  /** Of the request that decided it, so that its repetition finds it. */
  readonly stageId: string;
  /** The comparison that a widening rests on. */
  readonly evaluationId: string | null;
  /** Widened without one. */
  readonly override: boolean;
  readonly reason: string;
  readonly decidedBy: string;
}

export type NewRolloutStage = PlannedStage & StageDecision;
export type StoredRolloutStage = RolloutStage & StageDecision;

export interface StoredRollout extends PriceRollout<StoredRolloutStage> {
  readonly code: string;
  /** The candidate's. */
  readonly version: string;
  readonly startedBy: string;
  readonly startedAt: Instant;
}

/** What is compared before a widening: the members after a stage. */
export interface RolloutComparison {
  readonly evaluationId: string;
  readonly rolloutId: string;
  /** The last stage when it was asked for. */
  readonly sequence: number;
  readonly requestedAt: Instant;
  /** null: it goes on. */
  readonly finishedAt: Instant | null;
}

/** A customer whose price book it is. */
export interface PriceBookCustomer {
  readonly customerId: string;
  /** When the first assignment to the price book begins; null: from the beginning. */
  readonly assignedFrom: Instant | null;
  readonly knownSince: Instant;
  readonly timeZone: string;
}

export interface RolloutStore {
  /**
   * The rollout of a candidate with its first stage; not created: it is there, by whatever stage it began.
   * @throws DomainFailure NOT_A_CANDIDATE, ROLLOUT_OPEN, ROLLOUT_CONFLICT, ROLLOUT_CHANGED
   */
  start(
    rollout: Pick<StoredRollout, 'rolloutId' | 'priceBookId' | 'code' | 'startedBy'>,
    first: NewRolloutStage,
  ): Promise<{ rollout: StoredRollout; created: boolean }>;
  /**
   * Appends a stage at exactly that place. Stored once: repeating it changes nothing.
   * @throws DomainFailure ROLLOUT_CHANGED when another decision has the place
   */
  decide(rolloutId: string, sequence: number, stage: NewRolloutStage): Promise<StoredRollout>;
  find(rolloutId: string): Promise<StoredRollout | null>;
  /** The newest first. */
  list(filter: { readonly code?: string }, page: PageRequest): Promise<Page<StoredRollout>>;
  /** Of one price book, the newest first. */
  ofPriceBook(code: string): Promise<readonly StoredRollout[]>;
  ofCandidates(priceBookIds: readonly string[]): Promise<readonly StoredRollout[]>;
  /** Neither at everybody nor taken back. */
  open(): Promise<readonly StoredRollout[]>;
  /** Newest first. */
  comparisons(rolloutId: string): Promise<readonly RolloutComparison[]>;
  /** When the customer became known; null: there is none. */
  knownSince(customerId: string): Promise<Instant | null>;
  /** Customers whose last assignment is to the price book, in order of id; `after`: the last one of the page before. */
  customersOf(code: string, page: { after: string | null; limit: number }): Promise<readonly PriceBookCustomer[]>;
}
