/** Everything that a scrape reads from the database. */
import type { Registry } from 'prom-client';
import type { Storage } from '../../storage/types.js';
import { registerDeadLetterMetrics } from './dead-letter-metrics.js';
import { registerOperationMetrics } from './operation-metrics.js';
import { registerPriceMetrics } from './price-metrics.js';
import { registerRolloutMetrics } from './rollout-metrics.js';

export interface StoredMetricsOptions {
  readonly storage: Storage;
  /** Epoch milliseconds. */
  readonly clock: () => number;
}

export function registerStoredMetrics(registry: Registry, { storage, clock }: StoredMetricsOptions): void {
  registerDeadLetterMetrics(registry, { deadLetters: storage.deadLetters, clock });
  registerOperationMetrics(registry, { storage, clock });
  registerPriceMetrics(registry, storage);
  registerRolloutMetrics(registry, storage.rollouts);
}
