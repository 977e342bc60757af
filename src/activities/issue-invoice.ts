import { buildInvoice } from '../domain/invoicing/build-invoice.js';
import type { InvoiceFacts } from '../domain/invoicing/build-invoice.js';
import type { Invoice } from '../domain/invoicing/invoice.js';
import { decimal } from '../domain/decimal.js';
import { invariant } from '../domain/failure.js';
import type { RatedLine, SegmentUsage } from '../domain/rating/rating.js';
import type { Instant } from '../domain/values.js';
import { noTaxProvider } from '../domain/tax/tax.js';
import { taxableLines, taxOfInvoice } from '../billing/document-tax.js';
import { isUsed, pinsOf, priceFactsOf, rateWith } from '../billing/price-facts.js';
import type { CustomerPriceFacts, UsageSource } from '../billing/price-facts.js';
import type { BillingPeriod, GateTransaction, InvoicingOutcome, InvoicingRequest } from '../storage/types.js';
import type { ActivityDependencies } from './dependencies.js';
import { keepBeforeIssue, wakeWhenDue } from './before-issue.js';
import { holdingFindings, taxOrFinding } from './held-findings.js';
import { issueDocument, nextDocument, reportIssued } from './issue-document.js';
import { startFirstLateAfter } from './later-periods.js';
import { periodOf } from './period-facts.js';

export interface Issued {
  readonly outcome: InvoicingOutcome;
  readonly invoiceId: string | null;
  readonly number: string | null;
  /** What was issued now. */
  readonly invoice?: Invoice;
}

/** The gate of one period, as `issueInvoices` passes it. */
export async function issueInvoice(dependencies: ActivityDependencies, request: InvoicingRequest): Promise<Issued> {
  const [issued] = await issueInvoices(dependencies, [request]);
  invariant(issued !== undefined, 'the first of a group is worked on');
  return issued;
}

/**
 * The gate: takes one cutoff, brings every window to it, rates the periods, and issues their invoices with charges, numbers,
 * journal entries and outcomes in one transaction. What cannot be billed as it stands is held with findings. What fails for
 * one fails for all of them, and nothing is written.
 *
 * @param requests of a customer each, ordered by customer
 * @param mayGoOn asked before each but the first; false: the rest are left alone
 * @returns of those that were worked on, by input order
 */
export async function issueInvoices(
  dependencies: ActivityDependencies,
  requests: readonly InvoicingRequest[],
  mayGoOn?: () => boolean,
): Promise<readonly Issued[]> {
  const { storage } = dependencies;
  const asked = await Promise.all(requests.map((request) => toBeInvoiced(dependencies, request)));
  const byCustomer = new Map(asked.map((each) => [each.period.customerId, each]));
  invariant(byCustomer.size === asked.length, 'a group has one period of a customer');
  const issued = await storage.billing.atGates(
    asked.map(({ period }) => period),
    async (gate, { customerId }) => {
      const each = byCustomer.get(customerId);
      invariant(each !== undefined, 'a gate is of a period that was asked for');
      const decided = await decide(gate, each);
      await gate.recordOutcome(each.requestId, decided.outcome, decided.invoiceId);
      return decided;
    },
    mayGoOn,
  );
  for (const [at, each] of asked.slice(0, issued.length).entries()) {
    await afterCommit(dependencies, each, issued[at]?.invoice);
  }
  return issued;
}

async function toBeInvoiced(
  dependencies: ActivityDependencies,
  request: InvoicingRequest,
): Promise<GateFacts & { readonly requestId: string; readonly kept: Kept }> {
  const { storage } = dependencies;
  const period = await periodOf(storage, request);
  const facts = await priceFactsOf(storage, period);
  return { dependencies, period, facts, requestId: request.requestId, kept: { dueAt: null } };
}

async function afterCommit(
  dependencies: ActivityDependencies,
  { period, facts, kept: { dueAt } }: GateFacts,
  invoice: Invoice | undefined,
): Promise<void> {
  if (dueAt !== null) await wakeWhenDue(dependencies, dueAt);
  if (invoice !== undefined) await reportIssued(dependencies, invoice);
  // A period may be invoiced after the one that its level is carried into.
  if (facts.meters.some(({ aggregation }) => aggregation === 'weighted_sum')) {
    await startFirstLateAfter(dependencies, period);
  }
}

