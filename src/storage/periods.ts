import type { Database } from './database.js';
import { createInvoicingRequestStore } from './invoicing-requests.js';
import { metersToLookBackFor } from './gate-meters.js';
import { isBillable } from './periods-billable.js';
import { carryOn } from './periods-carried.js';
import { findOrCreateNamed, lastStart, periodAt } from './periods-create.js';
import { factsSinceSkip, firstLateAfter, highestEventTime, openWindows, veryLateFacts } from './periods-facts.js';
import { listPeriods, periodStatus } from './periods-status.js';
import { listWaiting, waitingPeriods } from './periods-waiting.js';
import { perhapsLatePeriods } from './periods-late.js';
import { askSkippedAgain, noteLookedBack } from './periods-skipped.js';
import { boundsByOtherTimeZoneData } from './periods-time-zones.js';
import { unfinishedPeriods } from './periods-unfinished.js';
import { pinnedDates } from './pinned-dates.js';
import type { BillingPeriodStore } from './types.js';

export function createBillingPeriodStore(db: Database): BillingPeriodStore {
  return {
    periodAt: (customerId, at) => periodAt(db, customerId, at),
    periodNamed: (customerId, period) => findOrCreateNamed(db, customerId, period),
    status: (customerId, period) => periodStatus(db, customerId, period),
    lastStart: (customerId) => lastStart(db, customerId),
    openWindows: (period) => openWindows(db, period),
    highestEventTime: (period) => highestEventTime(db, period),
    pinnedDates: (period, versions) => pinnedDates(db.pool, period, versions),
    veryLateFacts: (period) => veryLateFacts(db, period),
    factsSinceSkip: (period) => factsSinceSkip(db, period),
    firstLateAfter: (period) => firstLateAfter(db, period),
    perhapsLatePeriods: (page) => perhapsLatePeriods(db, page),
    boundsByOtherTimeZoneData: (running) => boundsByOtherTimeZoneData(db, running),
    unfinishedPeriods: (now, page) => unfinishedPeriods(db, now, page),
    metersToLookBackFor: () => metersToLookBackFor(db),
    askSkippedAgain: (lookBack) => askSkippedAgain(db, lookBack),
    noteLookedBack: (meterIds) => noteLookedBack(db, meterIds),
    isBillable: (customerId, period) => isBillable(db, customerId, period),
    carryOn: (period, leavesLevel) => carryOn(db, period, leavesLevel),
    listPeriods: (customerId, page) => listPeriods(db, customerId, page),
    listWaiting: (filter, page) => listWaiting(db, filter, page),
    waiting: () => waitingPeriods(db),
    ...createInvoicingRequestStore(db),
  };
}
