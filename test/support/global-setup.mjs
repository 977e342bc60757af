/**
 * Jest's globalSetup for the projects that need Postgres: starts one embedded server for the whole run, on a free port,
 * in a temporary folder (server-folder.mjs). RECKONER_TEST_PG_URL or DATABASE_URL name a server of your own instead (a role that may
 * create databases); then nothing is started.
 *
 * Plain JavaScript: Jest does not apply `moduleNameMapper` here, so this file cannot import the program's sources. The
 * migrated template is therefore made by the first `createTestDatabase()` (postgres.ts).
 */
import { chmod, mkdtemp } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort } from '../../scripts/lib/ports.mjs';
import { startPostgres } from '../../scripts/lib/postgres.mjs';
import { removeLeftServers, serverFolder, testServerPrefix } from './server-folder.mjs';

/** Else durable as in production: crash tests rely on it. */
const settings = ['max_connections=300', 'log_min_messages=fatal'];

export default async function startTestPostgres() {
  const given = process.env.RECKONER_TEST_PG_URL ?? process.env.DATABASE_URL;
  if (given !== undefined && given !== '') {
    process.env.RECKONER_TEST_PG_URL = given;
    return;
  }
  removeLeftServers();
  const folder = await mkdtemp(join(serverFolder(), testServerPrefix));
  // Every account may enter: as root, Postgres runs as another one.
  await chmod(folder, 0o755);
  const dataFolder = join(folder, 'postgres');
  const logFile = join(folder, 'postgres.log');
  const { part, url } = await startPostgres({
    dataFolder,
    logFile,
    port: await freePort(),
    database: 'postgres',
    settings,
  });
  globalThis.reckonerTestPostgres = { part, folder, dataFolder };
  // Jest tears nothing down when it is interrupted, and the server would outlive it.
  process.once('exit', () => part.alive() && process.kill(part.pid, 'SIGKILL'));
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));
  process.env.RECKONER_TEST_PG_URL = url;
}
