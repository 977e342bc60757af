/** Messages of the `periodClose` workflow. */
import { defineQuery } from '@temporalio/workflow';
import type { PeriodCloseProgress } from '../domain/invoicing/period-close-progress.js';
import type { LocalDate } from '../domain/values.js';

export type { PeriodCloseProgress };

export interface PeriodCloseInput {
  readonly closeId: string;
  readonly billingDay: LocalDate;
  /** Carried over continue-as-new; set once the targets are planned. */
  readonly progress?: PeriodCloseProgress;
}

export const periodCloseProgressQuery = defineQuery<PeriodCloseProgress | null>('progress');
