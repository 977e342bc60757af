/** What the parts of the API share. */
import type { FastifyBaseLogger, FastifyInstance, RawServerDefault } from 'fastify';
import type { ZodTypeProvider } from 'fastify-type-provider-zod';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { PriceFallbackPolicy } from '../billing/price-fallback.js';
import type { WatermarkSettings } from '../domain/metering/watermark.js';
import type { AuditKeySettings } from '../storage/audit-keys.js';
import type { Storage } from '../storage/types.js';
import type { DuplicateFloodLimits } from './ingest/duplicate-flood.js';
import type { GroupCommitLimits } from './ingest/group-commit.js';
import type { DraftParties } from './services/drafts.js';
import type { TemporalGateway } from './temporal-gateway.js';

export type Api = FastifyInstance<
  RawServerDefault,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  ZodTypeProvider
>;

export interface ApiConfig {
  /** An event further ahead of the clock than this (ms) is refused. */
  readonly futureToleranceMs: number;
  /** How long a close on demand waits for its invoice before it answers (ms); default 10,000. */
  readonly closeWaitMs?: number;
  readonly groupCommit?: Partial<GroupCommitLimits>;
  /** Streams of events at the same time; default 16. */
  readonly eventStreams?: number;
  readonly duplicateFlood?: DuplicateFloodLimits;
  /** Of the workers, so that windows have the states that they give them; default as in the configuration. */
  readonly watermark?: WatermarkSettings;
  /** When estimates are rated on last known prices. */
  readonly priceFallback?: Partial<PriceFallbackPolicy>;
  /** Shown on drafts, as it will be printed. */
  readonly parties?: DraftParties;
  /** Whether /metrics tells of the process too (memory, garbage collection, event loop); default false. */
  readonly processMetrics?: boolean;
  /** Paths of font files for scripts that the packaged font lacks; default none. */
  readonly pdfFonts?: readonly string[];
  /** Who signs the audit log, and who may have; left out: nobody signs, and every key that the log knows may have. */
  readonly audit?: AuditKeySettings & { readonly trustedKeys: readonly string[]; readonly anchorFile?: string | null };
}

export interface ApiDependencies {
  readonly storage: Storage;
  readonly temporal: TemporalGateway;
  /** Epoch milliseconds. */
  readonly clock: () => number;
  readonly config: ApiConfig;
  readonly logger: FastifyBaseLogger;
}
