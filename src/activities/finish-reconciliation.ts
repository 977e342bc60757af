import { balanceFinding } from '../billing/balance-finding.js';
import type { Activities } from '../contracts/activities.js';
import { describeBroken } from '../domain/invoicing/check-numbers.js';
import type { ActivityDependencies } from './dependencies.js';

/**
 * Holds balances (of the customers of the run), snapshots (where it is of all) and number series against what they are of, then
 * stores the report of the whole run; doing it again changes nothing.
 */
export function finishReconciliation({ storage }: ActivityDependencies): Activities['finishReconciliation'] {
  return async ({ runId }) => {
    const run = await storage.reconciliation.find(runId);
    for (const difference of await storage.journal.check(run?.scope.customerIds ?? null))
      await storage.findings.store(balanceFinding(difference));
    for (const checked of await storage.numbering.checkNumbers()) {
      if (checked.holds) continue;
      const { series, missing, gaps, duplicates, beyond } = checked;
      await storage.findings.store({
        code: 'NUMBER_SERIES_BROKEN',
        customerId: null,
        period: null,
        subject: { series, gaps, duplicates, beyond },
        detail: describeBroken(checked),
        class: missing > 0 ? 'missing' : 'duplicate',
      });
    }
    await storage.reconciliation.finish(runId);
  };
}
