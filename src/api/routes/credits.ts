/** Prepaid and promotional credits. */
import { z } from 'zod';
import { msToInstant, parseInstant } from '../../domain/time/instant.js';
import { actingHeaders, answers, identifier, paging } from '../schemas/common.js';
import {
  creditGrant,
  creditGrantBody,
  creditGrantDetail,
  creditGrantPage,
  creditsAtQuery,
  creditVoidBody,
  customerCredits,
} from '../schemas/credits.js';
import {
  creditsOfCustomer,
  grantCredit,
  requireGrant,
  toApiCreditGrant,
  toApiCreditHistory,
  voidCreditGrant,
} from '../services/credits.js';
import type { Api } from '../types.js';
import { toApiPage } from '../wire/to-api.js';
import { askedOf } from './context.js';
import type { RouteContext } from './context.js';
import { pageRequest } from './paging.js';

const tags = ['credits'];
const params = z.object({ id: identifier });

export async function creditGrantRoutes(app: Api, { storage, clock }: RouteContext): Promise<void> {
  app.post(
    '/credit-grants',
    {
      config: { idempotent: true },
      schema: {
        tags,
        operationId: 'grantCredit',
        summary: 'Grant prepaid or promotional credits',
        description:
          'Invoices draw on them before tax, by the end of their period: late issuing draws the same. Documents that are issued already stay as they are. A journal entry says where the credit comes from.',
        headers: actingHeaders,
        body: creditGrantBody,
        response: answers({
          success: { 201: { description: 'Granted.', schema: creditGrant } },
          refusals: [
            'UNKNOWN_CUSTOMER',
            'UNKNOWN_CURRENCY',
            'CURRENCY_MISMATCH',
            'INVALID_DECIMAL',
            'NUMBER_TOO_LONG',
            'INVALID_INSTANT',
            'INSTANT_WITHOUT_OFFSET',
            'INVALID_DURATION',
          ],
          body: true,
          idempotent: true,
        }),
      },
    },
    async (request, reply) => {
      const granted = await grantCredit(storage, request.body, askedOf(request, clock));
      return reply.code(201).send(toApiCreditGrant(granted));
    },
  );
  app.post(
    '/credit-grants/:id/void',
    {
      config: { idempotent: true },
      schema: {
        tags,
        operationId: 'voidCreditGrant',
        summary: 'Take back what is left of a grant',
        description:
          'It is never drawn again. What was drawn stays drawn; what a correction gives back to it later is taken back as well.',
        headers: actingHeaders,
        params,
        body: creditVoidBody,
        response: answers({
          success: { 200: { description: 'The grant, void.', schema: creditGrant } },
          refusals: ['CREDIT_GRANT_NOT_FOUND', 'CREDIT_GRANT_VOID'],
          body: true,
          idempotent: true,
        }),
      },
    },
    async (request) => {
      const asked = { ...askedOf(request, clock), reason: request.body.reason };
      return toApiCreditGrant(await voidCreditGrant(storage, request.params.id, asked));
    },
  );
}

export async function creditReadRoutes(app: Api, { storage, clock }: RouteContext): Promise<void> {
  app.get(
    '/credit-grants',
    {
      schema: {
        tags,
        operationId: 'listCreditGrants',
        summary: 'Credit grants, the newest first',
        querystring: z.strictObject({ customer_id: identifier.optional(), ...paging }),
        response: answers({
          success: { 200: { description: 'Grants.', schema: creditGrantPage } },
          refusals: ['INVALID_CURSOR'],
        }),
      },
    },
    async (request) => {
      const { customer_id: customerId } = request.query;
      const filter = customerId === undefined ? {} : { customerId };
      return toApiPage(await storage.credits.list(filter, pageRequest(request.query)), toApiCreditGrant);
    },
  );
  app.get(
    '/credit-grants/:id',
    {
      schema: {
        tags,
        operationId: 'getCreditGrant',
        summary: 'A grant with all that happened to it',
        params,
        response: answers({
          success: { 200: { description: 'The grant.', schema: creditGrantDetail } },
          refusals: ['CREDIT_GRANT_NOT_FOUND'],
        }),
      },
    },
    async (request) => {
      const found = await requireGrant(storage, request.params.id);
      return toApiCreditHistory(found, await storage.credits.historyOf(found.grantId));
    },
  );
  app.get(
    '/customers/:customer_id/credits',
    {
      schema: {
        tags,
        operationId: 'getCustomerCredits',
        summary: 'What a customer has left, by currency, and what of it a period may draw',
        params: z.object({ customer_id: identifier }),
        querystring: creditsAtQuery,
        response: answers({
          success: { 200: { description: 'Balances as they are now.', schema: customerCredits } },
          refusals: ['UNKNOWN_CUSTOMER', 'INVALID_INSTANT', 'INSTANT_WITHOUT_OFFSET'],
        }),
      },
    },
    async (request) => {
      const { at } = request.query;
      const instant = at === undefined ? msToInstant(clock()) : parseInstant(at);
      return creditsOfCustomer(storage, request.params.customer_id, instant);
    },
  );
}
