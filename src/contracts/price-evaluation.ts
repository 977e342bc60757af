/** Messages of the `priceEvaluation` workflow. */
import { defineQuery } from '@temporalio/workflow';

export interface PriceEvaluationInput {
  readonly evaluationId: string;
  /** Carried over continue-as-new. */
  readonly progress?: PriceEvaluationProgress;
}

/** What this run and those before it have done; the rows in Postgres are the truth. */
export interface PriceEvaluationProgress {
  readonly periods: number;
  readonly notComparable: number;
}

export const priceEvaluationProgressQuery = defineQuery<PriceEvaluationProgress>('progress');
