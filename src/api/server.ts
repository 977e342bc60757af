/** The API as a part of the process: connections, port, and a close that loses nothing. */
import type { FastifyInstance } from 'fastify';
import { pino } from 'pino';
import type { Config } from '../config.js';
import { createStorage } from '../storage/index.js';
import { taxProviderOf } from '../billing/tax-provider.js';
import { buildApi } from './app.js';
import { defaultWatermark } from './services/window-states.js';
import { connectTemporal } from './temporal-gateway.js';

export interface RunningApi {
  /** `http://host:port`, the port being the real one. */
  readonly url: string;
  /** Stops taking requests, commits what was accepted, answers it, and closes every connection. */
  close(): Promise<void>;
}

export type ApiServerConfig = Pick<Config, 'databaseUrl' | 'temporal' | 'http' | 'futureToleranceMs' | 'logLevel'> &
  Partial<Pick<Config, 'seller' | 'paymentTermsDays' | 'taxProvider'>> &
  Partial<Pick<Config, 'duplicateFlood' | 'priceFallbackMaxAgeMs' | 'pdfFonts' | 'audit'>> &
  Partial<Pick<Config, 'outOfOrdernessMs' | 'idleTimeoutMs'>>;

/** Listens without waiting for Temporal, and without waiting for the database: both may come later. */
export async function startApi(config: ApiServerConfig): Promise<RunningApi> {
  const logger = pino({ name: 'api', level: config.logLevel });
  const storage = createStorage(config.databaseUrl);
  const temporal = connectTemporal(config.temporal);
  const app = buildApi({
    storage,
    temporal,
    clock: Date.now,
    config: {
      futureToleranceMs: config.futureToleranceMs,
      ...(config.seller !== undefined && {
        parties: {
          seller: config.seller,
          paymentTermsDays: config.paymentTermsDays ?? 14,
          tax: taxProviderOf(config.taxProvider),
        },
      }),
      ...(config.pdfFonts !== undefined && { pdfFonts: config.pdfFonts }),
      ...(config.duplicateFlood !== undefined && { duplicateFlood: config.duplicateFlood }),
      ...(config.priceFallbackMaxAgeMs !== undefined && { priceFallback: { maxAgeMs: config.priceFallbackMaxAgeMs } }),
      ...(config.audit !== undefined && { audit: config.audit }),
      watermark: {
        outOfOrdernessMs: config.outOfOrdernessMs ?? defaultWatermark.outOfOrdernessMs,
        idleTimeoutMs: config.idleTimeoutMs ?? defaultWatermark.idleTimeoutMs,
      },
      processMetrics: true,
    },
    logger,
  });
  const closeConnections = async (): Promise<void> => {
    await Promise.allSettled([storage.close(), temporal.close()]);
  };
  try {
    const url = await app.listen({ host: config.http.host, port: config.http.port });
    logger.info({ url }, 'the API listens');
    return {
      url,
      close: async () => {
        await closeGracefully(app);
        await closeConnections();
      },
    };
  } catch (error) {
    await app.close();
    await closeConnections();
    throw error;
  }
}

/** Requests under way have this long (ms) to be answered. */
const closeGraceMs = 10_000;
const lookEveryMs = 50;

/**
 * `close` ends connections that are idle at that moment. One that becomes idle afterwards, or never sent a request, would
 * keep the process until its keep-alive ends, a minute and more.
 */
async function closeGracefully(app: FastifyInstance): Promise<void> {
  const looking = setInterval(() => {
    app.server.closeIdleConnections();
  }, lookEveryMs);
  const atLast = setTimeout(() => {
    app.server.closeAllConnections();
  }, closeGraceMs);
  try {
    await app.close();
  } finally {
    clearInterval(looking);
    clearTimeout(atLast);
  }
}
