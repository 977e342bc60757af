/** Voiding and amending single events. */
import { isUtf8 } from 'node:buffer';
import { z } from 'zod';
import { DomainFailure } from '../../domain/failure.js';
import { depthOf, parseExactJson } from '../ingest/exact-json.js';
import { jsonTextOf } from '../json-text.js';
import { requestIdOf } from '../plugins/idempotency.js';
import { bodyRefused } from '../plugins/schemas.js';
import { answers, documented, identifier, idempotencyHeaders } from '../schemas/common.js';
import {
  adjustmentAnswer,
  adjustmentBody,
  adjustmentPage,
  adjustmentShape,
  sourceName,
  type AdjustmentShape,
} from '../schemas/corrections.js';
import type { Api } from '../types.js';
import { toApiAdjustment } from '../wire/corrections-to-api.js';
import type { RouteContext } from './context.js';
import { sendExact } from './events.js';

const tags = ['events'];
/** One event is at most 16 KiB of metadata and its identifiers. */
const bodyLimit = 64 * 1024;

/** Numbers of a replacement may be billed, so this scope reads bodies exactly, as POST /events does. */
export async function adjustmentRoutes(app: Api, { adjustments }: RouteContext): Promise<void> {
  parseExactBody(app);
  app.post(
    '/event-adjustments',
    {
      config: { idempotent: true },
      schema: {
        tags,
        operationId: 'adjustEvent',
        summary: 'Void or amend one event; the original stays readable',
        description:
          'The event counts as its last adjustment says from now on. Saying the same again is a duplicate, and so is the same request under the same Idempotency-Key for ever. An invoiced period is corrected by itself after the quiet time.',
        headers: idempotencyHeaders,
        body: documented(adjustmentBody),
        response: answers({
          success: { 202: { description: 'Committed.', schema: adjustmentAnswer } },
          refusals: [
            'UNKNOWN_CUSTOMER',
            'EVENT_NOT_FOUND',
            'INVALID_INSTANT',
            'INSTANT_WITHOUT_OFFSET',
            'EVENT_TIME_IN_FUTURE',
            'NUMBER_TOO_LONG',
            'VALUE_PROPERTY_MISSING',
            'VALUE_PROPERTY_NOT_DECIMAL',
            'EVENT_SCHEMA_MISMATCH',
            'EVENT_SCHEMA_UNSUPPORTED',
            'TAG_NOT_REGISTERED',
            'TAG_VALUE_NOT_ALLOWED',
            'TAG_REQUIRED',
          ],
          body: true,
          idempotent: true,
        }),
      },
    },
    async (request, reply) => {
      const { outcome, adjustment } = await adjustments.adjust(
        shapeOf(request.body),
        requestIdOf(request) ?? undefined,
      );
      return sendExact(reply.code(202), { status: outcome, ...toApiAdjustment(adjustment) });
    },
  );
  app.get(
    '/event-adjustments',
    {
      schema: {
        tags,
        operationId: 'listEventAdjustments',
        summary: 'The adjustments of one event, oldest first',
        querystring: z.strictObject({ customer_id: identifier, event_id: identifier, source: sourceName.optional() }),
        response: answers({
          success: { 200: { description: 'All of them; the last one counts.', schema: adjustmentPage } },
          refusals: ['EVENT_NOT_FOUND'],
        }),
      },
    },
    async (request, reply) => {
      const { customer_id: customerId, event_id: eventId, source = '' } = request.query;
      const found = await adjustments.ofEvent({ customerId, eventId, source });
      return sendExact(reply, { data: found.map(toApiAdjustment), next_cursor: null });
    },
  );
}

/** For a scope whose bodies carry numbers that are read from the text, because they may be billed, or are what numbers are held against. */
export function parseExactBody(app: Api, limit = bodyLimit): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser(
    'application/json',
    { parseAs: 'buffer', bodyLimit: limit },
    (_request, body: Buffer, done) => {
      try {
        done(null, parseBody(body));
      } catch (error) {
        done(error as Error);
      }
    },
  );
}

/** @throws DomainFailure INVALID_JSON */
function parseBody(body: Buffer): unknown {
  if (body.length === 0) throw new DomainFailure('INVALID_JSON', 'The body is empty; it must be a JSON object.');
  if (!isUtf8(body)) throw new DomainFailure('INVALID_JSON', 'The body is not valid UTF-8.');
  const text = jsonTextOf(body);
  if (depthOf(text) > depthMax) throw new DomainFailure('INVALID_JSON', 'The body is nested too deeply.');
  try {
    return parseExactJson(text);
  } catch (error) {
    if (error instanceof SyntaxError)
      throw new DomainFailure('INVALID_JSON', `The body is not JSON: ${error.message}.`);
    throw error;
  }
}

/** Far beyond what any body here may nest, and far below what whoever walks through it has room for. */
const depthMax = 200;

/** @throws SchemaRefused, DomainFailure UNKNOWN_PROPERTY */
function shapeOf(body: unknown): AdjustmentShape {
  if (typeof body === 'object' && body !== null && Object.hasOwn(body, '__proto__')) {
    throw new DomainFailure('UNKNOWN_PROPERTY', '"__proto__" is not accepted as a name of a property.', '/__proto__');
  }
  const parsed = adjustmentShape.safeParse(body);
  if (parsed.success) return parsed.data;
  throw bodyRefused(parsed.error);
}
