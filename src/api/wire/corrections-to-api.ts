/** Domain → wire: adjustments, re-ratings, proofs. */
import { formatAmount, formatFoundAmount } from '../../domain/money/rounding.js';
import type { InvoiceVerification } from '../../domain/reconciliation/verify-document.js';
import type { DecimalString } from '../../domain/values.js';
import type {
  Comparison,
  EventAdjustment,
  ReconciliationRun,
  Replacement,
  ReRating,
  ReRatingDecision,
} from '../../storage/types.js';
import { parseExactJson, type ExactJson } from '../ingest/exact-json.js';

type ExactObject = Readonly<Record<string, ExactJson>>;

/** Contains exact numbers: to be sent with `stringifyExactJson`. */
export function toApiAdjustment(adjustment: EventAdjustment): ExactObject {
  return {
    adjustment_id: adjustment.adjustmentId,
    customer_id: adjustment.customerId,
    source: adjustment.source,
    event_id: adjustment.eventId,
    type: adjustment.type,
    replacement: adjustment.replacement === null ? null : toApiReplacement(adjustment.replacement),
    reason: adjustment.reason,
    created_at: adjustment.createdAt,
    position: adjustment.position,
  };
}

export function toApiReplacement(facts: Pick<Replacement, 'eventType' | 'eventTime' | 'metadataJson'>): ExactObject {
  return {
    event_type: facts.eventType,
    event_time: facts.eventTime,
    metadata: parseExactJson(facts.metadataJson),
  };
}

/** @param priceBook the version that the re-rating names */
export function toApiReRating(
  reRating: ReRating,
  priceBook: { readonly code: string; readonly version: string } | null,
): object {
  const { scope } = reRating;
  return {
    re_rating_id: reRating.reRatingId,
    workflow_id: reRating.workflowId,
    status: reRating.status,
    reason: reRating.reason,
    scope: { customer_ids: scope.customerIds, meters: scope.meters, from: scope.from, to: scope.to },
    price_book: priceBook === null ? null : { code: priceBook.code, version: priceBook.version },
    dry_run: reRating.dryRun,
    requested_by: reRating.requestedBy,
    requested_at: reRating.requestedAt,
    attempt: reRating.attempt,
    periods: reRating.targets,
  };
}

/** By line, amounts with all digits of the currency's minor unit. */
export function toApiDifferences({ customerId, period, currency, differences }: Comparison): readonly object[] {
  return differences.map((line) => ({
    customer_id: customerId,
    period,
    meter: line.meter,
    group: line.group,
    original_amount: formatAmount(line.originalAmount, currency),
    corrected_amount: formatAmount(line.correctedAmount, currency),
    difference: formatAmount(line.difference, currency),
    currency,
  }));
}

export function toApiDecision(decision: ReRatingDecision): object {
  return {
    attempt: decision.attempt,
    decision: decision.decision,
    decided_by: decision.decidedBy,
    reason: decision.reason,
  };
}

/** Amounts of lines and total with all digits of the minor unit, unless they are finer, which verifying is to show. */
export function toApiVerification(verification: InvoiceVerification): object {
  const { currency, lines, total, credits, tax } = verification;
  const shown = <T extends Compared>(compared: T): T => ({
    ...compared,
    expected: formatFoundAmount(compared.expected, currency),
    found: formatFoundAmount(compared.found, currency),
    difference: formatFoundAmount(compared.difference, currency),
  });
  return { ...verification, lines: lines.map(shown), total: shown(total), credits: shown(credits), tax: shown(tax) };
}

type Compared = Readonly<Record<'expected' | 'found' | 'difference', DecimalString>>;

export function toApiReconciliation(run: ReconciliationRun): object {
  const { scope } = run;
  return {
    run_id: run.runId,
    workflow_id: run.workflowId,
    status: run.finishedAt === null ? 'running' : 'finished',
    scope: { customer_ids: scope.customerIds, from: scope.from, to: scope.to },
    requested_by: run.requestedBy,
    requested_at: run.requestedAt,
    finished_at: run.finishedAt,
    periods: run.periods,
    different: run.different,
  };
}
