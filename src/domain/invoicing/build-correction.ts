import type { Correction, CorrectionLine } from '../correction/compare.js';
import { zero } from '../decimal.js';
import { invariant } from '../failure.js';
import { descriptionOf } from './build-invoice.js';
import { documentOf } from './document.js';
import type { DocumentFacts, UnnumberedInvoice } from './document.js';
import type { InvoiceLineItem } from './invoice.js';
import { lineItemFacts } from './line-item.js';
import type { LineItemFacts } from './line-item.js';

/** Everything a correction is made of. */
export interface CorrectionFacts extends DocumentFacts {
  /** The original invoice of the chain (RULES 27). */
  readonly correctsInvoiceId: string;
  readonly correction: Correction;
  /** Stands on every line. */
  readonly reason: string;
  /** The line item that first billed the line; null: no document of the chain has it. */
  readonly correctsLineItemId: (lineKey: string) => string | null;
  /** The charges that the line now stands on, or those that took its usage away. */
  readonly chargeIds: (line: CorrectionLine) => readonly string[];
}

/**
 * Makes the correction of a chain (RULES 26, 27): the changed lines only, each with what was invoiced, what is right and
 * the difference, which is its amount; the subtotal is the sum of the differences.
 */
export function buildCorrection(facts: CorrectionFacts): UnnumberedInvoice {
  invariant(facts.chainPlace > 1, 'a correction follows the document it corrects');
  const { correction, correctsInvoiceId } = facts;
  const { total: subtotal } = correction;
  const lines = correction.lines.map((line, index) => lineItem(facts, line, index + 1));
  return documentOf(facts, { correctsInvoiceId, replacesInvoiceId: null, lines, subtotal });
}

function lineItem(facts: CorrectionFacts, line: CorrectionLine, lineNumber: number): InvoiceLineItem {
  const { rated } = line;
  return {
    lineItemId: facts.lineItemId(line.lineKey),
    lineNumber,
    lineKey: line.lineKey,
    description: descriptionOf({ ...line, ...(rated?.item !== undefined && { item: rated.item }) }),
    meter: line.meter,
    group: line.group,
    serviceFrom: (line.service ?? facts.period).from,
    serviceTo: (line.service ?? facts.period).to,
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
    item: itemOf(facts, line),
  };
}

/** Of what is gone the books' name is the one that it was billed under. */
function itemOf({ tags = {}, meters = [], earlier = [] }: CorrectionFacts, line: CorrectionLine): LineItemFacts {
  const { rated, lineKey } = line;
  const source = { ...line, name: line.name ?? lineKey, charges: rated?.charges ?? null, isAdjustment: true };
  const facts = lineItemFacts({ ...source, item: rated?.item ?? {} }, { tags, meters });
  const before = earlier.flatMap(({ lines }) => lines).find((own) => own.lineKey === lineKey)?.item;
  if (rated !== null || before === undefined) return facts;
  return { ...facts, chargeCode: before.chargeCode, unit: before.unit, metadata: before.metadata };
}
