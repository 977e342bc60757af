/** Workflows changed as a careless commit would change them. Replay must refuse each: see replay.test.ts. */
import { sleep } from '@temporalio/workflow';
import type { BillingPeriodInput, BillingPeriodOutcome } from '../../src/contracts/billing-period.js';
import type { InvoicingInput, InvoicingProgress } from '../../src/contracts/invoicing.js';
import * as real from '../../src/workflows/index.js';
import { chunkActivities, relayActivities } from '../../src/workflows/activity-proxies.js';
import type { PeriodCloseInput, PeriodCloseProgress } from '../../src/contracts/period-close.js';
import type { PriceEvaluationInput, PriceEvaluationProgress } from '../../src/contracts/price-evaluation.js';
import type { ReRatingInput, ReRatingProgress } from '../../src/contracts/re-rating.js';
import type { ReconciliationInput, ReconciliationProgress } from '../../src/contracts/reconciliation.js';
import type { UsageRelayInput } from '../../src/contracts/usage-relay.js';

/** A timer that old runs did not have. */
export async function billingPeriod(input: BillingPeriodInput): Promise<BillingPeriodOutcome> {
  await sleep(1);
  return real.billingPeriod(input);
}

/** An activity that old runs ran is left out. */
export function invoicing(_input: InvoicingInput): Promise<InvoicingProgress> {
  return Promise.resolve({ issued: 0, held: 0, skipped: 0, alreadyInvoiced: 0 });
}

/** Another activity in the place of the old one. */
export async function usageRelay(input: UsageRelayInput): Promise<void> {
  await relayActivities(input.heartbeatTimeoutMs).sweepPeriods();
}

/** The first step of old runs in the second place. */
export async function reRating(input: ReRatingInput): Promise<ReRatingProgress> {
  await sleep(1);
  return real.reRating(input);
}

/** The report of the run is not stored. */
export async function reconciliation({ runId }: ReconciliationInput): Promise<ReconciliationProgress> {
  await chunkActivities.reconcileChunk({ runId: runId ?? '', limit: 200 });
  return { runId, periods: 0, different: 0 };
}

/** The report of the run is not stored. */
export async function priceEvaluation({ evaluationId }: PriceEvaluationInput): Promise<PriceEvaluationProgress> {
  await chunkActivities.evaluateChunk({ evaluationId, limit: 200 });
  return { periods: 0, notComparable: 0 };
}

/** Hands nothing over. */
export async function periodClose({ closeId, billingDay }: PeriodCloseInput): Promise<PeriodCloseProgress> {
  return chunkActivities.followPeriodClose({ closeId, billingDay, forMs: 1 });
}

/** Another activity in the place of the old one. */
export async function auditAnchor(): Promise<void> {
  await chunkActivities.sweepPeriods();
}

export { periodSweep } from '../../src/workflows/index.js';
