import type { Invoice, InvoiceLineItem } from '../invoicing/invoice.js';

/** What a line sells, as revenue is told apart: its charge code; of older documents its meter, or the fee's or minimum's name. */
export function productOf({
  item,
  meter,
  description,
}: Pick<InvoiceLineItem, 'item' | 'meter' | 'description'>): string {
  // The description of an older line without a meter is its name.
  return item?.chargeCode ?? meter ?? description;
}

/** A fee in advance (RULES 18): its service begins when the period of its document is over. */
export function isBilledInAdvance(
  line: Pick<InvoiceLineItem, 'serviceFrom'>,
  document: Pick<Invoice, 'periodEnd'>,
): boolean {
  return line.serviceFrom >= document.periodEnd;
}
