/** A look into the stack's Postgres past all of its parts; and a way to hold a transaction in its middle. */
import { createHash } from 'node:crypto';
import pg from 'pg';
import { until } from '../../support/stack.js';

export interface Held {
  /** Resolves once a transaction waits to write into the table, and `sign` (SQL giving one boolean) holds. */
  reached(sign: string): Promise<void>;
  /** The transaction that waits goes on, if its client still lives. */
  release(): Promise<void>;
}

async function connected(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url });
  // The server is killed under it on purpose; the next query tells.
  client.on('error', () => undefined);
  await client.connect();
  return client;
}

/** One query on a connection of its own, which a killed server cannot have broken before. */
export async function query<Row extends pg.QueryResultRow>(
  url: string,
  sql: string,
  values: readonly unknown[] = [],
): Promise<readonly Row[]> {
  const client = await connected(url);
  try {
    return (await client.query<Row>(sql, [...values])).rows;
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** The advisory lock under which windows of a period are closed and its documents are made. */
export function periodLockOf(customerId: string, period: string): string {
  const text = JSON.stringify(['billing-period', customerId, period]);
  const hex = createHash('sha256').update(text).digest('hex').slice(0, 16);
  return BigInt.asIntN(64, BigInt(`0x${hex}`)).toString();
}

const waitsSql = `SELECT EXISTS (
  SELECT FROM pg_locks w
  WHERE w.locktype = 'relation' AND NOT w.granted AND w.relation = $1::regclass AND w.pid <> pg_backend_pid()
    AND ($2::bigint IS NULL OR EXISTS (
      SELECT FROM pg_locks a
      WHERE a.pid = w.pid AND a.granted AND a.locktype = 'advisory' AND a.objsubid = 1
        AND (a.classid::bigint << 32) | a.objid::bigint = $2::bigint))) AS waits`;

/**
 * Lets nobody write into the table: whoever comes to it in the middle of a transaction waits there, and can be killed.
 * @param lock only a transaction that holds this advisory lock is the awaited one
 */
export async function hold(url: string, table: string, lock: string | null): Promise<Held> {
  const client = await connected(url);
  await client.query('BEGIN');
  await client.query(`LOCK TABLE ${table} IN SHARE MODE`);
  return {
    reached: async (sign) => {
      const look = async (): Promise<boolean> => {
        const { rows } = await client.query<{ waits: boolean }>(waitsSql, [table, lock]);
        if (rows[0]?.waits !== true) return false;
        const { rows: signs } = await client.query<{ holds: boolean }>(`SELECT (${sign}) AS holds`);
        return signs[0]?.holds === true;
      };
      await until(look, (holds) => holds);
    },
    release: async () => {
      await client.end().catch(() => undefined);
    },
  };
}

/** The customer's events as the ledger has them. */
export async function storedEvents(url: string, customerId: string): Promise<readonly string[]> {
  const rows = await query<{ event_id: string }>(url, 'SELECT event_id FROM telemetry_events WHERE customer_id = $1', [
    customerId,
  ]);
  return rows.map(({ event_id: id }) => id);
}
