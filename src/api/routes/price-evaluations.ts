/** What-if: prices that nobody is billed by. */
import { z } from 'zod';
import { actingHeaders, answers, identifier, pageLimits, paging } from '../schemas/common.js';
import {
  evaluatedCustomerPage,
  evaluatedNow,
  evaluation,
  evaluationBody,
  evaluationPage,
  evaluationResultPage,
  evaluationResults,
  evaluationStarted,
} from '../schemas/price-evaluations.js';
import type { Api } from '../types.js';
import {
  toApiEvaluatedCustomer,
  toApiEvaluationResult,
  toApiEvaluationSummary,
  toApiTotals,
} from '../wire/evaluations-to-api.js';
import { toApiPage } from '../wire/to-api.js';
import { askingOf } from './context.js';
import type { RouteContext } from './context.js';
import { pageRequest } from './paging.js';

const tags = ['what if'];
const params = z.object({ id: identifier });

export async function priceEvaluationRoutes(app: Api, { evaluations }: RouteContext): Promise<void> {
  app.post(
    '/price-books/evaluate',
    {
      config: { idempotent: true },
      schema: {
        tags,
        operationId: 'evaluatePriceBook',
        summary: 'What quantities, or real usage, would cost under a price book version',
        description:
          'Nothing of it is stored as a charge. Quantities and one period are answered at once; customers make a run, which goes on by itself and reads usage as it was when it was asked for.',
        headers: actingHeaders,
        body: evaluationBody,
        response: answers({
          success: {
            200: { description: 'The quantities, or the period, under that version.', schema: evaluatedNow },
            202: { description: 'Asked for: a run over customers.', schema: evaluationStarted },
          },
          refusals: [
            'UNKNOWN_PRICE_BOOK',
            'UNKNOWN_METER',
            'UNKNOWN_CUSTOMER',
            'INVALID_DECIMAL',
            'NUMBER_TOO_LONG',
            'INVALID_PERIOD',
            'UNKNOWN_PERIOD',
            'INVALID_INSTANT',
            'INSTANT_WITHOUT_OFFSET',
            'INVALID_DATE',
            'UNKNOWN_CURRENCY',
            'UNKNOWN_PRICE_MODEL',
            'TIERS_EMPTY',
            'TIERS_GAP',
            'TIERS_OVERLAP',
            'LAST_TIER_BOUNDED',
            'DUPLICATE_PRICE',
            'EFFECTIVE_FROM_NOT_ALIGNED',
            'NOTHING_TO_EVALUATE',
            'TEMPORAL_UNAVAILABLE',
          ],
          body: true,
          idempotent: true,
        }),
      },
    },
    async (request, reply) => {
      const evaluated = await evaluations.evaluate(request.body, askingOf(request));
      if (evaluated.kind === 'now') return reply.code(200).send(evaluated.answer);
      const { evaluationId, workflowId, finishedAt } = evaluated.run;
      const status = finishedAt === null ? 'running' : 'finished';
      return reply.code(202).send({ evaluation_id: evaluationId, workflow_id: workflowId, status });
    },
  );
}

export async function priceEvaluationRunRoutes(app: Api, { storage, evaluations }: RouteContext): Promise<void> {
  app.get(
    '/price-book-evaluations',
    {
      schema: {
        tags,
        operationId: 'listPriceEvaluations',
        summary: 'Runs, the newest first',
        querystring: z.strictObject(paging),
        response: answers({
          success: { 200: { description: 'Runs.', schema: evaluationPage } },
          refusals: ['INVALID_CURSOR'],
        }),
      },
    },
    async (request) => toApiPage(await storage.evaluations.list(pageRequest(request.query)), toApiEvaluationSummary),
  );
  app.get(
    '/price-book-evaluations/:id',
    {
      schema: {
        tags,
        operationId: 'getPriceEvaluation',
        summary: 'A run: progress, totals, how the differences are distributed, and its first customers',
        params,
        response: answers({
          success: { 200: { description: 'The run.', schema: evaluation } },
          refusals: ['PRICE_EVALUATION_NOT_FOUND'],
        }),
      },
    },
    async (request) => {
      const found = await evaluations.require(request.params.id);
      const { evaluationId } = found;
      const [totals, customers] = await Promise.all([
        storage.evaluations.totals(evaluationId),
        storage.evaluations.customers(evaluationId, { limit: pageLimits.byDefault }),
      ]);
      return {
        ...toApiEvaluationSummary(found),
        totals: totals.map(toApiTotals),
        customers: toApiPage(customers, toApiEvaluatedCustomer),
      };
    },
  );
  app.get(
    '/price-book-evaluations/:id/customers',
    {
      schema: {
        tags,
        operationId: 'listEvaluatedCustomers',
        summary: 'What a run says of each customer',
        params,
        querystring: z.strictObject(paging),
        response: answers({
          success: { 200: { description: 'Customers.', schema: evaluatedCustomerPage } },
          refusals: ['PRICE_EVALUATION_NOT_FOUND', 'INVALID_CURSOR'],
        }),
      },
    },
    async (request) => {
      const { evaluationId } = await evaluations.require(request.params.id);
      const page = await storage.evaluations.customers(evaluationId, pageRequest(request.query));
      return toApiPage(page, toApiEvaluatedCustomer);
    },
  );
  app.get(
    '/price-book-evaluations/:id/results',
    {
      schema: {
        tags,
        operationId: 'listPriceEvaluationResults',
        summary: 'What a run says of each period, with the lines that differ',
        params,
        querystring: z.strictObject({
          customer_id: identifier.optional(),
          result: z.enum(evaluationResults).optional(),
          ...paging,
        }),
        response: answers({
          success: { 200: { description: 'Results.', schema: evaluationResultPage } },
          refusals: ['PRICE_EVALUATION_NOT_FOUND', 'INVALID_CURSOR'],
        }),
      },
    },
    async (request) => {
      const { evaluationId } = await evaluations.require(request.params.id);
      const { customer_id: customerId, result } = request.query;
      const filter = { ...(customerId !== undefined && { customerId }), ...(result !== undefined && { result }) };
      const page = await storage.evaluations.results(evaluationId, filter, pageRequest(request.query));
      return toApiPage(page, toApiEvaluationResult);
    },
  );
}
