/** Invoices as files: PDF and e-invoice. */
import { z } from 'zod';
import { answers, identifier } from '../schemas/common.js';
import { pdfOf } from '../services/invoice-documents.js';
import type { Api } from '../types.js';
import type { RouteContext } from './context.js';
import { requireInvoice } from './invoices.js';

const tags = ['invoices'];
const params = z.object({ id: identifier.meta({ description: 'Invoice id or number.' }) });
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
}
