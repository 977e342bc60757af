/** Meters and price books. */
import { z } from 'zod';
import { membershipsOfAll } from '../../billing/price-rollouts.js';
import { startOfLocalDay } from '../../calendar/time-zones.js';
import { DomainFailure } from '../../domain/failure.js';
import { isOverrideCode } from '../../domain/rating/overrides.js';
import { parsePriceBook, requireMetersOf } from '../../domain/rating/parse-price-book.js';
import type { PriceBookVersion } from '../../domain/rating/price-book.js';
import { versionInForce } from '../../domain/rating/segments.js';
import { withoutRollout } from '../../domain/rollout/candidate.js';
import { msToInstant, parseInstant } from '../../domain/time/instant.js';
import {
  actingHeaders,
  answers,
  documented,
  idempotencyHeaders,
  identifier,
  instant,
  paging,
} from '../schemas/common.js';
import { meter, meterBody, priceBook, priceBookBody, priceBookPage } from '../schemas/reference.js';
import { createMeter, meterOf } from '../services/meters.js';
import { refuseCandidates } from '../services/rollout-candidates.js';
import { offerReRating, supersededBy, toApiOffer, withoutSupersedes } from '../services/price-corrections.js';
import type { Api } from '../types.js';
import { toApiMeter, toApiPriceBook } from '../wire/to-api.js';
import type { RouteContext } from './context.js';
import { pageRequest } from './paging.js';

export async function meterRoutes(app: Api, { storage, knownMeters }: RouteContext): Promise<void> {
  const tags = ['meters'];
  app.post(
    '/meters',
    {
      config: { idempotent: true },
      schema: {
        tags,
        operationId: 'createMeter',
        summary: 'Say what is counted, and how; or, with effective_from, how from then on',
        headers: idempotencyHeaders,
        body: meterBody,
        response: answers({
          success: {
            200: { description: 'The meter, or this version of it, exists with the same content.', schema: meter },
            201: { description: 'Created.', schema: meter },
          },
          refusals: [
            'UNKNOWN_AGGREGATION',
            'INVALID_DURATION',
            'INVALID_INSTANT',
            'INVALID_DATE',
            'EFFECTIVE_FROM_NOT_ALIGNED',
            'METER_IMMUTABLE',
            'INCOMPATIBLE_METER_VERSION',
            'INCOMPATIBLE_METER',
          ],
          body: true,
          idempotent: true,
        }),
      },
    },
    async (request, reply) => {
      const result = await createMeter(storage, meterOf(request.body));
      knownMeters.forget();
      return reply.code(result.created ? 201 : 200).send(toApiMeter(result.meter));
    },
  );
  app.get(
    '/meters',
    {
      schema: {
        tags,
        operationId: 'listMeters',
        summary: 'All meters, in all their versions',
        response: answers({ success: { 200: { description: 'Meters.', schema: z.object({ data: z.array(meter) }) } } }),
      },
    },
    async () => ({ data: (await storage.reference.meterVersions()).map(toApiMeter) }),
  );
}

const tags = ['price books'];

export async function priceBookRoutes(app: Api, context: RouteContext): Promise<void> {
  const { storage } = context;
  app.post(
    '/price-books',
    {
      config: { idempotent: true },
      schema: {
        tags,
        operationId: 'createPriceBookVersion',
        summary: 'Add a version of a price book; it never changes',
        description:
          'With "rollout": true it is a candidate: it holds for nobody until POST /price-rollouts includes customers. With "supersedes" it corrects a version of the same effective date. What is issued stays as it is: the answer, and a finding, offer the re-rating that would correct it.',
        headers: actingHeaders,
        body: documented(priceBookBody),
        response: answers({
          success: {
            200: { description: 'The version exists with the same content.', schema: priceBook },
            201: { description: 'Created.', schema: priceBook },
          },
          refusals: [
            'UNKNOWN_CURRENCY',
            'UNKNOWN_METER',
            'UNKNOWN_PRICE_MODEL',
            'INVALID_DECIMAL',
            'NUMBER_TOO_LONG',
            'INVALID_INSTANT',
            'INVALID_DATE',
            'TIERS_EMPTY',
            'TIERS_GAP',
            'TIERS_OVERLAP',
            'LAST_TIER_BOUNDED',
            'DUPLICATE_PRICE',
            'EFFECTIVE_FROM_NOT_ALIGNED',
            'CURRENCY_MISMATCH',
            'PRICE_BOOK_VERSION_IMMUTABLE',
            'PRICE_BOOK_VERSION_SUPERSEDED',
            'UNKNOWN_PRICE_BOOK',
            'ROLLOUT_OPEN',
            'ROLLOUT_CONFLICT',
          ],
          body: true,
          idempotent: true,
        }),
      },
    },
    async (request, reply) => {
      const { content: rest, supersedes } = withoutSupersedes(request.body);
      const { content: body, isCandidate } = withoutRollout(rest);
      const content = { ...parsePriceBook(body), ...(isCandidate && { isCandidate }) };
      requirePrices(content);
      refuseOverrideCode(content.code);
      requireMetersOf(content, await storage.reference.meters(), body);
      const versions = await storage.reference.priceBookVersions(content.code);
      requireOneCurrency(content, versions);
      const superseded = supersedes === null ? null : supersededBy(content, supersedes, versions);
      if (superseded !== null) refuseCandidates(content, superseded);
      const correction =
        superseded === null ? null : { supersedesId: superseded.priceBookId, correctedBy: request.actor };
      const { priceBook: stored, created } = await storage.reference.createPriceBook(content, correction);
      const offer = superseded === null ? null : await offerReRating(storage, stored, superseded);
      return reply.code(created ? 201 : 200).send({
        ...toApiPriceBook(stored),
        ...(offer !== null && { supersedes, re_rating_offer: toApiOffer(offer) }),
      });
    },
  );
  listRoutes(app, context);
}

