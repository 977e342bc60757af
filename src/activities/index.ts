import type { Activities } from '../contracts/activities.js';
import { anchorAudit } from './anchor-audit.js';
import { beginReconciliation } from './begin-reconciliation.js';
import { closeWindows } from './close-windows.js';
import type { ActivityDependencies } from './dependencies.js';
import { refusalsEndRetries } from './failures.js';
import { evaluateChunk } from './evaluate-chunk.js';
import { finishEvaluation } from './finish-evaluation.js';
import { finishReconciliation } from './finish-reconciliation.js';
import { issueChunk } from './issue-chunk.js';
import { noteLateUsage } from './note-late-usage.js';
import { reconcileReRating } from './re-rating/reconcile-re-rating.js';
import { startCorrection } from './re-rating/start-correction.js';
import { compareReRating, correctReRating, endReRating, readDecision } from './re-rating/steps.js';
import { periodCloseSteps } from './period-close.js';
import { readPeriod } from './read-period.js';
import { reconcileChunk } from './reconcile-chunk.js';
import { reprocessPeriod } from './reprocess-period.js';
import { requestInvoicing } from './request-invoicing.js';
import { runRelay } from './run-relay.js';
import { sweepPeriods } from './sweep-periods.js';

/** The activities, bound to their dependencies. Workflows know their types (src/contracts), never the code. */
export function createActivities(dependencies: ActivityDependencies): Activities {
  return refusalsEndRetries({
    readPeriod: readPeriod(dependencies),
    closeWindows: closeWindows(dependencies),
    requestInvoicing: requestInvoicing(dependencies),
    noteLateUsage: noteLateUsage(dependencies),
    issueChunk: issueChunk(dependencies),
    runRelay: runRelay(dependencies),
    sweepPeriods: sweepPeriods(dependencies),
    startCorrection: startCorrection(dependencies),
    compareReRating: compareReRating(dependencies),
    readDecision: readDecision(dependencies),
    correctReRating: correctReRating(dependencies),
    reconcileReRating: reconcileReRating(dependencies),
    endReRating: endReRating(dependencies),
    beginReconciliation: beginReconciliation(dependencies),
    reconcileChunk: reconcileChunk({ ...dependencies, reprocess: reprocessPeriod(dependencies) }),
    finishReconciliation: finishReconciliation(dependencies),
    evaluateChunk: evaluateChunk(dependencies),
    finishEvaluation: finishEvaluation(dependencies),
    ...periodCloseSteps(dependencies),
    anchorAudit: anchorAudit(dependencies),
  });
}

export type { Activities } from '../contracts/activities.js';
export type { ActivityDependencies, ActivitySettings } from './dependencies.js';
