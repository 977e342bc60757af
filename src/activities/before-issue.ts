/** What keeps an invoice from being issued though it can be: double billing, safety bounds, approval, grace (RULES 52, 53). */
import { contentHash, draftDocument } from '../billing/draft-document.js';
import { invoicingStart } from '../contracts/start-options.js';
import { invoicingWorkflowId, workflowTypes } from '../contracts/names.js';
import { stepBeforeIssue } from '../domain/invoicing/before-issue.js';
import type { UnnumberedInvoice } from '../domain/invoicing/document.js';
import type { InvoiceFacts } from '../domain/invoicing/build-invoice.js';
import { noBounds, trippedBounds } from '../domain/invoicing/safety-bounds.js';
import type { TrippedBound } from '../domain/invoicing/safety-bounds.js';
import { parseDuration } from '../domain/time/duration.js';
import { addMs, instantToMs, utcDay } from '../domain/time/instant.js';
import type { Instant } from '../domain/values.js';
import type { BillingPeriod, Customer, DoubleBilling, GateTransaction, NewFinding } from '../storage/types.js';
import type { ActivityDependencies } from './dependencies.js';

const actor = 'invoicing';

export interface ToBeIssued {
  readonly period: BillingPeriod;
  readonly customer: Customer;
  /** What the document is made of, but for its charges. */
  readonly facts: Omit<InvoiceFacts, 'chargeIds'>;
}

/** What became of it instead; null: it may be issued. `dueAt`: when it is issued by itself. */
export type Kept = { readonly dueAt: Instant | null } | null;

/** Keeps the next document as a draft, or holds it with findings; null: nothing keeps it from being issued. */
export async function keepBeforeIssue(
  gate: GateTransaction,
  { settings, now }: Pick<ActivityDependencies, 'settings' | 'now'>,
  { period, customer, facts }: ToBeIssued,
): Promise<Kept> {
  const at = now();
  const document = draftDocument(facts);
  const { invoiceId } = document;
  const draft = await gate.draft();
  const readyAt = draft?.readyAt ?? at;
  const hash = contentHash(document);
  const keep = (status: 'draft' | 'held', reason: string, dueAt: Instant | null): Promise<void> =>
    gate.keepDraft({ invoiceId, readyAt }, { status, contentHash: hash, dueAt, actor, reason });

  const doubles = await gate.doubleBilling();
  if (doubles.length > 0) {
    for (const double of doubles) await gate.storeFinding(doubleFinding(period, double));
    await keep('held', doubles.map(doubleText).join(' '), null);
    return { dueAt: null };
  }
  const tripped = await trippedOf(gate, document, settings.bounds ?? noBounds);
  const graceMs = parseDuration(customer.gracePeriod ?? 'PT0S');
  const step = stepBeforeIssue({
    contentHash: hash,
    tripped,
    decisions: draft?.decisions ?? [],
    approval: customer.invoiceApproval ?? 'none',
    graceUntil: graceMs === 0 ? null : addMs(readyAt, graceMs),
    now: at,
  });
  if (step.step === 'issue') return null;
  if (step.step === 'draft') {
    await keep('draft', step.reason, step.dueAt);
    return { dueAt: step.dueAt };
  }
  for (const bound of tripped) await gate.storeFinding(boundFinding(period, bound, { invoiceId, hash }));
  await keep('held', step.reason, null);
  return { dueAt: null };
}

async function trippedOf(
  gate: GateTransaction,
  document: UnnumberedInvoice,
  bounds: NonNullable<ActivityDependencies['settings']['bounds']>,
): Promise<readonly TrippedBound[]> {
  const trailing = bounds.trailing === 0 ? [] : await gate.trailingSubtotals(document.currency, bounds.trailing);
  return trippedBounds(document, { bounds, trailing });
}

/** Found again under another content it is a finding of its own. */
function boundFinding(
  { customerId, period }: BillingPeriod,
  { bound, detail }: TrippedBound,
  { invoiceId, hash }: { readonly invoiceId: string; readonly hash: string },
): NewFinding {
  return {
    code: 'INVOICE_HELD',
    customerId,
    period,
    subject: { customer_id: customerId, period, invoice_id: invoiceId, bound, content_hash: hash },
    detail: `The invoice is held. ${detail} Release or reject it: POST /invoices/${invoiceId}/release, …/reject.`,
  };
}

const doubleText = ({ lineKey, kind, rows }: DoubleBilling): string => {
  const where = rows.map(({ lineItemId, number }) => `${lineItemId} of ${number}`).join(' and ');
  return kind === 'invoice'
    ? `The line ${lineKey} is billed twice for one service: ${where}.`
    : `The line ${lineKey} is corrected twice from the same amount: ${where}.`;
};

export function doubleFinding({ customerId, period }: BillingPeriod, double: DoubleBilling): NewFinding {
  const { lineKey, kind, rows } = double;
  return {
    code: 'DOUBLE_BILLING',
    customerId,
    period,
    subject: {
      customer_id: customerId,
      line_key: lineKey,
      kind,
      line_item_ids: rows.map(({ lineItemId }) => lineItemId),
    },
    detail: `${doubleText(double)} Nothing is invoiced or corrected for the customer until one of them is void or taken back.`,
    class: 'duplicate',
  };
}

const minuteMs = 60_000;

/**
 * Wakes invoicing when a grace has passed: one run a minute for all that are due then, which finds them as requests. Best
 * effort, because the draft is stored: the daily sweep finds what was not woken.
 */
export async function wakeWhenDue(
  { client, now }: Pick<ActivityDependencies, 'client' | 'now'>,
  dueAt: Instant,
): Promise<void> {
  const waitMs = Math.max(instantToMs(dueAt) - instantToMs(now()), 0);
  const wake = addMs(dueAt, minuteMs - (instantToMs(dueAt) % minuteMs));
  const billingDay = utcDay(wake);
  const workflowId = `${invoicingWorkflowId(billingDay)}/grace/${wake.slice(11, 16)}`;
  const start = { ...invoicingStart(billingDay), workflowId, startDelay: waitMs + minuteMs };
  await client.workflow.start(workflowTypes.invoicing, start).catch(() => undefined);
}
