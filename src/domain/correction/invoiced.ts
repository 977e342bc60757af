import { addDecimals } from '../decimal.js';
import type { Invoice, InvoiceLineItem } from '../invoicing/invoice.js';
import type { DecimalString } from '../values.js';
import type { InvoicedLine } from './compare.js';

/** A line of the chain with the line item that a correction of it names: the first one that billed it. */
export interface ChainLine extends InvoicedLine {
  readonly firstLineItemId: string;
}

/**
 * What the documents of a chain have invoiced by line, all together (RULES 26). The caller leaves out voided documents: they
 * count 0 (RULES 28).
 * @param documents in the order of the chain
 */
export function invoicedLines(documents: readonly Pick<Invoice, 'lines'>[]): readonly ChainLine[] {
  const byKey = new Map<string, { first: InvoiceLineItem; amounts: DecimalString[] }>();
  for (const line of documents.flatMap(({ lines }) => lines)) {
    const known = byKey.get(line.lineKey);
    if (known === undefined) byKey.set(line.lineKey, { first: line, amounts: [line.amount] });
    else known.amounts.push(line.amount);
  }
  return [...byKey.values()].map(({ first, amounts }) => ({
    lineKey: first.lineKey,
    meter: first.meter,
    group: first.group,
    ...(first.meter === null && {
      name: first.description,
      service: { from: first.serviceFrom, to: first.serviceTo },
    }),
    amount: addDecimals(amounts),
    firstLineItemId: first.lineItemId,
  }));
}
