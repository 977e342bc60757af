import type { Invoice, InvoiceLineItem } from '../invoicing/invoice.js';

/** What a line sells, as revenue is told apart: its meter, or the fee's or minimum's name. */
export function productOf({ meter, description }: Pick<InvoiceLineItem, 'meter' | 'description'>): string {
  // The description of a line without a meter is its name (buildInvoice).
  return meter ?? description;
}

/** A fee in advance (RULES 18): its service begins when the period of its document is over. */
export function isBilledInAdvance(
  line: Pick<InvoiceLineItem, 'serviceFrom'>,
  document: Pick<Invoice, 'periodEnd'>,
): boolean {
  return line.serviceFrom >= document.periodEnd;
}
