import type { Instant } from '../values.js';

/** Where an event came from; kept with it, no part of its content (RULES 6). */
export interface Provenance {
  readonly requestId: string | null;
  readonly userId: string | null;
  readonly traceId: string | null;
}

/** A validated event, ready for the usage ledger. */
export interface UsageEvent {
  readonly customerId: string;
  /** Empty when not given; part of the identity (RULES 6). */
  readonly source: string;
  readonly eventId: string;
  readonly eventType: string;
  /** Truncated to the microsecond (RULES 5). */
  readonly eventTime: Instant;
  /** JSON text of the metadata object, keys as sent, numbers as sent (plain notation): exact, because it never met a float. */
  readonly metadataJson: string;
  /** 63-bit hash of identity and content, see content-hash.ts; decimal digits. */
  readonly contentHash: string;
  readonly provenance: Provenance;
  /** The backfill that it comes with: it counts while that is in force. No part of the content. */
  readonly backfillId?: string;
  /** The version of its type's schema that its metadata was validated against; none: the type has none. No part of the content. */
  readonly schemaVersion?: number;
}

/** One scalar of metadata, by value: how filters, groups and value properties read it. */
export type MetadataScalar = { readonly kind: 'string' | 'number' | 'boolean' | 'null'; readonly text: string };
