/** Exchange rates: what prices in another currency are converted at. */
import { parseRates } from '../../domain/money/parse-rates.js';
import { parseLocalDate } from '../../domain/time/local-date.js';
import type { StoredExchangeRate } from '../../storage/types.js';
import { actingHeaders, answers } from '../schemas/common.js';
import { exchangeRatePage, exchangeRatesBody, exchangeRatesQuery, importedRates } from '../schemas/exchange-rates.js';
import type { Api } from '../types.js';
import { toApiPage } from '../wire/to-api.js';
import type { RouteContext } from './context.js';
import { pageRequest } from './paging.js';

const tags = ['exchange rates'];

export async function exchangeRateRoutes(app: Api, { storage }: RouteContext): Promise<void> {
  app.post(
    '/exchange-rates',
    {
      config: { idempotent: true },
      schema: {
        tags,
        operationId: 'addExchangeRates',
        summary: 'Add published exchange rates, all of them or none',
        description:
          'A rate that is known already changes nothing. Another rate for the same source, pair and day holds for documents that are not issued; issued ones keep what they were converted at.',
        headers: actingHeaders,
        body: exchangeRatesBody,
        response: answers({
          success: { 200: { description: 'Stored.', schema: importedRates } },
          refusals: ['UNKNOWN_CURRENCY', 'INVALID_DATE', 'INVALID_DECIMAL', 'NUMBER_TOO_LONG'],
          body: true,
          idempotent: true,
        }),
      },
    },
    async (request) => {
      const { source, rates } = request.body;
      const imported = await storage.reference.addExchangeRates(parseRates(source, rates), request.actor);
      return { source, ...imported };
    },
  );
  app.get(
    '/exchange-rates',
    {
      schema: {
        tags,
        operationId: 'listExchangeRates',
        summary: 'Exchange rates that hold, the newest day first',
        querystring: exchangeRatesQuery,
        response: answers({
          success: { 200: { description: 'Rates.', schema: exchangeRatePage } },
          refusals: ['INVALID_CURSOR', 'INVALID_DATE'],
        }),
      },
    },
    async (request) => {
      const { source, base, quote, on } = request.query;
      const filter = { source, base, quote, on: on === undefined ? undefined : parseLocalDate(on) };
      return toApiPage(await storage.reference.listExchangeRates(filter, pageRequest(request.query)), toApiRate);
    },
  );
}

function toApiRate({ importedBy, learnedAt, ...rate }: StoredExchangeRate): object {
  return { ...rate, imported_by: importedBy, learned_at: learnedAt };
}
