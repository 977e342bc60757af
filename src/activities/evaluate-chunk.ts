import { ApplicationFailure } from '@temporalio/common';
import { Context, log } from '@temporalio/activity';
import { evaluatePeriod } from '../billing/evaluate-period.js';
import type { PeriodEvaluation } from '../billing/evaluate-period.js';
import { storedEvaluatedVersion } from '../billing/evaluated-version.js';
import { customerOf } from '../billing/price-facts.js';
import type { Activities, EvaluateOutput } from '../contracts/activities.js';
import { decimal } from '../domain/decimal.js';
import type { PriceComparisonLine } from '../domain/evaluation/compare-prices.js';
import { DomainFailure } from '../domain/failure.js';
import { formatAmount } from '../domain/money/rounding.js';
import type { RatedLine } from '../domain/rating/rating.js';
import type { PriceBookVersion } from '../domain/rating/price-book.js';
import type { Position } from '../domain/values.js';
import { inParallel } from '../relay/in-parallel.js';
import { isUnavailable } from '../storage/errors.js';
import type { BillingPeriod, EvaluationResult, Storage } from '../storage/types.js';
import type { ActivityDependencies } from './dependencies.js';
import { heartbeating } from './heartbeating.js';

const periodsAtATime = 4;

type Progress = { -readonly [K in keyof Omit<EvaluateOutput, 'more'>]: EvaluateOutput[K] };

/**
 * Rates pending periods of an evaluation, all as they were at its cutoff. A result is a row, stored last, so a next attempt
 * finds only what is left; the heartbeat carries the counts of what was done.
 */
export function evaluateChunk({ storage }: Pick<ActivityDependencies, 'storage'>): Activities['evaluateChunk'] {
  return async ({ evaluationId, limit }) => {
    const context = Context.current();
    const progress: Progress = {
      periods: 0,
      notComparable: 0,
      ...(context.info.heartbeatDetails as Progress | undefined),
    };
    const evaluation = await storage.evaluations.find(evaluationId);
    if (evaluation === null)
      throw new DomainFailure('PRICE_EVALUATION_NOT_FOUND', `There is no evaluation "${evaluationId}".`);
    const { cutoff, candidateId: without } = evaluation;
    const asked = { version: storedEvaluatedVersion(evaluation.priceBook), cutoff, without };
    const pending = await storage.evaluations.pending(evaluationId, limit);
    await heartbeating(
      () => ({ ...progress }),
      () =>
        inParallel(pending, periodsAtATime, async (period) => {
          if (context.cancellationSignal.aborted)
            throw ApplicationFailure.retryable('stopped between two periods', 'CHUNK_STOPPED');
          const result = await evaluate(storage, period, asked);
          await storage.evaluations.storeResult(evaluationId, result);
          progress.periods += 1;
          if (result.result === 'not_comparable') progress.notComparable += 1;
          context.heartbeat({ ...progress });
        }),
    );
    return { ...progress, more: pending.length === limit };
  };
}

async function evaluate(
  storage: Storage,
  period: BillingPeriod,
  asked: { readonly version: PriceBookVersion; readonly cutoff: Position; readonly without: string | null },
): Promise<EvaluationResult> {
  const { customerId, period: name } = period;
  try {
    return { customerId, period: name, ...resultOf(await evaluatePeriod(storage, period, asked)) };
  } catch (error) {
    // A database that is away is nobody's fault: the whole activity is retried until it answers.
    if (isUnavailable(error)) throw error;
    const message = error instanceof Error ? error.message : String(error);
    log.warn('a period was not evaluated', { customerId, period: name, error: message });
    const { currency } = await customerOf(storage, customerId);
    const problems = [{ code: 'EVALUATION_FAILED', detail: message }];
    return { customerId, period: name, currency, ...notComparable, problems };
  }
}

const notComparable = { result: 'not_comparable', current: null, evaluated: null, invoiced: null, lines: [] } as const;

function resultOf(evaluation: PeriodEvaluation): Omit<EvaluationResult, 'customerId' | 'period'> {
  const { currency, invoiced, problems } = evaluation;
  if (!evaluation.isComparable) return { ...notComparable, currency, invoiced, problems };
  const { current, evaluated } = evaluation;
  const lines = evaluation.lines
    .filter(({ difference }) => !decimal(difference).isZero())
    .map((line) => lineToStore(line, currency));
  return { result: 'compared', currency, current, evaluated, invoiced, lines, problems };
}

/** In the names of the API, which shows it as it stands. */
function lineToStore(line: PriceComparisonLine, currency: string): object {
  const amountOf = (rated: RatedLine | null): string | null =>
    rated === null ? null : formatAmount(rated.amount, currency);
  return {
    meter: line.meter,
    name: line.name,
    group: line.group,
    quantity: line.quantity,
    current_amount: amountOf(line.current),
    current_formula: line.current?.formula ?? null,
    evaluated_amount: amountOf(line.evaluated),
    evaluated_formula: line.evaluated?.formula ?? null,
    difference: formatAmount(line.difference, currency),
  };
}
