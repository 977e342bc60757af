/** The tag registry: which labels events may carry. */
import { z } from 'zod';
import { DomainFailure } from '../../domain/failure.js';
import type { StoredTagDefinition } from '../../storage/types.js';
import { answers } from '../schemas/common.js';
import { tagBody, tagDefinition, tagHeaders, tagKey, tagWithVersions } from '../schemas/tags.js';
import type { Api } from '../types.js';
import type { RouteContext } from './context.js';

const tags = ['tags'];
const params = z.object({ key: tagKey });

export async function tagRoutes(app: Api, { storage, knownTags }: RouteContext): Promise<void> {
  app.put(
    '/tags/:key',
    {
      schema: {
        tags,
        operationId: 'putTag',
        summary: 'Register a tag, or change what is registered of it',
        description:
          'From the first registered tag on, events may carry only registered tags. Each change is another version; what is stored is never touched.',
        params,
        headers: tagHeaders,
        body: tagBody,
        response: answers({
          success: {
            200: { description: 'Changed, or registered so already.', schema: tagDefinition },
            201: { description: 'Registered.', schema: tagDefinition },
          },
          body: true,
        }),
      },
    },
    async (request, reply) => {
      const { description, values, required_for: requiredFor, retired } = request.body;
      const definition = { key: request.params.key, description, values, requiredFor, retired };
      const { tag, appended } = await storage.tags.put(definition, request.actor);
      knownTags.forget();
      return reply.code(appended && tag.version === 1 ? 201 : 200).send(toApiTag(tag));
    },
  );
  app.get(
    '/tags',
    {
      schema: {
        tags,
        operationId: 'listTags',
        summary: 'All registered tags, retired ones too',
        response: answers({
          success: { 200: { description: 'Tags, by key.', schema: z.object({ data: z.array(tagDefinition) }) } },
        }),
      },
    },
    async () => ({ data: (await storage.tags.inForce()).map(toApiTag) }),
  );
  app.get(
    '/tags/:key',
    {
      schema: {
        tags,
        operationId: 'getTag',
        summary: 'What is registered of a tag, and was before',
        params,
        response: answers({
          success: { 200: { description: 'The tag.', schema: tagWithVersions } },
          refusals: ['TAG_NOT_REGISTERED'],
        }),
      },
    },
    async (request) => {
      const { key } = request.params;
      const versions = (await storage.tags.versions(key)).map(toApiTag);
      const last = versions.at(-1);
      if (last === undefined) throw new DomainFailure('TAG_NOT_REGISTERED', `No tag "${key}" is registered.`);
      return { ...last, versions };
    },
  );
}

function toApiTag(tag: StoredTagDefinition): z.output<typeof tagDefinition> {
  return {
    key: tag.key,
    version: tag.version,
    description: tag.description,
    values: tag.values === null ? null : [...tag.values],
    required_for: [...tag.requiredFor],
    retired: tag.retired,
    defined_by: tag.definedBy,
    defined_at: tag.definedAt,
  };
}
