#!/usr/bin/env node
/**
 * The server program, `reckoner-server`: `node dist/main.js api|worker|all|migrate`. Settings come from the environment
 * (config.ts). SIGTERM and SIGINT stop it in order: no new work is taken, what is under way ends.
 */
import { join } from 'node:path';
import { pino } from 'pino';
import type { Logger } from 'pino';
import { startApi } from './api/server.js';
import { ConfigError, loadConfig, unknownSettings } from './config.js';
import type { Config } from './config.js';
import { migrate } from './storage/migrate.js';
import { startWorker } from './worker/worker.js';

const usage = `Usage: reckoner-server COMMAND

  api       serve HTTP
  worker    run workflows, activities and the relay
  all       api and worker in one process
  migrate   apply the database migrations and end

Settings are environment variables: .env.example lists them.`;

/** Longer than the API needs to answer what it has taken and the worker to hand on its activities. */
const stopTimeoutMs = 30_000;
const exitCodes = { ok: 0, failed: 1, usage: 2 } as const;

interface Running {
  close(): Promise<void>;
  /** Rejects when it fails by itself; absent for what only fails at start. */
  readonly ended?: Promise<void>;
}

const services: Readonly<Record<string, readonly ((config: Config) => Promise<Running>)[]>> = {
  api: [startApi],
  worker: [startTheWorker],
  all: [startApi, startTheWorker],
};

function startTheWorker(config: Config): Promise<Running> {
  return startWorker(config, { codeFolder: import.meta.dirname });
}

async function applyMigrations(config: Config, logger: Logger): Promise<void> {
  const applied = await migrate(config.databaseUrl, join(import.meta.dirname, '..', 'prisma', 'migrations'));
  logger.info({ applied }, applied.length === 0 ? 'the database is up to date' : 'migrations applied');
}

/** Starts the parts in order, and stays until a signal or the failure of a part; then closes them in order. */
async function serve(starts: readonly ((config: Config) => Promise<Running>)[], config: Config): Promise<void> {
  const stopRequested = nextSignal();
  const running: Running[] = [];
  try {
    for (const start of starts) running.push(await start(config));
    const failures = running.flatMap(({ ended }) => (ended === undefined ? [] : [ended]));
    await Promise.race([stopRequested, ...failures]);
  } finally {
    for (const part of running) await part.close();
  }
}

/** Resolves at the first signal to stop. From then on time is short, and a second signal does not wait at all. */
function nextSignal(): Promise<void> {
  return new Promise((resolve) => {
    let asked = false;
    const onSignal = (): void => {
      if (asked) process.exit(exitCodes.failed);
      asked = true;
      setTimeout(() => process.exit(exitCodes.failed), stopTimeoutMs).unref();
      resolve();
    };
    process.on('SIGTERM', onSignal);
    process.on('SIGINT', onSignal);
  });
}

async function main(command: string | undefined): Promise<number> {
  const starts = command === undefined ? undefined : services[command];
  if (starts === undefined && command !== 'migrate') {
    const asked = command === '--help' || command === 'help';
    (asked ? process.stdout : process.stderr).write(`${usage}\n`);
    return asked ? exitCodes.ok : exitCodes.usage;
  }
  let config: Config;
  try {
    config = loadConfig(process.env);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    process.stderr.write(`${error.message}\n`);
    return exitCodes.usage;
  }
  const logger = pino({ name: 'main', level: config.logLevel });
  for (const name of unknownSettings(process.env)) logger.warn({ name }, 'nothing reads this setting; is it misspelt?');
  try {
    await (starts === undefined ? applyMigrations(config, logger) : serve(starts, config));
    return exitCodes.ok;
  } catch (error) {
    logger.fatal({ err: error }, 'the program ends because a part failed');
    return exitCodes.failed;
  }
}

// Explicitly: a connection that something left open must not keep a stopped server alive.
process.exit(await main(process.argv[2]));
