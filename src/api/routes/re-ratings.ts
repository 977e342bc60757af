/** Re-ratings: POST /re-ratings, its decision, and what it found. */
import { z } from 'zod';
import { reRatingStatuses } from '../../domain/correction/reasons.js';
import type { FailureCode } from '../../domain/failure.js';
import { actingHeaders, answers, identifier, paging, textAccepted } from '../schemas/common.js';
import {
  decisionBody,
  differencePage,
  parseReason,
  reRating,
  reRatingBody,
  reRatingPage,
} from '../schemas/corrections.js';
import { differencesOf, summariesOf, viewOf } from '../services/re-rating-view.js';
import type { Api } from '../types.js';
import { askingOf } from './context.js';
import type { RouteContext } from './context.js';
import { pageRequest } from './paging.js';

const tags = ['re-ratings'];
const params = z.object({ id: identifier });

const refusals: readonly FailureCode[] = [
  'UNKNOWN_RE_RATING_REASON',
  'EMPTY_RE_RATING_SCOPE',
  'INVALID_INSTANT',
  'INSTANT_WITHOUT_OFFSET',
  'UNKNOWN_CUSTOMER',
  'UNKNOWN_METER',
  'UNKNOWN_PRICE_BOOK',
  'CURRENCY_MISMATCH',
  'EXCHANGE_RATE_MISSING',
  'PRICE_BOOK_NOT_IN_FORCE',
  'PERIOD_NOT_INVOICED',
  'INVOICE_VOID',
  'NOTHING_TO_RE_RATE',
  'TEMPORAL_UNAVAILABLE',
];

export async function reRatingRoutes(app: Api, { storage, reRatings }: RouteContext): Promise<void> {
  app.post(
    '/re-ratings',
    {
      config: { idempotent: true },
      schema: {
        tags,
        operationId: 'createReRating',
        summary: 'Rate invoiced periods again, and correct what differs',
        description:
          "Compares everything in the scope with what was invoiced. Differences beyond a customer's approval_threshold wait for a person. With Temporal away (503) the re-rating is stored: repeating the request with the same Idempotency-Key, or the daily sweep, starts it.",
        headers: actingHeaders,
        body: reRatingBody,
        response: answers({
          success: { 202: { description: 'Asked for.', schema: reRating } },
          refusals,
          body: true,
          idempotent: true,
        }),
      },
    },
    async (request, reply) => {
      const asking = askingOf(request);
      const created = await reRatings.create(request.body, asking);
      return reply.code(202).send(await viewOf(storage, created));
    },
  );
  app.get(
    '/re-ratings',
    {
      schema: {
        tags,
        operationId: 'listReRatings',
        summary: 'Re-ratings, the newest first',
        querystring: z.strictObject({
          customer_id: identifier.optional(),
          status: z.enum(reRatingStatuses).optional(),
          reason: textAccepted(parseReason).optional(),
          ...paging,
        }),
        response: answers({
          success: { 200: { description: 'Re-ratings.', schema: reRatingPage } },
          refusals: ['INVALID_CURSOR', 'UNKNOWN_RE_RATING_REASON'],
        }),
      },
    },
    async (request) => {
      const { customer_id: customerId, status, reason } = request.query;
      const filter = {
        ...(customerId !== undefined && { customerId }),
        ...(status !== undefined && { status }),
        ...(reason !== undefined && { reason: parseReason(reason) }),
      };
      return summariesOf(storage, await reRatings.list(filter, pageRequest(request.query)));
    },
  );
  app.get(
    '/re-ratings/:id',
    {
      schema: {
        tags,
        operationId: 'getReRating',
        summary: 'A re-rating with its differences, decisions and corrections',
        params,
        response: answers({
          success: { 200: { description: 'The re-rating.', schema: reRating } },
          refusals: ['RE_RATING_NOT_FOUND'],
        }),
      },
    },
    async (request) => viewOf(storage, await reRatings.require(request.params.id)),
  );
  app.get(
    '/re-ratings/:id/differences',
    {
      schema: {
        tags,
        operationId: 'listReRatingDifferences',
        summary: 'All differences of the latest comparison, by line',
        description: '`limit` counts periods: the lines of a period are never torn apart.',
        params,
        querystring: z.strictObject(paging),
        response: answers({
          success: { 200: { description: 'Differences.', schema: differencePage } },
          refusals: ['RE_RATING_NOT_FOUND', 'INVALID_CURSOR'],
        }),
      },
    },
    async (request) => {
      const { reRatingId } = await reRatings.require(request.params.id);
      return differencesOf(storage, reRatingId, pageRequest(request.query));
    },
  );
}

export async function reRatingDecisionRoutes(app: Api, { storage, reRatings }: RouteContext): Promise<void> {
  const decisions = [
    { path: 'approve', decision: 'approved', operationId: 'approveReRating', summary: 'Let the corrections be issued' },
    { path: 'reject', decision: 'rejected', operationId: 'rejectReRating', summary: 'Issue nothing, or withdraw it' },
  ] as const;
  for (const { path, decision, operationId, summary } of decisions) {
    app.post(
      `/re-ratings/:id/${path}`,
      {
        config: { idempotent: true },
        schema: {
          tags,
          operationId,
          summary,
          description:
            'A decision is about what the current attempt shows, and the first one stands. Nobody approves a re-rating of their own.',
          headers: actingHeaders,
          params,
          body: decisionBody,
          response: answers({
            success: { 202: { description: 'Decided.', schema: reRating } },
            refusals: [
              'RE_RATING_NOT_FOUND',
              'RE_RATING_NOT_AWAITING_APPROVAL',
              'RE_RATING_ALREADY_DECIDED',
              ...(decision === 'approved' ? (['OWN_RE_RATING'] as const) : []),
              'TEMPORAL_UNAVAILABLE',
            ],
            body: true,
            idempotent: true,
          }),
        },
      },
      async (request, reply) => {
        const reason = request.body?.reason ?? null;
        const decided = await reRatings.decide(request.params.id, { decision, decidedBy: request.actor, reason });
        return reply.code(202).send(await viewOf(storage, decided));
      },
    );
  }
}
