import { buildInvoice } from '../domain/invoicing/build-invoice.js';
import type { InvoiceFacts } from '../domain/invoicing/build-invoice.js';
import type { Invoice } from '../domain/invoicing/invoice.js';
import { decimal } from '../domain/decimal.js';
import type { RatedLine, SegmentUsage } from '../domain/rating/rating.js';
import type { Instant } from '../domain/values.js';
import { noTaxProvider } from '../domain/tax/tax.js';
import { taxableLines, taxOfInvoice } from '../billing/document-tax.js';
import { pinsOf, priceFactsOf, rateWith } from '../billing/price-facts.js';
import type { PriceFacts, UsageSource } from '../billing/price-facts.js';
import type { BillingPeriod, GateTransaction, InvoicingOutcome, Customer, InvoicingRequest } from '../storage/types.js';
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

/**
 * The gate: takes one cutoff, brings every window to it, rates the period, and issues its invoice with charges, number,
 * journal entry and outcome in one transaction. What cannot be billed as it stands is held with findings.
 */
export async function issueInvoice(dependencies: ActivityDependencies, request: InvoicingRequest): Promise<Issued> {
  const { storage } = dependencies;
  const period = await periodOf(storage, request);
  const facts = await priceFactsOf(storage, period);
  let dueAt: Instant | null = null;
  const keptUntil = (at: Instant | null): void => {
    dueAt = at;
  };
  const issued = await storage.billing.atGate(period, async (gate) => {
    const decided = await decide(gate, { dependencies, period, facts, keptUntil });
    await gate.recordOutcome(request.requestId, decided.outcome, decided.invoiceId);
    return decided;
  });
  if (dueAt !== null) await wakeWhenDue(dependencies, dueAt);
  if (issued.invoice !== undefined) await reportIssued(dependencies, issued.invoice);
  // A period may be invoiced after the one that its level is carried into.
  if (facts.meters.some(({ aggregation }) => aggregation === 'weighted_sum')) {
    await startFirstLateAfter(dependencies, period);
  }
  return issued;
}

/** Usage as the gate finds it. */
export function atCutoff(gate: GateTransaction): UsageSource {
  return {
    usage: (segments) => gate.segmentUsage(segments),
    events: (meterIds, visit) => gate.eachEvent(meterIds, visit),
  };
}

interface GateFacts {
  readonly dependencies: ActivityDependencies;
  readonly period: BillingPeriod;
  readonly facts: PriceFacts & { readonly customer: Customer };
  /** Told when the invoice is kept as a draft: until when. */
  readonly keptUntil: (dueAt: Instant | null) => void;
}

async function decide(gate: GateTransaction, { dependencies, period, facts, keptUntil }: GateFacts): Promise<Issued> {
  const [original] = gate.chain.documents;
  if (original !== undefined) {
    const { invoiceId, number } = original;
    return { outcome: 'already_invoiced', invoiceId, number };
  }
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
    keptUntil(kept.dueAt);
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
  const isUsed = ({ eventCount, quantity }: SegmentUsage): boolean => eventCount > 0 || !decimal(quantity).isZero();
  return !usage.some(isUsed) && lines.every(({ amount }) => decimal(amount).isZero());
}