/** Usage as the gate finds it. */
export function atCutoff(gate: GateTransaction): UsageSource {
  return {
    usage: (segments, _meterIds, next) => gate.segmentUsage(segments, undefined, next),
    groups: (meters) => gate.meterGroups(meters),
    events: (meterIds, visit) => gate.eachEvent(meterIds, visit),
  };
}

/** Until when the invoice is kept as a draft, once the gate has found that it is. */
interface Kept {
  dueAt: Instant | null;
}

/** To be tried again: prices and meters were read before a version was learned that may be theirs. */
class VersionsMoved extends Error {
  override readonly name = 'VersionsMoved';
  constructor({ customerId, period }: BillingPeriod) {
    super(`a version of a price book or a meter was learned while ${period} of ${customerId} was about to be rated`);
  }
}

interface GateFacts {
  readonly dependencies: ActivityDependencies;
  readonly period: BillingPeriod;
  readonly facts: CustomerPriceFacts;
  readonly kept: Kept;
}

async function decide(gate: GateTransaction, { dependencies, period, facts, kept: until }: GateFacts): Promise<Issued> {
  const [original] = gate.chain.documents;
  if (original !== undefined) {
    const { invoiceId, number } = original;
    return { outcome: 'already_invoiced', invoiceId, number };
  }
  if (!(await gate.holdVersions(facts.known))) throw new VersionsMoved(period);
  await gate.bringWindowsToCutoff();
  const rated = await rateWith(facts, period, atCutoff(gate));
  const unreadable = await gate.unreadableValues();
  const { lines, usage } = rated;
  const findings = holdingFindings(period, { rated, unreadable });
  if (findings.length > 0) {
    for (const finding of findings) await gate.storeFinding(finding);
    return { outcome: 'held', invoiceId: null, number: null };
  }
  if (facts.customer.skipEmptyInvoices && isEmpty(usage, lines))
    return { outcome: 'skipped', invoiceId: null, number: null };
  const { customer } = facts;
  const { currency } = customer;
  const next = await nextDocument(gate, dependencies, { period, customer });
  const tax = await taxOrFinding(period, () =>
    taxOfInvoice(dependencies.tax ?? noTaxProvider, { ...next, period, customer, currency }, taxableLines(lines)),
  );
  if (tax !== null && 'code' in tax) {
    await gate.storeFinding(tax);
    return { outcome: 'held', invoiceId: null, number: null };
  }
  const content = {
    ...next,
    ...(tax !== null && { tax }),
    meters: facts.meters,
    replacesInvoiceId: gate.chain.voided?.invoiceId ?? null,
    currency,
    cutoffPosition: gate.cutoff,
    pinnedVersions: pinsOf(facts),
    lines,
  };
  const kept = await keepBeforeIssue(gate, dependencies, { period, customer, facts: content });
  if (kept !== null) {
    until.dueAt = kept.dueAt;
    return { outcome: 'held', invoiceId: null, number: null };
  }
  const invoice = await issue(gate, content);
  return { outcome: 'issued', invoiceId: invoice.invoiceId, number: invoice.number, invoice };
}

async function issue(gate: GateTransaction, content: Omit<InvoiceFacts, 'chargeIds'>): Promise<Invoice> {
  const chargeIds = await gate.storeCharges(content.lines.flatMap(({ charges }) => charges));
  const document = buildInvoice({ ...content, chargeIds });
  const invoice = await issueDocument(gate, document, 'invoicing');
  const { invoiceId, cutoffPosition: cutoff, pinnedVersions } = invoice;
  await gate.insertRating({ cutoff, pinnedVersions, chargeIds, invoiceId, reRatingId: null });
  return invoice;
}

/** Without usage and without a fee that is due all the same (RULES 25). */
function isEmpty(usage: readonly SegmentUsage[], lines: readonly RatedLine[]): boolean {
  return !usage.some(isUsed) && lines.every(({ amount }) => decimal(amount).isZero());
}
