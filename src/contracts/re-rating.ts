/** Messages of the `reRating` workflow. Amounts stay in Postgres (DESIGN 6). */
import { defineQuery, defineSignal } from '@temporalio/workflow';
import type { ReRatingStatus } from '../domain/correction/reasons.js';

export interface ReRatingInput {
  readonly reRatingId: string;
  /** Carried over continue-as-new; absent at the first start. */
  readonly attempt?: number;
}

export interface ReRatingProgress {
  readonly status: ReRatingStatus;
  readonly attempt: number;
  readonly compared: number;
  readonly corrected: number;
  readonly held: number;
}

/** A hint that a decision is stored; the decision itself is a row. */
export const decidedSignal = defineSignal('decided');
export const reRatingProgressQuery = defineQuery<ReRatingProgress>('progress');
