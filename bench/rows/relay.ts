import { messageOf } from '../../src/relay/deliver.js';
import { rangesPerStep, runRelayLoop } from '../../src/relay/relay-loop.js';
import { inParallel } from '../../src/relay/in-parallel.js';
import type { LocalDate } from '../../src/domain/values.js';
import { createStorage } from '../../src/storage/index.js';
import type { RelayStore, Storage, UsageRange } from '../../src/storage/types.js';
import type { BenchDatabase, Cluster } from '../lib/cluster.js';
import { bodies, ingestCustomerOf, newEvents } from '../lib/events.js';
import { requestsOf, sendAll } from '../lib/http-client.js';
import { eventsPath, ingestDatabase, postSide } from '../lib/ingest.js';
import { compare } from '../lib/measure.js';
import type { Figure, Ratio } from '../lib/measure.js';
import { rateText } from '../lib/report.js';
import type { Row } from './row.js';

const eventsPerRound = 100_000;
const eventsAtOnce = 300_000;
const group = 'all';
const load = { batch: 1_000, connections: 8 };
/** What comes at full rate is of the last minutes: it falls into one hour. */
const spanMs = 600_000;
/** As in the local stack: the hardest for the relay. Production plans every 5 s and signals every 5 min. */
const local = { tickMs: 250, signalIntervalMs: 1_000 };

/** Stands in for Temporal: makes the message as it would be sent, and keeps count of what it says. */
class Told {
  events = 0;
  signals = 0;
  bytes = 0;

  readonly deliver = async (range: UsageRange): Promise<void> => {
    this.bytes += Buffer.byteLength(JSON.stringify(messageOf(range)));
    this.events += range.eventCount;
    this.signals += 1;
  };
}

/** A group's relay that plans and tells all there is to tell. */
async function drain(relay: RelayStore, epoch: number, told: Told): Promise<void> {
  for (let facts = 1; facts > 0;) ({ facts } = await relay.plan(group, epoch));
  for (let more = true; more;) {
    const ranges = await relay.due(0, rangesPerStep);
    for (const range of ranges) await told.deliver(range);
    await relay.markDelivered(ranges);
    more = ranges.length === rangesPerStep;
  }
}

interface Setting {
  readonly storage: Storage;
  readonly port: number;
  readonly customers: number;
  readonly rounds: number;
}

const settingText = (customers: number): string => `${customers.toLocaleString('en')} active customers`;

/** One after the other: what planning and telling take beside ingest of the same events. */
async function speed({ storage: { relay }, port, customers, rounds }: Setting): Promise<Ratio> {
  const { epoch } = await relay.acquire(group);
  return compare({
    row: `relay: planning what was ingested and telling it, ${settingText(customers)}`,
    unit: 'events',
    ours: {
      name: 'relay, with Temporal left out',
      prepare: async () => async () => {
        const told = new Told();
        await drain(relay, epoch, told);
        if (told.events !== eventsPerRound) throw new Error(`the relay told ${told.events} events`);
        return told.events;
      },
    },
    limit: postSide('POST /events, batches of 1,000', port, {
      ...load,
      events: eventsPerRound,
      of: { customers, spanMs },
    }),
    rounds,
    target: { atLeast: 1 },
    order: 'limit first',
  });
}

/** At the same time: how far the relay falls behind while everybody sends as fast as they can. */
async function lagBeside({ storage: { relay }, port, customers }: Setting): Promise<Figure> {
  const told = new Told();
  const stop = new AbortController();
  const log = { info: () => undefined, warn: (message: string, facts: unknown) => void console.warn(message, facts) };
  const loop = runRelayLoop(
    { relay, deliver: told.deliver, log, nowMs: () => performance.now() },
    { ...local, group, stop: stop.signal },
  );
  const requests = requestsOf(eventsPath, bodies(newEvents(eventsAtOnce, { customers, spanMs }), load.batch));
  let sending = true;
  const start = performance.now();
  const sent = sendAll(port, requests, load.connections).finally(() => {
    sending = false;
  });
  const lags: number[] = [];
  while (sending) {
    await new Promise((resolve) => setTimeout(resolve, 250));
    lags.push((await relay.lag(group)).facts);
  }
  await sent;
  const ingested = performance.now();
  while (told.events < eventsAtOnce) await new Promise((resolve) => setTimeout(resolve, 25));
  const behindMs = performance.now() - ingested;
  stop.abort();
  await loop;
  const rate = (eventsAtOnce * 1_000) / (ingested - start);
  const half = Math.floor(lags.length / 2);
  const most = (values: readonly number[]): number => Math.max(0, ...values);
  return {
    kind: 'figure',
    row: `relay beside ingest at full rate, ${settingText(customers)}`,
    value: `**${(behindMs / 1_000).toFixed(1)} s** after the last 202 everything was told`,
    note: `${rateText(rate)} events/s came in; at most ${rateText(most(lags.slice(0, half)))} events behind in the first half, ${rateText(most(lags.slice(half)))} in the second; ${told.signals} signals of ${rateText(told.bytes / Math.max(1, told.signals))} bytes; Temporal left out; a tick of ${local.tickMs} ms, a signal interval of ${local.signalIntervalMs} ms`,
    limit: {
      text: 'told within the time in which it came, counted from the last 202',
      met: behindMs <= ingested - start,
    },
  };
}

async function setUp(cluster: Cluster, customers: number): Promise<BenchDatabase> {
  const database = await ingestDatabase(cluster, customers);
  const storage = createStorage(database.url);
  const ids = Array.from({ length: customers }, (_, index) => ingestCustomerOf(index, customers));
  await inParallel(ids, 4, async (id) => void (await storage.periods.periodNamed(id, '2024-01-01' as LocalDate)));
  await storage.close();
  return database;
}

/** Whether the relay keeps up, with few customers and with many. */
export const relay: Row = {
  name: 'relay',
  measure: async ({ cluster, rounds }) => {
    const results: (Ratio | Figure)[] = [];
    for (const customers of [10, 10_000]) {
      const database = await setUp(cluster, customers);
      const api = await cluster.startApi(database);
      const storage = createStorage(database.url);
      const setting = { storage, port: api.port, customers, rounds };
      results.push(await speed(setting), await lagBeside(setting));
      await storage.close();
      await api.stop();
      await cluster.dropDatabase(database);
    }
    return results;
  },
};
