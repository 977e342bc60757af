/** The steps of `reRating`: each works off rows, so that a next attempt finds only what is left. */
import { ApplicationFailure } from '@temporalio/common';
import { Context, log } from '@temporalio/activity';
import type {
  Activities,
  CompareReRatingOutput,
  CorrectReRatingOutput,
  EndReRatingOutput,
  ReRatingStepInput,
} from '../../contracts/activities.js';
import { workflowTypes } from '../../contracts/names.js';
import { billingPeriodStart } from '../../contracts/start-options.js';
import { DomainFailure } from '../../domain/failure.js';
import type { ReRatingStatus } from '../../domain/correction/reasons.js';
import { inParallel } from '../../relay/in-parallel.js';
import { isUnavailable } from '../../storage/errors.js';
import { everyPage } from '../../storage/every-page.js';
import type { Comparison, PeriodKeyOf, ReRating, ReRatingSummary, Storage } from '../../storage/types.js';
import type { ActivityDependencies } from '../dependencies.js';
import { heartbeating } from '../heartbeating.js';
import { startFirstLateAfter } from '../later-periods.js';
import { periodOf } from '../period-facts.js';
import { comparePeriod } from './compare-period.js';
import { correctPeriod } from './correct-period.js';

/** Gates open at a time; the number sequence lets no more run (LIMITS). */
const gatesAtATime = 4;
const actor = 'reRating';

export async function requireReRating(storage: Storage, reRatingId: string): Promise<ReRating> {
  const found = await storage.reRatings.find(reRatingId);
  if (found === null) throw new DomainFailure('RE_RATING_NOT_FOUND', `There is no re-rating "${reRatingId}".`);
  return found;
}

/** Compares targets of the attempt; after the last one decides, and stores, where the re-rating goes from here. */
export function compareReRating(dependencies: ActivityDependencies): Activities['compareReRating'] {
  const { storage } = dependencies;
  return async (input: ReRatingStepInput): Promise<CompareReRatingOutput> => {
    const { reRatingId, limit } = input;
    const reRating = await requireReRating(storage, reRatingId);
    const attempt = Math.max(input.attempt, reRating.attempt);
    const targets = await storage.reRatings.pendingComparison(reRatingId, attempt, limit);
    await eachTarget(
      targets,
      async (target) => void (await comparePeriod(dependencies, { reRating, target, attempt })),
    );
    const summary = await storage.reRatings.summary(reRatingId, attempt);
    const done = { attempt, compared: targets.length, held: summary.held };
    if (targets.length === limit) return { ...done, more: true, next: null, status: 'comparing' };
    const { next, status } = courseOf(reRating, summary);
    await storage.reRatings.enter(reRatingId, { status, attempt, actor, reason: null });
    return { ...done, more: false, next, status };
  };
}

function courseOf(
  { dryRun }: ReRating,
  summary: ReRatingSummary,
): { readonly next: 'awaiting_approval' | 'correcting' | 'ended'; readonly status: ReRatingStatus } {
  if (dryRun)
    return { next: 'ended', status: summary.differing > 0 || summary.held > 0 ? 'completed' : 'no_difference' };
  if (summary.needApproval > 0) return { next: 'awaiting_approval', status: 'awaiting_approval' };
  // Unchanged periods are settled too: what came for them is known to change nothing.
  return { next: 'correcting', status: 'correcting' };
}

export function readDecision({ storage }: ActivityDependencies): Activities['readDecision'] {
  return async ({ reRatingId, attempt }) => (await storage.reRatings.decision(reRatingId, attempt))?.decision ?? null;
}

