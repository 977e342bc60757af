/** Rollouts that are under way, by state: read from the database at a scrape, at most once in a while. */
import { Gauge, type Registry } from 'prom-client';
import { isOpen, rolloutStates, stateOf } from '../../domain/rollout/transitions.js';
import type { RolloutStore, StoredRollout } from '../../storage/types.js';

const rememberedMs = 10_000;
const openStates = rolloutStates.filter(isOpen);

export function registerRolloutMetrics(registry: Registry, rollouts: Pick<RolloutStore, 'open'>): void {
  let last: { readonly at: number; readonly open: Promise<readonly StoredRollout[]> } | null = null;
  const open = (): Promise<readonly StoredRollout[]> => {
    const now = performance.now();
    if (last === null || now - last.at >= rememberedMs) last = { at: now, open: rollouts.open() };
    return last.open;
  };
  new Gauge({
    name: 'reckoner_price_rollouts_open',
    help: 'Price rollouts that are neither at everybody nor rolled back, by state.',
    labelNames: ['state'],
    registers: [registry],
    async collect() {
      // A database that is away must not take the other metrics with it: what is not known is not a number.
      const found = await open().catch(() => null);
      for (const state of openStates) {
        this.set({ state }, found === null ? NaN : found.filter(({ stages }) => stateOf(stages) === state).length);
      }
    },
  });
}
