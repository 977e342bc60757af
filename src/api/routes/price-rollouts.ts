/** A price for some customers first: rollouts of candidate versions. */
import { z } from 'zod';
import type { FailureCode } from '../../domain/failure.js';
import { parseInstant } from '../../domain/time/instant.js';
import type { StoredRollout } from '../../storage/types.js';
import { actingHeaders, answers, identifier, paging } from '../schemas/common.js';
import {
  comparisonBody,
  memberQuery,
  rollout,
  rolloutBody,
  rolloutComparison,
  rolloutMember,
  rolloutPage,
  rolloutQuery,
  stageBody,
  stopBody,
} from '../schemas/price-rollouts.js';
import { toApiOffer } from '../services/price-corrections.js';
import { rollbackOffer } from '../services/rollback-offers.js';
import { membersOf } from '../services/rollout-members.js';
import type { Api } from '../types.js';
import { toApiTotals } from '../wire/evaluations-to-api.js';
import { toApiComparison, toApiRolloutSummary } from '../wire/rollouts-to-api.js';
import { toApiPage } from '../wire/to-api.js';
import { askingOf } from './context.js';
import type { RouteContext } from './context.js';
import { pageRequest } from './paging.js';

const tags = ['price rollouts'];
const params = z.object({ id: identifier });

const ofBeginning: readonly FailureCode[] = [
  'EFFECTIVE_FROM_NOT_ALIGNED',
  'INVALID_INSTANT',
  'INSTANT_WITHOUT_OFFSET',
  'INVALID_DATE',
];
const ofCanaries: readonly FailureCode[] = ['UNKNOWN_CUSTOMER', 'CANARY_NOT_ON_PRICE_BOOK'];
const ofDecision: readonly FailureCode[] = ['ROLLOUT_NOT_FOUND', 'ROLLOUT_TRANSITION_REFUSED', 'ROLLOUT_CHANGED'];

/** With what it needs counting for. */
async function viewOf({ storage, rollouts }: RouteContext, found: StoredRollout): Promise<object> {
  const { customers, members } = await membersOf(storage, found);
  const comparison = await rollouts.comparisonOf(found);
  const totals = comparison === null ? [] : await storage.evaluations.totals(comparison.evaluationId);
  const isRolledBack = found.stages.at(-1)?.kind === 'rollback';
  return {
    ...toApiRolloutSummary(found),
    customers,
    members: members.length,
    comparison: comparison === null ? null : { ...toApiComparison(comparison), totals: totals.map(toApiTotals) },
    ...(isRolledBack && { re_rating_offer: toApiOffer(await rollbackOffer(storage, found)) }),
  };
}

export async function priceRolloutRoutes(app: Api, context: RouteContext): Promise<void> {
  const { storage, rollouts } = context;
  app.post(
    '/price-rollouts',
    {
      config: { idempotent: true },
      schema: {
        tags,
        operationId: 'startPriceRollout',
        summary: 'Give a candidate version to named customers first',
        description:
          'The version was created with "rollout": true and holds for nobody else. One rollout a version, one open rollout a price book.',
        headers: actingHeaders,
        body: rolloutBody,
        response: answers({
          success: {
            200: { description: 'It was begun so before.', schema: rollout },
            201: { description: 'Begun.', schema: rollout },
          },
          refusals: [
            'UNKNOWN_PRICE_BOOK',
            'NOT_A_CANDIDATE',
            'ROLLOUT_OPEN',
            'ROLLOUT_CONFLICT',
            ...ofCanaries,
            ...ofBeginning,
          ],
          body: true,
          idempotent: true,
        }),
      },
    },
    async (request, reply) => {
      const asking = askingOf(request);
      const started = await rollouts.start(request.body, asking);
      return reply.code(started.created ? 201 : 200).send(await viewOf(context, started.rollout));
    },
  );
  app.get(
    '/price-rollouts',
    {
      schema: {
        tags,
        operationId: 'listPriceRollouts',
        summary: 'Rollouts, the newest first',
        querystring: z.strictObject({ ...rolloutQuery, ...paging }),
        response: answers({
          success: { 200: { description: 'Rollouts.', schema: rolloutPage } },
          refusals: ['INVALID_CURSOR'],
        }),
      },
    },
    async (request) => {
      const { price_book: code } = request.query;
      const filter = code === undefined ? {} : { code };
      return toApiPage(await storage.rollouts.list(filter, pageRequest(request.query)), toApiRolloutSummary);
    },
  );
  app.get(
    '/price-rollouts/:id',
    {
      schema: {
        tags,
        operationId: 'getPriceRollout',
        summary: 'A rollout: its stages, how many it includes, and what they would have paid under both versions',
        params,
        response: answers({
          success: { 200: { description: 'The rollout.', schema: rollout } },
          refusals: ['ROLLOUT_NOT_FOUND'],
        }),
      },
    },
    async (request) => viewOf(context, await rollouts.require(request.params.id)),
  );
}

