/** Credit notes by hand, and write-offs: what lowers an invoice without changing it. */
import { z } from 'zod';
import { invoiceToWire } from '../../domain/invoicing/invoice-to-wire.js';
import { invoice } from '../schemas/billing.js';
import { actingHeaders, answers, identifier } from '../schemas/common.js';
import { creditNote, creditNoteBody, creditNotePage, ofInvoiceQuery, writeOffBody } from '../schemas/settlement.js';
import { invoiceFilterOf, requireInvoice } from '../services/invoices.js';
import { creditInvoice, giveUp, requireCreditNote } from '../services/settlement.js';
import type { Api } from '../types.js';
import { toApiCreditNote } from '../wire/settlement-to-api.js';
import { toApiPage } from '../wire/to-api.js';
import { askedOf } from './context.js';
import type { RouteContext } from './context.js';
import { pageRequest } from './paging.js';

const params = z.object({ id: identifier.meta({ description: 'Id or number.' }) });

export async function creditNoteRoutes(app: Api, { storage, clock }: RouteContext): Promise<void> {
  app.post(
    '/invoices/:id/credit-notes',
    {
      config: { idempotent: true },
      schema: {
        tags: ['credit notes'],
        operationId: 'issueCreditNote',
        summary: 'Credit lines of an issued invoice',
        description:
          'A document of the series CN, which credit notes of corrections are of, too; the invoice does not change, and re-rating does not see it. Each line at most what it came to with its corrections, less what was credited. What the invoice has over then settles other invoices of the customer, or is refunded.',
        headers: actingHeaders,
        params,
        body: creditNoteBody,
        response: answers({
          success: { 201: { description: 'Issued.', schema: creditNote } },
          refusals: [
            'INVOICE_NOT_FOUND',
            'INVOICE_VOID',
            'NOT_CREDITABLE',
            'CREDITS_WRITE_OFF',
            'INVALID_DECIMAL',
            'NUMBER_TOO_LONG',
          ],
          body: true,
          idempotent: true,
        }),
      },
    },
    async (request, reply) => {
      const asked = askedOf(request, clock);
      const found = await requireInvoice(storage, request.params.id);
      const note = await creditInvoice(storage, found, { ...asked, body: request.body });
      return reply.code(201).send(toApiCreditNote(note));
    },
  );
  app.post(
    '/invoices/:id/write-off',
    {
      config: { idempotent: true },
      schema: {
        tags: ['invoices'],
        operationId: 'writeOffInvoice',
        summary: 'Give up what is open of an invoice',
        headers: actingHeaders,
        params,
        body: writeOffBody,
        response: answers({
          success: { 200: { description: 'The invoice.', schema: invoice } },
          refusals: ['INVOICE_NOT_FOUND', 'INVOICE_VOID', 'NOTHING_OPEN', 'INVALID_DECIMAL', 'NUMBER_TOO_LONG'],
          body: true,
          idempotent: true,
        }),
      },
    },
    async (request) => {
      const asked = askedOf(request, clock);
      const found = await requireInvoice(storage, request.params.id);
      await giveUp(storage, found, { ...asked, ...request.body });
      return invoiceToWire(await requireInvoice(storage, found.invoiceId));
    },
  );
}

export async function creditNoteReadRoutes(app: Api, { storage }: RouteContext): Promise<void> {
  const tags = ['credit notes'];
  app.get(
    '/credit-notes',
    {
      schema: {
        tags,
        operationId: 'listCreditNotes',
        summary: 'Credit notes by hand, the newest first',
        querystring: ofInvoiceQuery,
        response: answers({
          success: { 200: { description: 'Credit notes.', schema: creditNotePage } },
          refusals: ['INVALID_CURSOR', 'INVOICE_NOT_FOUND'],
        }),
      },
    },
    async (request) => {
      const filter = await invoiceFilterOf(storage, request.query);
      return toApiPage(await storage.settlement.listCreditNotes(filter, pageRequest(request.query)), toApiCreditNote);
    },
  );
  app.get(
    '/credit-notes/:id',
    {
      schema: {
        tags,
        operationId: 'getCreditNote',
        summary: 'A credit note, by id or number',
        params,
        response: answers({
          success: { 200: { description: 'The credit note.', schema: creditNote } },
          refusals: ['CREDIT_NOTE_NOT_FOUND'],
        }),
      },
    },
    async (request) => toApiCreditNote(await requireCreditNote(storage, request.params.id)),
  );
}
