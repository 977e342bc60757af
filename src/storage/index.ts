/** Everything the rest of the program stores and reads, over one pool. */
import { createAdjustmentStore } from './adjustments.js';
import { createAuditStore } from './audit.js';
import { createBackfillStore } from './backfills.js';
import { createBillingStore } from './billing.js';
import { createCreditStore } from './credits.js';
import { type DatabaseOptions, openDatabase } from './database.js';
import { createDeadLetterStore } from './dead-letters.js';
import { guarded } from './errors.js';
import { createDraftStore } from './drafts.js';
import { createDocumentStore } from './documents.js';
import { createEvaluationStore } from './evaluations.js';
import { createEventSchemaStore } from './event-schemas.js';
import { createFindingStore } from './findings.js';
import { createIdempotencyStore } from './idempotency.js';
import { createJournalStore } from './journal.js';
import { createUsageLedger } from './ledger.js';
import { requireMigrations } from './migrate.js';
import { createPeriodCloseStore } from './period-closes.js';
import { createBillingPeriodStore } from './periods.js';
import { createReRatingStore } from './re-ratings.js';
import { createNumberingStore } from './number-series.js';
import { createProofStore } from './proof.js';
import { createPriceFallbackStore } from './price-fallbacks.js';
import { createPriceLookup, withVersionsKept } from './price-lookup.js';
import { createReconciliationStore } from './reconciliation.js';
import { createReferenceStore } from './reference.js';
import { createRelayStore } from './relay.js';
import { createUnmeteredWatch } from './relay-unmetered.js';
import { createRolloutStore } from './rollouts.js';
import { createSettlementStore } from './settlement.js';
import { createTagStore } from './tags.js';
import type { Storage } from './types.js';
import { createUsageStore } from './usage.js';

/**
 * Connects on first use: the database may come later. Every method rejects with `StorageUnavailable` while it is away.
 * @param url `postgresql://…`
 */
export function createStorage(url: string, options: DatabaseOptions = {}): Storage {
  const db = openDatabase(url, options);
  const reference = withVersionsKept(createReferenceStore(db));
  const periods = createBillingPeriodStore(db);
  const unmetered = createUnmeteredWatch(db);
  const stores = {
    reference: guarded(reference),
    priceFallbacks: guarded(createPriceFallbackStore(db)),
    ledger: guarded(createUsageLedger(db, () => reference.meterVersions())),
    relay: guarded(createRelayStore(db, periods, unmetered)),
    periods: guarded(periods),
    usage: guarded(createUsageStore(db)),
    billing: guarded(createBillingStore(db)),
    journal: guarded(createJournalStore(db)),
    findings: guarded(createFindingStore(db)),
    idempotency: guarded(createIdempotencyStore(db)),
    adjustments: guarded(createAdjustmentStore(db, () => reference.meterVersions())),
    backfills: guarded(createBackfillStore(db)),
    deadLetters: guarded(createDeadLetterStore(db, () => reference.meterVersions())),
    eventSchemas: guarded(createEventSchemaStore(db)),
    tags: guarded(createTagStore(db)),
    periodCloses: guarded(createPeriodCloseStore(db)),
    numbering: guarded(createNumberingStore(db)),
    reconciliation: guarded(createReconciliationStore(db)),
    proof: guarded(createProofStore(db)),
    evaluations: guarded(createEvaluationStore(db)),
    credits: guarded(createCreditStore(db)),
    settlement: guarded(createSettlementStore(db)),
    drafts: guarded(createDraftStore(db)),
    reRatings: guarded(createReRatingStore(db)),
    rollouts: guarded(createRolloutStore(db)),
    documents: guarded(createDocumentStore(db)),
    audit: createAuditStore(db),
  };
  const control = guarded({ ready: () => requireMigrations(db.pool), close: () => db.close() });
  const priceLookup = createPriceLookup(db, reference);
  return { ...stores, unmetered, priceLookup, ready: () => control.ready(), close: () => control.close() };
}
