/** Billing documents: issuing them at the gate, and reading them. */
import { carriedTo } from './carried-charges.js';
import { chargeEvents, decidingEvent, openingEvents, openingLevel } from './charge-events.js';
import { findCharge } from './charges.js';
import type { Database } from './database.js';
import { chargeStanding } from './price-fallbacks.js';
import { guarded } from './errors.js';
import { passGates } from './gate-group.js';
import { findInvoice, lifeOf, linesOfCharge, listInvoices } from './invoices.js';
import type { BillingPeriod, BillingStore, GatePurpose, GateTransaction } from './types.js';

export function createBillingStore(db: Database): BillingStore {
  return guarded<BillingStore>({
    atGate: (...gate) => passGate(db, ...gate),
    atGates: (periods, work, mayGoOn = () => true) => passGates(db, { periods, purpose: 'issue', mayGoOn }, work),
    findInvoice: (invoiceId) => findInvoice(db.pool, invoiceId),
    lifeOf: (invoiceId) => lifeOf(db.pool, invoiceId),
    listInvoices: (filter, page) => listInvoices(db.pool, filter, page),
    findCharge: (chargeId) => findCharge(db.pool, chargeId),
    standingOf: (chargeId) => chargeStanding(db.pool, chargeId),
    chargeEvents: (chargeId, page) => chargeEvents(db.pool, chargeId, page),
    openingLevel: (chargeId) => openingLevel(db.pool, chargeId),
    decidingEvent: (chargeId) => decidingEvent(db.pool, chargeId),
    openingEvents: (chargeId, page) => openingEvents(db.pool, chargeId, page),
    carriedTo: (change, limit) => carriedTo(db.pool, change, limit),
    linesOfCharge: (chargeId) => linesOfCharge(db.pool, chargeId),
  });
}

async function passGate<T>(
  db: Database,
  period: BillingPeriod,
  work: (gate: GateTransaction) => Promise<T>,
  purpose: GatePurpose = 'issue',
): Promise<T> {
  const results = await passGates(db, { periods: [period], purpose, mayGoOn: () => true }, work);
  return results[0] as T;
}
