import type { Activities } from '../contracts/activities.js';
import type { ActivityDependencies } from './dependencies.js';

/** Stores the report of the whole run; doing it again changes nothing. */
export function finishReconciliation({ storage }: ActivityDependencies): Activities['finishReconciliation'] {
  return ({ runId }) => storage.reconciliation.finish(runId);
}
