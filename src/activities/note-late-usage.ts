import type { PeriodKey } from '../contracts/activities.js';
import type { ActivityDependencies } from './dependencies.js';
import { periodOf } from './period-facts.js';

/** Stores that facts came after the period's invoice: how many, and where they stand in the ledger. */
export function noteLateUsage({ storage }: ActivityDependencies) {
  return async (key: PeriodKey): Promise<void> => {
    const { customerId, period } = key;
    const { count, from, to } = await storage.periods.veryLateFacts(await periodOf(storage, key));
    if (count === 0) return;
    await storage.findings.store({
      code: 'LATE_USAGE',
      customerId,
      period,
      subject: { customer_id: customerId, period, count, from_position: from, to_position: to },
      detail: `${count} fact(s) at positions ${from} to ${to} came after the invoice of this period was issued; they are not billed yet.`,
    });
  };
}
