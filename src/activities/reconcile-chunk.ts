import { ApplicationFailure } from '@temporalio/common';
import { Context, log } from '@temporalio/activity';
import { canBeReprocessed, reconcileAndStore } from '../billing/reconcile-period.js';
import type { Activities, ReconcileOutput } from '../contracts/activities.js';
import { failedReport } from '../domain/reconciliation/reconcile.js';
import { inParallel } from '../relay/in-parallel.js';
import { isUnavailable } from '../storage/errors.js';
import type { BillingPeriod, PeriodKeyOf, ReconciliationResult, Storage } from '../storage/types.js';
import type { ActivityDependencies } from './dependencies.js';
import { heartbeating } from './heartbeating.js';

const periodsAtATime = 4;

export interface ReconcileChunkDependencies extends Pick<ActivityDependencies, 'storage'> {
  /** Rates an invoiced period again, from raw events on. Repeating it starts nothing twice. */
  readonly reprocess: (period: PeriodKeyOf) => Promise<void>;
}

/**
 * Reconciles pending periods of a run. A result is a row, stored last, so a next attempt finds only what is left and repeats
 * only what is harmless; the heartbeat carries the counts of what was done.
 */
export function reconcileChunk(dependencies: ReconcileChunkDependencies): Activities['reconcileChunk'] {
  const { storage } = dependencies;
  return async ({ runId, limit }) => {
    const context = Context.current();
    const progress: Progress = { periods: 0, different: 0, ...(context.info.heartbeatDetails as Progress | undefined) };
    const pending = await storage.reconciliation.pending(runId, limit);
    await heartbeating(
      () => ({ ...progress }),
      () =>
        inParallel(pending, periodsAtATime, async (period) => {
          if (context.cancellationSignal.aborted)
            throw ApplicationFailure.retryable('stopped between two periods', 'CHUNK_STOPPED');
          const result = await reconcile(dependencies, period);
          await storage.reconciliation.storeResult(runId, result);
          progress.periods += 1;
          if (result.result === 'different') progress.different += 1;
          context.heartbeat({ ...progress });
        }),
    );
    return { ...progress, more: pending.length === limit };
  };
}

type Progress = { -readonly [K in keyof Omit<ReconcileOutput, 'more'>]: ReconcileOutput[K] };

async function reconcile(
  { storage, reprocess }: ReconcileChunkDependencies,
  period: BillingPeriod,
): Promise<ReconciliationResult> {
  const { customerId, period: name } = period;
  try {
    const { result, report } = await reconcileAndStore(storage, period);
    if (canBeReprocessed(report)) await reprocess({ customerId, period: name });
    return { customerId, period: name, result, report };
  } catch (error) {
    // A database that is away is nobody's fault: the whole activity is retried until it answers.
    if (isUnavailable(error)) throw error;
    log.warn('a period was not reconciled', { customerId, period: name, error: String(error) });
    return failed(storage, period, error instanceof Error ? error.message : String(error));
  }
}

/** A period that cannot even be compared is a difference of its own, and does not hold up the others. */
async function failed(
  { findings }: Storage,
  { customerId, period }: BillingPeriod,
  message: string,
): Promise<ReconciliationResult> {
  await findings.store({
    code: 'RECONCILIATION_FAILED',
    customerId,
    period,
    subject: { customer_id: customerId, period, message },
    detail: `The chain could not be compared: ${message}`,
  });
  return { customerId, period, result: 'different', report: failedReport(message) };
}
