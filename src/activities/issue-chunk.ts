import { ApplicationFailure } from '@temporalio/common';
import { Context, log } from '@temporalio/activity';
import type { IssueChunkInput, IssueChunkOutput } from '../contracts/activities.js';
import { inParallel } from '../relay/in-parallel.js';
import { pause } from '../relay/pause.js';
import { isUnavailable } from '../storage/errors.js';
import type { InvoicingOutcome, InvoicingRequest, Storage } from '../storage/types.js';
import type { ActivityDependencies } from './dependencies.js';
import { heartbeating } from './heartbeating.js';
import { issueInvoice, issueInvoices } from './issue-invoice.js';
import type { Issued } from './issue-invoice.js';

/** Transactions at a time: while one holds the numbers, the others aggregate and rate. */
const groupsAtATime = 4;
/** Customers a transaction: its numbers, its statement of writes and its commit are shared. */
const groupSizeMax = 8;
/** A transaction takes on no further customer after this: large ones have theirs alone. */
const groupMs = 500;
/** An error of one customer that is no refusal: tried so often, then the customer is held and the others go on. */
const attemptsMax = 3;
const retryDelayMs = 250;

const counted = { issued: 'issued', held: 'held', skipped: 'skipped', already_invoiced: 'alreadyInvoiced' } as const;

/**
 * Works off pending requests of a billing day, several a transaction. An outcome is part of its transaction, so a next
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
        inParallel(groupsOf(requests), groupsAtATime, async (group) => {
          for (let left = group; left.length > 0;) {
            if (context.cancellationSignal.aborted)
              throw ApplicationFailure.retryable('stopped between two customers', 'CHUNK_STOPPED');
            const ended = await issueOrHoldGroup(dependencies, left, context.cancellationSignal);
            for (const { outcome, number } of ended) {
              progress[counted[outcome]] += 1;
              if (outcome === 'issued') progress.lastInvoiceNumber = number;
            }
            left = left.slice(ended.length);
            context.heartbeat({ ...progress });
          }
        }),
    );
    return { ...progress, more: requests.length === limit };
  };
}

type Progress = { -readonly [K in keyof Omit<IssueChunkOutput, 'more'>]: IssueChunkOutput[K] };

/** Of a customer each and ordered by customer, as a gate's group wants them. */
export function groupsOf(requests: readonly InvoicingRequest[]): readonly (readonly InvoicingRequest[])[] {
  const size = Math.min(groupSizeMax, Math.ceil(requests.length / groupsAtATime));
  const groups: Map<string, InvoicingRequest>[] = [];
  for (const request of requests) {
    const free = groups.find((group) => group.size < size && !group.has(request.customerId));
    if (free === undefined) groups.push(new Map([[request.customerId, request]]));
    else free.set(request.customerId, request);
  }
  const byCustomer = (a: InvoicingRequest, b: InvoicingRequest): number => (a.customerId < b.customerId ? -1 : 1);
  return groups.map((group) => [...group.values()].sort(byCustomer));
}

/** The first of them at least: in one transaction, or where that fails each by itself, so that one does not hold up others. */
async function issueOrHoldGroup(
  dependencies: ActivityDependencies,
  group: readonly InvoicingRequest[],
  stop: AbortSignal,
): Promise<readonly Pick<Issued, 'outcome' | 'number'>[]> {
  if (group.length > 1) {
    const until = performance.now() + groupMs;
    try {
      return await issueInvoices(dependencies, group, () => !stop.aborted && performance.now() < until);
    } catch (error) {
      if (isUnavailable(error)) throw error;
      log.warn('periods were not invoiced together', { customers: group.length, error: String(error) });
    }
  }
  const ended = [];
  for (const request of group) {
    ended.push(await issueOrHold(dependencies, request, stop));
    if (stop.aborted) break;
  }
  return ended;
}

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
