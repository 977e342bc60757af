/** Invoices as files: PDF and e-invoice. */
import { z } from 'zod';
import { answers, identifier } from '../schemas/common.js';
import { eInvoiceFormats, eInvoiceOf, pdfOf } from '../services/invoice-documents.js';
import type { Api } from '../types.js';
import type { RouteContext } from './context.js';
import { requireInvoice } from '../services/invoices.js';

const tags = ['invoices'];
const params = z.object({ id: identifier.meta({ description: 'Invoice id or number.' }) });
const mediaTypes = { ubl: 'application/xml', cii: 'application/xml', 'factur-x': 'application/pdf' } as const;
const endings = { ubl: '.ubl.xml', cii: '.cii.xml', 'factur-x': '.pdf' } as const;
const file = z.any().meta({ type: 'string', format: 'binary' });

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
          success: {
            200: {
              description: 'The document; the same bytes every time.',
              schema: file,
              mediaType: 'application/pdf',
            },
            304: { description: 'Not modified.', schema: z.undefined() },
          },
          refusals: ['INVOICE_NOT_FOUND', 'RENDERING_DIFFERS', 'TEXT_NOT_PRINTABLE'],
        }),
      },
    },
    async (request, reply) => {
      const found = await requireInvoice(storage, request.params.id);
      const { bytes, sha256 } = await pdfOf(storage, found, fonts);
      const etag = `"${Buffer.from(sha256, 'hex').toString('base64url')}"`;
      reply.header('etag', etag).header('cache-control', 'private, no-cache');
      if (request.headers['if-none-match'] === etag) return reply.code(304).send();
      return reply
        .type('application/pdf')
        .header('content-disposition', `inline; filename="${found.number}.pdf"`)
        .send(bytes);
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
          success: {
            200: {
              description: 'application/xml; for `factur-x` application/pdf. The same bytes every time.',
              schema: file,
              mediaType: 'application/xml',
            },
          },
          refusals: ['INVOICE_NOT_FOUND', 'E_INVOICE_NOT_POSSIBLE', 'RENDERING_DIFFERS', 'TEXT_NOT_PRINTABLE'],
        }),
      },
    },
    async (request, reply) => {
      const found = await requireInvoice(storage, request.params.id);
      const { format } = request.query;
      const { bytes } = await eInvoiceOf(storage, found, { format, fonts });
      return reply
        .type(mediaTypes[format])
        .header('content-disposition', `attachment; filename="${found.number}${endings[format]}"`)
        .send(bytes);
    },
  );
}
