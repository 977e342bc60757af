/** The journal. */
import { z } from 'zod';
import { DomainFailure } from '../../domain/failure.js';
import { formatAmount } from '../../domain/money/rounding.js';
import { answers, identifier, pageOf, paging } from '../schemas/common.js';
import { accounts, journalEntry, momentQuery, trialBalance } from '../schemas/ledger.js';
import { momentOf, toApiSums } from '../services/ledger.js';
import { isUuid } from '../../storage/identifiers.js';
import type { Storage } from '../../storage/types.js';
import type { Api } from '../types.js';
import { toApiEntry, toApiPage } from '../wire/to-api.js';
import type { RouteContext } from './context.js';
import { pageRequest } from './paging.js';

const momentRefusals = ['INVALID_INSTANT', 'INSTANT_WITHOUT_OFFSET', 'INVALID_DATE'] as const;

/** An id is taken as it is: the journal may speak of it, or not. @throws DomainFailure INVOICE_NOT_FOUND */
async function invoiceIdOf({ billing }: Pick<Storage, 'billing'>, invoice: string): Promise<string> {
  if (isUuid(invoice)) return invoice;
  const found = await billing.findInvoice(invoice);
  if (found === null) throw new DomainFailure('INVOICE_NOT_FOUND', `There is no invoice "${invoice}".`);
  return found.invoiceId;
}

export async function journalRoutes(app: Api, { storage }: RouteContext): Promise<void> {
  const tags = ['ledger'];
  app.get(
    '/ledger/accounts',
    {
      schema: {
        tags,
        operationId: 'listAccounts',
        summary: 'Accounts with their balances by currency, now or at a moment of the past',
        querystring: momentQuery,
        response: answers({
          success: { 200: { description: 'Accounts.', schema: accounts } },
          refusals: momentRefusals,
        }),
      },
    },
    async (request) => {
      const all = await storage.journal.accounts(momentOf(request.query));
      const data = all.map(({ balances, ...account }) => ({
        ...account,
        balances: balances.map(({ currency, amount }) => ({ currency, amount: formatAmount(amount, currency) })),
      }));
      return { data };
    },
  );
  app.get(
    '/ledger/entries',
    {
      schema: {
        tags,
        operationId: 'listJournalEntries',
        summary: 'Journal entries',
        querystring: z.strictObject({
          customer_id: identifier.optional(),
          invoice_id: identifier.optional().meta({ description: 'Id or number.' }),
          ...paging,
        }),
        response: answers({
          success: { 200: { description: 'Entries.', schema: pageOf(journalEntry) } },
          refusals: ['INVALID_CURSOR', 'INVOICE_NOT_FOUND'],
        }),
      },
    },
    async (request) => {
      const { customer_id: customerId, invoice_id: invoice } = request.query;
      const invoiceId = invoice === undefined ? undefined : await invoiceIdOf(storage, invoice);
      const filter = { ...(customerId !== undefined && { customerId }), ...(invoiceId !== undefined && { invoiceId }) };
      return toApiPage(await storage.journal.entries(filter, pageRequest(request.query)), toApiEntry);
    },
  );
  app.get(
    '/ledger/trial-balance',
    {
      schema: {
        tags,
        operationId: 'getTrialBalance',
        summary: 'Debit, credit and balance by account and currency, now or at a moment of the past; it sums to zero',
        querystring: momentQuery,
        response: answers({
          success: { 200: { description: 'The trial balance.', schema: trialBalance } },
          refusals: momentRefusals,
        }),
      },
    },
    async (request) => {
      const rows = await storage.journal.trialBalance(momentOf(request.query));
      return {
        data: rows.map((row) => ({ account: row.account, currency: row.currency, ...toApiSums(row, row.currency) })),
      };
    },
  );
}
