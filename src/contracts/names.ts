/** Names that API, relay, workflows, activities and operators share. Ids are business keys: no PII, below 255 characters. */
import type { LocalDate, Position } from '../domain/values.js';

export const taskQueue = 'reckoner';
/** The relay has a queue of its own, so that long relay activities never take the slots of window closes. */
export const relayTaskQueue = 'reckoner-relay';

export const workflowTypes = {
  billingPeriod: 'billingPeriod',
  invoicing: 'invoicing',
  usageRelay: 'usageRelay',
  periodSweep: 'periodSweep',
  reRating: 'reRating',
  reconciliation: 'reconciliation',
  priceEvaluation: 'priceEvaluation',
  periodClose: 'periodClose',
  auditAnchor: 'auditAnchor',
} as const;

export const billingPeriodWorkflowId = (customerId: string, period: LocalDate): string =>
  `billing-period/${customerSegment(customerId)}/${period}`;
export const invoicingWorkflowId = (billingDay: LocalDate): string => `invoicing/${billingDay}`;
export const usageRelayWorkflowId = (group: string): string => `usage-relay/${group}`;
export const periodSweepScheduleId = 'period-sweep';
export const periodSweepWorkflowId = 'period-sweep/run';

export const reRatingWorkflowId = (reRatingId: string): string => `re-rating/${reRatingId}`;
/** Of a correction that nobody asked for: `cutoff` is the position of the last fact it was started for. */
export const lateReRatingWorkflowId = (customerId: string, period: LocalDate, cutoff: Position): string =>
  `re-rating/late/${customerSegment(customerId)}/${period}/${cutoff}`;
export const reconciliationWorkflowId = (runId: string): string => `reconciliation/${runId}`;
export const evaluationWorkflowId = (evaluationId: string): string => `evaluation/${evaluationId}`;
export const periodCloseWorkflowId = (closeId: string): string => `period-close/${closeId}`;
export const dailyReconciliationScheduleId = 'reconciliation-daily';
export const dailyReconciliationWorkflowId = 'reconciliation/daily';

export const auditAnchorScheduleId = 'audit-anchor';
export const auditAnchorWorkflowId = 'audit-anchor/run';

/** The only relay group of a single deployment: all 64 partitions. */
export const allPartitions = 'all';

/** Visibility stores ids in 255 characters; the rest is for the words around. */
const segmentMax = 200;
const headMax = 120;

/**
 * A customer id (1 to 128 characters of any kind) as a part of a workflow id: percent-encoded; a very long one is cut and
 * told apart by a hash. `%~` never comes out of the encoding, so that no other id reads the same.
 */
function customerSegment(customerId: string): string {
  // Half a surrogate pair cannot be encoded.
  const wellFormed = customerId.replaceAll(/\p{Surrogate}/gu, '\ufffd');
  const encoded = encodeURIComponent(wellFormed);
  if (encoded.length <= segmentMax && wellFormed === customerId) return encoded;
  return `${encoded.slice(0, headMax)}%~${fnv1a128(customerId)}`;
}

/** FNV-1a with 128 bits, over UTF-16 code units: contracts run in the workflow sandbox, which has no hashing. */
function fnv1a128(text: string): string {
  const prime = (1n << 88n) + 0x13bn;
  let hash = 0x6c62272e07bb014262b821756295c58dn;
  for (let index = 0; index < text.length; index += 1) {
    hash = BigInt.asUintN(128, (hash ^ BigInt(text.charCodeAt(index))) * prime);
  }
  return hash.toString(16).padStart(32, '0');
}
