import { setTimeout } from 'node:timers/promises';
import type { BenchDatabase } from '../lib/cluster.js';
import { cpuFigure } from '../lib/cpu.js';
import { bodies, newEvents } from '../lib/events.js';
import type { BenchEvent } from '../lib/events.js';
import { requestsOf, requireAccepted, sendAll, sendEach } from '../lib/http-client.js';
import { eventsPath, storedText, withIngestApi } from '../lib/ingest.js';
import type { Load } from '../lib/ingest.js';
import { compare } from '../lib/measure.js';
import type { Side } from '../lib/measure.js';
import type { Result } from '../lib/report.js';
import type { Row } from './row.js';

/** Of each request: events acknowledged before, and events of the request before it, which is under way at the same time. */
const shares = { earlier: 0.05, concurrent: 0.05 };

const loads: readonly Load[] = [
  { events: 60_000, batch: 1_000, connections: 8 },
  { events: 60_000, batch: 100, connections: 16 },
];

interface Mixed {
  readonly earlier: readonly BenchEvent[];
  readonly requests: readonly (readonly BenchEvent[])[];
  /** Distinct events of the requests that were not sent before. */
  readonly fresh: number;
}

function mixed({ events, batch }: Load): Mixed {
  const count = events / batch;
  const [ofEarlier, ofConcurrent] = [batch * shares.earlier, batch * shares.concurrent];
  const earlier = newEvents(ofEarlier * count);
  const freshOf = batch - ofEarlier - ofConcurrent;
  // The first request has none before it.
  const fresh = newEvents(freshOf * count + ofConcurrent);
  const own = (at: number): readonly BenchEvent[] =>
    at === 0
      ? fresh.slice(0, freshOf + ofConcurrent)
      : fresh.slice(at * freshOf + ofConcurrent, (at + 1) * freshOf + ofConcurrent);
  const requests = Array.from({ length: count }, (_, at) =>
    shuffled([
      ...own(at),
      ...earlier.slice(at * ofEarlier, (at + 1) * ofEarlier),
      ...(at === 0 ? [] : own(at - 1).slice(-ofConcurrent)),
    ]),
  );
  return { earlier, requests, fresh: fresh.length };
}

/** Always in the same way, with duplicates and without: no order that helps whoever takes rows as they come. */
function shuffled<T>(items: readonly T[]): readonly T[] {
  const stride = 617; // a prime, and no divisor of a batch
  return items.map((_, index) => items[(index * stride) % items.length] as T);
}

/** Work of a round, which throws when the answers do not add up to what was sent. */
function sendCounted(
  port: number,
  { requests, fresh }: Omit<Mixed, 'earlier'>,
  connections: number,
): () => Promise<number> {
  const encoded = requestsOf(
    eventsPath,
    requests.flatMap((events) => bodies(events, events.length)),
  );
  const sent = requests.reduce((sum, events) => sum + events.length, 0);
  return async () => {
    let accepted = 0;
    let duplicates = 0;
    await sendEach(port, encoded, connections, (answer) => {
      requireAccepted(answer);
      const counts = /"accepted":(\d+),"duplicates":(\d+)/.exec(answer.body.slice(0, 100));
      accepted += Number(counts?.[1]);
      duplicates += Number(counts?.[2]);
    });
    if (accepted === fresh && duplicates === sent - fresh) return sent;
    throw new Error(`of ${sent} events, ${fresh} of them new, ${accepted} were accepted, ${duplicates} duplicates`);
  };
}

/** A connection tells of what it counted at the latest when it was idle for ten seconds. */
const untilToldMs = 11_000;

async function deadlocksOf({ pool }: BenchDatabase): Promise<number> {
  const { rows } = await pool.query<{ n: number }>(
    'SELECT deadlocks::int AS n FROM pg_stat_database WHERE datname = current_database()',
  );
  return rows[0]?.n ?? Number.NaN;
}

const withDuplicates = (port: number, load: Load): Side => ({
  name: '10 % duplicates',
  prepare: async () => {
    const { earlier, ...rest } = mixed(load);
    await sendAll(port, requestsOf(eventsPath, bodies(earlier, load.batch)), load.connections);
    return sendCounted(port, rest, load.connections);
  },
});

const withoutDuplicates = (port: number, load: Load): Side => ({
  name: 'none',
  prepare: async () => {
    const fresh = newEvents(load.events);
    const requests = Array.from({ length: load.events / load.batch }, (_, at) =>
      shuffled(fresh.slice(at * load.batch, (at + 1) * load.batch)),
    );
    return sendCounted(port, { requests, fresh: fresh.length }, load.connections);
  },
});

/** Senders that repeat themselves: half of what is sent twice is stored already, half comes at the same time. */
export const duplicates: Row = {
  name: 'duplicates',
  measure: async ({ cluster, rounds, stored }) => {
    const results: Result[] = [];
    for (const events of [0, stored]) {
      await withIngestApi(cluster, events, async ({ database, api }) => {
        const before = await deadlocksOf(database);
        for (const load of loads) {
          const row = `POST /events, one event in ten a duplicate, batches of ${load.batch.toLocaleString('en')}, ${load.connections} connections, ${storedText(events)}`;
          const [ours, limit] = [withDuplicates(api.port, load), withoutDuplicates(api.port, load)];
          const pids = { API: api.pid, Postgres: cluster.serverPid, client: process.pid };
          results.push(
            await compare({ row, unit: 'events', ours, limit, rounds, target: { atLeast: 0.9 } }),
            await cpuFigure(row, ours, pids),
            await cpuFigure(row, limit, pids),
          );
        }
        await setTimeout(untilToldMs);
        const deadlocks = (await deadlocksOf(database)) - before;
        results.push({
          kind: 'figure',
          row: `deadlocks meanwhile, ${storedText(events)}`,
          value: String(deadlocks),
          note: 'as Postgres counts them; half of the duplicates are stored already, half come at the same time',
          limit: { text: '0', met: deadlocks === 0 },
        });
      });
    }
    return results;
  },
};
