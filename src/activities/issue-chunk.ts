import { ApplicationFailure } from '@temporalio/common';
import { Context, log } from '@temporalio/activity';
import type { IssueChunkInput, IssueChunkOutput } from '../contracts/activities.js';
import { inParallel } from '../relay/in-parallel.js';
import { pause } from '../relay/pause.js';
import { isUnavailable } from '../storage/errors.js';
import type { InvoicingOutcome, InvoicingRequest, Storage } from '../storage/types.js';
import type { ActivityDependencies } from './dependencies.js';
import { heartbeating } from './heartbeating.js';
import { issueInvoice } from './issue-invoice.js';
import type { Issued } from './issue-invoice.js';

/** Gates open at a time: 1.2 s a thousand customers with four (LIMITS); the number sequence lets no more run. */
const gatesAtATime = 4;
/** An error of one customer that is no refusal: tried so often, then the customer is held and the others go on. */
const attemptsMax = 3;
const retryDelayMs = 250;

const counted = { issued: 'issued', held: 'held', skipped: 'skipped', already_invoiced: 'alreadyInvoiced' } as const;

/**
 * Works off pending requests of a billing day, a transaction each. An outcome is part of its transaction, so a next
 * attempt finds only what is left, and the heartbeat carries the counts of what was done.
 */
export function issueChunk(dependencies: ActivityDependencies) {
  const { storage } = dependencies;
  return async ({ billingDay, limit }: IssueChunkInput): Promise<IssueChunkOutput> => {
    const context = Context.current();
    const before = context.info.heartbeatDetails as Progress | undefined;
    const progress: Progress = {
      issued: 0,
      held: 0,
      skipped: 0,
      alreadyInvoiced: 0,
      lastInvoiceNumber: null,
      ...before,
    };
    const requests = await storage.periods.pendingInvoicing(billingDay, limit);
    await heartbeating(
      () => ({ ...progress }),
      () =>
        inParallel(requests, gatesAtATime, async (request) => {
          if (context.cancellationSignal.aborted)
            throw ApplicationFailure.retryable('stopped between two customers', 'CHUNK_STOPPED');
          const { outcome, number } = await issueOrHold(dependencies, request, context.cancellationSignal);
          progress[counted[outcome]] += 1;
          if (outcome === 'issued') progress.lastInvoiceNumber = number;
          context.heartbeat({ ...progress });
        }),
    );
    return { ...progress, more: requests.length === limit };
  };
}

type Progress = { -readonly [K in keyof Omit<IssueChunkOutput, 'more'>]: IssueChunkOutput[K] };

async function issueOrHold(
  dependencies: ActivityDependencies,
  request: InvoicingRequest,
  stop: AbortSignal,
): Promise<{ readonly outcome: InvoicingOutcome; readonly number: string | null }> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await issueInvoice(dependencies, request);
    } catch (error) {
      // A database that is away is nobody's fault: the whole activity is retried until it answers.
      if (isUnavailable(error)) throw error;
      const { customerId, period } = request;
      log.warn('a period was not invoiced', { customerId, period, attempt, error: String(error) });
      if (attempt === attemptsMax) return hold(dependencies.storage, request, error);
      await pause(retryDelayMs * 2 ** (attempt - 1), stop);
    }
  }
}

async function hold(
  storage: Storage,
  { requestId, customerId, period }: InvoicingRequest,
  error: unknown,
): Promise<Issued> {
  await storage.findings.store({
    code: 'INVOICING_FAILED',
    customerId,
    period,
    subject: { customer_id: customerId, period, request_id: requestId },
    detail: `The invoice could not be made: ${error instanceof Error ? error.message : String(error)}. Close the period again when the cause is gone.`,
  });
  await storage.periods.recordOutcome(requestId, 'held', null);
  return { outcome: 'held', invoiceId: null, number: null };
}
