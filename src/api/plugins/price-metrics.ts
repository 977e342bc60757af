/** How prices are looked up, and usage that nobody has priced. */
import { Counter, Gauge, type Registry } from 'prom-client';
import { unpricedCodes } from '../../domain/rating/unpriced.js';
import type { FindingStore, PriceLookup } from '../../storage/types.js';
import { remembering } from './remembering.js';

export interface PriceMetricsOptions {
  readonly priceLookup: Pick<PriceLookup, 'onLookup'>;
  readonly findings: Pick<FindingStore, 'openMeters'>;
}

export function registerPriceMetrics(registry: Registry, { priceLookup, findings }: PriceMetricsOptions): void {
  const registers = [registry];
  const lookups = new Counter({
    name: 'reckoner_price_lookups_total',
    help: 'Lookups of prices: hit and miss of the cache, fallback on last known ones, failure.',
    labelNames: ['result'] as const,
    registers,
  });
  for (const result of ['hit', 'miss', 'fallback', 'failure'] as const) lookups.inc({ result }, 0);
  priceLookup.onLookup((result) => {
    lookups.inc({ result });
  });
  const unpriced = remembering(() => findings.openMeters([...unpricedCodes]));
  new Gauge({
    name: 'reckoner_unpriced_meters',
    help: "Meters with usage that no price is for, by customer's period, which nobody has resolved: their invoices are held.",
    registers,
    async collect() {
      // A database that is away must not take the other metrics with it: what is not known is not a number.
      this.set(await unpriced().catch(() => NaN));
    },
  });
}
