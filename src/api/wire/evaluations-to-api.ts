/** What-if results → wire. */
import type { PriceComparison } from '../../domain/evaluation/compare-prices.js';
import { formatAmount } from '../../domain/money/rounding.js';
import type { RatedLine, RatingResult } from '../../domain/rating/rating.js';
import { totalOf } from '../../domain/rating/total.js';
import type { DecimalString } from '../../domain/values.js';
import type {
  BillingPeriod,
  CustomerDifference,
  EvaluatedCustomer,
  EvaluationTotals,
  PriceEvaluation,
  StoredEvaluationResult,
} from '../../storage/types.js';

export interface NamedVersion {
  readonly code: string;
  readonly version: string;
  readonly currency: string;
}

export function toApiQuantities({ code, version, currency }: NamedVersion, rated: RatingResult): object {
  return {
    price_book: { code, version },
    currency,
    total: formatAmount(totalOf(rated), currency),
    lines: rated.lines.map((line) => ({
      meter: line.meter,
      name: line.name ?? null,
      group: line.group,
      quantity: line.quantity,
      amount: formatAmount(line.amount, line.currency),
      formula: line.formula,
      calculations: calculationsOf(line),
    })),
    problems: rated.problems,
  };
}

export function toApiEvaluatedPeriod(
  { code, version }: NamedVersion,
  { customerId, period, from, to }: BillingPeriod,
  evaluated: PriceComparison & { readonly currency: string; readonly cutoff: string },
): object {
  const { currency } = evaluated;
  const text = (amount: DecimalString | null): string | null => amountText(amount, currency);
  return {
    price_book: { code, version },
    customer_id: customerId,
    period: { period, from, to },
    cutoff: evaluated.cutoff,
    currency,
    comparable: evaluated.isComparable,
    current: text(evaluated.current),
    evaluated: text(evaluated.evaluated),
    difference: text(evaluated.difference),
    invoiced: text(evaluated.invoiced),
    lines: evaluated.lines.map((line) => ({
      meter: line.meter,
      name: line.name ?? null,
      group: line.group,
      quantity: line.quantity,
      current_amount: text(line.current?.amount ?? null),
      current_formula: line.current?.formula ?? null,
      evaluated_amount: text(line.evaluated?.amount ?? null),
      evaluated_formula: line.evaluated?.formula ?? null,
      difference: text(line.difference),
      calculations: line.evaluated === null ? [] : calculationsOf(line.evaluated),
    })),
    problems: evaluated.problems,
  };
}

const calculationsOf = ({ charges }: RatedLine): readonly unknown[] => charges.map(({ calculation }) => calculation);

function amountText(amount: DecimalString | null, currency: string): string | null {
  return amount === null ? null : formatAmount(amount, currency);
}

export function toApiEvaluationSummary(evaluation: PriceEvaluation): object {
  const { scope } = evaluation;
  return {
    evaluation_id: evaluation.evaluationId,
    workflow_id: evaluation.workflowId,
    status: evaluation.finishedAt === null ? 'running' : 'finished',
    price_book: evaluation.priceBook,
    scope: { customer_ids: scope.customerIds, from: scope.from, to: scope.to },
    cutoff: evaluation.cutoff,
    requested_by: evaluation.requestedBy,
    requested_at: evaluation.requestedAt,
    finished_at: evaluation.finishedAt,
    progress: { periods: evaluation.periods, of: evaluation.targets },
  };
}

export function toApiTotals(totals: EvaluationTotals): object {
  const { currency, difference } = totals;
  const text = (amount: DecimalString | null): string | null => amountText(amount, currency);
  const top = (customers: readonly CustomerDifference[]): readonly object[] =>
    customers.map((each) => ({ customer_id: each.customerId, difference: text(each.difference) }));
  return {
    currency,
    customers: totals.customers,
    not_comparable: totals.notComparable,
    current: text(totals.current),
    evaluated: text(totals.evaluated),
    difference: {
      count: totals.customers,
      sum: text(difference.sum),
      min: text(difference.min),
      median: text(difference.median),
      p90: text(difference.p90),
      max: text(difference.max),
    },
    winners: totals.winners,
    losers: totals.losers,
    unchanged: totals.unchanged,
    top_winners: top(totals.topWinners),
    top_losers: top(totals.topLosers),
  };
}

export function toApiEvaluatedCustomer(customer: EvaluatedCustomer): object {
  const { currency } = customer;
  return {
    customer_id: customer.customerId,
    currency,
    periods: customer.periods,
    not_comparable: customer.notComparable,
    current: amountText(customer.current, currency),
    evaluated: amountText(customer.evaluated, currency),
    difference: amountText(customer.difference, currency),
  };
}

export function toApiEvaluationResult(result: StoredEvaluationResult): object {
  const { currency } = result;
  return {
    customer_id: result.customerId,
    period: result.period,
    result: result.result,
    currency,
    current: amountText(result.current, currency),
    evaluated: amountText(result.evaluated, currency),
    difference: amountText(result.difference, currency),
    invoiced: amountText(result.invoiced, currency),
    lines: result.lines,
    problems: result.problems,
  };
}
