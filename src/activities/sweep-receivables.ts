import { markOverdue } from '../billing/settlement/payments.js';
import { automaticActor } from '../storage/types.js';
import type { ActivityDependencies } from './dependencies.js';

const pageSize = 200;

/**
 * Appends `overdue` to documents whose due date has passed, a transaction a customer; repeated, it changes nothing. Then holds
 * the account of receivables against what documents and settlements come to.
 */
export async function sweepReceivables({
  storage,
  now,
}: Pick<ActivityDependencies, 'storage' | 'now'>): Promise<number> {
  const at = now();
  let marked = 0;
  let after = '';
  for (;;) {
    const customers = await storage.settlement.customersPastDue(at, { after, limit: pageSize });
    for (const customerId of customers) {
      marked += await markOverdue(storage, { customerId, actor: automaticActor, now: at });
      after = customerId;
    }
    if (customers.length < pageSize) break;
  }
  for (const { customerId, currency, expected, account } of await storage.settlement.mismatches()) {
    await storage.findings.store({
      code: 'RECEIVABLES_DIFFER_FROM_JOURNAL',
      customerId,
      period: null,
      subject: { customer_id: customerId, currency, expected, account },
      detail: `The account accounts_receivable says that ${account} ${currency} are owed; documents, payments, credit notes, refunds and write-offs come to ${expected}.`,
    });
  }
  return marked;
}
