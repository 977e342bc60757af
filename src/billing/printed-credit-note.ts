import { invariant } from '../domain/failure.js';
import type { Invoice } from '../domain/invoicing/invoice.js';
import { printedNote } from '../domain/settlement/printed-note.js';
import type { Storage, StoredCreditNote } from '../storage/types.js';
import { documentsOfPeriod } from './documents-of-period.js';

/** A stored credit note as a document (`printedNote`), and the invoice that it credits. */
export async function printedCreditNote(
  storage: Pick<Storage, 'billing'>,
  note: StoredCreditNote,
): Promise<{ readonly document: Invoice; readonly original: Invoice }> {
  const original = await storage.billing.findInvoice(note.invoiceId);
  invariant(original !== null, `${note.number} credits an invoice`);
  const documents = await documentsOfPeriod(storage, original);
  const corrections = documents.filter(({ correctsInvoiceId }) => correctsInvoiceId === original.invoiceId);
  return { document: printedNote(note, [original, ...corrections], note.void !== null), original };
}
