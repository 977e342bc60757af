/** What all customers owe, by how long it is overdue. */
import { z } from 'zod';
import { decimal } from '../../domain/decimal.js';
import { ageingOf, isOverdue } from '../../domain/settlement/ageing.js';
import { msToInstant } from '../../domain/time/instant.js';
import { answers, paging } from '../schemas/common.js';
import { receivablesPage } from '../schemas/settlement.js';
import type { DecimalString } from '../../domain/values.js';
import type { Api } from '../types.js';
import { toApiAgeing } from '../wire/settlement-to-api.js';
import type { RouteContext } from './context.js';
import { pageRequest } from './paging.js';

const isSomething = (amount: DecimalString): boolean => !decimal(amount).isZero();

export async function receivablesRoutes(app: Api, { storage, clock }: RouteContext): Promise<void> {
  app.get(
    '/receivables',
    {
      schema: {
        tags: ['payments'],
        operationId: 'listReceivables',
        summary: 'What customers owe, by how long it is overdue',
        description: 'In order of customer id; `limit` counts customers, and one has a row a currency.',
        querystring: z.strictObject({
          overdue: z.enum(['true', 'false']).optional().meta({ description: 'true: only where something is overdue.' }),
          ...paging,
        }),
        response: answers({
          success: { 200: { description: 'As it is now.', schema: receivablesPage } },
          refusals: ['INVALID_CURSOR'],
        }),
      },
    },
    async (request) => {
      const now = msToInstant(clock());
      const onlyOverdue = request.query.overdue === 'true';
      const page = await storage.settlement.customersOwing(
        onlyOverdue ? { overdueAt: now } : {},
        pageRequest(request.query),
      );
      const data: object[] = [];
      for (const customerId of page.data) {
        const rows = ageingOf(await storage.settlement.items(customerId), now).filter((row) =>
          onlyOverdue ? isOverdue(row) : [row.open, row.unapplied, row.besideWriteOffs].some(isSomething),
        );
        data.push(...rows.map((row) => toApiAgeing(customerId, row)));
      }
      return { data, next_cursor: page.nextCursor };
    },
  );
}
