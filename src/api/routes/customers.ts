import { z } from 'zod';
import { actorHeaders, answers, identifier, pageOf, paging, periodName } from '../schemas/common.js';
import { usage } from '../schemas/billing.js';
import { customer, customerBody } from '../schemas/reference.js';
import { defaultPriceFallback } from '../../billing/price-fallback.js';
import { usageOf, type PeriodUsage } from '../services/usage.js';
import type { Api } from '../types.js';
import { toApiCustomer } from '../wire/to-api.js';
import type { BillingPeriod } from '../../storage/types.js';
import { describeLine } from '../../domain/invoicing/build-invoice.js';
import { formatAmount } from '../../domain/money/rounding.js';
import type { WindowUsage } from '../../domain/metering/meter.js';
import type { RouteContext } from './context.js';
import { pageRequest } from './paging.js';

const tags = ['customers'];
const params = z.object({ customer_id: identifier });

export async function customerRoutes(app: Api, { customers, storage }: RouteContext): Promise<void> {
  app.put(
    '/customers/:customer_id',
    {
      schema: {
        tags,
        operationId: 'putCustomer',
        summary: 'Create a customer, or replace its facts',
        description: 'Zone and anchor change at the next boundary; the currency cannot change while a period is open.',
        params,
        headers: actorHeaders,
        body: customerBody,
        response: answers({
          success: {
            200: { description: 'Replaced, or unchanged.', schema: customer },
            201: { description: 'Created.', schema: customer },
          },
          refusals: [
            'UNKNOWN_CURRENCY',
            'UNKNOWN_TIME_ZONE',
            'INVALID_DATE',
            'INVALID_DURATION',
            'INVALID_INSTANT',
            'INSTANT_WITHOUT_OFFSET',
            'INVALID_DECIMAL',
            'NUMBER_TOO_LONG',
            'UNKNOWN_PRICE_BOOK',
            'UNKNOWN_LEGAL_ENTITY',
            'CURRENCY_MISMATCH',
            'EXCHANGE_RATE_MISSING',
            'CURRENCY_LOCKED',
            'EFFECTIVE_FROM_NOT_ALIGNED',
          ],
          body: true,
        }),
      },
    },
    async (request, reply) => {
      const put = await customers.put(request.params.customer_id, request.body, request.actor);
      return reply.code(put.created ? 201 : 200).send(toApiCustomer(put.customer, put.assignment));
    },
  );
  app.get(
    '/customers/:customer_id',
    {
      schema: {
        tags,
        operationId: 'getCustomer',
        summary: 'The facts of a customer, as learned last',
        params,
        response: answers({
          success: { 200: { description: 'The customer.', schema: customer } },
          refusals: ['UNKNOWN_CUSTOMER'],
        }),
      },
    },
    async (request) => {
      const found = await customers.get(request.params.customer_id);
      return toApiCustomer(found.customer, found.assignment);
    },
  );
  app.get(
    '/customers',
    {
      schema: {
        tags,
        operationId: 'listCustomers',
        summary: 'All customers',
        querystring: z.strictObject(paging),
        response: answers({
          success: { 200: { description: 'Customers.', schema: pageOf(customer) } },
          refusals: ['INVALID_CURSOR'],
        }),
      },
    },
    async (request) => {
      const page = await storage.reference.listCustomers(pageRequest(request.query));
      const data = await Promise.all(
        page.data.map(async (each) => toApiCustomer(each, await customers.latestAssignment(each.customerId))),
      );
      return { data, next_cursor: page.nextCursor };
    },
  );
}

export async function usageRoutes(app: Api, { periods, storage, config }: RouteContext): Promise<void> {
  const usageSettings = {
    fallback: { ...defaultPriceFallback, ...config.priceFallback },
    ...(config.watermark !== undefined && { watermark: config.watermark }),
  };
  app.get(
    '/customers/:customer_id/usage',
    {
      schema: {
        tags,
        operationId: 'getUsage',
        summary: 'Quantities by window, and what they would cost now',
        params,
        querystring: z.strictObject({ period: periodName.optional() }),
        response: answers({
          success: { 200: { description: 'Live usage, read from the ledger.', schema: usage } },
          refusals: ['UNKNOWN_CUSTOMER', 'INVALID_PERIOD', 'UNKNOWN_PERIOD'],
        }),
      },
    },
    async (request) => {
      const { customer_id: customerId } = request.params;
      const named = request.query.period;
      const { period } = await (named === undefined ? periods.current(customerId) : periods.require(customerId, named));
      return toApiUsage(period, await usageOf(storage, period, usageSettings));
    },
  );
}

function toApiUsage(
  period: BillingPeriod,
  { asOf, watermark, finality, currency, pricesAsOf, meters, lines, problems, total }: PeriodUsage,
): object {
  return {
    customer_id: period.customerId,
    period: { period: period.period, from: period.from, to: period.to },
    as_of: asOf,
    watermark,
    finality,
    currency,
    meters: meters.map((usageOfMeter) => ({
      meter: usageOfMeter.total.meter,
      group: usageOfMeter.total.group,
      quantity: usageOfMeter.total.quantity,
      event_count: usageOfMeter.total.eventCount,
      windows: usageOfMeter.windows.map((window) => ({ ...toApiWindow(window), state: window.state })),
    })),
    cost: {
      total,
      provisional: finality === 'estimated',
      price_lookup: pricesAsOf === null ? 'current' : 'fallback',
      prices_as_of: pricesAsOf,
      lines: lines.map((line) => ({
        description: line.meter === null ? (line.name ?? '') : describeLine(line.meter, line.group),
        meter: line.meter,
        group: line.group,
        quantity: line.quantity,
        amount: formatAmount(line.amount, line.currency),
        formula: line.formula,
        calculations: line.charges.map(({ calculation }) => calculation),
      })),
      problems,
    },
  };
}

function toApiWindow(window: WindowUsage): object {
  return {
    window_start: window.windowStart,
    window_end: window.windowEnd,
    quantity: window.quantity,
    event_count: window.eventCount,
    digest: window.digest,
  };
}
