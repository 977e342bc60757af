/** A Postgres of the bench's own in a temporary folder, a fresh database for every row, and API processes on them. */
import { join } from 'node:path';
import pg from 'pg';
import { migrate } from '../../src/storage/migrate.js';

type Part = 'postgres' | 'temporal' | 'api' | 'worker';

/** What this program uses of scripts/lib/stack.mjs. */
interface Stack {
  readonly apiUrl: string;
  readonly databaseUrl: string;
  readonly pids: Readonly<Partial<Record<Part, number>>>;
  stop(): Promise<void>;
}
interface StackModule {
  startStack(options: {
    readonly parts: readonly Part[];
    readonly env?: Readonly<Record<string, string>>;
  }): Promise<Stack>;
}
interface BuildModule {
  ensureBuilt(): Promise<void>;
}

const root = join(import.meta.dirname, '..', '..');
const script = (name: string): string => join(root, 'scripts', 'lib', name);

export interface BenchDatabase {
  readonly url: string;
  readonly pool: pg.Pool;
}

export interface RunningApi {
  readonly url: string;
  readonly port: number;
  stop(): Promise<void>;
}

/** The whole program with servers of its own. */
export interface FullStack {
  readonly apiUrl: string;
  readonly database: BenchDatabase;
  readonly pids: Readonly<Record<Part, number>>;
  stop(): Promise<void>;
}

export interface Cluster {
  readonly serverUrl: string;
  /** A new, migrated database, so that no row meets what another has left. */
  newDatabase(): Promise<BenchDatabase>;
  /** The API as it runs in production, in a process of its own. */
  startApi(database: BenchDatabase): Promise<RunningApi>;
  startFullStack(): Promise<FullStack>;
  stop(): Promise<void>;
}

export async function startCluster(): Promise<Cluster> {
  const { ensureBuilt } = (await import(script('build.mjs'))) as BuildModule;
  const { startStack } = (await import(script('stack.mjs'))) as StackModule;
  await ensureBuilt();
  const server = await startStack({ parts: ['postgres'] });
  const apis = new Set<Stack>();
  const databases: BenchDatabase[] = [];
  return {
    serverUrl: server.databaseUrl,
    newDatabase: async () => {
      const name = `bench_${databases.length + 1}`;
      const database = await createDatabase(server.databaseUrl, name);
      databases.push(database);
      return database;
    },
    startApi: async ({ url }) => {
      const stack = await startStack({ parts: ['api'], env: { DATABASE_URL: url, LOG_LEVEL: 'warn' } });
      apis.add(stack);
      return {
        url: stack.apiUrl,
        port: Number(new URL(stack.apiUrl).port),
        stop: async () => {
          apis.delete(stack);
          await stack.stop();
        },
      };
    },
    startFullStack: async () => {
      const stack = await startStack({
        parts: ['postgres', 'temporal', 'api', 'worker'],
        env: { LOG_LEVEL: 'warn', RECKONER_RATING_CADENCE: 'P1D' },
      });
      apis.add(stack);
      const pool = poolOf(stack.databaseUrl);
      const { postgres = 0, temporal = 0, api = 0, worker = 0 } = stack.pids;
      return {
        apiUrl: stack.apiUrl,
        database: { url: stack.databaseUrl, pool },
        pids: { postgres, temporal, api, worker },
        stop: async () => {
          apis.delete(stack);
          await pool.end();
          await stack.stop();
        },
      };
    },
    stop: async () => {
      await Promise.all([...apis].map((api) => api.stop()));
      await Promise.all(databases.map(({ pool }) => pool.end()));
      await server.stop();
    },
  };
}

async function createDatabase(serverUrl: string, name: string): Promise<BenchDatabase> {
  const admin = new pg.Client({ connectionString: serverUrl });
  await admin.connect();
  await admin.query(`CREATE DATABASE ${name}`);
  await admin.end();
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  await migrate(url.href, join(root, 'prisma', 'migrations'));
  return { url: url.href, pool: poolOf(url.href) };
}

function poolOf(url: string): pg.Pool {
  const pool = new pg.Pool({ connectionString: url, max: 8 });
  // The server may stop before an idle connection has closed; a query that suffers reports it itself.
  pool.on('error', () => undefined);
  return pool;
}
