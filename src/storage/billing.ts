/** Billing documents: issuing them at the gate, and reading them. */
import { chargeEvents, findCharge } from './charges.js';
import type { Database } from './database.js';
import { chargeStanding } from './price-fallbacks.js';
import { guarded } from './errors.js';
import { passGate } from './gate.js';
import { findInvoice, lifeOf, linesOfCharge, listInvoices } from './invoices.js';
import type { BillingStore } from './types.js';

export function createBillingStore(db: Database): BillingStore {
  return guarded<BillingStore>({
    atGate: (period, work, purpose = 'issue') => passGate(db, { period, purpose }, work),
    findInvoice: (invoiceId) => findInvoice(db.pool, invoiceId),
    lifeOf: (invoiceId) => lifeOf(db.pool, invoiceId),
    listInvoices: (filter, page) => listInvoices(db.pool, filter, page),
    findCharge: (chargeId) => findCharge(db.pool, chargeId),
    standingOf: (chargeId) => chargeStanding(db.pool, chargeId),
    chargeEvents: (chargeId, page) => chargeEvents(db.pool, chargeId, page),
    linesOfCharge: (chargeId) => linesOfCharge(db.pool, chargeId),
  });
}
