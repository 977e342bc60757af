import type { Database } from './database.js';
import { createInvoicingRequestStore } from './invoicing-requests.js';
import { findOrCreateNamed, periodAt } from './periods-create.js';
import { highestEventTime, openWindows, veryLateFacts } from './periods-facts.js';
import { listPeriods, periodStatus } from './periods-status.js';
import { unfinishedPeriods } from './periods-unfinished.js';
import type { BillingPeriodStore } from './types.js';

export function createBillingPeriodStore(db: Database): BillingPeriodStore {
  return {
    periodAt: (customerId, at) => periodAt(db, customerId, at),
    periodNamed: (customerId, period) => findOrCreateNamed(db, customerId, period),
    status: (customerId, period) => periodStatus(db, customerId, period),
    openWindows: (period) => openWindows(db, period),
    highestEventTime: (period) => highestEventTime(db, period),
    veryLateFacts: (period) => veryLateFacts(db, period),
    unfinishedPeriods: (now, page) => unfinishedPeriods(db, now, page),
    listPeriods: (customerId, page) => listPeriods(db, customerId, page),
    ...createInvoicingRequestStore(db),
  };
}
