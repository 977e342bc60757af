import { cpuFigure } from '../lib/cpu.js';
import type { BenchDatabase } from '../lib/cluster.js';
import { bodies, newEvents } from '../lib/events.js';
import type { BenchEvent } from '../lib/events.js';
import { floodOf, judgeFlood, toldBy } from '../lib/flood.js';
import type { Told } from '../lib/flood.js';
import { requestsOf, sendAll, sendEach } from '../lib/http-client.js';
import { eventsPath, withIngestApi } from '../lib/ingest.js';
import { compare } from '../lib/measure.js';
import type { Side } from '../lib/measure.js';
import type { Row } from './row.js';

const load = { requests: 100_000, events: 1_000, connections: 50 };

const alter = (event: BenchEvent, number: number): BenchEvent => ({
  ...event,
  metadata: { altered: String(number), bytes: '1' },
});

/** @throws Error for whatever is not stored once, told truly and kept */
async function flood({ pool }: BenchDatabase, port: number): Promise<() => Promise<number>> {
  const requests = floodOf(newEvents(load.events), load.requests, alter);
  const encoded = requestsOf(
    eventsPath,
    requests.map(({ body }) => Buffer.from(body)),
  );
  const countOf = async (table: string): Promise<number> => {
    const { rows } = await pool.query<{ count: number }>(`SELECT count(*)::int AS count FROM ${table}`);
    return rows[0]?.count ?? Number.NaN;
  };
  const before = { events: await countOf('telemetry_events'), letters: await countOf('dead_letters') };
  return async () => {
    const told: Told[] = [];
    await sendEach(port, encoded, load.connections, ({ status, body }, index) => {
      if (status !== 202) throw new Error(`POST was answered ${status}: ${body.slice(0, 300)}`);
      told[index] = toldBy(JSON.parse(body) as Parameters<typeof toldBy>[0]);
    });
    const { complaints, conflicting } = judgeFlood(requests, told);
    const [events, letters] = [await countOf('telemetry_events'), await countOf('dead_letters')];
    if (events - before.events !== load.events) complaints.push(`${events - before.events} events were stored`);
    if (letters - before.letters !== conflicting.size)
      complaints.push(`${letters - before.letters} dead letters of ${conflicting.size} conflicts`);
    if (complaints.length > 0) throw new Error(complaints.slice(0, 10).join('; '));
    return load.requests;
  };
}

/** What the ledger bears: a producer who floods is asked to slow down long before (test/api/duplicate-flood.test.ts). */
const unthrottled = { RECKONER_DUPLICATE_FLOOD_DUPLICATES: '0' };

/** The flood that the issue prescribes: beside being fast every answer of it is checked, and what is stored. */
export const duplicateFlood: Row = {
  name: 'flood',
  measure: ({ cluster, rounds }) =>
    withIngestApi(
      cluster,
      0,
      async ({ database, api }) => {
        const [requests, events] = [load.requests, load.events].map((count) => count.toLocaleString('en'));
        const row = `POST /events, ${requests} single events that are ${events}, a tenth altered, ${load.connections} connections`;
        const ours: Side = { name: 'flood', prepare: () => flood(database, api.port) };
        const limit: Side = {
          name: 'as many that are all distinct',
          prepare: async () => {
            const encoded = requestsOf(eventsPath, bodies(newEvents(load.requests), 1));
            return async () => {
              await sendAll(api.port, encoded, load.connections);
              return load.requests;
            };
          },
        };
        const pids = { API: api.pid, Postgres: cluster.serverPid, client: process.pid };
        return [
          // Each tenth request is a dead letter, for which its group is inserted instead of copied: twice the processor time.
          await compare({ row, unit: 'requests', ours, limit, rounds, target: { atLeast: 0.3 } }),
          await cpuFigure(row, ours, pids),
          await cpuFigure(row, limit, pids),
        ];
      },
      unthrottled,
    ),
};
