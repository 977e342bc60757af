import { balanceFinding } from '../billing/balance-finding.js';
import type { Activities } from '../contracts/activities.js';
import type { ActivityDependencies } from './dependencies.js';

/**
 * Holds balances (of the customers of the run) and snapshots (where it is of all) against the journal, then stores the report of
 * the whole run; doing it again changes nothing.
 */
export function finishReconciliation({ storage }: ActivityDependencies): Activities['finishReconciliation'] {
  return async ({ runId }) => {
    const run = await storage.reconciliation.find(runId);
    for (const difference of await storage.journal.check(run?.scope.customerIds ?? null))
      await storage.findings.store(balanceFinding(difference));
    await storage.reconciliation.finish(runId);
  };
}
