/** A price book version that goes to some customers first (RULES 41, 42). */
import type { Instant, LocalDate } from '../values.js';

/** What a decision does: the first three say who is included, the others end or hold up what was decided. */
export const stageKinds = ['canary', 'percentage', 'all', 'halt', 'resume', 'rollback'] as const;
export type StageKind = (typeof stageKinds)[number];

/** Kinds that include customers. */
export type WideningKind = 'canary' | 'percentage' | 'all';

/** Hundredths of a per cent in a whole: how many buckets customers fall into. */
export const bucketCount = 10_000;

/** One decision of a rollout. Decisions are facts: nothing of one ever changes. */
export interface RolloutStage {
  /** From 1 on, without a gap. */
  readonly sequence: number;
  readonly kind: StageKind;
  /** An instant on a full hour of UTC, or a local date: midnight in each customer's zone (RULES 19). */
  readonly effectiveFrom: Instant | LocalDate;
  /** Whom a canary stage names; of others empty. */
  readonly customerIds: readonly string[];
  /** Of a percentage stage: hundredths of a per cent, 1 to 9999; of others null. */
  readonly percentage: number | null;
  readonly decidedAt: Instant;
}

export interface PriceRollout<S extends RolloutStage = RolloutStage> {
  readonly rolloutId: string;
  /** The candidate. */
  readonly priceBookId: string;
  /** In order of sequence; never empty. */
  readonly stages: readonly S[];
}

export const isWidening = (stage: RolloutStage): stage is RolloutStage & { readonly kind: WideningKind } =>
  stage.kind === 'canary' || stage.kind === 'percentage' || stage.kind === 'all';
