/** The schema registry: what the metadata of an event type must be. */
import { z } from 'zod';
import type { ExactJson } from '../ingest/exact-json.js';
import { bodyRefused } from '../plugins/schemas.js';
import { actingHeaders, answers, documented, identifier, paging } from '../schemas/common.js';
import {
  eventSchema,
  eventSchemaBody,
  eventSchemaPage,
  eventSchemaShape,
  schemaVersionParam,
  type EventSchemaWire,
} from '../schemas/event-schemas.js';
import type { EventSchemaDraft } from '../services/event-schemas.js';
import type { EventSchemaVersion } from '../../storage/types.js';
import type { Api } from '../types.js';
import { toApiPage } from '../wire/to-api.js';
import { parseExactBody } from './adjustments.js';
import type { RouteContext } from './context.js';
import { pageRequest } from './paging.js';

const tags = ['event schemas'];
/** Room for a schema of its greatest size, and white space in it. */
const bodyLimit = 256 * 1024;

/** Numbers of a schema are what numbers of events are held against, so this scope reads bodies exactly. */
export async function eventSchemaRoutes(app: Api, { eventSchemas }: RouteContext): Promise<void> {
  parseExactBody(app, bodyLimit);
  app.post(
    '/event-schemas',
    {
      config: { idempotent: true },
      schema: {
        tags,
        operationId: 'addEventSchema',
        summary: 'Add a version of what the metadata of an event type must be; it never changes',
        description:
          'Compared with all earlier versions, and with what the meters of the event type read. Events that name no version are validated against the latest one from now on.',
        headers: actingHeaders,
        body: documented(eventSchemaBody),
        response: answers({
          success: {
            200: { description: 'The latest version says the same; or a dry run.', schema: eventSchema },
            201: { description: 'Added.', schema: eventSchema },
          },
          refusals: ['INVALID_SCHEMA', 'INCOMPATIBLE_SCHEMA'],
          body: true,
          idempotent: true,
        }),
      },
    },
    async (request, reply) => {
      const parsed = eventSchemaShape.safeParse(request.body);
      if (!parsed.success) throw bodyRefused(parsed.error);
      const { event_type: eventType, schema, compatibility, dry_run: dryRun } = parsed.data;
      const wanted = { eventType, schema: schema as ExactJson, compatibility, actor: request.actor };
      if (dryRun) return toApiEventSchema(await eventSchemas.check(wanted));
      const { stored, created } = await eventSchemas.add(wanted);
      return reply.code(created ? 201 : 200).send(toApiEventSchema(stored));
    },
  );
}

export async function eventSchemaReadRoutes(app: Api, { storage, eventSchemas }: RouteContext): Promise<void> {
  app.get(
    '/event-schemas',
    {
      schema: {
        tags,
        operationId: 'listEventSchemas',
        summary: 'Versions of schemas, by event type, oldest first',
        querystring: z.strictObject({ event_type: identifier.optional(), ...paging }),
        response: answers({
          success: { 200: { description: 'All versions.', schema: eventSchemaPage } },
          refusals: ['INVALID_CURSOR'],
        }),
      },
    },
    async (request) => {
      const { event_type: eventType } = request.query;
      const filter = eventType === undefined ? {} : { eventType };
      return toApiPage(await storage.eventSchemas.list(filter, pageRequest(request.query)), toApiEventSchema);
    },
  );
  app.get(
    '/event-schemas/:event_type/:version',
    {
      schema: {
        tags,
        operationId: 'getEventSchema',
        summary: 'One version of a schema',
        params: z.object({ event_type: identifier, version: schemaVersionParam }),
        response: answers({
          success: { 200: { description: 'The version.', schema: eventSchema } },
          refusals: ['UNKNOWN_SCHEMA_VERSION'],
        }),
      },
    },
    async (request) =>
      toApiEventSchema(await eventSchemas.find(request.params.event_type, Number(request.params.version))),
  );
}

function toApiEventSchema(version: EventSchemaVersion | EventSchemaDraft): EventSchemaWire {
  return {
    event_type: version.eventType,
    version: version.version,
    schema: { ...version.schema },
    compatibility: version.compatibility,
    created_by: version.createdBy,
    created_at: 'createdAt' in version ? version.createdAt : null,
  };
}
