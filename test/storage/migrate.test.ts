import { createHash } from 'node:crypto';
import { appendFile, cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import { migrate, MigrationRefused, requireMigrations } from '../../src/storage/migrate.js';
import { requiredMigrations } from '../../src/storage/required-migrations.js';
import { createEmptyDatabase, createTestDatabase, migrationsFolder, type TestDatabase } from '../support/postgres.js';
import { describePrismaSchema, type TableDescription } from './prisma-schema.js';

const initialMigration = '20261121000000_init';

let database: TestDatabase;
let folder: string;
let client: pg.Client;

async function connect(): Promise<pg.Client> {
  const connection = new pg.Client({ connectionString: database.url });
  await connection.connect();
  return connection;
}

beforeEach(async () => {
  database = await createEmptyDatabase();
  folder = await mkdtemp(join(tmpdir(), 'reckoner-migrations-'));
  await cp(migrationsFolder, folder, { recursive: true });
  client = await connect();
});

afterEach(async () => {
  await client.end();
  await rm(folder, { recursive: true });
  await database.drop();
});

async function addMigration(name: string, sql: string): Promise<void> {
  await mkdir(join(folder, name));
  await writeFile(join(folder, name, 'migration.sql'), sql);
}

test('applies what is missing once, and keeps the book of the Prisma CLI', async () => {
  const applied = await migrate(database.url, folder);
  expect(applied[0]).toBe(initialMigration);
  expect(await migrate(database.url, folder)).toEqual([]);

  const { rows } = await client.query('SELECT * FROM _prisma_migrations ORDER BY migration_name');
  const file = await readFile(join(migrationsFolder, initialMigration, 'migration.sql'));
  expect(rows[0]).toEqual({
    id: expect.stringMatching(/^[0-9a-f-]{36}$/),
    checksum: createHash('sha256').update(file).digest('hex'),
    finished_at: expect.any(Date),
    migration_name: initialMigration,
    logs: null,
    rolled_back_at: null,
    started_at: expect.any(Date),
    applied_steps_count: 1,
  });
});

test('processes that start together apply each migration once', async () => {
  const runs = await Promise.all([1, 2, 3, 4].map(() => migrate(database.url, folder)));
  expect(runs.flat().filter((name) => name === initialMigration)).toHaveLength(1);
});

test('refuses a migration that was changed after it was applied', async () => {
  await migrate(database.url, folder);
  await appendFile(join(folder, initialMigration, 'migration.sql'), '\n-- an afterthought\n');
  await expect(migrate(database.url, folder)).rejects.toThrow(/20261121000000_init was changed after it was applied/);
  await expect(migrate(database.url, folder)).rejects.toThrow(MigrationRefused);
});

test('refuses a database that is newer than the program', async () => {
  await addMigration('20991231000000_future', 'CREATE TABLE future (id integer);');
  await migrate(database.url, folder);
  await expect(migrate(database.url, migrationsFolder)).rejects.toThrow(/older than the database/);
});

test('a migration that fails leaves nothing behind and is tried again', async () => {
  await addMigration('20991231000000_broken', 'CREATE TABLE half (id integer); SELECT 1 / 0;');
  await expect(migrate(database.url, folder)).rejects.toThrow(/division by zero/);
  const { rows } = await client.query(`SELECT to_regclass('half') AS half`);
  expect(rows).toEqual([{ half: null }]);

  await writeFile(join(folder, '20991231000000_broken', 'migration.sql'), 'CREATE TABLE half (id integer);');
  expect(await migrate(database.url, folder)).toEqual(['20991231000000_broken']);
});

test('refuses to go on after a half-way failure of the Prisma CLI, until it is marked as rolled back', async () => {
  await migrate(database.url, folder);
  await client.query(
    `INSERT INTO _prisma_migrations (id, checksum, migration_name) VALUES ('x', 'x', '20991231000000_next')`,
  );
  await addMigration('20991231000000_next', 'SELECT 1;');
  await expect(migrate(database.url, folder)).rejects.toThrow(/failed half-way/);
  await client.query(`UPDATE _prisma_migrations SET rolled_back_at = now() WHERE id = 'x'`);
  expect(await migrate(database.url, folder)).toEqual(['20991231000000_next']);
});

test('a database is ready when it has every migration of this program', async () => {
  await expect(requireMigrations(client)).rejects.toThrow(/lacks the migrations 20261121000000_init/);
  await migrate(database.url, folder);
  await expect(requireMigrations(client)).resolves.toBeUndefined();
  const entries = await readdir(migrationsFolder, { withFileTypes: true });
  const folders = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  expect(requiredMigrations).toEqual(folders.sort());
});

test('schema.prisma says what the migrations make', async () => {
  const migrated = await createTestDatabase();
  const connection = new pg.Client({ connectionString: migrated.url });
  await connection.connect();
  try {
    expect(Object.fromEntries(describePrismaSchema())).toEqual(Object.fromEntries(await describeDatabase(connection)));
  } finally {
    await connection.end();
    await migrated.drop();
  }
});

/** Every table but partitions and the migration book. */
async function describeDatabase(connection: pg.Client): Promise<ReadonlyMap<string, TableDescription>> {
  const tables = await connection.query<{ name: string; columns: string[] }>(`
    SELECT c.relname AS name, array_agg(a.attname || ' ' || t.typname || CASE WHEN a.attnotnull THEN '' ELSE ' NULL' END) AS columns
      FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 JOIN pg_type t ON t.oid = a.atttypid
     WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
       AND c.relname <> '_prisma_migrations'
     GROUP BY c.relname`);
  const constraints = await connection.query<{ name: string; kind: string; columns: string; target: string | null }>(`
    SELECT k.conrelid::regclass::text AS name, k.contype AS kind, ${columnNames('k.conrelid', 'k.conkey')} AS columns,
           k.confrelid::regclass || '(' || ${columnNames('k.confrelid', 'k.confkey')} || ')' AS target
      FROM pg_constraint k WHERE k.contype IN ('p', 'u', 'f') AND k.conparentid = 0`);
  const of = (table: string, kind: string): string[] =>
    constraints.rows
      .filter((row) => row.name === table && row.kind === kind)
      .map((row) => (kind === 'f' ? `${row.columns} -> ${row.target ?? ''}` : row.columns))
      .sort();
  return new Map(
    tables.rows.map(({ name, columns }) => [
      name,
      { columns: columns.sort(), keys: [...of(name, 'p'), ...of(name, 'u')], foreignKeys: of(name, 'f') },
    ]),
  );
}

function columnNames(table: string, numbers: string): string {
  return `(SELECT string_agg(a.attname, ', ' ORDER BY n.place) FROM unnest(${numbers}) WITH ORDINALITY n(number, place)
             JOIN pg_attribute a ON a.attrelid = ${table} AND a.attnum = n.number)`;
}
