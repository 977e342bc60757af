import { decimal, toDecimalString, zero } from '../decimal.js';
import type { Invoice } from '../invoicing/invoice.js';
import type { DecimalString } from '../values.js';
import type { CreditNote } from './credit-note.js';

/**
 * A credit note as a document is printed: each reversal line with what the line came to before, what is left of it, and the
 * difference.
 */
export function printedNote(note: CreditNote, original: Invoice, isVoid: boolean): Invoice {
  const items = new Map(original.lines.map((line) => [line.lineKey, line]));
  return {
    ...original,
    invoiceId: note.creditNoteId,
    number: note.number,
    type: 'credit_note',
    correctsInvoiceId: original.invoiceId,
    replacesInvoiceId: null,
    status: isVoid ? 'void' : 'issued',
    subtotal: negated(note.subtotal),
    credits: zero,
    creditDraws: [],
    tax: negated(note.tax),
    total: negated(note.total),
    seller: note.seller,
    buyer: note.buyer,
    documentHash: note.documentHash,
    issuedAt: note.issuedAt,
    dueAt: note.issuedAt,
    lines: note.lines.map((line) => {
      const credited = items.get(line.lineKey);
      const why = line.reasonCode.replaceAll('_', ' ');
      return {
        lineItemId: line.lineItemId,
        lineNumber: line.lineNumber,
        lineKey: line.lineKey,
        description: line.description,
        meter: credited?.meter ?? null,
        group: credited?.group ?? {},
        serviceFrom: credited?.serviceFrom ?? original.periodStart,
        serviceTo: credited?.serviceTo ?? original.periodEnd,
        quantity: null,
        amount: negated(line.amount),
        currency: note.currency,
        originalAmount: line.originalAmount,
        correctedAmount: toDecimalString(decimal(line.originalAmount).minus(decimal(line.amount))),
        reason: line.reason === null ? why : `${why}: ${line.reason}`,
        correctsLineItemId: line.lineItemId,
        chargeIds: [],
        calculation: { formula: `Credited ${line.amount}`, event_count: 0, charges: [] },
      };
    }),
  };
}

const negated = (amount: DecimalString): DecimalString => toDecimalString(decimal(amount).negated());
