/** What could not be taken: looked at, replayed under supervision, discarded. */
import { z } from 'zod';
import { parseInstant } from '../../domain/time/instant.js';
import type { DeadLetterFilter } from '../../storage/types.js';
import type { ExactJson } from '../ingest/exact-json.js';
import { bodyRefused } from '../plugins/schemas.js';
import { actingHeaders, answers, documented, identifier } from '../schemas/common.js';
import {
  bulkReplayAnswer,
  bulkReplayBody,
  deadLetter,
  deadLetterPage,
  deadLetterQuery,
  discardBody,
  replayAnswer,
  replayBody,
  replayShape,
} from '../schemas/dead-letters.js';
import type { Api } from '../types.js';
import { toApiDeadLetter } from '../wire/dead-letters-to-api.js';
import { toApiPage } from '../wire/to-api.js';
import { parseExactBody } from './adjustments.js';
import type { RouteContext } from './context.js';
import { pageRequest } from './paging.js';

const tags = ['dead letters'];
const params = z.object({ id: identifier });

export async function deadLetterRoutes(app: Api, { deadLetters, storage }: RouteContext): Promise<void> {
  app.get(
    '/dead-letters',
    {
      schema: {
        tags,
        operationId: 'listDeadLetters',
        summary: 'What could not be taken, the newest first',
        querystring: deadLetterQuery,
        response: answers({
          success: {
            200: { description: 'Dead letters; those that are open, unless asked otherwise.', schema: deadLetterPage },
          },
          refusals: ['INVALID_CURSOR', 'INVALID_INSTANT', 'INSTANT_WITHOUT_OFFSET'],
        }),
      },
    },
    async (request) => {
      const { status, ...more } = request.query;
      const filter = { ...filterOf(more), ...(status !== 'all' && { status }) };
      return toApiPage(await storage.deadLetters.list(filter, pageRequest(request.query)), toApiDeadLetter);
    },
  );
  app.get(
    '/dead-letters/:id',
    {
      schema: {
        tags,
        operationId: 'getDeadLetter',
        summary: 'A dead letter with every decision about it',
        params,
        response: answers({
          success: { 200: { description: 'The dead letter.', schema: deadLetter } },
          refusals: ['DEAD_LETTER_NOT_FOUND'],
        }),
      },
    },
    async (request) => toApiDeadLetter(await deadLetters.require(request.params.id)),
  );
  app.post(
    '/dead-letters/:id/discard',
    {
      config: { idempotent: true },
      schema: {
        tags,
        operationId: 'discardDeadLetter',
        summary: 'Settle a dead letter without its event; it stays readable',
        headers: actingHeaders,
        params,
        body: discardBody,
        response: answers({
          success: { 200: { description: 'Discarded.', schema: deadLetter } },
          refusals: ['DEAD_LETTER_NOT_FOUND', 'DEAD_LETTER_NOT_OPEN', 'DEAD_LETTER_ATTEMPTED'],
          body: true,
          idempotent: true,
        }),
      },
    },
    async (request) => {
      const deciding = { decidedBy: request.actor, reason: request.body.reason };
      return toApiDeadLetter(await deadLetters.discard(request.params.id, deciding));
    },
  );
  app.post(
    '/dead-letters/replay',
    {
      config: { idempotent: true },
      schema: {
        tags,
        operationId: 'replayDeadLetters',
        summary: 'Try many open dead letters again, as they were kept',
        description:
          'Those that were not tried for longest, then the oldest, 8 MiB of them at most: repeat it until nothing new is accepted. What is rejected again stays open.',
        headers: actingHeaders,
        body: bulkReplayBody,
        response: answers({
          success: { 200: { description: 'What became of them.', schema: bulkReplayAnswer } },
          refusals: ['INVALID_INSTANT', 'INSTANT_WITHOUT_OFFSET'],
          body: true,
          idempotent: true,
        }),
      },
    },
    async (request) => {
      const { limit, reason = null, ...more } = request.body;
      const deciding = { decidedBy: request.actor, reason };
      const { rejectedByCode, ...counts } = await deadLetters.replayMany({ ...filterOf(more), limit }, deciding);
      return { ...counts, rejected_by_code: rejectedByCode };
    },
  );
}

/** Numbers of a corrected event may be billed, so this scope reads bodies exactly, as POST /events does. */
export async function deadLetterReplayRoute(app: Api, { deadLetters }: RouteContext): Promise<void> {
  parseExactBody(app);
  app.post(
    '/dead-letters/:id/replay',
    {
      config: { idempotent: true },
      schema: {
        tags,
        operationId: 'replayDeadLetter',
        summary: 'Try a dead letter again, as it was kept or corrected',
        description:
          'The answer says what became of the event. One that is rejected again leaves the dead letter open.',
        headers: actingHeaders,
        params,
        body: documented(replayBody),
        response: answers({
          success: { 200: { description: 'What became of it.', schema: replayAnswer } },
          refusals: ['DEAD_LETTER_NOT_FOUND', 'DEAD_LETTER_NOT_OPEN', 'DEAD_LETTER_ATTEMPTED'],
          body: true,
          idempotent: true,
        }),
      },
    },
    async (request) => {
      const { event, reason = null } = shapeOf(request.body);
      const deciding = { decidedBy: request.actor, reason };
      const { letter, replay } = await deadLetters.replay(request.params.id, event, deciding);
      return { ...toApiDeadLetter(letter), outcome: replay.outcome, rejection: replay.rejection };
    },
  );
}

/** @throws SchemaRefused */
function shapeOf(body: unknown): { readonly event?: ExactJson; readonly reason?: string | undefined } {
  if (body === undefined || body === null) return {};
  const parsed = replayShape.safeParse(body);
  if (!parsed.success) throw bodyRefused(parsed.error);
  const { event, reason } = parsed.data;
  return { ...(event !== undefined && { event: event as ExactJson }), reason };
}

interface FilterShape {
  readonly code?: string | undefined;
  readonly customer_id?: string | undefined;
  readonly since?: string | undefined;
}

function filterOf({ code, customer_id: customerId, since }: FilterShape): Omit<DeadLetterFilter, 'status'> {
  return {
    ...(code !== undefined && { code }),
    ...(customerId !== undefined && { customerId }),
    ...(since !== undefined && { since: parseInstant(since) }),
  };
}
