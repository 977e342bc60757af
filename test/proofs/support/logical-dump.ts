/**
 * A logical backup and its restore into a new database: by `pg_dump` and `psql` where those on this machine can read the server,
 * otherwise by the same COPY statements over a connection, of all rows at one snapshot.
 */
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import { promisify } from 'node:util';
import pg from 'pg';
import { from as copyFrom, to as copyTo } from 'pg-copy-streams';
import { createEmptyDatabase, createTestDatabase } from '../../support/postgres.js';
import type { TestDatabase } from '../../support/postgres.js';

const run = promisify(execFile);

export interface Dump {
  /** Into a new database. */
  restore(): Promise<TestDatabase>;
  forget(): Promise<void>;
}

/** The database as it is at this moment, while others go on writing. */
export async function dump(url: string): Promise<Dump> {
  return (await canDump(url)) ? dumpByTool(url) : dumpByCopy(url);
}

/** A dump tool reads servers of its own major version and of earlier ones. */
async function canDump(url: string): Promise<boolean> {
  const server = await connected(url, async (client) => {
    const { rows } = await client.query<{ version: number }>(
      `SELECT current_setting('server_version_num')::int / 10000 AS version`,
    );
    return rows[0]?.version ?? Infinity;
  });
  const versions = await Promise.all(['pg_dump', 'psql'].map(majorVersionOf));
  return versions.every((version) => version >= server);
}

async function majorVersionOf(tool: string): Promise<number> {
  try {
    const { stdout } = await run(tool, ['--version']);
    return Number(/\) (\d+)/.exec(stdout)?.[1] ?? 0);
  } catch {
    return 0; // not on this machine
  }
}

async function dumpByTool(url: string): Promise<Dump> {
  const folder = await mkdtemp(join(tmpdir(), 'reckoner-dump-'));
  const file = join(folder, 'dump.sql');
  await run('pg_dump', ['--no-owner', `--file=${file}`, url]);
  return {
    restore: async () => {
      const database = await createEmptyDatabase();
      await run('psql', ['--quiet', '--no-psqlrc', '--set=ON_ERROR_STOP=1', `--file=${file}`, database.url]);
      return database;
    },
    forget: () => rm(folder, { recursive: true }),
  };
}

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

interface CopiedTable {
  readonly name: string;
  readonly columns: string;
  readonly rows: string;
}

interface SequenceState {
  readonly name: string;
  readonly value: string;
  readonly isCalled: boolean;
}

/** Tables with rows of their own (of a partitioned table its partitions) and sequences, as `pg_dump --data-only` takes them. */
async function dumpByCopy(url: string): Promise<Dump> {
  const { tables, sequences } = await connected(url, async (client) => {
    await client.query('BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY');
    const copied: CopiedTable[] = [];
    for (const name of await tableNames(client)) {
      const columns = await columnsOf(client, name);
      const rows = await text(client.query(copyTo(`COPY ${quoted(name)} (${columns}) TO STDOUT`)));
      copied.push({ name, columns, rows });
    }
    // Sequences know no snapshot: read after the rows, they are never behind them.
    const states = await sequenceStates(client);
    await client.query('COMMIT');
    return { tables: copied, sequences: states };
  });
  return {
    restore: async () => {
      const database = await createTestDatabase();
      await connected(database.url, async (client) => {
        await client.query(`BEGIN; SET LOCAL session_replication_role = replica`);
        for (const table of tables) await fill(client, table);
        for (const { name, value, isCalled } of sequences)
          await client.query('SELECT setval($1::regclass, $2::bigint, $3)', [quoted(name), value, isCalled]);
        await client.query('COMMIT');
      });
      return database;
    },
    forget: () => Promise.resolve(),
  };
}

/** What the migrations have written stays: the dump's rows would only repeat it, but there may be others beside it. */
async function fill(client: pg.Client, { name, columns, rows }: CopiedTable): Promise<void> {
  if (rows === '') return;
  const { rowCount } = await client.query(`SELECT FROM ${quoted(name)} LIMIT 1`);
  const into = rowCount === 0 ? quoted(name) : 'dumped_rows';
  if (rowCount !== 0) await client.query(`CREATE TEMP TABLE dumped_rows (LIKE ${quoted(name)}) ON COMMIT DROP`);
  await pipeline(Readable.from([rows]), client.query(copyFrom(`COPY ${into} (${columns}) FROM STDIN`)));
  if (rowCount === 0) return;
  await client.query(
    `INSERT INTO ${quoted(name)} (${columns}) SELECT ${columns} FROM dumped_rows ON CONFLICT DO NOTHING; DROP TABLE dumped_rows`,
  );
}

async function tableNames(client: pg.Client): Promise<readonly string[]> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT relname AS name FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY relname`,
  );
  return rows.map(({ name }) => name);
}

async function columnsOf(client: pg.Client, table: string): Promise<string> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT attname AS name FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped
       AND attgenerated = '' ORDER BY attnum`,
    [quoted(table)],
  );
  return rows.map(({ name }) => quoted(name)).join(', ');
}

async function sequenceStates(client: pg.Client): Promise<readonly SequenceState[]> {
  const { rows } = await client.query<{ name: string }>(
    `SELECT relname AS name FROM pg_class WHERE relkind = 'S' AND relnamespace = 'public'::regnamespace`,
  );
  const states: SequenceState[] = [];
  for (const { name } of rows) {
    const state = await client.query<{ value: string; called: boolean }>(
      `SELECT last_value::text AS value, is_called AS called FROM ${quoted(name)}`,
    );
    for (const { value, called } of state.rows) states.push({ name, value, isCalled: called });
  }
  return states;
}

async function connected<T>(url: string, work: (client: pg.Client) => Promise<T>): Promise<T> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end();
  }
}