/** Corrects compared targets, a transaction each. One whose chain has moved is compared again, under the next attempt. */
export function correctReRating(dependencies: ActivityDependencies): Activities['correctReRating'] {
  const { storage } = dependencies;
  return async ({ reRatingId, attempt, limit }: ReRatingStepInput): Promise<CorrectReRatingOutput> => {
    const reRating = await requireReRating(storage, reRatingId);
    await storage.reRatings.enter(reRatingId, {
      status: 'correcting',
      attempt,
      actor: (await storage.reRatings.decision(reRatingId, attempt))?.decidedBy ?? actor,
      reason: null,
    });
    const comparisons = await storage.reRatings.pendingCorrection(reRatingId, attempt, limit);
    const done = { corrected: 0, unchanged: 0, held: 0 };
    let lastInvoiceNumber: string | null = null;
    await eachTarget(comparisons, async (comparison) => {
      const corrected = await correctPeriod(dependencies, { reRating, comparison });
      if (corrected.outcome === 'moved') {
        const again = await comparePeriod(dependencies, { reRating, target: comparison, attempt: attempt + 1 });
        if (again.result === 'held') done.held += 1;
      } else if (corrected.outcome === 'corrected') {
        done.corrected += 1;
        lastInvoiceNumber = corrected.number;
      } else if (corrected.outcome === 'held') {
        done.held += 1;
      } else {
        done.unchanged += 1;
      }
    });
    // From the rows: an attempt at this activity whose answer was lost has compared again, too.
    const moved = (await storage.reRatings.pendingCorrection(reRatingId, attempt + 1, limit)).length;
    return { ...done, moved, more: comparisons.length === limit, lastInvoiceNumber };
  };
}

/**
 * Several at a time; a customer that cannot be handled now does not hold up the others, and the activity is retried for it
 * when they are done.
 */
async function eachTarget<T extends PeriodKeyOf>(
  targets: readonly T[],
  work: (target: T) => Promise<void>,
): Promise<void> {
  const context = Context.current();
  const failures: unknown[] = [];
  let done = 0;
  await heartbeating(
    () => done,
    () =>
      inParallel(targets, gatesAtATime, async (target) => {
        if (context.cancellationSignal.aborted)
          throw ApplicationFailure.retryable('stopped between two periods', 'RE_RATING_STOPPED');
        try {
          await work(target);
        } catch (error) {
          if (isUnavailable(error)) throw error;
          const { customerId, period } = target;
          log.warn('a period was not re-rated', { customerId, period, error: String(error) });
          failures.push(error);
        }
        done += 1;
        context.heartbeat(done);
      }),
  );
  if (failures.length > 0) throw failures[0];
}

/**
 * Stores how the re-rating ended, and starts the workflow of each period that has facts beyond the cutoff it was compared at:
 * they came while it ran, or waited, and are gathered for the next correction.
 */
export function endReRating(dependencies: ActivityDependencies): Activities['endReRating'] {
  const { storage } = dependencies;
  return async ({ reRatingId, attempt, rejected }): Promise<EndReRatingOutput> => {
    const reRating = await requireReRating(storage, reRatingId);
    const summary = await storage.reRatings.summary(reRatingId, attempt);
    const settled = summary.corrected > 0 || summary.held > 0 ? 'completed' : 'no_difference';
    const status = rejected ? 'rejected' : settled;
    let restarted = 0;
    for await (const page of everyPage((request) => storage.reRatings.comparisons(reRatingId, request), 200)) {
      await eachTarget(page, async (comparison: Comparison) => {
        if (await restartPeriod(dependencies, comparison)) restarted += 1;
      });
    }
    const decidedBy = rejected ? (await storage.reRatings.decision(reRatingId, attempt))?.decidedBy : undefined;
    await storage.reRatings.enter(reRating.reRatingId, { status, attempt, actor: decidedBy ?? actor, reason: null });
    return { status, restarted };
  };
}

/** A level that the correction has changed is carried into later periods: those are looked at after it, in order (RULES 3). */
async function restartPeriod(dependencies: ActivityDependencies, comparison: Comparison): Promise<boolean> {
  const { storage, client } = dependencies;
  const { customerId, period, cutoff } = comparison;
  const stored = await periodOf(storage, comparison);
  const late = await storage.periods.veryLateFacts(stored);
  if (late.to === null || BigInt(late.to) <= BigInt(cutoff)) return startFirstLateAfter(dependencies, stored);
  await client.workflow.start(workflowTypes.billingPeriod, billingPeriodStart(customerId, period));
  return true;
}
