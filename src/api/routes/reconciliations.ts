/** Reconciliations: the chain from events to journal, period by period. */
import { z } from 'zod';
import type { ReconciliationResult } from '../../storage/types.js';
import { actingHeaders, answers, identifier, pageLimits, paging } from '../schemas/common.js';
import {
  reconciliation,
  reconciliationBody,
  reconciliationPage,
  reconciliationResults,
  reconciliationStarted,
  resultPage,
} from '../schemas/reconciliation.js';
import type { Api } from '../types.js';
import { toApiReconciliation } from '../wire/corrections-to-api.js';
import { toApiPage } from '../wire/to-api.js';
import { askingOf } from './context.js';
import type { RouteContext } from './context.js';
import { pageRequest } from './paging.js';

const tags = ['reconciliations'];
const params = z.object({ id: identifier });

export async function reconciliationRoutes(app: Api, { storage, reconciliations }: RouteContext): Promise<void> {
  app.post(
    '/reconciliations',
    {
      config: { idempotent: true },
      schema: {
        tags,
        operationId: 'createReconciliation',
        summary: 'Hold events, aggregates, charges, lines and journal against each other now',
        description: 'Runs daily by itself too. What differs becomes findings; what is missing is processed again.',
        headers: actingHeaders,
        body: reconciliationBody,
        response: answers({
          success: { 202: { description: 'Asked for.', schema: reconciliationStarted } },
          refusals: ['UNKNOWN_CUSTOMER', 'INVALID_INSTANT', 'INSTANT_WITHOUT_OFFSET', 'TEMPORAL_UNAVAILABLE'],
          body: true,
          idempotent: true,
        }),
      },
    },
    async (request, reply) => {
      const asking = askingOf(request);
      const run = await reconciliations.create(request.body, asking);
      const status = run.finishedAt === null ? 'running' : 'finished';
      return reply.code(202).send({ run_id: run.runId, workflow_id: run.workflowId, status });
    },
  );
  app.get(
    '/reconciliations',
    {
      schema: {
        tags,
        operationId: 'listReconciliations',
        summary: 'Reconciliations, the newest first',
        querystring: z.strictObject(paging),
        response: answers({
          success: { 200: { description: 'Reconciliations.', schema: reconciliationPage } },
          refusals: ['INVALID_CURSOR'],
        }),
      },
    },
    async (request) => toApiPage(await storage.reconciliation.list(pageRequest(request.query)), toApiReconciliation),
  );
  app.get(
    '/reconciliations/:id',
    {
      schema: {
        tags,
        operationId: 'getReconciliation',
        summary: 'A reconciliation with its first results',
        params,
        response: answers({
          success: { 200: { description: 'The reconciliation.', schema: reconciliation } },
          refusals: ['RECONCILIATION_NOT_FOUND'],
        }),
      },
    },
    async (request) => {
      const run = await reconciliations.require(request.params.id);
      const [findings, results] = await Promise.all([
        reconciliations.findingsOf(run.runId),
        storage.reconciliation.results(run.runId, {}, { limit: pageLimits.byDefault }),
      ]);
      return { ...toApiReconciliation(run), findings, results: toApiPage(results, toApiResult) };
    },
  );
  app.get(
    '/reconciliations/:id/results',
    {
      schema: {
        tags,
        operationId: 'listReconciliationResults',
        summary: 'What a reconciliation says of each period',
        params,
        querystring: z.strictObject({ result: z.enum(reconciliationResults).optional(), ...paging }),
        response: answers({
          success: { 200: { description: 'Results.', schema: resultPage } },
          refusals: ['RECONCILIATION_NOT_FOUND', 'INVALID_CURSOR'],
        }),
      },
    },
    async (request) => {
      const { runId } = await reconciliations.require(request.params.id);
      const { result } = request.query;
      const filter = result === undefined ? {} : { result };
      return toApiPage(await storage.reconciliation.results(runId, filter, pageRequest(request.query)), toApiResult);
    },
  );
}

function toApiResult({ customerId, period, result, report }: ReconciliationResult): object {
  return { customer_id: customerId, period, result, report };
}
