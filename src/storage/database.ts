/** The connection pool, Prisma on top of the same pool, and transactions. */
import { PrismaPg } from '@prisma/adapter-pg';
import { PrismaClient } from '@prisma/client';
import pg from 'pg';
import { copyIn } from './copy-in.js';
import { mapStorageError } from './errors.js';
import { rowTypes } from './row-types.js';

export interface Database {
  /** For SQL outside transactions. Rows come as `row-types.ts` says. */
  readonly pool: pg.Pool;
  readonly prisma: PrismaClient;
  /**
   * Runs `work` between BEGIN and COMMIT on a connection of its own; any error rolls back and is thrown again. Read
   * committed unless `work` begins with SET TRANSACTION.
   * @param begin further statements of the round trip that begins the transaction, without parameters
   * @throws StorageUnavailable when the database is away: then nothing is known about the commit
   */
  transaction<T>(work: (client: pg.PoolClient) => Promise<T>, begin?: string): Promise<T>;
  /**
   * Runs statements that end in `COPY … FROM STDIN` as a transaction of their own, in the fewest round trips.
   * @param rows in COPY's text format
   * @throws StorageUnavailable as `transaction` does
   */
  copyIn(statements: string, rows: Buffer): Promise<void>;
  close(): Promise<void>;
}

export interface DatabaseOptions {
  /** Connections at most; default 10. */
  readonly connections?: number;
  /** Shown in pg_stat_activity; default `reckoner`. */
  readonly applicationName?: string;
  /** Milliseconds a statement may run before it is cancelled; default 60,000. */
  readonly statementTimeoutMs?: number;
  /** Milliseconds a transaction may wait for its client; default 30,000. Bounds how long a stuck client holds a lock. */
  readonly idleInTransactionTimeoutMs?: number;
  /** Milliseconds to wait for a connection; default 5,000. */
  readonly connectTimeoutMs?: number;
}

/**
 * Opens the pool; connects on first use.
 * @param url `postgresql://…`; its own query parameters (`sslmode`, …) hold.
 */
export function openDatabase(url: string, options: DatabaseOptions = {}): Database {
  const pool = new pg.Pool({
    connectionString: url,
    max: options.connections ?? 10,
    application_name: options.applicationName ?? 'reckoner',
    statement_timeout: options.statementTimeoutMs ?? 60_000,
    idle_in_transaction_session_timeout: options.idleInTransactionTimeoutMs ?? 30_000,
    connectionTimeoutMillis: options.connectTimeoutMs ?? 5_000,
    options: '-c timezone=UTC -c datestyle=ISO -c intervalstyle=iso_8601',
    types: rowTypes,
    keepAlive: true,
  });
  // Without a listener an idle connection that the server ends would end this process. The next query reports the loss.
  const ignore = (): void => undefined;
  pool.on('error', ignore);
  pool.on('connect', (client) => client.on('error', ignore));
  const prisma = new PrismaClient({ adapter: new PrismaPg(pool) });
  return {
    pool,
    prisma,
    transaction: (work, begin = '') => inTransaction(pool, work, begin),
    copyIn: (statements, rows) => copyAlone(pool, statements, rows),
    close: async () => {
      await prisma.$disconnect();
      await pool.end();
    },
  };
}

async function inTransaction<T>(pool: pg.Pool, work: (client: pg.PoolClient) => Promise<T>, begin: string): Promise<T> {
  const client = await connect(pool);
  let broken = false;
  try {
    await client.query(`BEGIN;${begin}`);
    const result = await work(client);
    await client.query('COMMIT');
    return result;
  } catch (error) {
    // A connection that cannot roll back is thrown away: its transaction ends with it.
    await client.query('ROLLBACK').catch(() => {
      broken = true;
    });
    throw mapStorageError(error);
  } finally {
    client.release(broken);
  }
}

async function copyAlone(pool: pg.Pool, statements: string, rows: Buffer): Promise<void> {
  const client = await connect(pool);
  try {
    await copyIn(client, statements, rows);
  } catch (error) {
    throw mapStorageError(error);
  } finally {
    client.release(); // the pool throws away what is no longer connected
  }
}

async function connect(pool: pg.Pool): Promise<pg.PoolClient> {
  try {
    return await pool.connect();
  } catch (error) {
    throw mapStorageError(error);
  }
}
