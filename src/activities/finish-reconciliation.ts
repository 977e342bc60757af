import type { Activities } from '../contracts/activities.js';
import { describeBroken } from '../domain/invoicing/check-numbers.js';
import type { ActivityDependencies } from './dependencies.js';

/** Stores the report of the whole run, and a finding of every number series that does not hold; doing it again changes nothing. */
export function finishReconciliation({ storage }: ActivityDependencies): Activities['finishReconciliation'] {
  return async ({ runId }) => {
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
