/** Billing periods, invoices, charges. */
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { renderInvoicePdf } from '../../documents/invoice-pdf.js';
import { DomainFailure } from '../../domain/failure.js';
import { invoiceToWire } from '../../domain/invoicing/invoice-to-wire.js';
import type { Invoice } from '../../domain/invoicing/invoice.js';
import { parsePeriodName } from '../../domain/time/local-date.js';
import { answers, eventPaging, idempotencyHeaders, identifier, pageOf, paging, periodName } from '../schemas/common.js';
import { billingPeriod, charge, closeBody, invoice } from '../schemas/billing.js';
import { eventPage } from '../schemas/events.js';
import { explainCharge } from '../services/charge-explanation.js';
import { requireCustomer } from '../services/customers.js';
import type { Api } from '../types.js';
import { toApiBillingPeriod, toApiEvent, toApiPage } from '../wire/to-api.js';
import type { RouteContext } from './context.js';
import { sendExact } from './events.js';
import { pageRequest } from './paging.js';

export async function billingPeriodRoutes(app: Api, { storage, periods }: RouteContext): Promise<void> {
  const tags = ['billing periods'];
  const params = z.object({ customer_id: identifier, period: periodName });
  app.get(
    '/billing-periods',
    {
      schema: {
        tags,
        operationId: 'listBillingPeriods',
        summary: 'The billing periods of a customer',
        querystring: z.strictObject({ customer_id: identifier, ...paging }),
        response: answers({
          success: { 200: { description: 'Billing periods.', schema: pageOf(billingPeriod) } },
          refusals: ['UNKNOWN_CUSTOMER', 'INVALID_CURSOR'],
        }),
      },
    },
    async (request) => {
      const { customer_id: customerId } = request.query;
      await requireCustomer(storage, customerId);
      return toApiPage(await storage.periods.listPeriods(customerId, pageRequest(request.query)), toApiBillingPeriod);
    },
  );
  app.get(
    '/billing-periods/:customer_id/:period',
    {
      schema: {
        tags,
        operationId: 'getBillingPeriod',
        summary: 'Where the period is',
        params,
        response: answers({
          success: { 200: { description: 'The billing period.', schema: billingPeriod } },
          refusals: ['UNKNOWN_CUSTOMER', 'INVALID_PERIOD', 'UNKNOWN_PERIOD'],
        }),
      },
    },
    async (request) => toApiBillingPeriod(await periods.status(request.params.customer_id, request.params.period)),
  );
  app.post(
    '/billing-periods/:customer_id/:period/close',
    {
      config: { idempotent: true },
      schema: {
        tags,
        operationId: 'closeBillingPeriod',
        summary: 'Close the period now instead of at its time',
        description:
          'Includes every event answered 202 before. Waits some seconds for the invoice; `stage` says how far it came.',
        headers: idempotencyHeaders,
        params,
        body: closeBody,
        response: answers({
          success: { 202: { description: 'Asked for.', schema: billingPeriod } },
          refusals: [
            'UNKNOWN_CUSTOMER',
            'INVALID_PERIOD',
            'UNKNOWN_PERIOD',
            'PERIOD_NOT_ENDED',
            'PERIOD_ALREADY_INVOICED',
            'TEMPORAL_UNAVAILABLE',
          ],
          body: true,
          idempotent: true,
        }),
      },
    },
    async (request, reply) => {
      const { customer_id: customerId, period } = request.params;
      const { force = false, reason = null } = request.body ?? {};
      return reply.code(202).send(toApiBillingPeriod(await periods.close(customerId, period, { force, reason })));
    },
  );
}

export async function invoiceRoutes(app: Api, { storage }: RouteContext): Promise<void> {
  const tags = ['invoices'];
  const params = z.object({ id: identifier.meta({ description: 'Invoice id or number.' }) });
  const find = async (id: string): Promise<Invoice> => {
    const found = await storage.billing.findInvoice(id);
    if (found !== null) return found;
    throw new DomainFailure('INVOICE_NOT_FOUND', `There is no invoice with the id or number "${id}".`);
  };
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
          success: { 200: { description: 'Invoices.', schema: pageOf(invoice) } },
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
      return toApiPage(await storage.billing.listInvoices(filter, pageRequest(request.query)), invoiceToWire);
    },
  );
  app.get(
    '/invoices/:id',
    {
      schema: {
        tags,
        operationId: 'getInvoice',
        summary: 'An invoice, by id or number',
        params,
        response: answers({
          success: { 200: { description: 'The invoice.', schema: invoice } },
          refusals: ['INVOICE_NOT_FOUND'],
        }),
      },
    },
    async (request) => invoiceToWire(await find(request.params.id)),
  );
  app.get(
    '/invoices/:id/pdf',
    {
      schema: {
        tags,
        operationId: 'getInvoicePdf',
        summary: 'The invoice as PDF',
        params,
        response: answers({
          success: {
            200: {
              description: 'The document; the same bytes every time.',
              schema: z.any().meta({ type: 'string', format: 'binary' }),
              mediaType: 'application/pdf',
            },
            304: { description: 'Not modified.', schema: z.undefined() },
          },
          refusals: ['INVOICE_NOT_FOUND'],
        }),
      },
    },
    async (request, reply) => {
      const found = await find(request.params.id);
      const pdf = await renderInvoicePdf(found);
      const etag = `"${createHash('sha256').update(pdf).digest('base64url')}"`;
      reply.header('etag', etag).header('cache-control', 'private, no-cache');
      if (request.headers['if-none-match'] === etag) return reply.code(304).send();
      return reply
        .type('application/pdf')
        .header('content-disposition', `inline; filename="${found.number}.pdf"`)
        .send(pdf);
    },
  );
}

export async function chargeRoutes(app: Api, { storage }: RouteContext): Promise<void> {
  const tags = ['charges'];
  const params = z.object({ id: z.string().max(64) });
  app.get(
    '/charges/:id',
    {
      schema: {
        tags,
        operationId: 'getCharge',
        summary: 'The explanation of a charge',
        params,
        response: answers({
          success: { 200: { description: 'The charge.', schema: charge } },
          refusals: ['CHARGE_NOT_FOUND'],
        }),
      },
    },
    async (request) => explainCharge(storage, request.params.id),
  );
  app.get(
    '/charges/:id/events',
    {
      schema: {
        tags,
        operationId: 'listChargeEvents',
        summary: 'The source events of a charge',
        params,
        querystring: z.strictObject(eventPaging),
        response: answers({
          success: { 200: { description: 'In order of event time, then source and event id.', schema: eventPage } },
          refusals: ['CHARGE_NOT_FOUND', 'INVALID_CURSOR'],
        }),
      },
    },
    async (request, reply) => {
      const { id } = request.params;
      if ((await storage.billing.findCharge(id)) === null)
        throw new DomainFailure('CHARGE_NOT_FOUND', `There is no charge "${id}".`);
      return sendExact(
        reply,
        toApiPage(await storage.billing.chargeEvents(id, pageRequest(request.query)), toApiEvent),
      );
    },
  );
}
