/**
 * A logical backup and its restore into a new database: by `pg_dump` and `pg_restore` where those on this machine can read the
 * server, otherwise by the same COPY statements over a connection, of all rows at one snapshot, into a migrated schema. The
 * embedded server comes without `pg_dump`, so which of the two it was depends on the machine: a dump says it, and
 * RECKONER_TEST_DUMP=pg_dump (or copy) accepts no other.
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
  /** What made it, with its version. */
  readonly method: `pg_dump ${string}` | `COPY ${string}`;
  /** Into a new database. */
  restore(): Promise<TestDatabase>;
  forget(): Promise<void>;
}

/** The database as it is at this moment, while others go on writing. */
export async function dump(url: string): Promise<Dump> {
  const wanted = process.env['RECKONER_TEST_DUMP'] ?? '';
  if (!['', 'pg_dump', 'copy'].includes(wanted)) throw new Error(`RECKONER_TEST_DUMP=${wanted}: it is pg_dump or copy`);
  const { server, tools } = await versionsFor(url);
  const canDump = tools >= server;
  if (wanted === 'pg_dump' && !canDump)
    throw new Error(`pg_dump and pg_restore of version ${server} or later are not on this machine (found: ${tools})`);
  if (canDump && wanted !== 'copy') return dumpByTool(url, `pg_dump ${tools}`);
  return dumpByCopy(url, `COPY (pg_dump here: ${tools}, server: ${server})`);
}

/** A dump tool reads servers of its own major version and of earlier ones. 0: there is no such tool. */
async function versionsFor(url: string): Promise<{ readonly server: number; readonly tools: number }> {
  const server = await connected(url, async (client) => {
    const { rows } = await client.query<{ version: number }>(
      `SELECT current_setting('server_version_num')::int / 10000 AS version`,
    );
    return rows[0]?.version ?? Infinity;
  });
  return { server, tools: Math.min(...(await Promise.all(['pg_dump', 'pg_restore'].map(majorVersionOf)))) };
}

async function majorVersionOf(tool: string): Promise<number> {
  try {
    const { stdout } = await run(tool, ['--version']);
    return Number(/\) (\d+)/.exec(stdout)?.[1] ?? 0);
  } catch {
    return 0; // not on this machine
  }
}

/** As OPERATE tells operators to. */
async function dumpByTool(url: string, method: Dump['method']): Promise<Dump> {
  const folder = await mkdtemp(join(tmpdir(), 'reckoner-dump-'));
  const file = join(folder, 'reckoner.dump');
  await run('pg_dump', ['--format=custom', '--no-owner', `--file=${file}`, url]);
  return {
    method,
    restore: async () => {
      const database = await createEmptyDatabase();
      await run('pg_restore', [
        '--no-owner',
        '--exit-on-error',
        '--single-transaction',
        `--dbname=${database.url}`,
        file,
      ]);
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
async function dumpByCopy(url: string, method: Dump['method']): Promise<Dump> {
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
    method,
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

/** Of a table that the migrations have filled the dump's rows repeat what they wrote, and may go on from there. */
async function fill(client: pg.Client, { name, columns, rows }: CopiedTable): Promise<void> {
  if (rows === '') return;
  await client.query(`CREATE TEMP TABLE dumped (LIKE ${quoted(name)}) ON COMMIT DROP`);
  await pipeline(Readable.from([rows]), client.query(copyFrom(`COPY dumped (${columns}) FROM STDIN`)));
  await client.query(
    `INSERT INTO ${quoted(name)} (${columns}) OVERRIDING SYSTEM VALUE SELECT ${columns} FROM dumped ON CONFLICT DO NOTHING`,
  );
  await client.query('DROP TABLE dumped');
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
