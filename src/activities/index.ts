import type { Activities } from '../contracts/activities.js';
import { closeWindows } from './close-windows.js';
import type { ActivityDependencies } from './dependencies.js';
import { refusalsEndRetries } from './failures.js';
import { issueChunk } from './issue-chunk.js';
import { noteLateUsage } from './note-late-usage.js';
import { readPeriod } from './read-period.js';
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
  });
}

export type { Activities } from '../contracts/activities.js';
export type { ActivityDependencies, ActivitySettings } from './dependencies.js';
