/** Invoices as files: the same bytes every time, or a refusal that says so. */
import { createHash } from 'node:crypto';
import { eInvoiceXml } from '../../documents/e-invoice/e-invoice.js';
import type { InvoiceDocumentOptions } from '../../documents/invoice-content.js';
import { renderInvoicePdf } from '../../documents/invoice-pdf.js';
import { rendererName } from '../../documents/renderer.js';
import { DomainFailure } from '../../domain/failure.js';
import type { Invoice } from '../../domain/invoicing/invoice.js';
import type { Rendering, Storage } from '../../storage/types.js';

type Documents = Pick<Storage, 'billing' | 'credits' | 'documents' | 'findings'>;

export interface RenderedFile {
  readonly bytes: Buffer;
  readonly sha256: string;
}

/** @throws DomainFailure RENDERING_DIFFERS, TEXT_NOT_PRINTABLE */
export async function pdfOf(storage: Documents, invoice: Invoice, fonts: readonly string[]): Promise<RenderedFile> {
  const options = { ...(await referencesOf(storage, invoice)), extraFonts: fonts };
  return kept(storage, invoice, { format: 'pdf', fonts, bytes: await renderInvoicePdf(invoice, options) });
}

/** What a format is sent as. */
export const eInvoiceFormats = ['ubl', 'cii', 'factur-x'] as const;
export type EInvoiceFormat = (typeof eInvoiceFormats)[number];

/**
 * The document after EN 16931: XML, or a PDF with the XML in it, whose bytes are kept as those of the PDF are.
 * @throws DomainFailure E_INVOICE_NOT_POSSIBLE, RENDERING_DIFFERS, TEXT_NOT_PRINTABLE
 */
export async function eInvoiceOf(
  storage: Documents,
  invoice: Invoice,
  { format, fonts }: { readonly format: EInvoiceFormat; readonly fonts: readonly string[] },
): Promise<RenderedFile> {
  const references = await referencesOf(storage, invoice);
  const { correctedInvoice } = references;
  const xml = await eInvoiceXml(invoice, {
    syntax: format,
    ...(correctedInvoice !== undefined && { correctedInvoice }),
  });
  if (format !== 'factur-x') {
    const bytes = Buffer.from(xml, 'utf8');
    return { bytes, sha256: createHash('sha256').update(bytes).digest('hex') };
  }
  const bytes = await renderInvoicePdf(invoice, { ...references, extraFonts: fonts, facturX: xml });
  return kept(storage, invoice, { format, fonts, bytes });
}

/**
 * The first rendering's SHA-256 is stored; whatever renders to other bytes with the same renderer is not given out, because
 * somebody may hold the first one. A document that may still change is not kept.
 */
async function kept(
  storage: Documents,
  invoice: Invoice,
  made: { readonly format: Rendering['format']; readonly fonts: readonly string[]; readonly bytes: Buffer },
): Promise<RenderedFile> {
  const { format, fonts, bytes } = made;
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  if (invoice.status === 'draft' || invoice.status === 'held') return { bytes, sha256 };
  const renderer = rendererName(fonts);
  const rendering = {
    ...{ invoiceId: invoice.invoiceId, format, renderer, sha256 },
    marked: invoice.status === 'void',
    byteLength: bytes.length,
  };
  const first = await storage.documents.keepRendering(rendering);
  if (first.sha256 === sha256) return { bytes, sha256 };
  const detail = `${invoice.number} renders to other bytes (SHA-256 ${sha256}) than when it was first given out (${first.sha256}) by the renderer ${renderer}.`;
  await storage.findings.store({
    code: 'RENDERING_DIFFERS',
    customerId: invoice.customerId,
    period: invoice.period,
    subject: { invoice_id: invoice.invoiceId, format, renderer, expected: first.sha256, found: sha256 },
    detail,
  });
  throw new DomainFailure('RENDERING_DIFFERS', detail);
}

/** What the document shows of others: invoices that it corrects or replaces, and the grants that it draws on. */
async function referencesOf(
  { billing, credits }: Pick<Storage, 'billing' | 'credits'>,
  { correctsInvoiceId, replacesInvoiceId, creditDraws }: Invoice,
): Promise<InvoiceDocumentOptions> {
  const find = (id: string | null): Promise<Invoice | null> =>
    id === null ? Promise.resolve(null) : billing.findInvoice(id);
  const [corrected, replaced, ...grants] = await Promise.all([
    find(correctsInvoiceId),
    find(replacesInvoiceId),
    ...creditDraws.map(({ grantId }) => credits.find(grantId)),
  ]);
  const names = grants.flatMap((grant) => (grant === null ? [] : [[grant.grantId, grant.name] as const]));
  return {
    ...(corrected !== null && { correctedInvoice: corrected }),
    ...(replaced !== null && { replacedInvoice: replaced }),
    creditGrants: new Map(names),
  };
}
