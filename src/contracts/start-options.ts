/**
 * How each workflow is started, in one place: API, relay, activities and worker must agree on ids, task queues and
 * policies, or the same period would run twice.
 */
import type {
  Duration,
  SearchAttributePair,
  WorkflowIdConflictPolicy,
  WorkflowIdReusePolicy,
} from '@temporalio/common';
import type { LocalDate } from '../domain/values.js';
import type { BillingPeriodInput } from './billing-period.js';
import type { InvoicingInput } from './invoicing.js';
import {
  billingPeriodWorkflowId,
  evaluationWorkflowId,
  invoicingWorkflowId,
  periodCloseWorkflowId,
  reconciliationWorkflowId,
  taskQueue,
  usageRelayWorkflowId,
} from './names.js';
import type { PeriodCloseInput } from './period-close.js';
import type { PriceEvaluationInput } from './price-evaluation.js';
import type { ReRatingInput } from './re-rating.js';
import type { ReconciliationInput } from './reconciliation.js';
import { billingPeriodKey, billingStageKey, customerIdKey, needsAttentionKey } from './search-attributes.js';
import type { UsageRelayInput } from './usage-relay.js';

/**
 * A worker that dies with a workflow task in hand costs this long (measured: 1.5 s instead of 10 s per kill with
 * short times). Not shorter: replaying the longest history we allow takes up to two seconds on a busy machine.
 */
const workflowTaskTimeout = '5 seconds';

/** What `start` and `signalWithStart` take beside type and messages. */
export interface WorkflowStart<Input> {
  readonly taskQueue: string;
  readonly workflowTaskTimeout: Duration;
  readonly workflowIdReusePolicy: WorkflowIdReusePolicy;
  readonly workflowIdConflictPolicy: WorkflowIdConflictPolicy;
  readonly workflowId: string;
  readonly args: [Input];
  readonly typedSearchAttributes: SearchAttributePair[];
  readonly staticSummary: string;
  /** Markdown. */
  readonly staticDetails: string;
}

const once = {
  taskQueue,
  workflowTaskTimeout,
  /** A completed workflow is started again by a later fact. */
  workflowIdReusePolicy: 'ALLOW_DUPLICATE',
  /** Whoever finds it running has what it wanted. */
  workflowIdConflictPolicy: 'USE_EXISTING',
} as const;

export function billingPeriodStart(customerId: string, period: LocalDate): WorkflowStart<BillingPeriodInput> {
  const input: BillingPeriodInput = { customerId, period };
  const typedSearchAttributes = [
    { key: customerIdKey, value: customerId },
    { key: billingPeriodKey, value: period },
    { key: billingStageKey, value: 'open' },
    { key: needsAttentionKey, value: false },
  ];
  return {
    ...once,
    workflowId: billingPeriodWorkflowId(customerId, period),
    args: [input],
    typedSearchAttributes,
    staticSummary: `Usage of ${shortened(customerId)}, period ${period}`,
    staticDetails:
      'Accumulates what the relay signals, closes event-time windows when their watermark has passed, and hands the period ' +
      'to invoicing when it is over. The usage ledger in Postgres is the truth; this workflow decides *when*.',
  };
}

export function invoicingStart(billingDay: LocalDate): WorkflowStart<InvoicingInput> {
  const input: InvoicingInput = { billingDay };
  const typedSearchAttributes = [
    { key: billingStageKey, value: 'invoicing' },
    { key: needsAttentionKey, value: false },
  ];
  return {
    ...once,
    workflowId: invoicingWorkflowId(billingDay),
    args: [input],
    typedSearchAttributes,
    staticSummary: `Invoices of ${billingDay}`,
    staticDetails: 'Works off the invoicing requests of this day in chunks, one database transaction a customer.',
  };
}

/** @param period shown to operators where the re-rating is about one customer and period */
export function reRatingStart(
  { reRatingId, workflowId }: { readonly reRatingId: string; readonly workflowId: string },
  about: { readonly customerId: string; readonly period: LocalDate } | null,
  reason: string,
): WorkflowStart<ReRatingInput> {
  return {
    ...once,
    workflowId,
    args: [{ reRatingId }],
    typedSearchAttributes: [
      ...(about === null
        ? []
        : [
            { key: customerIdKey, value: about.customerId },
            { key: billingPeriodKey, value: about.period },
          ]),
      { key: billingStageKey, value: 'comparing' },
      { key: needsAttentionKey, value: false },
    ],
    staticSummary:
      about === null
        ? `Re-rating: ${reason}`
        : `Re-rating of ${shortened(about.customerId)}, ${about.period}: ${reason}`,
    staticDetails:
      'Aggregates what has changed, rates the period again, compares with everything invoiced so far, and issues the ' +
      'difference as a correction. Scope, differences and decision: `GET /re-ratings/' +
      reRatingId +
      '`.',
  };
}

export function reconciliationStart(runId: string): WorkflowStart<ReconciliationInput> {
  return {
    ...once,
    workflowId: reconciliationWorkflowId(runId),
    args: [{ runId }],
    typedSearchAttributes: [{ key: needsAttentionKey, value: false }],
    staticSummary: 'Reconciliation on demand',
    staticDetails: 'Holds events, aggregates, charges, lines and journal against each other, period by period.',
  };
}

export function priceEvaluationStart(evaluationId: string): WorkflowStart<PriceEvaluationInput> {
  return {
    ...once,
    workflowId: evaluationWorkflowId(evaluationId),
    args: [{ evaluationId }],
    typedSearchAttributes: [],
    staticSummary: 'What if: real usage under another price book version',
    staticDetails:
      'Rates the usage of past periods under a price book version and compares; nothing of it becomes a charge. Results: ' +
      `\`GET /price-book-evaluations/${evaluationId}\`.`,
  };
}

export function periodCloseStart({ closeId, billingDay }: PeriodCloseInput): WorkflowStart<PeriodCloseInput> {
  return {
    ...once,
    workflowId: periodCloseWorkflowId(closeId),
    args: [{ closeId, billingDay }],
    typedSearchAttributes: [],
    staticSummary: `Close many billing periods, invoices of ${billingDay}`,
    staticDetails:
      'Plans which periods are ready, hands them over to invoicing in chunks and follows until each is decided. Progress and ' +
      `what was not ready: \`GET /period-closes/${closeId}\`.`,
  };
}

export function usageRelayStart(input: UsageRelayInput): WorkflowStart<UsageRelayInput> {
  return {
    ...once,
    workflowId: usageRelayWorkflowId(input.group),
    args: [input],
    typedSearchAttributes: [],
    staticSummary: `Relay of the usage ledger, partitions: ${input.group}`,
    staticDetails: 'One long activity that tails the ledger and signals billing periods. It must always be running.',
  };
}

/** A summary has at most 400 bytes. */
function shortened(customerId: string): string {
  const characters = [...customerId];
  return characters.length <= 64 ? customerId : `${characters.slice(0, 64).join('')}…`;
}
