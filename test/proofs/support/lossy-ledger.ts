/** The handlers of the journal, for `lossy-handlers.ts`. */
import { exampleCalls, exampleCustomer, exampleMeter, examplePriceBook } from '../../api/support/test-api.js';
import type { LossyApi, Request } from './lossy-api.js';
import type { Handler } from './lossy-handlers.js';

const post = (url: string, body: unknown = {}): Request => ({ method: 'POST', url, body, actor: 'ada' });

async function invoiced(api: LossyApi): Promise<void> {
  await api.ok(post('/meters', exampleMeter));
  await api.ok(post('/price-books', examplePriceBook));
  await api.ok({ method: 'PUT', url: '/customers/cust_1', body: exampleCustomer });
  await api.ok(post('/events', exampleCalls(10)));
  await api.ok(post('/billing-periods/cust_1/2024-01/close'));
}

export const ledgerHandlers: Readonly<Record<string, Handler>> = {
  'POST /ledger/rebuild': {
    keyed: true,
    writes: ['journal.rebuild'],
    before: async (api) => {
      await invoiced(api);
      await api.sql('UPDATE account_balances SET debit = debit + 1');
    },
    request: () => post('/ledger/rebuild'),
  },
  'POST /ledger/snapshots': {
    keyed: true,
    writes: ['journal.takeSnapshot'],
    before: invoiced,
    request: () => post('/ledger/snapshots'),
  },
  'POST /ledger/months/{month}/close': {
    keyed: true,
    writes: ['journal.closeMonth', 'journal.takeMonthSnapshots', 'journal.takeSnapshot'],
    before: invoiced,
    request: () => post('/ledger/months/2024-01/close', { reason: 'a test' }),
  },
  'POST /ledger/account-mappings': {
    keyed: true,
    writes: ['journal.addMappings'],
    before: invoiced,
    request: () =>
      post('/ledger/account-mappings', {
        mapping: 'erp',
        accounts: [{ account: 'revenue', external_account: '4000' }],
      }),
  },
};
