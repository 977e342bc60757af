/** Health, metrics, and the OpenAPI document. */
import { z } from 'zod';
import { answers } from '../schemas/common.js';
import type { Api } from '../types.js';
import type { RouteContext } from './context.js';

const tags = ['operations'];
const plainText = z.any().meta({ type: 'string' });

export async function operationRoutes(app: Api, { storage, temporal, metrics }: RouteContext): Promise<void> {
  app.get(
    '/health/live',
    {
      schema: {
        tags,
        operationId: 'getLiveness',
        summary: 'The process answers',
        response: answers({
          success: { 200: { description: 'Alive.', schema: z.object({ status: z.literal('alive') }) } },
        }),
      },
    },
    () => ({ status: 'alive' as const }),
  );
  app.get(
    '/health/ready',
    {
      schema: {
        tags,
        operationId: 'getReadiness',
        summary: 'Events can be taken',
        description: 'Needs the database with all migrations. Temporal may be away: events are taken all the same.',
        response: answers({
          success: {
            200: {
              description: 'Ready.',
              schema: z.object({
                status: z.literal('ready'),
                checks: z.object({ database: z.literal('up'), temporal: z.enum(['up', 'down']) }),
              }),
            },
          },
        }),
      },
    },
    async () => {
      const [, temporalUp] = await Promise.all([
        storage.ready(),
        temporal.health().then(
          () => true,
          () => false,
        ),
      ]);
      return {
        status: 'ready' as const,
        checks: { database: 'up' as const, temporal: temporalUp ? ('up' as const) : ('down' as const) },
      };
    },
  );
  app.get(
    '/metrics',
    {
      schema: {
        tags,
        operationId: 'getMetrics',
        summary: 'Prometheus metrics',
        response: answers({
          success: { 200: { description: 'Metrics.', schema: plainText, mediaType: 'text/plain' } },
        }),
      },
    },
    async (_request, reply) =>
      reply
        .type(metrics.registry.contentType)
        .serializer((payload: unknown) => payload as string)
        .send(await metrics.registry.metrics()),
  );
  app.get(
    '/openapi.json',
    {
      schema: {
        tags,
        operationId: 'getOpenApi',
        summary: 'This document',
        response: answers({ success: { 200: { description: 'OpenAPI 3.1.', schema: z.looseObject({}) } } }),
      },
    },
    () => app.swagger(),
  );
}
