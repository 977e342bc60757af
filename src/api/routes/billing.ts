/** Billing periods and charges. */
import { z } from 'zod';
import { DomainFailure } from '../../domain/failure.js';
import { type WaitingStage, waitingStages } from '../../domain/invoicing/waiting.js';
import { answers, eventPaging, idempotencyHeaders, identifier, pageOf, paging, periodName } from '../schemas/common.js';
import { billingPeriod, closeBody } from '../schemas/billing-periods.js';
import { charge } from '../schemas/billing.js';
import { chargeEventPage } from '../schemas/events.js';
import { explainCharge } from '../services/charge-explanation.js';
import { requireCustomer } from '../services/customers.js';
import type { BillingPeriodStatus, Page, PageRequest } from '../../storage/types.js';
import type { Api } from '../types.js';
import { toApiBillingPeriod, toApiChargeEvent, toApiPage } from '../wire/to-api.js';
import type { RouteContext } from './context.js';
import { sendExact } from './events.js';
import { pageRequest } from './paging.js';

export async function billingPeriodRoutes(app: Api, { storage, periods }: RouteContext): Promise<void> {
  const tags = ['billing periods'];
  const params = z.object({ customer_id: identifier, period: periodName });
  const toApi = async (status: BillingPeriodStatus): Promise<object> =>
    toApiBillingPeriod(status, await periods.correctionsOf(status));
  app.get(
    '/billing-periods',
    {
      schema: {
        tags,
        operationId: 'listBillingPeriods',
        summary: 'The billing periods of a customer, or those of all customers that have still to be invoiced',
        description:
          'Of a customer the newest first. With `stage` those that wait at that stage, of all customers or of one: the one that ended first is the first.',
        querystring: z
          .strictObject({ customer_id: identifier.optional(), stage: z.enum(waitingStages).optional(), ...paging })
          .refine(({ customer_id: customer, stage }) => customer !== undefined || stage !== undefined, {
            message: 'is needed, or "stage"',
            path: ['customer_id'],
          }),
        response: answers({
          success: { 200: { description: 'Billing periods.', schema: pageOf(billingPeriod) } },
          refusals: ['UNKNOWN_CUSTOMER', 'INVALID_CURSOR'],
        }),
      },
    },
    async (request) => {
      const { customer_id: customerId, stage } = request.query;
      if (customerId !== undefined) await requireCustomer(storage, customerId);
      const page = await pageOfPeriods(storage, { customerId, stage }, pageRequest(request.query));
      return { data: await Promise.all(page.data.map(toApi)), next_cursor: page.nextCursor };
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
    async (request) => toApi(await periods.status(request.params.customer_id, request.params.period)),
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
            'BACKFILL_OPEN',
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
      return reply.code(202).send(await toApi(await periods.close(customerId, period, { force, reason })));
    },
  );
}

/** One of the two is given: the query's schema says so. */
function pageOfPeriods(
  { periods }: RouteContext['storage'],
  { customerId, stage }: { readonly customerId: string | undefined; readonly stage: WaitingStage | undefined },
  page: PageRequest,
): Promise<Page<BillingPeriodStatus>> {
  if (stage === undefined) return periods.listPeriods(customerId ?? '', page);
  return periods.listWaiting({ stage, ...(customerId !== undefined && { customerId }) }, page);
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
  const events = (operationId: string, summary: string) => ({
    tags,
    operationId,
    summary,
    params,
    querystring: z.strictObject(eventPaging),
    response: answers({
      success: { 200: { description: 'In order of event time, then source and event id.', schema: chargeEventPage } },
      refusals: ['CHARGE_NOT_FOUND', 'INVALID_CURSOR'],
    }),
  });
  const mustExist = async (id: string): Promise<void> => {
    if ((await storage.billing.findCharge(id)) === null)
      throw new DomainFailure('CHARGE_NOT_FOUND', `There is no charge "${id}".`);
  };
  app.get(
    '/charges/:id/events',
    { schema: events('listChargeEvents', 'The source events of a charge') },
    async (request, reply) => {
      const { id } = request.params;
      await mustExist(id);
      const page = await storage.billing.chargeEvents(id, pageRequest(request.query));
      return sendExact(reply, toApiPage(page, toApiChargeEvent));
    },
  );
  app.get(
    '/charges/:id/opening-events',
    { schema: events('listOpeningEvents', 'The events before its period that made the level a charge began with') },
    async (request, reply) => {
      const { id } = request.params;
      await mustExist(id);
      const page = await storage.billing.openingEvents(id, pageRequest(request.query));
      return sendExact(reply, toApiPage(page, toApiChargeEvent));
    },
  );
}
