/** Databases for tests: each a clone of a migrated template, on the server that global-setup.mjs started. */
import { createHash, randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import pg from 'pg';
import { migrate } from '../../src/storage/migrate.js';

/** Jest runs from the project's root. */
export const migrationsFolder = join(process.cwd(), 'prisma', 'migrations');

export interface TestDatabase {
  readonly url: string;
  /** Fails when somebody still holds a connection: a leak in the test or in the code under test. */
  drop(): Promise<void>;
}

/** Any number that nothing else locks on the server's `postgres` database. */
const templateLock = 7_301_447;
/** A closed connection's backend takes a moment to go, on a busy machine a long one; a leaked one never goes. */
const leakGraceMs = 15_000;

/** A fresh database with all migrations. */
export function createTestDatabase(): Promise<TestDatabase> {
  return create(async (admin) => ensureTemplate(admin));
}

/** A fresh database without any table: for tests of migrations. */
export function createEmptyDatabase(): Promise<TestDatabase> {
  return create(() => Promise.resolve('template0'));
}

async function create(templateOf: (admin: pg.Client) => Promise<string>): Promise<TestDatabase> {
  const name = `reckoner_test_${randomBytes(8).toString('hex')}`;
  await asAdmin(async (admin) => {
    const template = await templateOf(admin);
    await admin.query(`CREATE DATABASE ${name} TEMPLATE ${template}`);
  });
  return { url: urlOf(name), drop: () => asAdmin((admin) => drop(admin, name)) };
}

/** Named by the content of the migrations, so that a server that outlives the run never serves an old schema. */
async function ensureTemplate(admin: pg.Client): Promise<string> {
  const name = `reckoner_template_${checksumOfMigrations()}`;
  await admin.query('SELECT pg_advisory_lock($1)', [templateLock]);
  try {
    const { rows } = await admin.query('SELECT 1 FROM pg_database WHERE datname = $1', [name]);
    if (rows.length === 0) {
      const draft = `${name}_draft`;
      await admin.query(`DROP DATABASE IF EXISTS ${draft} WITH (FORCE)`);
      await admin.query(`CREATE DATABASE ${draft} TEMPLATE template0`);
      await migrate(urlOf(draft), migrationsFolder);
      await waitUntilAlone(admin, draft);
      await admin.query(`ALTER DATABASE ${draft} RENAME TO ${name}`);
    }
  } finally {
    await admin.query('SELECT pg_advisory_unlock($1)', [templateLock]);
  }
  return name;
}

async function drop(admin: pg.Client, name: string): Promise<void> {
  const left = await waitUntilAlone(admin, name);
  await admin.query(`DROP DATABASE ${name} WITH (FORCE)`);
  if (left.length > 0) throw new Error(`connections were left open:\n${left.join('\n')}`);
}

/** Waits for the last connections to go; what is still there after the grace is returned. */
async function waitUntilAlone(admin: pg.Client, name: string): Promise<readonly string[]> {
  const deadline = Date.now() + leakGraceMs;
  for (;;) {
    const { rows } = await admin.query<{ connection: string }>(
      // Not the server's own, such as a worker of autovacuum.
      `SELECT concat_ws(' | ', application_name, state, query) AS connection
         FROM pg_stat_activity WHERE datname = $1 AND backend_type = 'client backend'`,
      [name],
    );
    if (rows.length === 0 || Date.now() > deadline) return rows.map((row) => row.connection);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

async function asAdmin<T>(work: (admin: pg.Client) => Promise<T>): Promise<T> {
  const admin = new pg.Client({ connectionString: serverUrl() });
  await admin.connect();
  try {
    return await work(admin);
  } finally {
    await admin.end();
  }
}

function serverUrl(): string {
  const url = process.env['RECKONER_TEST_PG_URL'];
  if (url === undefined) throw new Error('No Postgres: run the tests through Jest (its globalSetup starts one).');
  return url;
}

function urlOf(name: string): string {
  const url = new URL(serverUrl());
  url.pathname = `/${name}`;
  return url.href;
}

function checksumOfMigrations(): string {
  const hash = createHash('sha256');
  for (const entry of readdirSync(migrationsFolder, { withFileTypes: true, recursive: true })) {
    if (entry.isFile()) hash.update(entry.name).update(readFileSync(join(entry.parentPath, entry.name)));
  }
  return hash.digest('hex').slice(0, 16);
}