export async function priceRolloutMemberRoutes(app: Api, { rollouts }: RouteContext): Promise<void> {
  app.get(
    '/price-rollouts/:id/customers/:customer_id',
    {
      schema: {
        tags,
        operationId: 'getPriceRolloutMember',
        summary: 'Whether a customer has the candidate, since when, and why',
        params: params.extend({ customer_id: identifier }),
        querystring: memberQuery,
        response: answers({
          success: { 200: { description: 'The decision, as rating takes it.', schema: rolloutMember } },
          refusals: ['ROLLOUT_NOT_FOUND', 'UNKNOWN_CUSTOMER', 'INVALID_INSTANT', 'INSTANT_WITHOUT_OFFSET'],
        }),
      },
    },
    async (request) => {
      const { id, customer_id: customerId } = request.params;
      const { at } = request.query;
      const { isIncluded: included, ...answer } = await rollouts.member(
        id,
        customerId,
        at === undefined ? null : parseInstant(at),
      );
      return { rollout_id: id, customer_id: customerId, included, ...answer };
    },
  );
  app.post(
    '/price-rollouts/:id/comparison',
    {
      config: { idempotent: true },
      schema: {
        tags,
        operationId: 'comparePriceRollout',
        summary: 'What its members would have paid under the candidate, and without it',
        description: 'A run over their real usage. The next widening rests on it; nothing of it is a charge.',
        params,
        headers: actingHeaders,
        body: comparisonBody,
        response: answers({
          success: { 202: { description: 'Asked for.', schema: rolloutComparison } },
          refusals: [
            'ROLLOUT_NOT_FOUND',
            'ROLLOUT_TRANSITION_REFUSED',
            'NOTHING_TO_EVALUATE',
            'INVALID_INSTANT',
            'INSTANT_WITHOUT_OFFSET',
            'TEMPORAL_UNAVAILABLE',
          ],
          body: true,
          idempotent: true,
        }),
      },
    },
    async (request, reply) => {
      const asking = askingOf(request);
      const { customers, ...comparison } = await rollouts.compare(request.params.id, request.body, asking);
      return reply.code(202).send({ ...toApiComparison(comparison), customers });
    },
  );
}

export async function priceRolloutDecisionRoutes(app: Api, context: RouteContext): Promise<void> {
  const { rollouts } = context;
  app.post(
    '/price-rollouts/:id/stages',
    {
      config: { idempotent: true },
      schema: {
        tags,
        operationId: 'widenPriceRollout',
        summary: 'Include more customers: further canaries, a percentage, or all',
        description:
          'A percentage, and all, need a finished comparison of the members since the last stage, or "override": true.',
        params,
        headers: actingHeaders,
        body: stageBody,
        response: answers({
          success: { 200: { description: 'Decided.', schema: rollout } },
          refusals: [...ofDecision, 'ROLLOUT_NOT_WIDER', 'ROLLOUT_NOT_COMPARED', ...ofCanaries, ...ofBeginning],
          body: true,
          idempotent: true,
        }),
      },
    },
    async (request) => {
      const asking = askingOf(request);
      return viewOf(context, await rollouts.widen(request.params.id, request.body, asking));
    },
  );
  const stops = [
    { path: 'halt', act: 'halt', operationId: 'haltPriceRollout', summary: 'Include nobody new; who is in stays in' },
    { path: 'resume', act: 'resume', operationId: 'resumePriceRollout', summary: 'Go on after a halt' },
    {
      path: 'rollback',
      act: 'rollBack',
      operationId: 'rollBackPriceRollout',
      summary: 'End the candidate for everybody; the version before it holds again',
    },
  ] as const;
  for (const { path, act, operationId, summary } of stops) {
    app.post(
      `/price-rollouts/:id/${path}`,
      {
        config: { idempotent: true },
        schema: {
          tags,
          operationId,
          summary,
          description: 'From `effective_from` on. Nothing that is issued changes by it.',
          params,
          headers: actingHeaders,
          body: stopBody,
          response: answers({
            success: { 200: { description: 'Decided.', schema: rollout } },
            refusals: [...ofDecision, ...ofBeginning],
            body: true,
            idempotent: true,
          }),
        },
      },
      async (request) => {
        const asking = askingOf(request);
        return viewOf(context, await rollouts[act](request.params.id, request.body, asking));
      },
    );
  }
}
