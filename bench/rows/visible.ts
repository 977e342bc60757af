import { setTimeout } from 'node:timers/promises';
import type { RunningApi } from '../lib/cluster.js';
import { loadInParts } from '../lib/copy.js';
import { bodies, ingestCustomerOf, newEvents } from '../lib/events.js';
import type { BenchEvent } from '../lib/events.js';
import { requestsOf, sendSteadily } from '../lib/http-client.js';
import { eventsPath, withIngestApi } from '../lib/ingest.js';
import { percentile } from '../lib/measure.js';
import type { Figure } from '../lib/measure.js';
import type { Row } from './row.js';

/** The one whose usage is looked at; the load is of others. */
const customerId = ingestCustomerOf(0);
const steady = { perSecond: 1_000, connections: 64 };
/** Of looking, for each round asked for. */
const secondsPerRound = 4;
const betweenSamplesMs = 50;
const targetMs = 2_000;

interface Usage {
  readonly as_of?: string;
  readonly finality?: string;
  readonly meters: readonly {
    readonly meter: string;
    readonly event_count: number;
    readonly windows: readonly unknown[];
  }[];
}

/** From sending an event to the first answer of GET usage that counts it. */
class Observer {
  /** Milliseconds; of each event, and of each GET. */
  readonly times: number[] = [];
  readonly reads: number[] = [];
  private counted: number | null = null;

  constructor(private readonly url: string) {}

  async sample(event: BenchEvent): Promise<void> {
    this.counted ??= await this.count();
    const start = performance.now();
    const headers = { 'content-type': 'application/json' };
    const response = await fetch(`${this.url}/events`, { method: 'POST', headers, body: JSON.stringify(event) });
    if (response.status !== 202) throw new Error(`POST was answered ${response.status}`);
    this.counted += 1;
    for (let count = -1; count < this.counted;) {
      const asked = performance.now();
      count = await this.count();
      this.reads.push(performance.now() - asked);
    }
    this.times.push(performance.now() - start);
  }

  private async count(): Promise<number> {
    const response = await fetch(`${this.url}/customers/${customerId}/usage`);
    if (!response.ok) throw new Error(`GET usage was answered ${response.status}: ${await response.text()}`);
    const { as_of: asOf, finality, meters } = (await response.json()) as Usage;
    if (asOf === undefined || finality !== 'estimated')
      throw new Error('GET usage does not say as of when, or how final');
    return meters.find(({ meter }) => meter === 'calls')?.event_count ?? 0;
  }
}

const ms = (value: number): string => (value < 100 ? value.toFixed(1) : value.toFixed(0));
const percentiles = (values: readonly number[]): string =>
  `p50 **${ms(percentile(values, 0.5))}** ms, p99 **${ms(percentile(values, 0.99))}** ms`;

function figureOf({ times, reads }: Observer, what: string): Figure {
  return {
    kind: 'figure',
    row: 'from sending an event to seeing it in GET usage',
    value: percentiles(times),
    note: `${times.length} events, ${what}; a GET by itself: ${percentiles(reads)}`,
    limit: { text: `p99 ≤ ${targetMs / 1_000} s`, met: percentile(times, 0.99) <= targetMs },
  };
}

/** Samples one at a time, for so long. */
async function observe(api: RunningApi, seconds: number): Promise<Observer> {
  const observer = new Observer(api.url);
  const until = performance.now() + seconds * 1_000;
  while (performance.now() < until) {
    const [event] = newEvents(1, { customers: customerId, from: Date.now() });
    if (event !== undefined) await observer.sample(event);
    await setTimeout(betweenSamplesMs);
  }
  return observer;
}

async function underLoad(api: RunningApi, seconds: number, what: string): Promise<readonly Figure[]> {
  const load = newEvents(seconds * steady.perSecond, { from: Date.now(), spanMs: 0 });
  const others = load.map((event, index) => ({ ...event, customer_id: ingestCustomerOf(1 + (index % 19)) }));
  const [posts, observer] = await Promise.all([
    sendSteadily(api.port, requestsOf(eventsPath, bodies(others, 1)), steady),
    observe(api, seconds),
  ]);
  const rate = `${steady.perSecond.toLocaleString('en')} events/s`;
  return [
    figureOf(observer, `${what}, while ${rate} come singly`),
    {
      kind: 'figure',
      row: `POST /events at a steady ${rate}, meanwhile`,
      value: percentiles(posts),
      note: `${posts.length.toLocaleString('en')} requests, timed from the moment each was due; ${what}`,
    },
  ];
}

const large = 1_000_000;

/** Usage is read from the ledger, so that an event shows as soon as it is acknowledged. */
export const visible: Row = {
  name: 'visible',
  measure: ({ cluster, rounds }) =>
    withIngestApi(cluster, 0, async ({ database, api }) => {
      const seconds = rounds * secondsPerRound;
      await observe(api, secondsPerRound); // warm-up
      const figures = [figureOf(await observe(api, seconds), 'one at a time, nothing else going on')];
      figures.push(...(await underLoad(api, seconds, 'a customer with little usage')));
      const now = new Date();
      const from = Date.UTC(now.getUTCFullYear(), now.getUTCMonth(), 1);
      await loadInParts(database.pool, large, (size, loaded) => {
        const share = (now.getTime() - from) / large;
        return newEvents(size, { customers: customerId, from: from + loaded * share, spanMs: size * share });
      });
      await database.pool.query('VACUUM (ANALYZE) telemetry_events');
      const what = `a customer with ${large.toLocaleString('en')} events in the period`;
      figures.push(...(await underLoad(api, seconds, what)));
      return figures;
    }),
};
