/** Invoices as files: PDF and e-invoice. */
import { z } from 'zod';
import { answers, identifier } from '../schemas/common.js';
import { eInvoiceFormats, eInvoiceOf, pdfOf } from '../services/invoice-documents.js';
import type { Api } from '../types.js';
import type { RouteContext } from './context.js';
import { eInvoiceAnswers, pdfAnswers, sendEInvoice, sendPdf } from './files.js';
import { requireIssued } from '../services/invoices.js';

const tags = ['invoices'];
const params = z.object({ id: identifier.meta({ description: 'Invoice id or number.' }) });

export async function invoiceDocumentRoutes(app: Api, { storage, config }: RouteContext): Promise<void> {
  const fonts = config.pdfFonts ?? [];
  app.get(
    '/invoices/:id/pdf',
    {
      schema: {
        tags,
        operationId: 'getInvoicePdf',
        summary: 'The invoice as PDF',
        description: 'The SHA-256 of the first answer is stored (`renderings`); other bytes are never given out.',
        params,
        response: answers({
          success: pdfAnswers,
          refusals: ['INVOICE_NOT_FOUND', 'INVOICE_NOT_ISSUED', 'RENDERING_DIFFERS', 'TEXT_NOT_PRINTABLE'],
        }),
      },
    },
    async (request, reply) => {
      const found = await requireIssued(storage, request.params.id);
      return sendPdf(request, reply, { name: found.number, file: await pdfOf(storage, found, fonts) });
    },
  );
  app.get(
    '/invoices/:id/e-invoice',
    {
      schema: {
        tags,
        operationId: 'getEInvoice',
        summary: 'The invoice as a structured e-invoice (EN 16931)',
        description:
          'UBL 2.1 (a CreditNote for a credit note), UN/CEFACT CII, or Factur-X: the PDF as PDF/A-3 with the CII in it. Types 380, 384 and 381; checked against the library’s schema and BR-CO-10 to 17 before it is sent.',
        params,
        querystring: z.strictObject({ format: z.enum(eInvoiceFormats).default('ubl') }),
        response: answers({
          success: eInvoiceAnswers,
          refusals: [
            'INVOICE_NOT_FOUND',
            'INVOICE_NOT_ISSUED',
            'E_INVOICE_NOT_POSSIBLE',
            'RENDERING_DIFFERS',
            'TEXT_NOT_PRINTABLE',
          ],
        }),
      },
    },
    async (request, reply) => {
      const found = await requireIssued(storage, request.params.id);
      const { format } = request.query;
      const { bytes } = await eInvoiceOf(storage, found, { format, fonts });
      return sendEInvoice(reply, { name: found.number, format, bytes });
    },
  );
}
