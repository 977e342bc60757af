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

/** A database to be copied; nobody is connected to it. */
export interface Template {
  readonly name: string;
}

export interface RunningApi {
  readonly url: string;
  readonly port: number;
  readonly pid: number;
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
  /** Of Postgres. */
  readonly serverPid: number;
  /** A new, migrated database, or a copy of the template, so that no row meets what another has left. */
  newDatabase(template?: Template): Promise<BenchDatabase>;
  /** What `fill` makes of a new database, to be copied. */
  newTemplate(fill: (database: BenchDatabase) => Promise<void>): Promise<Template>;
  /** Gives the disk back: a row's databases with millions of events. */
  dropDatabase(database: BenchDatabase): Promise<void>;
  /**
   * The API as it runs in production, in a process of its own.
   * @param env settings beside the defaults
   */
  startApi(database: BenchDatabase, env?: Readonly<Record<string, string>>): Promise<RunningApi>;
  startFullStack(): Promise<FullStack>;
  stop(): Promise<void>;
}

export async function startCluster(): Promise<Cluster> {
  const { ensureBuilt } = (await import(script('build.mjs'))) as BuildModule;
  const { startStack } = (await import(script('stack.mjs'))) as StackModule;
  await ensureBuilt();
  const server = await startStack({ parts: ['postgres'] });
  const apis = new Set<Stack>();
  const databases = new Set<BenchDatabase>();
  let made = 0;
  const newDatabase: Cluster['newDatabase'] = async (template) => {
    made += 1;
    const database = await createDatabase(server.databaseUrl, `bench_${made}`, template);
    databases.add(database);
    return database;
  };
  const disconnect = async (database: BenchDatabase): Promise<string> => {
    databases.delete(database);
    await database.pool.end();
    return new URL(database.url).pathname.slice(1);
  };
  return {
    serverUrl: server.databaseUrl,
    serverPid: server.pids.postgres ?? 0,
    newDatabase,
    newTemplate: async (fill) => {
      const database = await newDatabase();
      await fill(database);
      return { name: await disconnect(database) };
    },
    dropDatabase: async (database) => {
      const name = await disconnect(database);
      await onServer(server.databaseUrl, `DROP DATABASE ${name} WITH (FORCE)`);
    },
    startApi: async ({ url }, env = {}) => {
      const stack = await startStack({ parts: ['api'], env: { DATABASE_URL: url, LOG_LEVEL: 'warn', ...env } });
      apis.add(stack);
      return {
        url: stack.apiUrl,
        port: Number(new URL(stack.apiUrl).port),
        pid: stack.pids.api ?? 0,
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
      await Promise.all([...databases].map(({ pool }) => pool.end()));
      await server.stop();
    },
  };
}

async function createDatabase(serverUrl: string, name: string, template?: Template): Promise<BenchDatabase> {
  // Files instead of pages through the log: a template may be gigabytes.
  const copied = template === undefined ? '' : `TEMPLATE ${template.name} STRATEGY FILE_COPY`;
  await onServer(serverUrl, `CREATE DATABASE ${name} ${copied}`);
  const url = new URL(serverUrl);
  url.pathname = `/${name}`;
  if (template === undefined) await migrate(url.href, join(root, 'prisma', 'migrations'));
  return { url: url.href, pool: poolOf(url.href) };
}

async function onServer(serverUrl: string, sql: string): Promise<void> {
  const admin = new pg.Client({ connectionString: serverUrl });
  await admin.connect();
  await admin.query(sql);
  await admin.end();
}

function poolOf(url: string): pg.Pool {
  const pool = new pg.Pool({ connectionString: url, max: 8 });
  // The server may stop before an idle connection has closed; a query that suffers reports it itself.
  pool.on('error', () => undefined);
  return pool;
}
