/** What waits for a person or for the workers: read from the database at a scrape, at most once in a while. */
import { Gauge, type Registry } from 'prom-client';
import { allPartitions } from '../../contracts/names.js';
import { holdingCodes, waitingStages } from '../../domain/invoicing/waiting.js';
import type { BillingPeriodStore, FindingStore, RelayStore } from '../../storage/types.js';
import { remembering } from './remembering.js';

export interface OperationMetricsOptions {
  readonly storage: {
    readonly findings: Pick<FindingStore, 'openByCode'>;
    readonly periods: Pick<BillingPeriodStore, 'waiting'>;
    readonly relay: Pick<RelayStore, 'lag'>;
  };
  /** Epoch milliseconds. */
  readonly clock: () => number;
}

/** A database that is away must not take the other metrics with it: what is not known is not a number. */
export function registerOperationMetrics(registry: Registry, { storage, clock }: OperationMetricsOptions): void {
  const registers = [registry];
  const ageOf = (at: string | null): number => (at === null ? 0 : Math.max(0, (clock() - Date.parse(at)) / 1_000));
  openFindings(registry, storage.findings);
  const waiting = remembering(() => storage.periods.waiting());
  const ofPeriods = (
    name: string,
    help: string,
    read: (row: Awaited<ReturnType<typeof waiting>>[number]) => number,
  ): void => {
    new Gauge({
      name,
      help,
      labelNames: ['stage'],
      registers,
      async collect() {
        const rows = await waiting().catch(() => null);
        for (const stage of waitingStages) {
          const row = rows?.find((one) => one.stage === stage);
          this.set({ stage }, row === undefined ? NaN : read(row));
        }
      },
    });
  };
  ofPeriods(
    'reckoner_periods_waiting',
    'Billing periods that have still to be invoiced, by stage.',
    ({ count }) => count,
  );
  ofPeriods(
    'reckoner_periods_waiting_oldest_seconds',
    'How long ago the first of these periods ended; 0 without one.',
    ({ oldestEnd }) => ageOf(oldestEnd),
  );
  const lag = remembering(() => storage.relay.lag(allPartitions));
  const ofRelay = (name: string, help: string, read: (found: Awaited<ReturnType<typeof lag>>) => number): void => {
    new Gauge({
      name,
      help,
      registers,
      async collect() {
        this.set(await lag().then(read, () => NaN));
      },
    });
  };
  ofRelay('reckoner_relay_lag_positions', 'Ledger positions that the relay has not come to.', ({ facts }) => facts);
  ofRelay(
    'reckoner_relay_undelivered_oldest_seconds',
    'How long the oldest usage that no workflow was told of has waited; 0 without any.',
    ({ oldestUndelivered }) => ageOf(oldestUndelivered),
  );
}

function openFindings(registry: Registry, findings: Pick<FindingStore, 'openByCode'>): void {
  const read = remembering(() => findings.openByCode());
  // Told of from the start, so that an alert can be made before the first one; and of what was resolved that there is none left.
  const codes = new Set(holdingCodes);
  new Gauge({
    name: 'reckoner_findings_open',
    help: 'Findings that nobody has resolved, by code.',
    labelNames: ['code'],
    registers: [registry],
    async collect() {
      const open = await read().catch(() => null);
      for (const code of open?.keys() ?? []) codes.add(code);
      for (const code of codes) this.set({ code }, open === null ? NaN : (open.get(code) ?? 0));
    },
  });
}
