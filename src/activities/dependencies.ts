import type { Client } from '@temporalio/client';
import type { Party } from '../domain/invoicing/invoice.js';
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
}

/** The part of the program's configuration that activities use; durations in ms. */
export interface ActivitySettings {
  readonly outOfOrdernessMs: number;
  readonly idleTimeoutMs: number;
  readonly signalIntervalMs: number;
  readonly relayTickMs: number;
  readonly ratingCadence: number | 'every_close';
  readonly seller: Party;
  readonly paymentTermsDays: number;
  /** Provisional charges are rated on no older prices than these while the present ones cannot be read; 0: on none. */
  readonly priceFallbackMaxAgeMs: number;
  /** The key that signs the audit log, and the file outside the database; left out: neither. */
  readonly audit?: AuditKeySettings & { readonly anchorFile: string | null };
}
