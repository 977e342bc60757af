/** Credit notes by hand as files. Their bytes are made of what is stored and never changes, and are not kept. */
import { createHash } from 'node:crypto';
import { printedCreditNote } from '../../billing/printed-credit-note.js';
import { eInvoiceXml } from '../../documents/e-invoice/e-invoice.js';
import type { InvoiceDocumentOptions } from '../../documents/invoice-content.js';
import { renderInvoicePdf } from '../../documents/invoice-pdf.js';
import type { Invoice } from '../../domain/invoicing/invoice.js';
import type { Storage, StoredCreditNote } from '../../storage/types.js';
import type { EInvoiceFormat, RenderedFile } from './invoice-documents.js';

type Documents = Pick<Storage, 'billing'>;

/** @throws DomainFailure TEXT_NOT_PRINTABLE */
export async function creditNotePdf(
  storage: Documents,
  note: StoredCreditNote,
  fonts: readonly string[],
): Promise<RenderedFile> {
  const { document, options } = await shownNote(storage, note);
  return fileOf(await renderInvoicePdf(document, { ...options, extraFonts: fonts }));
}

/**
 * Type 381, which refers to the invoice that it credits.
 * @throws DomainFailure E_INVOICE_NOT_POSSIBLE, TEXT_NOT_PRINTABLE
 */
export async function creditNoteEInvoice(
  storage: Documents,
  note: StoredCreditNote,
  { format, fonts }: { readonly format: EInvoiceFormat; readonly fonts: readonly string[] },
): Promise<RenderedFile> {
  const { document, options } = await shownNote(storage, note);
  const xml = await eInvoiceXml(document, { ...options, syntax: format });
  if (format !== 'factur-x') return fileOf(Buffer.from(xml, 'utf8'));
  return fileOf(await renderInvoicePdf(document, { ...options, extraFonts: fonts, facturX: xml }));
}

const fileOf = (bytes: Buffer): RenderedFile => ({ bytes, sha256: createHash('sha256').update(bytes).digest('hex') });

async function shownNote(
  storage: Documents,
  note: StoredCreditNote,
): Promise<{
  readonly document: Invoice;
  readonly options: InvoiceDocumentOptions & { readonly correctedInvoice: Invoice };
}> {
  const { document, original } = await printedCreditNote(storage, note);
  return { document, options: { correctedInvoice: original, creditNote: note } };
}
