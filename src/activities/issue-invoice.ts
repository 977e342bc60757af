import { buildInvoice } from '../domain/invoicing/build-invoice.js';
import type { Invoice } from '../domain/invoicing/invoice.js';
import { invoiceEntry } from '../domain/ledger/invoice-entry.js';
import { decimal } from '../domain/decimal.js';
import type { RatedLine, RatingProblem, SegmentUsage } from '../domain/rating/rating.js';
import type { LocalDate } from '../domain/values.js';
import { uuidOf } from '../storage/identifiers.js';
import type {
  BillingPeriod,
  GateTransaction,
  InvoicingOutcome,
  InvoicingRequest,
  NewFinding,
} from '../storage/types.js';
import type { ActivityDependencies } from './dependencies.js';
import { documentHash } from './document-hash.js';
import { periodOf } from './period-facts.js';
import { pinsOf, priceFactsOf, rateWith } from './price-facts.js';
import type { PriceFacts } from './price-facts.js';

export interface Issued {
  readonly outcome: InvoicingOutcome;
  readonly invoiceId: string | null;
  readonly number: string | null;
}

/**
 * The gate: takes one cutoff, brings every window to it, rates the period, and issues its invoice with charges, number,
 * journal entry and outcome in one transaction. What cannot be billed as it stands is held with findings.
 */
export async function issueInvoice(dependencies: ActivityDependencies, request: InvoicingRequest): Promise<Issued> {
  const { storage } = dependencies;
  const period = await periodOf(storage, request);
  const facts = await priceFactsOf(storage, period);
  return storage.billing.atGate(period, async (gate) => {
    const issued = await decide(gate, { dependencies, period, facts });
    await gate.recordOutcome(request.requestId, issued.outcome, issued.invoiceId);
    return issued;
  });
}

interface GateFacts {
  readonly dependencies: ActivityDependencies;
  readonly period: BillingPeriod;
  readonly facts: PriceFacts;
}

async function decide(gate: GateTransaction, { dependencies, period, facts }: GateFacts): Promise<Issued> {
  if (gate.chainTip !== null) {
    const { invoiceId, number } = gate.chainTip;
    return { outcome: 'already_invoiced', invoiceId, number };
  }
  await gate.bringWindowsToCutoff();
  const unreadable = await gate.unreadableValues();
  const usage = await gate.segmentUsage(facts.segments);
  const { lines, problems } = rateWith(facts, period, usage);
  const findings = [
    ...unreadable.map((values) => unreadableFinding(period, values)),
    ...problems.map((problem) => problemFinding(period, problem)),
  ];
  if (findings.length > 0) {
    for (const finding of findings) await gate.storeFinding(finding);
    return { outcome: 'held', invoiceId: null, number: null };
  }
  if (facts.customer.skipEmptyInvoices && isEmpty(usage, lines))
    return { outcome: 'skipped', invoiceId: null, number: null };
  const invoice = await issue(gate, lines, { dependencies, period, facts });
  return { outcome: 'issued', invoiceId: invoice.invoiceId, number: invoice.number };
}

async function issue(
  gate: GateTransaction,
  lines: readonly RatedLine[],
  { dependencies, period, facts }: GateFacts,
): Promise<Invoice> {
  const { seller, paymentTermsDays } = dependencies.settings;
  const { customer } = facts;
  const chainPlace = 1;
  const invoiceId = uuidOf('invoice', period.customerId, period.period, chainPlace);
  const chargeIds = await gate.storeCharges(lines.flatMap(({ charges }) => charges));
  const document = buildInvoice({
    invoiceId,
    chainPlace,
    customerId: period.customerId,
    currency: customer.currency,
    period,
    seller,
    buyer: { name: customer.name, ...customer.buyer },
    paymentTermsDays,
    issuedAt: dependencies.now(),
    cutoffPosition: gate.cutoff,
    pinnedVersions: pinsOf(facts),
    lines,
    lineItemId: (lineKey) => uuidOf('invoice-line', invoiceId, lineKey),
    chargeIds,
  });
  // The number is drawn last: from here to the commit every other invoice waits for it.
  const number = `INV-${String(await gate.drawNumber('invoice')).padStart(6, '0')}`;
  const invoice: Invoice = { ...document, number, documentHash: documentHash(document) };
  await gate.insertInvoice(invoice, 'invoicing');
  const entry = invoiceEntry(invoice, invoice.issuedAt.slice(0, 10) as LocalDate);
  if (entry !== null) await gate.postEntry(entry);
  return invoice;
}

/** Without usage and without a fee that is due all the same (RULES 25). */
function isEmpty(usage: readonly SegmentUsage[], lines: readonly RatedLine[]): boolean {
  return usage.every(({ eventCount }) => eventCount === 0) && lines.every(({ amount }) => decimal(amount).isZero());
}

function problemFinding(
  { customerId, period }: BillingPeriod,
  { code, meter, group, detail }: RatingProblem,
): NewFinding {
  return { code, customerId, period, subject: { customer_id: customerId, period, meter, group }, detail };
}

function unreadableFinding(
  { customerId, period }: BillingPeriod,
  { meter, count, example }: { readonly meter: string; readonly count: number; readonly example: string },
): NewFinding {
  return {
    code: 'UNREADABLE_VALUE',
    customerId,
    period,
    subject: { customer_id: customerId, period, meter },
    detail: `${count} event(s) of the period have no decimal where the meter "${meter}" reads its value, for example ${example}.`,
  };
}
