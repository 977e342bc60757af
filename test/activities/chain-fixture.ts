/** Invoiced periods on real Postgres, corrected as the workflow would, and a way to tamper with what cannot be changed. */
import { randomUUID } from 'node:crypto';
import pg from 'pg';
import { documentsOfPeriod } from '../../src/billing/documents-of-period.js';
import { reconcilePeriod } from '../../src/billing/reconcile-period.js';
import type { ReconciledPeriod } from '../../src/billing/reconcile-period.js';
import type { ReRatingReason } from '../../src/domain/correction/reasons.js';
import type { Invoice } from '../../src/domain/invoicing/invoice.js';
import type { LocalDate } from '../../src/domain/values.js';
import type { BillingPeriod, NewReRating, ProofStore } from '../../src/storage/types.js';
import { createActivityFixture, january } from './fixture.js';
import type { ActivityFixture } from './fixture.js';

/** The period that all of this is about. */
export const acme = { customerId: 'acme', period: january };
const billingDay = '2024-02-01' as LocalDate;

export interface ChainFixture extends ActivityFixture {
  periodOf(): Promise<BillingPeriod>;
  issue(customerId?: string): Promise<void>;
  reRate(reason: ReRatingReason, more?: Partial<NewReRating>): Promise<void>;
  /** Compares and corrects a re-rating that was asked for. */
  correct(reRatingId: string): Promise<void>;
  documents(): Promise<readonly Invoice[]>;
  reconcile(): Promise<ReconciledPeriod>;
  /** The tables refuse changes; whoever owns the database can switch that off, which is what a reconciliation is for. */
  tamper(table: string, statement: string): Promise<void>;
}

export async function createChainFixture(): Promise<ChainFixture> {
  const fixture = await createActivityFixture();
  const { storage, activities, run } = fixture;
  await fixture.addCustomer(acme.customerId);
  const sql = new pg.Client({ connectionString: fixture.url });
  await sql.connect();
  const periodOf = async (): Promise<BillingPeriod> => {
    const period = await storage.periods.periodNamed(acme.customerId, acme.period);
    if (period === null) throw new Error('no such period');
    return period;
  };
  const correct = async (reRatingId: string): Promise<void> => {
    const step = { reRatingId, attempt: 1, limit: 10 };
    await run(activities.compareReRating, step);
    await run(activities.correctReRating, step);
  };
  return {
    ...fixture,
    periodOf,
    issue: async (customerId = acme.customerId) => {
      await fixture.request(customerId, randomUUID());
      await run(activities.issueChunk, { billingDay, limit: 10 });
    },
    reRate: async (reason, more = {}) => {
      const reRatingId = randomUUID();
      const scope = { customerIds: [acme.customerId], meters: null, from: null, to: null };
      const asked = { reRatingId, workflowId: `test/${reRatingId}`, reason, scope, priceBookId: null, dryRun: false };
      await storage.reRatings.create({ ...asked, requestedBy: 'ann', ...more }, [acme]);
      await correct(reRatingId);
    },
    correct,
    documents: () => documentsOfPeriod(storage, acme),
    reconcile: async () => reconcilePeriod(storage, await periodOf()),
    tamper: async (table, statement) => {
      await sql.query(`ALTER TABLE ${table} DISABLE TRIGGER USER, DROP CONSTRAINT IF EXISTS invoices_total`);
      const { rowCount } = await sql.query(statement);
      await sql.query(`ALTER TABLE ${table} ENABLE TRIGGER USER`);
      if (rowCount === null || rowCount === 0) throw new Error('nothing was tampered with');
    },
    close: async () => {
      await sql.end();
      await fixture.close();
    },
  };
}

/** The store's methods as a plain object. */
export function bound(proof: ProofStore): ProofStore {
  return {
    chain: (...parameters) => proof.chain(...parameters),
    rawUsage: (...parameters) => proof.rawUsage(...parameters),
    rawPeriodUsage: (...parameters) => proof.rawPeriodUsage(...parameters),
    periodUsage: (...parameters) => proof.periodUsage(...parameters),
    eachEvent: (...parameters) => proof.eachEvent(...parameters),
    eventCounts: (...parameters) => proof.eventCounts(...parameters),
    aggregatedUsage: (...parameters) => proof.aggregatedUsage(...parameters),
    finalWindows: (...parameters) => proof.finalWindows(...parameters),
    charges: (...parameters) => proof.charges(...parameters),
    entries: (...parameters) => proof.entries(...parameters),
  };
}

/** An event at position 1, which is below every cutoff. */
export const insertEvent = `INSERT INTO telemetry_events
  (customer_id, source, event_id, partition, event_type, event_time, content_hash, metadata, position)
  SELECT customer_id, source, event_id || '/again', partition, event_type, event_time, content_hash + 1, metadata, 1
  FROM telemetry_events LIMIT 1`;
