/** Backfills: bulk imports of the past, each one transaction. */
import { z } from 'zod';
import type { Backfill } from '../../storage/types.js';
import { actingHeaders, answers, identifier, paging } from '../schemas/common.js';
import {
  backfill,
  backfillBody,
  backfillDecisionBody,
  backfillPage,
  backfillStatuses,
  backfillWithEvents,
} from '../schemas/backfills.js';
import type { Api } from '../types.js';
import { toApiPage } from '../wire/to-api.js';
import { askingOf } from './context.js';
import type { RouteContext } from './context.js';
import { pageRequest } from './paging.js';

const tags = ['backfills'];
const params = z.object({ id: identifier });

export async function backfillRoutes(app: Api, { backfills, storage }: RouteContext): Promise<void> {
  app.post(
    '/backfills',
    {
      config: { idempotent: true },
      schema: {
        tags,
        operationId: 'createBackfill',
        summary: 'Open a backfill: a bulk import of the past as one transaction',
        description:
          'Send its events to POST /events with `backfill_id`. None of them counts before the backfill is closed; then all of them do, at once. Until it is closed or reverted it holds the closing of its range.',
        headers: actingHeaders,
        body: backfillBody,
        response: answers({
          success: { 201: { description: 'Open.', schema: backfill } },
          refusals: ['INVALID_INSTANT', 'INSTANT_WITHOUT_OFFSET', 'BACKFILL_RANGE_EMPTY', 'UNKNOWN_CUSTOMER'],
          body: true,
          idempotent: true,
        }),
      },
    },
    async (request, reply) => {
      const asking = askingOf(request);
      return reply.code(201).send(toApiBackfill(await backfills.open(request.body, asking)));
    },
  );
  app.get(
    '/backfills',
    {
      schema: {
        tags,
        operationId: 'listBackfills',
        summary: 'Backfills, the newest first',
        querystring: z.strictObject({
          customer_id: identifier.optional(),
          status: z.enum(backfillStatuses).optional(),
          ...paging,
        }),
        response: answers({
          success: { 200: { description: 'Backfills.', schema: backfillPage } },
          refusals: ['INVALID_CURSOR'],
        }),
      },
    },
    async (request) => {
      const { customer_id: customerId, status } = request.query;
      const filter = { ...(customerId !== undefined && { customerId }), ...(status !== undefined && { status }) };
      return toApiPage(await storage.backfills.list(filter, pageRequest(request.query)), toApiBackfill);
    },
  );
  app.get(
    '/backfills/:id',
    {
      schema: {
        tags,
        operationId: 'getBackfill',
        summary: 'A backfill, with how many events are stored for it',
        params,
        response: answers({
          success: { 200: { description: 'The backfill.', schema: backfillWithEvents } },
          refusals: ['BACKFILL_NOT_FOUND'],
        }),
      },
    },
    async (request) => {
      const found = await backfills.require(request.params.id);
      return { ...toApiBackfill(found), events: await backfills.eventCount(found) };
    },
  );
}

const decisions = [
  ['close', 'closed', 'Count the events of a backfill, all of them at once', 'Repeating it changes nothing.'],
  [
    'revert',
    'reverted',
    'Take a backfill out, closed or not; its events never count again',
    'Repeating it changes nothing. Invoiced periods are corrected by themselves.',
  ],
] as const;

export async function backfillDecisionRoutes(app: Api, { backfills }: RouteContext): Promise<void> {
  for (const [path, decision, summary, description] of decisions) {
    app.post(
      `/backfills/:id/${path}`,
      {
        config: { idempotent: true },
        schema: {
          tags,
          operationId: `${path}Backfill`,
          summary,
          description,
          headers: actingHeaders,
          params,
          body: backfillDecisionBody,
          response: answers({
            success: { 200: { description: 'As decided.', schema: backfillWithEvents } },
            refusals: ['BACKFILL_NOT_FOUND', 'BACKFILL_REVERTED'],
            body: true,
            idempotent: true,
          }),
        },
      },
      async (request) => {
        const { reason = null } = request.body ?? {};
        const decided = await backfills.decide(request.params.id, { decision, decidedBy: request.actor, reason });
        return { ...toApiBackfill(decided), events: await backfills.eventCount(decided) };
      },
    );
  }
}

function toApiBackfill(stored: Backfill): z.output<typeof backfill> {
  return {
    backfill_id: stored.backfillId,
    customer_ids: [...stored.customerIds],
    from: stored.range.from,
    to: stored.range.to,
    mode: stored.mode,
    status: stored.status,
    reason: stored.reason,
    created_by: stored.createdBy,
    created_at: stored.createdAt,
    decisions: stored.decisions.map(({ decision, position, decidedBy, reason, decidedAt }) => ({
      decision,
      position,
      decided_by: decidedBy,
      reason,
      decided_at: decidedAt,
    })),
  };
}
