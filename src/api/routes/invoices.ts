/** Invoices: found, read, printed; voided and verified. */
import { z } from 'zod';
import { verifyInvoice } from '../../billing/verify-invoice.js';
import { voidInvoice } from '../../billing/void-invoice.js';
import { invoiceToWire } from '../../domain/invoicing/invoice-to-wire.js';
import { itemisations } from '../../domain/invoicing/presentation.js';
import { msToInstant } from '../../domain/time/instant.js';
import { parsePeriodName } from '../../domain/time/local-date.js';
import { invoice, invoiceDetail } from '../schemas/billing.js';
import { actingHeaders, answers, identifier, pageOf, paging, periodName } from '../schemas/common.js';
import { voidBody } from '../schemas/corrections.js';
import { verification } from '../schemas/reconciliation.js';
import { orDoneBefore } from '../services/done-before.js';
import { lastVoid, requireInvoice, requireIssued } from '../services/invoices.js';
import { showInvoice } from '../services/settled.js';
import type { Api } from '../types.js';
import { toApiVerification } from '../wire/corrections-to-api.js';
import { toApiPage } from '../wire/to-api.js';
import { askedOf } from './context.js';
import type { RouteContext } from './context.js';
import { pageRequest } from './paging.js';

const tags = ['invoices'];
const invoicePage = pageOf(invoice).extend({
  waiting: z
    .object({ draft: z.int(), held: z.int() })
    .optional()
    .meta({ description: 'How many are not issued yet; without `status` only, which lists them.' }),
});
const params = z.object({ id: identifier.meta({ description: 'Invoice id or number.' }) });

export async function invoiceRoutes(app: Api, { storage, drafts, clock }: RouteContext): Promise<void> {
  app.get(
    '/invoices',
    {
      schema: {
        tags,
        operationId: 'listInvoices',
        summary: 'Find invoices; `type=correction` finds credit notes of corrections too',
        querystring: z.strictObject({
          customer_id: identifier.optional(),
          period: periodName.optional(),
          type: invoice.shape.type.optional(),
          status: invoice.shape.status.optional(),
          ...paging,
        }),
        response: answers({
          success: { 200: { description: 'Invoices.', schema: invoicePage } },
          refusals: ['INVALID_CURSOR', 'INVALID_PERIOD'],
        }),
      },
    },
    async (request) => {
      const { customer_id: customerId, period, type, status } = request.query;
      const filter = {
        ...(customerId !== undefined && { customerId }),
        ...(period !== undefined && { period: parsePeriodName(period) }),
        ...(type !== undefined && { type }),
        ...(status !== undefined && { status }),
      };
      if (status === 'draft' || status === 'held') {
        // Only originals are drafts: corrections wait as re-ratings.
        if (type !== undefined && type !== 'invoice') return { data: [], next_cursor: null };
        const { type: _type, ...ofDraft } = filter;
        const page = await storage.drafts.list({ ...ofDraft, status }, pageRequest(request.query));
        const now = msToInstant(clock());
        const shown: object[] = [];
        // One after the other: each is computed from usage.
        for (const draft of page.data) shown.push(await drafts.show(draft, now));
        return { data: shown, next_cursor: page.nextCursor };
      }
      const page = toApiPage(await storage.billing.listInvoices(filter, pageRequest(request.query)), invoiceToWire);
      return status === undefined ? { ...page, waiting: await storage.drafts.counts(filter) } : page;
    },
  );
  app.get(
    '/invoices/:id',
    {
      schema: {
        tags,
        operationId: 'getInvoice',
        summary: 'An invoice, by id or number; a draft, by id, as it would be issued now',
        params,
        querystring: z.strictObject({
          itemisation: z.enum(itemisations).optional().meta({
            description: 'How far `sections` are itemised; default: as the customer has it.',
          }),
        }),
        response: answers({
          success: { 200: { description: 'The invoice.', schema: invoiceDetail } },
          refusals: ['INVOICE_NOT_FOUND'],
        }),
      },
    },
    async (request) => {
      const asked = { itemisation: request.query.itemisation, now: msToInstant(clock()) };
      return showInvoice({ storage, drafts }, request.params.id, asked);
    },
  );
}

export async function invoiceProofRoutes(app: Api, { storage, clock }: RouteContext): Promise<void> {
  app.post(
    '/invoices/:id/void',
    {
      config: { idempotent: true },
      schema: {
        tags,
        operationId: 'voidInvoice',
        summary: 'Void an invoice and all its corrections together',
        description:
          'Already invoiced is 0 from then on, and a reversing journal entry says so for each. Closing the period again issues the replacement, under a new number. Its credit notes fall with it; what was paid, even in part, is credited instead.',
        headers: actingHeaders,
        params,
        body: voidBody,
        response: answers({
          success: { 200: { description: 'The invoice, void.', schema: invoice } },
          refusals: ['INVOICE_NOT_FOUND', 'INVOICE_NOT_ISSUED', 'INVOICE_VOID', 'INVOICE_TRANSITION_REFUSED'],
          body: true,
          idempotent: true,
        }),
      },
    },
    async (request) => {
      const found = await requireIssued(storage, request.params.id);
      const asked = { ...askedOf(request, clock), reason: request.body.reason };
      await orDoneBefore(() => voidInvoice(storage, found, asked), asked, {
        refusal: 'INVOICE_VOID',
        decided: () => lastVoid(storage, found.invoiceId),
      });
      return invoiceToWire(await requireInvoice(storage, found.invoiceId));
    },
  );
  app.get(
    '/invoices/:id/verify',
    {
      schema: {
        tags,
        operationId: 'verifyInvoice',
        summary: 'Compute an invoice again from raw events, line by line',
        description:
          'At the cutoff and with the versions that the document names; a correction against what was billed before it. A void document is verified too.',
        params,
        response: answers({
          success: { 200: { description: 'What was expected and found.', schema: verification } },
          refusals: ['INVOICE_NOT_FOUND', 'INVOICE_NOT_ISSUED'],
        }),
      },
    },
    async (request) => {
      const found = await requireIssued(storage, request.params.id);
      return toApiVerification(await verifyInvoice(storage, found));
    },
  );
}
