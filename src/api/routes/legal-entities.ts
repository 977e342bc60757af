/** Legal entities: who issues documents, each with number series of its own. */
import { z } from 'zod';
import type { Party } from '../../domain/invoicing/invoice.js';
import { requireRegistrable, unknownLegalEntity } from '../../domain/invoicing/legal-entity.js';
import type { StoredLegalEntity } from '../../storage/types.js';
import { answers } from '../schemas/common.js';
import {
  legalEntity,
  legalEntityBody,
  legalEntityCode,
  legalEntityWithVersions,
  numberSeriesCheck,
} from '../schemas/legal-entities.js';
import { tagHeaders } from '../schemas/tags.js';
import type { Api } from '../types.js';
import type { RouteContext } from './context.js';

const tags = ['legal entities'];
const params = z.object({ code: legalEntityCode });

export async function legalEntityRoutes(app: Api, { storage: { numbering } }: RouteContext): Promise<void> {
  app.put(
    '/legal-entities/:code',
    {
      schema: {
        tags,
        operationId: 'putLegalEntity',
        summary: 'Register a legal entity, or change what its documents say of it',
        description:
          'Each change is another version; documents keep what they were issued with. "default" is the seller of the configuration.',
        params,
        headers: tagHeaders,
        body: legalEntityBody,
        response: answers({
          success: {
            200: { description: 'Changed, or registered so already.', schema: legalEntity },
            201: { description: 'Registered.', schema: legalEntity },
          },
          refusals: ['NUMBER_PREFIX_LOCKED', 'NUMBER_PREFIX_TAKEN'],
          body: true,
        }),
      },
    },
    async (request, reply) => {
      const { code } = request.params;
      requireRegistrable(code);
      const { number_prefix: numberPrefix, ...facts } = request.body;
      const seller = sellerOf(facts);
      const { entity, appended } = await numbering.putEntity({ code, numberPrefix, seller }, request.actor);
      return reply.code(appended && entity.version === 1 ? 201 : 200).send(toApiEntity(entity));
    },
  );
  app.get(
    '/legal-entities',
    {
      schema: {
        tags,
        operationId: 'listLegalEntities',
        summary: 'All registered legal entities; beside them there is "default", the seller of the configuration',
        response: answers({
          success: { 200: { description: 'By code.', schema: z.object({ data: z.array(legalEntity) }) } },
        }),
      },
    },
    async () => ({ data: (await numbering.entities()).map(toApiEntity) }),
  );
  app.get(
    '/legal-entities/:code',
    {
      schema: {
        tags,
        operationId: 'getLegalEntity',
        summary: 'A legal entity as it is, and was before',
        params,
        response: answers({
          success: { 200: { description: 'The legal entity.', schema: legalEntityWithVersions } },
          refusals: ['UNKNOWN_LEGAL_ENTITY'],
        }),
      },
    },
    async (request) => {
      const { code } = request.params;
      const versions = (await numbering.entityVersions(code)).map(toApiEntity);
      const last = versions.at(-1);
      if (last === undefined) throw unknownLegalEntity(code);
      return { ...last, versions };
    },
  );
}

export async function numberSeriesRoutes(app: Api, { storage: { numbering } }: RouteContext): Promise<void> {
  app.get(
    '/number-series',
    {
      schema: {
        tags,
        operationId: 'checkNumberSeries',
        summary: 'Every number series, held against the documents: gaps and duplicates by series',
        response: answers({ success: { 200: { description: 'The check.', schema: numberSeriesCheck } } }),
      },
    },
    async () => {
      const checked = await numbering.checkNumbers();
      return {
        holds: checked.every(({ holds }) => holds),
        series: checked.map(({ legalEntity: entity, lastNumber, printed, gaps, duplicates, ...series }) => ({
          ...series,
          legal_entity: entity,
          last_number: lastNumber,
          numbers: printed,
          gaps: [...gaps],
          duplicates: [...duplicates],
        })),
      };
    },
  );
}

/** What was not said is left out, so that what is said alike is stored alike. */
function sellerOf(facts: Omit<z.output<typeof legalEntityBody>, 'number_prefix'>): Party {
  return Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined)) as unknown as Party;
}

function toApiEntity(entity: StoredLegalEntity): z.output<typeof legalEntity> {
  const { code, version, numberPrefix, seller, definedBy, definedAt } = entity;
  return { code, version, number_prefix: numberPrefix, ...seller, defined_by: definedBy, defined_at: definedAt };
}
