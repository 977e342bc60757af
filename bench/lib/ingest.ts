/** What the rows that send events share: databases, the API on them, and the two sides, HTTP and COPY. */
import { createStorage } from '../../src/storage/index.js';
import type { BenchDatabase, Cluster, RunningApi, Template } from './cluster.js';
import { copyAll, copyChunks, loadInParts } from './copy.js';
import { bodies, newEvents } from './events.js';
import type { EventsOf } from './events.js';
import { requestsOf, sendAll } from './http-client.js';
import type { Side } from './measure.js';
import { setUpIngest } from './setup.js';

export const eventsPath = '/events';

/** Four millions of them fill the fortnight before the day of `newEvents`. */
const stored = { from: Date.UTC(2024, 0, 1), msPerEvent: (14 * 86_400_000) / 4_000_000 };

/** Customers and meters of the ingest rows. */
async function setUp({ url }: BenchDatabase, customers?: number): Promise<void> {
  const storage = createStorage(url);
  await setUpIngest(storage, customers);
  await storage.close();
}

/** A fresh database with the customers and meters of the ingest rows. */
export async function ingestDatabase(cluster: Cluster, customers?: number): Promise<BenchDatabase> {
  const database = await cluster.newDatabase();
  await setUp(database, customers);
  return database;
}

/** Adds events to a database in which `from` of them are already. */
export async function growTo(
  { pool }: BenchDatabase,
  { from, to, newId }: { readonly from: number; readonly to: number; readonly newId?: EventsOf['newId'] },
): Promise<void> {
  await loadInParts(pool, to - from, (size, loaded) =>
    newEvents(size, {
      from: stored.from + (from + loaded) * stored.msPerEvent,
      spanMs: size * stored.msPerEvent,
      ...(newId !== undefined && { newId }),
    }),
  );
  await pool.query('VACUUM (ANALYZE) telemetry_events');
  await pool.query('CHECKPOINT'); // else the measurement pays for writing what was loaded
}

const templates = new WeakMap<Cluster, Map<number, Promise<Template>>>();

/** Loaded once for all rows that want it. */
function filledTemplate(cluster: Cluster, events: number): Promise<Template> {
  const known = templates.get(cluster) ?? new Map<number, Promise<Template>>();
  templates.set(cluster, known);
  const template =
    known.get(events) ??
    cluster.newTemplate(async (database) => {
      await setUp(database);
      await growTo(database, { from: 0, to: events });
    });
  known.set(events, template);
  return template;
}

export const storedText = (events: number): string =>
  events === 0 ? 'empty table' : `${events.toLocaleString('en')} events stored`;

/**
 * Runs `work` with a database that has so many events, and the API on it.
 * @param env settings of the API beside the defaults
 */
export async function withIngestApi<T>(
  cluster: Cluster,
  events: number,
  work: (running: { readonly database: BenchDatabase; readonly api: RunningApi }) => Promise<T>,
  env?: Readonly<Record<string, string>>,
): Promise<T> {
  const database =
    events === 0 ? await ingestDatabase(cluster) : await cluster.newDatabase(await filledTemplate(cluster, events));
  const api = await cluster.startApi(database, env);
  try {
    return await work({ database, api });
  } finally {
    await api.stop();
    await cluster.dropDatabase(database);
  }
}

export interface Load {
  readonly events: number;
  readonly batch: number;
  readonly connections: number;
  readonly of?: EventsOf;
}

/** New events through POST /events: validated, de-duplicated, committed, answered. */
export function postSide(name: string, port: number, { events, batch, connections, of }: Load): Side {
  return {
    name,
    prepare: async () => {
      const requests = requestsOf(eventsPath, bodies(newEvents(events, of), batch));
      return async () => {
        await sendAll(port, requests, connections);
        return events;
      };
    },
  };
}

const copyConnections = 4;

export function copySide({ pool }: BenchDatabase, events: number, of?: EventsOf): Side {
  return {
    name: `COPY of 1,000 rows at a time into the same table, ${copyConnections} connections`,
    prepare: async () => {
      const chunks = copyChunks(newEvents(events, of), 1_000);
      return async () => {
        await copyAll(pool, chunks, copyConnections);
        return events;
      };
    },
  };
}
