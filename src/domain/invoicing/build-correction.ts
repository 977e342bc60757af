import type { Correction, CorrectionLine } from '../correction/compare.js';
import { zero } from '../decimal.js';
import { invariant } from '../failure.js';
import { addMs } from '../time/instant.js';
import type { Instant, Interval, LocalDate, Position } from '../values.js';
import { describeLine, msPerDay, paymentTermsText } from './build-invoice.js';
import type { UnnumberedInvoice } from './build-invoice.js';
import type { InvoiceLineItem, Party, PinnedVersions } from './invoice.js';

/** Everything a correction is made of; ids are passed in, because the domain has no hashing. */
export interface CorrectionFacts {
  readonly invoiceId: string;
  readonly chainPlace: number;
  /** The original invoice of the chain (RULES 27). */
  readonly correctsInvoiceId: string;
  readonly customerId: string;
  readonly currency: string;
  readonly period: Interval & { readonly period: LocalDate; readonly timeZone: string };
  readonly seller: Party;
  readonly buyer: Party;
  readonly paymentTermsDays: number;
  readonly issuedAt: Instant;
  readonly cutoffPosition: Position;
  readonly pinnedVersions: PinnedVersions;
  readonly correction: Correction;
  /** Stands on every line. */
  readonly reason: string;
  readonly lineItemId: (lineKey: string) => string;
  /** The line item that first billed the line; null: no document of the chain has it. */
  readonly correctsLineItemId: (lineKey: string) => string | null;
  /** The charges that the line now stands on, or those that took its usage away. */
  readonly chargeIds: (line: CorrectionLine) => readonly string[];
}

/**
 * Makes the correction of a chain (RULES 26, 27): the changed lines only, each with what was invoiced, what is right and
 * the difference, which is its amount; the total is the sum of the differences. A negative total is a credit note.
 */
export function buildCorrection(facts: CorrectionFacts): UnnumberedInvoice {
  const { correction, period } = facts;
  invariant(facts.chainPlace > 1, 'a correction follows the document it corrects');
  return {
    invoiceId: facts.invoiceId,
    type: correction.type,
    customerId: facts.customerId,
    period: period.period,
    periodStart: period.from,
    periodEnd: period.to,
    timeZone: period.timeZone,
    chainPlace: facts.chainPlace,
    correctsInvoiceId: facts.correctsInvoiceId,
    replacesInvoiceId: null,
    currency: facts.currency,
    status: 'issued',
    subtotal: correction.total,
    credits: zero,
    tax: zero,
    total: correction.total,
    seller: facts.seller,
    buyer: facts.buyer,
    paymentTerms: paymentTermsText(facts.paymentTermsDays),
    cutoffPosition: facts.cutoffPosition,
    pinnedVersions: facts.pinnedVersions,
    issuedAt: facts.issuedAt,
    dueAt: addMs(facts.issuedAt, facts.paymentTermsDays * msPerDay),
    lines: correction.lines.map((line, index) => lineItem(facts, line, index + 1)),
  };
}

function lineItem(facts: CorrectionFacts, line: CorrectionLine, lineNumber: number): InvoiceLineItem {
  const { rated } = line;
  return {
    lineItemId: facts.lineItemId(line.lineKey),
    lineNumber,
    lineKey: line.lineKey,
    description: line.meter === null ? line.lineKey : describeLine(line.meter, line.group),
    meter: line.meter,
    group: line.group,
    serviceFrom: facts.period.from,
    serviceTo: facts.period.to,
    quantity: line.quantity,
    amount: line.amount,
    currency: facts.currency,
    originalAmount: line.originalAmount,
    correctedAmount: line.correctedAmount,
    reason: facts.reason,
    correctsLineItemId: facts.correctsLineItemId(line.lineKey),
    chargeIds: facts.chargeIds(line),
    // Nothing is left of a line without a rating: zero is its whole formula.
    calculation: {
      formula: rated?.formula ?? zero,
      event_count: rated?.charges.reduce((sum, { eventCount }) => sum + eventCount, 0) ?? 0,
      charges: rated?.charges.map(({ calculation }) => calculation) ?? [],
    },
  };
}
