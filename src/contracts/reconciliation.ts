/** Messages of the `reconciliation` workflow. */
import { defineQuery } from '@temporalio/workflow';

export interface ReconciliationInput {
  /** null: the daily run, which makes its own. */
  readonly runId: string | null;
  /** Carried over continue-as-new. */
  readonly progress?: Omit<ReconciliationProgress, 'runId'>;
}

export interface ReconciliationProgress {
  readonly runId: string | null;
  readonly periods: number;
  readonly different: number;
}

export const reconciliationProgressQuery = defineQuery<ReconciliationProgress>('progress');
