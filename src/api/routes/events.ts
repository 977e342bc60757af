import type { FastifyReply } from 'fastify';
import { z } from 'zod';
import { parseInstant } from '../../domain/time/instant.js';
import { stringifyExactJson, type ExactJson } from '../ingest/exact-json.js';
import { ingestLimits } from '../ingest/limits.js';
import { answers, documented, eventPaging, identifier, paging } from '../schemas/common.js';
import { deadLetterPage, eventFilter, eventPage, eventsBody, eventTrace, ingestAnswer } from '../schemas/events.js';
import { traceEvent, type EventTrace } from '../services/event-trace.js';
import type { Api } from '../types.js';
import { toApiAdjustment, toApiReplacement } from '../wire/corrections-to-api.js';
import { toApiDeadLetter, toApiEvent, toApiPage } from '../wire/to-api.js';
import type { RouteContext } from './context.js';
import { pageRequest } from './paging.js';

const tags = ['events'];

/** POST /events reads its own bytes, so it lives in a scope with a parser of its own. */
export async function ingestRoute(app: Api, { ingest, metrics }: RouteContext): Promise<void> {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(
    'application/json',
    { parseAs: 'buffer', bodyLimit: ingestLimits.bodyBytes },
    (_request, body, done) => {
      done(null, body);
    },
  );
  app.post(
    '/events',
    {
      schema: {
        tags,
        operationId: 'postEvents',
        summary: 'Record usage events: one, an array, or {"events": […]}',
        description:
          'Answers after the commit. 202 for every well-formed body, whatever became of the single events; what is rejected is kept as a dead letter.',
        consumes: ['application/json'],
        body: documented(eventsBody),
        response: answers({
          success: { 202: { description: 'Committed.', schema: ingestAnswer } },
          refusals: [
            'BATCH_TOO_LARGE',
            'INVALID_INSTANT',
            'INSTANT_WITHOUT_OFFSET',
            'NUMBER_TOO_LONG',
            'OVER_CAPACITY',
          ],
          body: true,
        }),
      },
    },
    async (request, reply) => {
      const answer = await ingest.ingest(request.body instanceof Buffer ? request.body : Buffer.alloc(0));
      metrics.ingested(answer);
      return sendText(reply.code(202), JSON.stringify(answer));
    },
  );
}

export async function eventRoutes(app: Api, { storage }: RouteContext): Promise<void> {
  app.get(
    '/events',
    {
      schema: {
        tags,
        operationId: 'listEvents',
        summary: 'Find events of a customer, by event time',
        querystring: z.strictObject({ ...eventFilter, ...eventPaging }),
        response: answers({
          success: { 200: { description: 'In order of event time.', schema: eventPage } },
          refusals: ['INVALID_CURSOR', 'INVALID_INSTANT'],
        }),
      },
    },
    async (request, reply) => {
      const { customer_id: customerId, event_type: eventType, from, to } = request.query;
      const filter = {
        customerId,
        ...(eventType !== undefined && { eventType }),
        ...(from !== undefined && { from: parseInstant(from) }),
        ...(to !== undefined && { to: parseInstant(to) }),
      };
      const page = await storage.ledger.listEvents(filter, pageRequest(request.query));
      return sendExact(reply, toApiPage(page, toApiEvent));
    },
  );
  app.get(
    '/events/:customer_id/:event_id',
    {
      schema: {
        tags,
        operationId: 'getEvent',
        summary: 'An event, what it counts as now, and what became of it: window, charge, invoice line',
        params: z.object({ customer_id: identifier, event_id: identifier }),
        querystring: z.strictObject({ source: z.string().max(ingestLimits.sourceLength).optional() }),
        response: answers({
          success: { 200: { description: 'The event.', schema: eventTrace } },
          refusals: ['EVENT_NOT_FOUND'],
        }),
      },
    },
    async (request, reply) => {
      const { customer_id: customerId, event_id: eventId } = request.params;
      const trace = await traceEvent(storage, { customerId, eventId, source: request.query.source ?? '' });
      return sendExact(reply, toApiTrace(trace));
    },
  );
  app.get(
    '/dead-letters',
    {
      schema: {
        tags,
        operationId: 'listDeadLetters',
        summary: 'What could not be taken',
        querystring: z.strictObject(paging),
        response: answers({
          success: { 200: { description: 'Dead letters.', schema: deadLetterPage } },
          refusals: ['INVALID_CURSOR'],
        }),
      },
    },
    async (request) => toApiPage(await storage.ledger.listDeadLetters(pageRequest(request.query)), toApiDeadLetter),
  );
}

function toApiTrace({ event, adjustments, effective, period, stage, metering }: EventTrace): ExactJson {
  return {
    ...toApiEvent(event),
    adjustments: adjustments.map(toApiAdjustment),
    effective: effective === null ? null : toApiReplacement(effective),
    period: { period: period.period, from: period.from, to: period.to, stage },
    metering: metering.map(({ meter, group, window, quantity, chargeId, billed }) => ({
      meter,
      group,
      window: { from: window.from, to: window.to },
      quantity,
      charge_id: chargeId,
      invoice:
        billed === null
          ? null
          : {
              invoice_id: billed.invoice.invoiceId,
              number: billed.invoice.number,
              line_item_id: billed.line.lineItemId,
              line_amount: billed.line.amount,
            },
    })),
  };
}

/** Past the response schema: metadata numbers are kept as text, and answers of ingest are ours to the letter. */
function sendText(reply: FastifyReply, text: string): FastifyReply {
  return reply
    .type('application/json; charset=utf-8')
    .serializer((payload: unknown) => payload as string)
    .send(text);
}

export function sendExact(reply: FastifyReply, value: ExactJson): FastifyReply {
  return sendText(reply, stringifyExactJson(value));
}
