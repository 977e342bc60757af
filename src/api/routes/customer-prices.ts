/** Which prices a customer has when. */
import { z } from 'zod';
import { msToInstant, parseInstant } from '../../domain/time/instant.js';
import { actorHeaders, answers, identifier } from '../schemas/common.js';
import {
  customerPriceBooks,
  overrideBody,
  priceOverride,
  priceOverrides,
  pricesAtQuery,
} from '../schemas/customer-prices.js';
import { priceBooksAt, putOverride, toApiOverride } from '../services/customer-prices.js';
import { requireCustomer } from '../services/customers.js';
import type { Api } from '../types.js';
import type { RouteContext } from './context.js';

const tags = ['customers'];
const params = z.object({ customer_id: identifier });

export async function customerPriceRoutes(app: Api, { storage, clock }: RouteContext): Promise<void> {
  app.get(
    '/customers/:customer_id/price-books',
    {
      schema: {
        tags,
        operationId: 'getCustomerPriceBooks',
        summary: 'The price books that a customer was assigned, who decided it, and the version in force at an instant',
        params,
        querystring: pricesAtQuery,
        response: answers({
          success: { 200: { description: 'Assignments and what holds.', schema: customerPriceBooks } },
          refusals: ['UNKNOWN_CUSTOMER', 'INVALID_INSTANT', 'INSTANT_WITHOUT_OFFSET'],
        }),
      },
    },
    async (request) => {
      const { at } = request.query;
      return priceBooksAt(
        storage,
        request.params.customer_id,
        at === undefined ? msToInstant(clock()) : parseInstant(at),
      );
    },
  );
  app.put(
    '/customers/:customer_id/price-overrides',
    {
      schema: {
        tags,
        operationId: 'putPriceOverride',
        summary: 'Prices for one customer beside the assigned price book: the next version of them',
        description:
          'From its date on a version replaces the one before it as a whole. In mid-period it acts as a change of version. What is issued stays as it is until it is re-rated.',
        params,
        headers: actorHeaders,
        body: overrideBody,
        response: answers({
          success: {
            200: { description: 'The latest version says the same.', schema: priceOverride },
            201: { description: 'Created.', schema: priceOverride },
          },
          refusals: [
            'UNKNOWN_CUSTOMER',
            'UNKNOWN_METER',
            'UNKNOWN_CURRENCY',
            'CURRENCY_MISMATCH',
            'EXCHANGE_RATE_MISSING',
            'UNKNOWN_PRICE_MODEL',
            'INVALID_DECIMAL',
            'NUMBER_TOO_LONG',
            'INVALID_INSTANT',
            'INSTANT_WITHOUT_OFFSET',
            'INVALID_DATE',
            'TIERS_EMPTY',
            'TIERS_GAP',
            'TIERS_OVERLAP',
            'LAST_TIER_BOUNDED',
            'DUPLICATE_PRICE',
            'EFFECTIVE_FROM_NOT_ALIGNED',
          ],
          body: true,
        }),
      },
    },
    async (request, reply) => {
      const { body, actor } = request;
      const { override, created } = await putOverride(storage, request.params.customer_id, { body, actor });
      return reply.code(created ? 201 : 200).send(toApiOverride(override));
    },
  );
  app.get(
    '/customers/:customer_id/price-overrides',
    {
      schema: {
        tags,
        operationId: 'listPriceOverrides',
        summary: 'All versions of the prices that a customer has beside the assigned price book, oldest first',
        params,
        response: answers({
          success: { 200: { description: 'Versions.', schema: priceOverrides } },
          refusals: ['UNKNOWN_CUSTOMER'],
        }),
      },
    },
    async (request) => {
      const { customerId } = await requireCustomer(storage, request.params.customer_id);
      return { data: (await storage.reference.priceOverrides(customerId)).map(toApiOverride) };
    },
  );
}
