import type { ActivitySettings } from '../../../src/activities/index.js';
import type { Instant } from '../../../src/domain/values.js';

export const issuedAt = '2024-02-01T01:00:00.000000Z' as Instant;
export const settings: ActivitySettings = {
  ...{ outOfOrdernessMs: 60_000, idleTimeoutMs: 300_000, signalIntervalMs: 50, relayTickMs: 10, closeJitterMs: 0 },
  ...{ ratingCadence: 'every_close', paymentTermsDays: 14, priceFallbackMaxAgeMs: 3_600_000 },
  seller: { name: 'Reckoner Test Ltd' },
};
