/** Credit notes by hand as files: PDF and e-invoice. */
import { z } from 'zod';
import { answers, identifier } from '../schemas/common.js';
import { creditNoteEInvoice, creditNotePdf } from '../services/credit-note-documents.js';
import { eInvoiceFormats } from '../services/invoice-documents.js';
import { requireCreditNote } from '../services/settlement.js';
import type { Api } from '../types.js';
import type { RouteContext } from './context.js';
import { eInvoiceAnswers, pdfAnswers, sendEInvoice, sendPdf } from './files.js';

const tags = ['credit notes'];
const params = z.object({ id: identifier.meta({ description: 'Id or number.' }) });

export async function creditNoteDocumentRoutes(app: Api, { storage, config }: RouteContext): Promise<void> {
  const fonts = config.pdfFonts ?? [];
  app.get(
    '/credit-notes/:id/pdf',
    {
      schema: {
        tags,
        operationId: 'getCreditNotePdf',
        summary: 'The credit note as PDF',
        params,
        response: answers({
          success: pdfAnswers,
          refusals: ['CREDIT_NOTE_NOT_FOUND', 'TEXT_NOT_PRINTABLE'],
        }),
      },
    },
    async (request, reply) => {
      const note = await requireCreditNote(storage, request.params.id);
      return sendPdf(request, reply, { name: note.number, file: await creditNotePdf(storage, note, fonts) });
    },
  );
  app.get(
    '/credit-notes/:id/e-invoice',
    {
      schema: {
        tags,
        operationId: 'getCreditNoteEInvoice',
        summary: 'The credit note as a structured e-invoice (EN 16931)',
        description: 'Type 381, which refers to the invoice that it credits; otherwise as that of an invoice.',
        params,
        querystring: z.strictObject({ format: z.enum(eInvoiceFormats).default('ubl') }),
        response: answers({
          success: eInvoiceAnswers,
          refusals: ['CREDIT_NOTE_NOT_FOUND', 'E_INVOICE_NOT_POSSIBLE', 'TEXT_NOT_PRINTABLE'],
        }),
      },
    },
    async (request, reply) => {
      const note = await requireCreditNote(storage, request.params.id);
      const { format } = request.query;
      const { bytes } = await creditNoteEInvoice(storage, note, { format, fonts });
      return sendEInvoice(reply, { name: note.number, format, bytes });
    },
  );
}