function listRoutes(app: Api, { storage, clock }: RouteContext): void {
  app.get(
    '/price-books',
    {
      schema: {
        tags,
        operationId: 'listPriceBooks',
        summary: "Versions of all price books, in the order of learning; without customers' own prices",
        querystring: z.strictObject({ ...paging, code: identifier.optional() }),
        response: answers({
          success: { 200: { description: 'Versions.', schema: priceBookPage } },
          refusals: ['INVALID_CURSOR'],
        }),
      },
    },
    async (request) => {
      const { data, nextCursor } = await storage.reference.listPriceBooks(request.query, pageRequest(request.query));
      const listed = data.map(({ priceBook: version, supersedes, supersededBy }) => ({
        ...toApiPriceBook(version),
        ...{ supersedes, superseded_by: supersededBy },
      }));
      return { data: listed, next_cursor: nextCursor };
    },
  );
  app.get(
    '/price-books/:code',
    {
      schema: {
        tags,
        operationId: 'getPriceBook',
        summary: 'The version of a price book that is, was, or will be in force',
        description: 'A version that begins on a local date begins, here, at its midnight in UTC.',
        params: z.object({ code: identifier }),
        querystring: z.strictObject({ at: instant.optional().meta({ description: 'Default: now.' }) }),
        response: answers({
          success: { 200: { description: 'The version.', schema: priceBook } },
          refusals: ['UNKNOWN_PRICE_BOOK', 'INVALID_INSTANT', 'INSTANT_WITHOUT_OFFSET'],
        }),
      },
    },
    async (request) => {
      const at = request.query.at === undefined ? msToInstant(clock()) : parseInstant(request.query.at);
      const versions = await storage.reference.priceBookVersions(request.params.code);
      const memberships = await membershipsOfAll(storage, versions);
      const version = versionInForce(versions, at, { startOfDay: (day) => startOfLocalDay(day, 'UTC'), memberships });
      if (version !== null) return toApiPriceBook(version);
      const detail =
        versions.length === 0
          ? `There is no price book "${request.params.code}".`
          : `The price book "${request.params.code}" has no version in force at ${at}.`;
      throw new DomainFailure('UNKNOWN_PRICE_BOOK', detail);
    },
  );
}

/** Without a price every meter would hold every invoice; that is a mistake of the sender, not a price book. */
function requirePrices({ prices, fees }: Pick<PriceBookVersion, 'prices' | 'fees'>): void {
  if (prices.length + fees.length > 0) return;
  throw new DomainFailure('VALIDATION_FAILED', '"prices" must list at least one price.', '/prices');
}

/** A customer's own price book is made of its overrides, and of nothing else. */
function refuseOverrideCode(code: string): void {
  if (!isOverrideCode(code)) return;
  const detail =
    "Codes that begin so are kept for customers' own prices: PUT /customers/{customer_id}/price-overrides.";
  throw new DomainFailure('VALIDATION_FAILED', detail, '/code');
}

/** A customer keeps its price book for years; a version in another currency could not bill it. */
function requireOneCurrency(
  content: { readonly code: string; readonly currency: string },
  versions: readonly PriceBookVersion[],
): void {
  const other = versions.find(({ currency }) => currency !== content.currency);
  if (other === undefined) return;
  const detail = `The price book "${content.code}" is in ${other.currency} since version "${other.version}". Use another code for ${content.currency}.`;
  throw new DomainFailure('CURRENCY_MISMATCH', detail, '/currency');
}
