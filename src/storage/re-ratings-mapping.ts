/** Re-ratings and what belongs to them as rows and back. */
import type { ReRatingReason, ReRatingStatus } from '../domain/correction/reasons.js';
import type { PinnedVersions } from '../domain/invoicing/invoice.js';
import type { DecimalString, GroupKey, Instant, LocalDate, Position } from '../domain/values.js';
import type { Comparison, LineDifference, ReRating, ReRatingOutcome, ReRatingScope } from './types.js';

export interface ScopeJson {
  readonly customer_ids: readonly string[] | null;
  readonly meters: readonly string[] | null;
  readonly from: Instant | null;
  readonly to: Instant | null;
}

export const scopeToDb = ({ customerIds, meters, from, to }: ReRatingScope): ScopeJson => ({
  customer_ids: customerIds,
  meters,
  from,
  to,
});

/** A row of `re_ratings` with its last transition. */
export interface ReRatingRow {
  readonly re_rating_id: string;
  readonly workflow_id: string;
  readonly reason: ReRatingReason;
  readonly scope: ScopeJson;
  readonly price_book_id: string | null;
  readonly dry_run: boolean;
  readonly requested_by: string;
  readonly requested_at: Instant;
  readonly status: ReRatingStatus;
  readonly attempt: number;
  readonly targets: string;
}

export function reRatingFromDb(row: ReRatingRow): ReRating {
  const { customer_ids: customerIds, meters, from, to } = row.scope;
  return {
    reRatingId: row.re_rating_id,
    workflowId: row.workflow_id,
    reason: row.reason,
    scope: { customerIds, meters, from, to },
    priceBookId: row.price_book_id,
    dryRun: row.dry_run,
    requestedBy: row.requested_by,
    requestedAt: row.requested_at,
    status: row.status,
    attempt: row.attempt,
    targets: Number(row.targets),
  };
}

interface DifferenceJson {
  readonly line_key: string;
  readonly meter: string | null;
  readonly group: GroupKey;
  readonly original_amount: DecimalString;
  readonly corrected_amount: DecimalString;
  readonly difference: DecimalString;
}

export interface ComparisonRow {
  readonly re_rating_id: string;
  readonly attempt: number;
  readonly customer_id: string;
  readonly period: LocalDate;
  readonly result: Comparison['result'];
  readonly rating_sequence: number;
  readonly cutoff_position: Position;
  readonly pinned_versions: PinnedVersions;
  readonly currency: string;
  readonly difference: DecimalString;
  readonly needs_approval: boolean;
  readonly differences: readonly DifferenceJson[];
  readonly detail: string | null;
}

export function comparisonToDb(comparison: Comparison): ComparisonRow {
  return {
    re_rating_id: comparison.reRatingId,
    attempt: comparison.attempt,
    customer_id: comparison.customerId,
    period: comparison.period,
    result: comparison.result,
    rating_sequence: comparison.ratingSequence,
    cutoff_position: comparison.cutoff,
    pinned_versions: comparison.pinnedVersions,
    currency: comparison.currency,
    difference: comparison.difference,
    needs_approval: comparison.needsApproval,
    differences: comparison.differences.map(differenceToDb),
    detail: comparison.detail,
  };
}

export function comparisonFromDb(row: ComparisonRow): Comparison {
  return {
    reRatingId: row.re_rating_id,
    attempt: row.attempt,
    customerId: row.customer_id,
    period: row.period,
    result: row.result,
    ratingSequence: row.rating_sequence,
    cutoff: row.cutoff_position,
    pinnedVersions: row.pinned_versions,
    currency: row.currency,
    difference: row.difference,
    needsApproval: row.needs_approval,
    differences: row.differences.map(differenceFromDb),
    detail: row.detail,
  };
}

function differenceToDb(line: LineDifference): DifferenceJson {
  return {
    line_key: line.lineKey,
    meter: line.meter,
    group: line.group,
    original_amount: line.originalAmount,
    corrected_amount: line.correctedAmount,
    difference: line.difference,
  };
}

function differenceFromDb(line: DifferenceJson): LineDifference {
  return {
    lineKey: line.line_key,
    meter: line.meter,
    group: line.group,
    originalAmount: line.original_amount,
    correctedAmount: line.corrected_amount,
    difference: line.difference,
  };
}

export interface OutcomeRow {
  readonly re_rating_id: string;
  readonly customer_id: string;
  readonly period: LocalDate;
  readonly outcome: ReRatingOutcome['outcome'];
  readonly invoice_id: string | null;
}

export const outcomeToDb = (outcome: ReRatingOutcome): OutcomeRow => ({
  re_rating_id: outcome.reRatingId,
  customer_id: outcome.customerId,
  period: outcome.period,
  outcome: outcome.outcome,
  invoice_id: outcome.invoiceId,
});

export const outcomeFromDb = (row: OutcomeRow): ReRatingOutcome => ({
  reRatingId: row.re_rating_id,
  customerId: row.customer_id,
  period: row.period,
  outcome: row.outcome,
  invoiceId: row.invoice_id,
});
