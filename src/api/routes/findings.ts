/** What needs a person, and what the person decided. */
import { z } from 'zod';
import { DomainFailure } from '../../domain/failure.js';
import { parsePeriodName } from '../../domain/time/local-date.js';
import { isUuid } from '../../storage/identifiers.js';
import type { Finding, FindingResolution, FindingStore } from '../../storage/types.js';
import { actingHeaders, answers, identifier, paging, periodName } from '../schemas/common.js';
import { finding, findingClasses, findingPage, resolutionBody } from '../schemas/reconciliation.js';
import type { Api } from '../types.js';
import { toApiFinding, toApiPage } from '../wire/to-api.js';
import type { RouteContext } from './context.js';
import { pageRequest } from './paging.js';

const tags = ['findings'];

export async function findingRoutes(app: Api, { storage }: RouteContext): Promise<void> {
  app.get(
    '/findings',
    {
      schema: {
        tags,
        operationId: 'listFindings',
        summary: 'What needs a person, the newest first',
        querystring: z.strictObject({
          customer_id: identifier.optional(),
          code: identifier.optional(),
          period: periodName.optional(),
          class: z.enum(findingClasses).optional(),
          resolved: z.enum(['true', 'false']).optional().meta({ description: 'Default: both.' }),
          ...paging,
        }),
        response: answers({
          success: { 200: { description: 'Findings.', schema: findingPage } },
          refusals: ['INVALID_CURSOR', 'INVALID_PERIOD'],
        }),
      },
    },
    async (request) => {
      const { customer_id: customerId, code, period, class: findingClass, resolved } = request.query;
      const filter = {
        ...(customerId !== undefined && { customerId }),
        ...(code !== undefined && { code }),
        ...(period !== undefined && { period: parsePeriodName(period) }),
        ...(findingClass !== undefined && { class: findingClass }),
        ...(resolved !== undefined && { resolved: resolved === 'true' }),
      };
      return toApiPage(await storage.findings.list(filter, pageRequest(request.query)), toApiFinding);
    },
  );
  app.post(
    '/findings/:id/resolve',
    {
      config: { idempotent: true },
      schema: {
        tags,
        operationId: 'resolveFinding',
        summary: 'Keep a decision about a finding; the finding stays',
        headers: actingHeaders,
        params: z.object({ id: identifier }),
        body: resolutionBody,
        response: answers({
          success: { 200: { description: 'The finding with its resolution.', schema: finding } },
          refusals: ['FINDING_NOT_FOUND', 'FINDING_ALREADY_RESOLVED'],
          body: true,
          idempotent: true,
        }),
      },
    },
    async (request) => {
      const resolution = { ...request.body, resolvedBy: request.actor };
      return toApiFinding(await resolve(storage.findings, request.params.id, resolution));
    },
  );
}

/**
 * The first decision stands; repeating that very one is no refusal.
 * @throws DomainFailure FINDING_NOT_FOUND, FINDING_ALREADY_RESOLVED
 */
async function resolve(findings: FindingStore, findingId: string, resolution: FindingResolution): Promise<Finding> {
  const find = async (): Promise<Finding> => {
    const found = isUuid(findingId) ? await findings.find(findingId) : null;
    if (found !== null) return found;
    throw new DomainFailure('FINDING_NOT_FOUND', `There is no finding "${findingId}".`);
  };
  await find();
  const { stored } = await findings.resolve(findingId, resolution);
  const resolved = await find();
  if (stored || isSame(resolved.resolution, resolution)) return resolved;
  const detail = `It was resolved as "${resolved.resolution?.resolution ?? ''}" by "${resolved.resolution?.resolvedBy ?? ''}".`;
  throw new DomainFailure('FINDING_ALREADY_RESOLVED', detail);
}

function isSame(kept: FindingResolution | null, given: FindingResolution): boolean {
  return (
    kept !== null &&
    kept.resolution === given.resolution &&
    kept.reason === given.reason &&
    kept.resolvedBy === given.resolvedBy
  );
}
