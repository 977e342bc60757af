/** How an invoice stands: what is open of it, what has settled it, what can still be credited. */
import { addDecimals } from '../../domain/decimal.js';
import type { Invoice } from '../../domain/invoicing/invoice.js';
import { creditableLines } from '../../domain/settlement/credit-note.js';
import type { CreditedSoFar } from '../../domain/settlement/credit-note.js';
import type { DecimalString } from '../../domain/values.js';
import { documentsOfPeriod } from '../../billing/documents-of-period.js';
import type { InvoiceSettlement, Storage } from '../../storage/types.js';
import { toApiSettlement } from '../wire/settlement-to-api.js';

export async function settlementOf(
  storage: Pick<Storage, 'settlement' | 'billing'>,
  invoice: Invoice,
): Promise<object> {
  const { customerId, invoiceId } = invoice;
  const [settlement, items] = await Promise.all([
    storage.settlement.settlementOf(invoiceId),
    storage.settlement.items(customerId, [invoiceId]),
  ]);
  // A correction is credited through its original.
  const isCreditable = invoice.correctsInvoiceId === null && invoice.status !== 'void';
  const chain = isCreditable
    ? (await documentsOfPeriod(storage, invoice)).filter(
        (document) =>
          document.status !== 'void' && (document.invoiceId === invoiceId || document.correctsInvoiceId === invoiceId),
      )
    : [];
  return toApiSettlement(invoice, { items, settlement, creditable: creditableLines(chain, creditedOf(settlement)) });
}

function creditedOf({ creditNotes }: InvoiceSettlement): CreditedSoFar {
  const standing = creditNotes.filter((note) => note.void === null);
  const byLine = new Map<string, DecimalString>();
  for (const { lineKey, amount } of standing.flatMap(({ lines }) => lines))
    byLine.set(lineKey, addDecimals([byLine.get(lineKey) ?? ('0' as DecimalString), amount]));
  return {
    byLine,
    subtotal: addDecimals(standing.map(({ subtotal }) => subtotal)),
    tax: addDecimals(standing.map(({ tax }) => tax)),
  };
}
