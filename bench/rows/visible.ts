import { bodies, ingestCustomerOf, newEvents } from '../lib/events.js';
import type { BenchEvent } from '../lib/events.js';
import { requestsOf, sendAll } from '../lib/http-client.js';
import type { Figure } from '../lib/measure.js';
import { ingestDatabase } from './ingest.js';
import type { Row } from './row.js';

const samplesPerRound = 100;
/** The one whose usage is looked at; the load is of others. */
const customerId = ingestCustomerOf(0);
const loadEvents = 500_000;

interface Usage {
  readonly meters: readonly { readonly meter: string; readonly event_count: number }[];
}

/** From sending an event to the first answer of GET usage that counts it. */
class Observer {
  private counted = 0;

  constructor(private readonly url: string) {}

  async sample(event: BenchEvent): Promise<number> {
    const start = performance.now();
    const headers = { 'content-type': 'application/json' };
    const response = await fetch(`${this.url}/events`, { method: 'POST', headers, body: JSON.stringify(event) });
    if (response.status !== 202) throw new Error(`POST was answered ${response.status}`);
    this.counted += 1;
    while ((await this.count()) < this.counted);
    return performance.now() - start;
  }

  private async count(): Promise<number> {
    const response = await fetch(`${this.url}/customers/${customerId}/usage?period=2024-01`);
    if (!response.ok) throw new Error(`GET usage was answered ${response.status}: ${await response.text()}`);
    const { meters } = (await response.json()) as Usage;
    return meters.find(({ meter }) => meter === 'calls')?.event_count ?? 0;
  }
}

const percentile = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.ceil(sorted.length * share) - 1)] ?? Number.NaN;

function figureOf(row: string, times: readonly number[], note: string): Figure {
  const sorted = [...times].sort((a, b) => a - b);
  const value = `p50 **${percentile(sorted, 0.5).toFixed(1)}** ms, p99 **${percentile(sorted, 0.99).toFixed(1)}** ms`;
  return { kind: 'figure', row, value, note: `${sorted.length} events, ${note}` };
}

/** Usage is read from the ledger, so that an event shows as soon as it is acknowledged. */
export const visible: Row = {
  name: 'visible',
  measure: async ({ cluster, rounds }) => {
    const api = await cluster.startApi(await ingestDatabase(cluster));
    const observer = new Observer(api.url);
    const ownEvents = (): readonly BenchEvent[] =>
      newEvents(samplesPerRound).map((event) => ({ ...event, customer_id: customerId }));
    const quiet: number[] = [];
    const busy: number[] = [];
    for (let round = -1; round < rounds; round += 1) {
      const own = ownEvents();
      for (const event of own) {
        const time = await observer.sample(event);
        if (round >= 0) quiet.push(time);
      }
    }
    const load = newEvents(loadEvents).filter((event) => event.customer_id !== customerId);
    let loading = true;
    const sending = sendAll(api.port, requestsOf('/events', bodies(load, 1_000)), 4).finally(() => {
      loading = false;
    });
    for (const event of ownEvents()) if (loading) busy.push(await observer.sample(event));
    await sending;
    await api.stop();
    const row = 'from sending an event to seeing it in GET usage';
    return [
      figureOf(row, quiet, 'one at a time, nothing else going on'),
      figureOf(row, busy, `while ${load.length.toLocaleString('en')} events come in batches of 1,000`),
    ];
  },
};
