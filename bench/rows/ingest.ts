import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createStorage } from '../../src/storage/index.js';
import type { BenchDatabase, Cluster } from '../lib/cluster.js';
import { copyAll, copyChunks } from '../lib/copy.js';
import { bodies, newEvents } from '../lib/events.js';
import { requestsOf, sendAll } from '../lib/http-client.js';
import { compare } from '../lib/measure.js';
import type { Side } from '../lib/measure.js';
import { setUpIngest } from '../lib/setup.js';
import type { Row } from './row.js';

const eventsPath = '/events';

/** A fresh database with the customers and meters of the ingest rows. */
export async function ingestDatabase(cluster: Cluster): Promise<BenchDatabase> {
  const database = await cluster.newDatabase();
  const storage = createStorage(database.url);
  await setUpIngest(storage);
  await storage.close();
  return database;
}

/** New events through POST /events: validated, de-duplicated, committed, answered. */
export function postSide(
  name: string,
  port: number,
  load: { events: number; batch: number; connections: number },
): Side {
  return {
    name,
    prepare: async () => {
      const requests = requestsOf(eventsPath, bodies(newEvents(load.events), load.batch));
      return async () => {
        await sendAll(port, requests, load.connections);
        return load.events;
      };
    },
  };
}

const copyConnections = 4;

function copySide({ pool }: BenchDatabase, events: number): Side {
  return {
    name: `COPY of 1,000 rows at a time into the same table, ${copyConnections} connections`,
    prepare: async () => {
      const chunks = copyChunks(newEvents(events), 1_000);
      return async () => {
        await copyAll(pool, chunks, copyConnections);
        return events;
      };
    },
  };
}

function batchRow(name: string, load: { events: number; batch: number; connections: number }, atLeast: number): Row {
  return {
    name,
    measure: async ({ cluster, rounds }) => {
      const database = await ingestDatabase(cluster);
      const api = await cluster.startApi(database);
      const result = await compare({
        row: `POST /events, batches of ${load.batch.toLocaleString('en')}, ${load.connections} connections`,
        unit: 'events',
        ours: postSide('HTTP', api.port, load),
        limit: copySide(database, load.events),
        rounds,
        target: { atLeast },
      });
      await api.stop();
      return [result];
    },
  };
}

export const batchesOf1000 = batchRow('batches-1000', { events: 60_000, batch: 1_000, connections: 8 }, 0.4);
export const batchesOf100 = batchRow('batches-100', { events: 60_000, batch: 100, connections: 16 }, 0.3);

const singleConnections = 64;

/** Single events from 64 connections: group commit against one insert and commit a request, and against a server that does nothing else. */
export const singleEvents: Row = {
  name: 'single',
  measure: async ({ cluster, rounds }) => {
    const database = await ingestDatabase(cluster);
    const api = await cluster.startApi(database);
    const oneCommit = await startServer('one-commit-server.ts', database.url);
    const bare = await startServer('one-insert-server.ts', database.url);
    try {
      const load = { batch: 1, connections: singleConnections };
      const row = `POST /events, single events, ${singleConnections} connections`;
      const ours = postSide('group commit', api.port, { ...load, events: 20_000 });
      const each = postSide('the same API, one insert and commit a request', oneCommit.port, {
        ...load,
        events: 6_000,
      });
      const bareEach = postSide('bare node:http server without validation, likewise', bare.port, {
        ...load,
        events: 8_000,
      });
      return [
        await compare({ row, unit: 'requests', ours, limit: each, rounds, target: { atLeast: 2.5 } }),
        await compare({ row, unit: 'requests', ours, limit: bareEach, rounds, target: null }),
      ];
    } finally {
      oneCommit.stop();
      bare.stop();
      await api.stop();
    }
  },
};

async function startServer(name: string, databaseUrl: string): Promise<{ readonly port: number; stop(): void }> {
  const file = join(import.meta.dirname, '..', name);
  const child = spawn(process.execPath, ['--import', 'tsx', file], {
    env: { ...process.env, DATABASE_URL: databaseUrl },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [first] = (await once(child.stdout, 'data')) as [Buffer];
  return { port: Number(first.toString('utf8').trim()), stop: () => void child.kill('SIGKILL') };
}
