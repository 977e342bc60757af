import type { FastifyReply } from 'fastify';
import type { Readable } from 'node:stream';
import { z } from 'zod';
import { DomainFailure } from '../../domain/failure.js';
import { formatAmount } from '../../domain/money/rounding.js';
import type { IngestAnswer } from '../ingest/event-ingest.js';
import { stringifyExactJson, type ExactJson } from '../ingest/exact-json.js';
import { eventMediaTypes, linesMediaType, wholeMediaTypes, type WholeBody } from '../ingest/receive-events.js';
import { isBinaryMode, withRepeatedAttributes } from '../ingest/read-cloud-event.js';
import { acceptedEncodings } from '../ingest/request-body.js';
import { answers, eventPaging, identifier } from '../schemas/common.js';
import { sourceName } from '../schemas/corrections.js';
import { eventBodies, eventFilter, eventPage, eventsBackfillId, eventTrace, ingestAnswer } from '../schemas/events.js';
import { traceEvent, type EventTrace } from '../services/event-trace.js';
import type { Api } from '../types.js';
import { toApiAdjustment, toApiReplacement } from '../wire/corrections-to-api.js';
import { toApiEvent, toApiPage } from '../wire/to-api.js';
import type { RouteContext } from './context.js';
import { pageRequest, rangeAsked } from './paging.js';

const tags = ['events'];

/** What the parser of lines makes of a request: its bytes are still to be read. */
interface LinesBody {
  readonly mediaType: typeof linesMediaType;
  readonly payload: Readable;
}

/** Without a body there is nothing for a parser; a CloudEvent in headers is possible all the same. */
const noBody: WholeBody = { mediaType: 'application/json', bytes: Buffer.alloc(0) };

/** POST /events reads its own bytes, so it lives in a scope with parsers of its own. */
export async function ingestRoute(app: Api, { receiver }: RouteContext): Promise<void> {
  app.removeAllContentTypeParsers();
  for (const mediaType of wholeMediaTypes) {
    app.addContentTypeParser(mediaType, (request, payload, done) => {
      receiver.read(payload, request.headers, (error, bytes) => {
        done(error, { mediaType, bytes });
      });
    });
  }
  app.addContentTypeParser(linesMediaType, (_request, payload, done) => {
    done(null, { mediaType: linesMediaType, payload });
  });
  app.addContentTypeParser('*', (_request, _payload, done) => {
    done(new DomainFailure('UNSUPPORTED_MEDIA_TYPE', `Send events as one of: ${eventMediaTypes.join(', ')}.`));
  });
  app.post(
    '/events',
    {
      schema: {
        tags,
        operationId: 'postEvents',
        summary: 'Record usage events: one, an array, {"events": […]}, lines, or CloudEvents',
        description:
          'Answers after the commit. 202 for every well-formed body, whatever became of the single events; what is rejected is kept as a dead letter. `Content-Encoding`: gzip, deflate or br. Lines (`application/x-ndjson`) are committed while they stream: a refusal then says in `progress` how far they are.',
        querystring: z.strictObject({ backfill_id: eventsBackfillId.optional() }),
        body: eventBodies,
        response: answers({
          success: { 202: { description: 'Committed.', schema: ingestAnswer } },
          refusals: [
            'BATCH_TOO_LARGE',
            'INVALID_INSTANT',
            'INSTANT_WITHOUT_OFFSET',
            'NUMBER_TOO_LONG',
            'OVER_CAPACITY',
            'DUPLICATE_FLOOD',
            'BACKFILL_NOT_FOUND',
            'BACKFILL_CLOSED',
            'BACKFILL_REVERTED',
          ],
          body: true,
        }),
      },
    },
    async (request, reply) => {
      const isBinary = isBinaryMode(request.headers);
      const headers = isBinary ? withRepeatedAttributes(request.headers, request.raw.rawHeaders) : request.headers;
      const body = (request.body as WholeBody | LinesBody | undefined) ?? noBody;
      const sent = { backfillId: request.query.backfill_id };
      let answer: IngestAnswer;
      try {
        if (isBinary && 'payload' in body) {
          body.payload.resume();
          throw binaryLines();
        }
        answer = await ('payload' in body
          ? receiver.receiveLines(body.payload, headers, sent)
          : receiver.receive(body, headers, sent));
      } catch (error) {
        if (error instanceof DomainFailure && error.code === 'UNSUPPORTED_MEDIA_TYPE')
          reply.header('accept-encoding', acceptedEncodings);
        throw error;
      }
      return sendText(reply.code(202), JSON.stringify(answer));
    },
  );
}

/** Whose headers would be left out in silence. */
function binaryLines(): DomainFailure {
  const detail = `The headers "ce-…" are one CloudEvent, the body (${linesMediaType}) is lines of events. Send the lines without them, or the event as application/json.`;
  return new DomainFailure('VALIDATION_FAILED', detail);
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
      const { customer_id: customerId, event_type: eventType } = request.query;
      const filter = { customerId, ...(eventType !== undefined && { eventType }), ...rangeAsked(request.query) };
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
        querystring: z.strictObject({ source: sourceName.optional() }),
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
}

function toApiTrace({ event, adjustments, effective, period, stage, metering }: EventTrace): ExactJson {
  return {
    ...toApiEvent(event),
    adjustments: adjustments.map(toApiAdjustment),
    effective: effective === null ? null : toApiReplacement(effective),
    period: { period: period.period, from: period.from, to: period.to, stage },
    metering: metering.map(({ meter, group, window, quantity, chargeId, billed, carriedTo }) => ({
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
              line_amount: formatAmount(billed.line.amount, billed.line.currency),
            },
      carried_to:
        carriedTo === null
          ? null
          : {
              count: carriedTo.count,
              first: carriedTo.first.map((each) => ({
                period: each.period,
                charge_id: each.chargeId,
                invoice_id: each.invoiceId,
                number: each.number,
                line_item_id: each.lineItemId,
              })),
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
