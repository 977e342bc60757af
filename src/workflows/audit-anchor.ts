import { workflowInfo } from '@temporalio/workflow';
import type { AnchorOutput } from '../contracts/activities.js';
import { chunkActivities } from './activity-proxies.js';

/**
 * Its result stands in Temporal's history: whoever cuts the log in the database has not cut it there. So the next run of the
 * schedule holds the database against it before anything is signed.
 */
export async function auditAnchor(): Promise<AnchorOutput> {
  const last = workflowInfo().lastResult as AnchorOutput | undefined;
  return chunkActivities.anchorAudit.executeWithOptions({ summary: 'Seal, sign and anchor the audit log' }, [
    last?.lastCheckpoint ?? null,
  ]);
}
