import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { cpuFigure } from '../lib/cpu.js';
import { copySide, postSide, storedText, withIngestApi } from '../lib/ingest.js';
import type { Load } from '../lib/ingest.js';
import { compare } from '../lib/measure.js';
import type { Side, Target } from '../lib/measure.js';
import type { Result } from '../lib/report.js';
import type { Row } from './row.js';

function batchRow(name: string, load: Load, atLeast: number): Row {
  return {
    name,
    measure: async ({ cluster, rounds, stored }) => {
      const measured = (events: number): Promise<readonly Result[]> =>
        withIngestApi(cluster, events, async ({ database, api }) => {
          const row = `POST /events, batches of ${load.batch.toLocaleString('en')}, ${load.connections} connections, ${storedText(events)}`;
          const ours = postSide('HTTP', api.port, load);
          const limit = copySide(database, load.events);
          const ratio = await compare({ row, unit: 'events', ours, limit, rounds, target: { atLeast } });
          return [
            ratio,
            await cpuFigure(row, ours, { API: api.pid, Postgres: cluster.serverPid, client: process.pid }),
            await cpuFigure(row, limit, { Postgres: cluster.serverPid }),
          ];
        });
      return [...(await measured(0)), ...(await measured(stored))];
    },
  };
}

export const batchesOf1000 = batchRow('batches-1000', { events: 60_000, batch: 1_000, connections: 8 }, 0.55);
/** As many events on their way at a time as the COPY beside it has: 4 connections of 1,000. */
export const batchesOf100 = batchRow('batches-100', { events: 60_000, batch: 100, connections: 40 }, 0.4);

const singleConnections = 64;

interface Rival {
  readonly name: string;
  readonly server: readonly [file: string, ...args: string[]];
  readonly events: number;
  readonly target: Target | null;
}

/** Most of all a POST that does nothing; the others say what takes the difference, and what group commit brings. */
const rivals: readonly Rival[] = [
  {
    name: 'no-op POST: the same API, body read and parsed, answered without a look at the event',
    server: ['noop-server.ts', 'handler'],
    events: 20_000,
    target: { atLeast: 0.8 },
  },
  {
    name: 'the same API on a ledger that stores nothing',
    server: ['noop-server.ts', 'ledger'],
    events: 20_000,
    target: null,
  },
  {
    name: 'the same API, one insert and commit a request',
    server: ['one-commit-server.ts'],
    events: 6_000,
    target: null,
  },
  {
    name: 'bare node:http server without validation, one insert and commit a request',
    server: ['one-insert-server.ts'],
    events: 8_000,
    target: null,
  },
];

/** Single events from 64 connections. */
export const singleEvents: Row = {
  name: 'single',
  measure: async ({ cluster, rounds, stored }) => {
    const results: Result[] = [];
    for (const events of [0, stored]) {
      await withIngestApi(cluster, events, async ({ database, api }) => {
        const row = `POST /events, single events, ${singleConnections} connections, ${storedText(events)}`;
        const side = (name: string, port: number, load: number): Side =>
          postSide(name, port, { batch: 1, connections: singleConnections, events: load });
        const ours = side('group commit', api.port, 20_000);
        // Without a look at the table their speed does not hang on its size.
        for (const rival of events === 0 ? rivals : rivals.slice(0, 1)) {
          const server = await startServer(rival.server, database.url);
          const limit = side(rival.name, server.port, rival.events);
          const { target } = rival;
          results.push(await compare({ row, unit: 'requests', ours, limit, rounds, target }));
          results.push(
            await cpuFigure(row, limit, { server: server.pid, Postgres: cluster.serverPid, client: process.pid }),
          );
          await server.stop();
        }
        results.push(await cpuFigure(row, ours, { API: api.pid, Postgres: cluster.serverPid, client: process.pid }));
      });
    }
    return results;
  },
};

async function startServer(
  [name, ...args]: Rival['server'],
  databaseUrl: string,
): Promise<{ readonly port: number; readonly pid: number; readonly stop: () => Promise<void> }> {
  const file = join(import.meta.dirname, '..', name);
  const child = spawn(process.execPath, ['--import', 'tsx', file, ...args], {
    env: { ...process.env, DATABASE_URL: databaseUrl },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [first] = (await once(child.stdout, 'data')) as [Buffer];
  return {
    port: Number(first.toString('utf8').trim()),
    pid: child.pid ?? 0,
    stop: async () => {
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}
