/** Write-offs: listed, and taken back. POST /invoices/{id}/write-off makes one. */
import { z } from 'zod';
import { actingHeaders, answers, identifier } from '../schemas/common.js';
import { decisionBody, ofInvoiceQuery, writeOff, writeOffPage } from '../schemas/settlement.js';
import { invoiceFilterOf } from '../services/invoices.js';
import { requireWriteOff, takeBackWriteOff } from '../services/settlement.js';
import type { Api } from '../types.js';
import { toApiWriteOff } from '../wire/settlement-to-api.js';
import { toApiPage } from '../wire/to-api.js';
import { askedOf } from './context.js';
import type { RouteContext } from './context.js';
import { pageRequest } from './paging.js';

const tags = ['payments'];
const params = z.object({ id: identifier });

export async function writeOffRoutes(app: Api, { storage, clock }: RouteContext): Promise<void> {
  app.post(
    '/write-offs/:id/reverse',
    {
      config: { idempotent: true },
      schema: {
        tags,
        operationId: 'reverseWriteOff',
        summary: 'Take a write-off back: what it had settled is open again',
        headers: actingHeaders,
        params,
        body: decisionBody,
        response: answers({
          success: { 200: { description: 'The write-off, reversed.', schema: writeOff } },
          refusals: ['WRITE_OFF_NOT_FOUND', 'WRITE_OFF_REVERSED'],
          body: true,
          idempotent: true,
        }),
      },
    },
    async (request) => {
      const asked = askedOf(request, clock);
      const { reason } = request.body;
      return toApiWriteOff(await takeBackWriteOff(storage, request.params.id, { ...asked, reason }));
    },
  );
}

export async function writeOffReadRoutes(app: Api, { storage }: RouteContext): Promise<void> {
  app.get(
    '/write-offs',
    {
      schema: {
        tags,
        operationId: 'listWriteOffs',
        summary: 'Write-offs, the newest first',
        querystring: ofInvoiceQuery,
        response: answers({
          success: { 200: { description: 'Write-offs.', schema: writeOffPage } },
          refusals: ['INVALID_CURSOR', 'INVOICE_NOT_FOUND'],
        }),
      },
    },
    async (request) => {
      const filter = await invoiceFilterOf(storage, request.query);
      return toApiPage(await storage.settlement.listWriteOffs(filter, pageRequest(request.query)), toApiWriteOff);
    },
  );
  app.get(
    '/write-offs/:id',
    {
      schema: {
        tags,
        operationId: 'getWriteOff',
        summary: 'A write-off',
        params,
        response: answers({
          success: { 200: { description: 'The write-off.', schema: writeOff } },
          refusals: ['WRITE_OFF_NOT_FOUND'],
        }),
      },
    },
    async (request) => toApiWriteOff(await requireWriteOff(storage, request.params.id)),
  );
}
