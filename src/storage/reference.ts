import type { Database } from './database.js';
import { createCustomerStore } from './reference-customers.js';
import { createOverrideStore } from './reference-overrides.js';
import { createExchangeRateStore } from './reference-exchange-rates.js';
import { createPriceStore } from './reference-prices.js';
import type { ReferenceStore } from './types.js';

/** Reference facts: what everything else refers to. Through Prisma, because none of it is on a hot path. */
export function createReferenceStore(db: Database): ReferenceStore {
  return {
    ...createCustomerStore(db),
    ...createPriceStore(db),
    ...createOverrideStore(db),
    ...createExchangeRateStore(db),
  };
}
