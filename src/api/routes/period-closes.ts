/** Closing many customers' periods at once. */
import { z } from 'zod';
import { actingHeaders, answers, identifier, paging } from '../schemas/common.js';
import {
  periodClose,
  periodCloseBody,
  periodCloseCancelBody,
  periodClosePage,
  periodCloseTargetPage,
  targetState,
} from '../schemas/period-closes.js';
import { toApiPeriodClose } from '../services/period-closes.js';
import type { Api } from '../types.js';
import { toApiPage } from '../wire/to-api.js';
import { askingOf } from './context.js';
import type { RouteContext } from './context.js';
import { pageRequest } from './paging.js';

const tags = ['billing periods'];
const params = z.object({ id: identifier });

export async function periodCloseRoutes(app: Api, { storage, periodCloses }: RouteContext): Promise<void> {
  app.get(
    '/period-closes',
    {
      schema: {
        tags,
        operationId: 'listPeriodCloses',
        summary: 'Closes of many periods, the newest first',
        querystring: z.strictObject(paging),
        response: answers({
          success: { 200: { description: 'Closes.', schema: periodClosePage } },
          refusals: ['INVALID_CURSOR'],
        }),
      },
    },
    async (request) =>
      toApiPage(await storage.periodCloses.list(pageRequest(request.query)), (close) => toApiPeriodClose(close)),
  );
  app.get(
    '/period-closes/:id',
    {
      schema: {
        tags,
        operationId: 'getPeriodClose',
        summary: 'How far a close of many periods is',
        params,
        response: answers({
          success: { 200: { description: 'The close.', schema: periodClose } },
          refusals: ['PERIOD_CLOSE_NOT_FOUND'],
        }),
      },
    },
    async (request) => {
      const close = await periodCloses.require(request.params.id);
      return toApiPeriodClose(close, await periodCloses.hintOf(close));
    },
  );
  app.get(
    '/period-closes/:id/targets',
    {
      schema: {
        tags,
        operationId: 'listPeriodCloseTargets',
        summary: 'The periods of a close, each with its state; `state=not_ready` says why some are not closed',
        params,
        querystring: z.strictObject({ state: targetState.optional(), ...paging }),
        response: answers({
          success: { 200: { description: 'Periods.', schema: periodCloseTargetPage } },
          refusals: ['PERIOD_CLOSE_NOT_FOUND', 'INVALID_CURSOR'],
        }),
      },
    },
    async (request) => {
      const { closeId } = await periodCloses.require(request.params.id);
      const { state } = request.query;
      const filter = state === undefined ? {} : { state };
      const page = await storage.periodCloses.targets(closeId, filter, pageRequest(request.query));
      return toApiPage(page, ({ customerId, period, state: at, reason, invoiceId }) => ({
        ...{ customer_id: customerId, period, state: at, reason, invoice_id: invoiceId },
      }));
    },
  );
}

export async function periodCloseDecisionRoutes(app: Api, { periodCloses }: RouteContext): Promise<void> {
  app.post(
    '/period-closes',
    {
      config: { idempotent: true },
      schema: {
        tags,
        operationId: 'closePeriods',
        summary: 'Close the ended periods of many customers',
        description:
          'Goes on by itself. What is not ready (not ended, invoiced, held by an open backfill, …) is listed with its reason; there is no forced close of many.',
        headers: actingHeaders,
        body: periodCloseBody,
        response: answers({
          success: { 202: { description: 'Asked for.', schema: periodClose } },
          refusals: [
            'INVALID_PERIOD',
            'INVALID_DATE',
            'PERIOD_NOT_ENDED',
            'UNKNOWN_CUSTOMER',
            'UNKNOWN_LEGAL_ENTITY',
            'TEMPORAL_UNAVAILABLE',
          ],
          body: true,
          idempotent: true,
        }),
      },
    },
    async (request, reply) => {
      const asking = askingOf(request);
      const close = await periodCloses.create(request.body, asking);
      return reply.code(202).send(toApiPeriodClose(close, await periodCloses.hintOf(close)));
    },
  );
  app.post(
    '/period-closes/:id/cancel',
    {
      config: { idempotent: true },
      schema: {
        tags,
        operationId: 'cancelPeriodClose',
        summary: 'Hand over nothing more; what was handed over is issued',
        params,
        headers: actingHeaders,
        body: periodCloseCancelBody,
        response: answers({
          success: { 200: { description: 'Cancelled.', schema: periodClose } },
          refusals: ['PERIOD_CLOSE_NOT_FOUND', 'PERIOD_CLOSE_ENDED'],
          body: true,
          idempotent: true,
        }),
      },
    },
    async (request) => {
      const decision = { actor: request.actor, reason: request.body.reason };
      return toApiPeriodClose(await periodCloses.cancel(request.params.id, decision));
    },
  );
}
