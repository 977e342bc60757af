/** What is made of the journal: balances, snapshots, months, account mappings, export. */
import { Readable } from 'node:stream';
import { msToInstant } from '../../domain/time/instant.js';
import { actingHeaders, answers } from '../schemas/common.js';
import {
  accountBalancePage,
  accountingMonths,
  accountMappingList,
  accountMappings,
  accountMappingsBody,
  accountMappingsQuery,
  balanceDifferences,
  balancesQuery,
  checkQuery,
  closingBody,
  csvOut,
  exportQuery,
  monthChecklist,
  monthClosing,
  monthParams,
  rebuiltBalances,
  snapshot,
  snapshotPage,
} from '../schemas/ledger.js';
import { exportLedger } from '../services/ledger-export.js';
import {
  addAccountMappings,
  closeMonth,
  momentOf,
  monthOf,
  rebuildBalances,
  toApiBalance,
  toApiChecklist,
  toApiClosing,
  toApiDifference,
  toApiMapping,
  toApiMonths,
  toApiSnapshot,
} from '../services/ledger.js';
import { DomainFailure } from '../../domain/failure.js';
import { z } from 'zod';
import type { Api } from '../types.js';
import { toApiPage } from '../wire/to-api.js';
import { askingOf } from './context.js';
import type { RouteContext } from './context.js';
import { pageRequest } from './paging.js';
import { paging } from '../schemas/common.js';

const tags = ['ledger'];
const noBody = z.strictObject({});

export async function balanceRoutes(app: Api, { storage }: RouteContext): Promise<void> {
  app.get(
    '/ledger/balances',
    {
      schema: {
        tags,
        operationId: 'listAccountBalances',
        summary: 'Balances by customer, account and currency; of one customer also at a moment of the past',
        querystring: balancesQuery,
        response: answers({
          success: { 200: { description: 'Balances.', schema: accountBalancePage } },
          refusals: ['INVALID_CURSOR', 'INVALID_INSTANT', 'INSTANT_WITHOUT_OFFSET', 'INVALID_DATE'],
        }),
      },
    },
    async (request) => {
      const { customer_id: customerId, account, currency, ...rest } = request.query;
      const moment = momentOf(rest);
      const filter = {
        ...(customerId !== undefined && { customerId }),
        ...(account !== undefined && { account }),
        ...(currency !== undefined && { currency }),
      };
      if (moment === undefined)
        return toApiPage(await storage.journal.balances(filter, pageRequest(request.query)), toApiBalance);
      if (customerId === undefined) {
        const detail =
          'Balances of the past are those of one "customer_id"; the trial balance has those of all together.';
        throw new DomainFailure('VALIDATION_FAILED', detail);
      }
      const rows = await storage.journal.balancesAt(customerId, moment);
      const wanted = rows.filter(
        (row) => (account ?? row.account) === row.account && (currency ?? row.currency) === row.currency,
      );
      return { data: wanted.map(toApiBalance), next_cursor: null };
    },
  );
  app.get(
    '/ledger/check',
    {
      schema: {
        tags,
        operationId: 'checkLedger',
        summary: 'Hold balances and snapshots against the journal',
        querystring: checkQuery,
        response: answers({
          success: { 200: { description: 'What differs; nothing, as a rule.', schema: balanceDifferences } },
        }),
      },
    },
    async (request) => {
      const { customer_id: customerId } = request.query;
      const differences = await storage.journal.check(customerId === undefined ? null : [customerId]);
      return { data: differences.map(toApiDifference) };
    },
  );
  app.post(
    '/ledger/rebuild',
    {
      config: { idempotent: true },
      schema: {
        tags,
        operationId: 'rebuildBalances',
        summary: 'Make the balances again from the journal, while others go on posting',
        headers: actingHeaders,
        body: noBody,
        response: answers({
          success: { 200: { description: 'What was corrected.', schema: rebuiltBalances } },
          body: true,
          idempotent: true,
        }),
      },
    },
    async () => {
      const { customers, corrected, unresolved } = await rebuildBalances(storage);
      return {
        customers,
        corrected: corrected.map(toApiDifference),
        unresolved: unresolved.map(toApiDifference),
      };
    },
  );
}

export async function snapshotRoutes(app: Api, { storage }: RouteContext): Promise<void> {
  app.post(
    '/ledger/snapshots',
    {
      config: { idempotent: true },
      schema: {
        tags,
        operationId: 'takeLedgerSnapshot',
        summary: 'Keep what every account comes to now; balances of later moments are added up from here',
        headers: actingHeaders,
        body: noBody,
        response: answers({
          success: { 201: { description: 'Taken, now or when nothing else was posted.', schema: snapshot } },
          body: true,
          idempotent: true,
        }),
      },
    },
    async (request, reply) => reply.code(201).send(toApiSnapshot(await storage.journal.takeSnapshot(request.actor))),
  );
  app.get(
    '/ledger/snapshots',
    {
      schema: {
        tags,
        operationId: 'listLedgerSnapshots',
        summary: 'Snapshots, the newest first',
        querystring: z.strictObject(paging),
        response: answers({
          success: { 200: { description: 'Snapshots.', schema: snapshotPage } },
          refusals: ['INVALID_CURSOR'],
        }),
      },
    },
    async (request) => toApiPage(await storage.journal.snapshots(pageRequest(request.query)), toApiSnapshot),
  );
}

