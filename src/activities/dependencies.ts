import type { Client } from '@temporalio/client';
import type { SafetyBounds } from '../domain/invoicing/safety-bounds.js';
import type { Party } from '../domain/invoicing/invoice.js';
import type { TaxProvider } from '../domain/tax/tax.js';
import type { Instant } from '../domain/values.js';
import type { AuditKeySettings } from '../storage/audit-keys.js';
import type { Storage } from '../storage/types.js';

/** What the activities are made of; the worker passes the real things, tests pass what they want. */
export interface ActivityDependencies {
  readonly storage: Storage;
  readonly client: Client;
  readonly settings: ActivitySettings;
  /** When a document is issued. It never decides an amount. */
  readonly now: () => Instant;
  /** Left out: nothing is taxed. */
  readonly tax?: TaxProvider;
}

/** The part of the program's configuration that activities use; durations in ms. */
export interface ActivitySettings {
  readonly outOfOrdernessMs: number;
  readonly idleTimeoutMs: number;
  readonly signalIntervalMs: number;
  readonly relayTickMs: number;
  readonly ratingCadence: number | 'every_close';
  /** Over this long (ms) the ends of periods are spread, customer by customer; 0: not at all. */
  readonly closeJitterMs: number;
  readonly seller: Party;
  readonly paymentTermsDays: number;
  /** Beyond these an invoice is held; by default none is. */
  readonly bounds?: SafetyBounds;
  /** Provisional charges are rated on no older prices than these while the present ones cannot be read; 0: on none. */
  readonly priceFallbackMaxAgeMs: number;
  /** The key that signs the audit log, and the file outside the database; left out: neither. */
  readonly audit?: AuditKeySettings & { readonly anchorFile: string | null };
}
