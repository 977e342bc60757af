/**
 * Applies prisma/migrations without the Prisma CLI, whose engine is a download. It keeps the CLI's own book,
 * `_prisma_migrations`, under the CLI's own lock, so that either may be used on the same database.
 */
import { createHash, randomUUID } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { mapStorageError, sqlState } from './errors.js';
import { requiredMigrations } from './required-migrations.js';

/** The advisory lock that `prisma migrate` takes. */
const prismaMigrateLock = 72_707_369;
const undefinedTable = '42P01';

const book = `
  CREATE TABLE IF NOT EXISTS _prisma_migrations (
    id                      VARCHAR(36) PRIMARY KEY NOT NULL,
    checksum                VARCHAR(64) NOT NULL,
    finished_at             TIMESTAMPTZ,
    migration_name          VARCHAR(255) NOT NULL,
    logs                    TEXT,
    rolled_back_at          TIMESTAMPTZ,
    started_at              TIMESTAMPTZ NOT NULL DEFAULT now(),
    applied_steps_count     INTEGER NOT NULL DEFAULT 0
  )`;

interface Migration {
  readonly name: string;
  readonly sql: string;
  /** SHA-256 of the file, hex. */
  readonly checksum: string;
}

interface BookEntry {
  readonly migration_name: string;
  readonly checksum: string;
  readonly finished: boolean;
}

/** The migrations cannot be applied as they stand; the message says what to do. */
export class MigrationRefused extends Error {
  override readonly name = 'MigrationRefused';
}

/**
 * Applies what is missing, in order of name, each migration in a transaction of its own. Safe to run from several
 * processes at once: one works, the others wait and find nothing to do.
 * @param folder path of `prisma/migrations`
 * @returns the names of the migrations applied now
 * @throws MigrationRefused when an applied file was changed or removed, or an earlier attempt failed half-way
 * @throws StorageUnavailable when the database is away
 */
export async function migrate(url: string, folder: string): Promise<readonly string[]> {
  const migrations = await readMigrations(folder);
  const client = new pg.Client({ connectionString: url, application_name: 'reckoner-migrate' });
  client.on('error', () => undefined); // the query under way reports it
  try {
    await client.connect();
    await client.query('SELECT pg_advisory_lock($1)', [prismaMigrateLock]);
    await client.query(book);
    const missing = missingFrom(migrations, await readBook(client));
    for (const migration of missing) await apply(client, migration);
    return missing.map((migration) => migration.name);
  } catch (error) {
    throw mapStorageError(error);
  } finally {
    await client.end(); // releases the lock
  }
}

/**
 * Resolves when the database has every migration this program was written for.
 * @throws MigrationRefused otherwise
 */
export async function requireMigrations(connection: Pick<pg.ClientBase, 'query'>): Promise<void> {
  const entries = await readBook(connection);
  const applied = new Set(entries.filter((entry) => entry.finished).map((entry) => entry.migration_name));
  const missing = requiredMigrations.filter((name) => !applied.has(name));
  if (missing.length === 0) return;
  throw new MigrationRefused(`The database lacks the migrations ${missing.join(', ')}: apply them before you start.`);
}

async function readMigrations(folder: string): Promise<readonly Migration[]> {
  const entries = await readdir(folder, { withFileTypes: true });
  const names = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  return Promise.all(
    names.sort().map(async (name) => {
      const bytes = await readFile(join(folder, name, 'migration.sql'));
      return { name, sql: bytes.toString('utf8'), checksum: createHash('sha256').update(bytes).digest('hex') };
    }),
  );
}

async function readBook(connection: Pick<pg.ClientBase, 'query'>): Promise<readonly BookEntry[]> {
  try {
    const { rows } = await connection.query<BookEntry>(
      `SELECT migration_name, checksum, finished_at IS NOT NULL AS finished
         FROM _prisma_migrations WHERE rolled_back_at IS NULL ORDER BY migration_name`,
    );
    return rows;
  } catch (error) {
    if (sqlState(error) === undefinedTable) return [];
    throw error;
  }
}

function missingFrom(migrations: readonly Migration[], entries: readonly BookEntry[]): readonly Migration[] {
  const files = new Map(migrations.map((migration) => [migration.name, migration]));
  for (const entry of entries) {
    const file = files.get(entry.migration_name);
    if (file === undefined) {
      throw new MigrationRefused(
        `The database has migration ${entry.migration_name}, which this program does not know: it is older than the database. Start a newer version.`,
      );
    }
    if (!entry.finished) {
      throw new MigrationRefused(
        `Migration ${entry.migration_name} failed half-way. Repair the database, then mark it with "prisma migrate resolve".`,
      );
    }
    if (file.checksum !== entry.checksum) {
      throw new MigrationRefused(
        `Migration ${entry.migration_name} was changed after it was applied. Put the file back as it was and add a new migration instead.`,
      );
    }
  }
  const applied = new Set(entries.map((entry) => entry.migration_name));
  return migrations.filter((migration) => !applied.has(migration.name));
}

async function apply(client: pg.Client, migration: Migration): Promise<void> {
  await client.query('BEGIN');
  try {
    await client.query(migration.sql);
    await client.query(
      `INSERT INTO _prisma_migrations (id, checksum, finished_at, migration_name, logs, rolled_back_at, started_at, applied_steps_count)
       VALUES ($1, $2, clock_timestamp(), $3, NULL, NULL, now(), 1)`,
      [randomUUID(), migration.checksum, migration.name],
    );
    await client.query('COMMIT');
  } catch (error) {
    await client.query('ROLLBACK').catch(() => undefined); // the first error says more
    throw error;
  }
}