export async function accountingMonthRoutes(app: Api, { storage, clock }: RouteContext): Promise<void> {
  app.get(
    '/ledger/months',
    {
      schema: {
        tags,
        operationId: 'listAccountingMonths',
        summary: 'Which accounting months are closed',
        response: answers({ success: { 200: { description: 'Closings.', schema: accountingMonths } } }),
      },
    },
    async () => toApiMonths(await storage.journal.closings()),
  );
  app.get(
    '/ledger/months/:month/checklist',
    {
      schema: {
        tags,
        operationId: 'checkAccountingMonth',
        summary: 'What of an accounting month is not in the books yet',
        params: monthParams,
        response: answers({
          success: { 200: { description: 'What is open.', schema: monthChecklist } },
          refusals: ['INVALID_PERIOD'],
        }),
      },
    },
    async (request) => toApiChecklist(await storage.journal.checklist(monthOf(request.params.month))),
  );
  app.post(
    '/ledger/months/:month/close',
    {
      config: { idempotent: true },
      schema: {
        tags,
        operationId: 'closeAccountingMonth',
        summary: 'Close an accounting month for ever',
        description:
          'With the first one all months before it. Revenue of the month that was billed in advance is recognised first. Whatever is posted later goes to the first open month.',
        headers: actingHeaders,
        params: monthParams,
        body: closingBody,
        response: answers({
          success: { 201: { description: 'Closed.', schema: monthClosing } },
          refusals: [
            'INVALID_PERIOD',
            'ACCOUNTING_MONTH_NOT_OVER',
            'ACCOUNTING_MONTH_CLOSED',
            'ACCOUNTING_MONTH_OUT_OF_ORDER',
          ],
          body: true,
          idempotent: true,
        }),
      },
    },
    async (request, reply) => {
      const { reason } = request.body;
      const month = monthOf(request.params.month);
      const closing = { month, reason, actor: request.actor, now: msToInstant(clock()) };
      return reply.code(201).send(toApiClosing(await closeMonth(storage, closing)));
    },
  );
}

export async function ledgerExportRoutes(app: Api, { storage }: RouteContext): Promise<void> {
  app.post(
    '/ledger/account-mappings',
    {
      config: { idempotent: true },
      schema: {
        tags,
        operationId: 'addAccountMappings',
        summary: 'Say which accounts of another system ours are, all of them or none',
        description: 'They are dated facts: a later one for the same account and product holds from its date on.',
        headers: actingHeaders,
        body: accountMappingsBody,
        response: answers({
          success: { 201: { description: 'Stored.', schema: accountMappings } },
          refusals: ['ACCOUNTING_MONTH_CLOSED', 'INVALID_DATE'],
          body: true,
          idempotent: true,
        }),
      },
    },
    async (request, reply) => {
      const asking = askingOf(request);
      const stored = await addAccountMappings(storage, request.body, asking);
      return reply.code(201).send({ data: stored.map(toApiMapping) });
    },
  );
  app.get(
    '/ledger/account-mappings',
    {
      schema: {
        tags,
        operationId: 'listAccountMappings',
        summary: 'Account mappings: their names, and the rows of one',
        querystring: accountMappingsQuery,
        response: answers({ success: { 200: { description: 'Mappings.', schema: accountMappingList } } }),
      },
    },
    async (request) => {
      const { mapping } = request.query;
      const rows = mapping === undefined ? [] : await storage.journal.mappings(mapping);
      return { mappings: await storage.journal.mappingNames(), data: rows.map(toApiMapping) };
    },
  );
  app.get(
    '/ledger/export',
    {
      schema: {
        tags,
        operationId: 'exportLedger',
        summary: 'The postings of a month, or of a stretch of the journal, as CSV',
        description: 'A closed month gives the same bytes for ever.',
        querystring: exportQuery,
        response: answers({
          success: { 200: { description: 'A line a posting.', schema: csvOut, mediaType: 'text/csv' } },
          refusals: ['INVALID_PERIOD', 'LEDGER_MAPPING_MISSING'],
        }),
      },
    },
    async (request, reply) => {
      const { filename, lines } = await exportLedger(storage, request.query);
      return reply
        .type('text/csv; charset=utf-8')
        .header('content-disposition', `attachment; filename="${filename}"`)
        .send(Readable.from(lines));
    },
  );
}
