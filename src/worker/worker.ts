import { Client, Connection } from '@temporalio/client';
import { NativeConnection, Runtime, Worker } from '@temporalio/worker';
import type { WorkerOptions } from '@temporalio/worker';
import { createActivities } from '../activities/index.js';
import type { Config } from '../config.js';
import { relayTaskQueue, taskQueue } from '../contracts/names.js';
import { msToInstant } from '../domain/time/instant.js';
import { createStorage } from '../storage/index.js';
import type { PriceLookup, UnmeteredEvents } from '../storage/types.js';
import { installRuntime } from './runtime.js';
import { registerSearchAttributes } from './search-attributes.js';
import { startRelay, startSchedules } from './standing-work.js';
import { taxProviderOf } from '../billing/tax-provider.js';
import { findWorkflowCode } from './workflow-code.js';

export type WorkerConfig = Pick<
  Config,
  | 'databaseUrl'
  | 'temporal'
  | 'signalIntervalMs'
  | 'relayTickMs'
  | 'outOfOrdernessMs'
  | 'idleTimeoutMs'
  | 'ratingCadence'
  | 'seller'
  | 'paymentTermsDays'
  | 'priceFallbackMaxAgeMs'
  | 'closeJitterMs'
  | 'metrics'
  | 'logLevel'
> &
  Partial<Pick<Config, 'bounds' | 'taxProvider'>> &
  Partial<{ readonly audit: Pick<Config['audit'], 'key' | 'keyFile' | 'anchorFile'> }>;

export interface RunningWorker {
  /** Takes no new work, lets what is under way end (or hands it on), and closes its connections. */
  close(): Promise<void>;
  /** Rejects when a worker of this process has failed, resolves when it has been closed. */
  readonly ended: Promise<void>;
}

export interface WorkerPlacement {
  /** The compiled program's folder, with the prebuilt bundle; null: looked for. */
  readonly codeFolder?: string | null;
}

/**
 * A worker that dies costs this long before its sticky tasks go to another one. measured: 1.5 s a kill
 * with short times against 10.4 s with the defaults.
 */
const stickyTimeout = '1 second';
/** Activities that do not end by themselves in this time are left to be retried elsewhere. */
const shutdownForceTime = '20 seconds';

/** Starts the workers of both task queues, and what must always run beside them. Resolves once they poll. */
export async function startWorker(
  config: WorkerConfig,
  { codeFolder = null }: WorkerPlacement = {},
): Promise<RunningWorker> {
  installRuntime(config);
  const { address, namespace } = config.temporal;
  const open: (() => Promise<void>)[] = [];
  const closeAll = async (): Promise<void> => {
    const failures: unknown[] = [];
    for (const close of open.splice(0).reverse()) await close().catch((error: unknown) => failures.push(error));
    if (failures.length > 0) throw failures[0];
  };
  try {
    const tax = taxProviderOf(config.taxProvider);
    const storage = createStorage(config.databaseUrl);
    open.push(() => storage.close());
    countPriceLookups(storage.priceLookup);
    countUnmeteredEvents(storage.unmetered);
    const connection = await Connection.connect({ address });
    open.push(() => connection.close());
    const native = await NativeConnection.connect({ address });
    open.push(() => native.close());
    const client = new Client({ connection, namespace });
    await registerSearchAttributes(connection, namespace);

    const now = () => msToInstant(Date.now());
    const activities = createActivities({ storage, client, settings: config, now, tax });
    const shared: Pick<WorkerOptions, 'connection' | 'namespace' | 'activities' | 'shutdownForceTime'> = {
      connection: native,
      namespace,
      activities,
      shutdownForceTime,
    };
    const main = await Worker.create({
      ...shared,
      ...findWorkflowCode(codeFolder),
      taskQueue,
      stickyQueueScheduleToStartTimeout: stickyTimeout,
      maxConcurrentActivityTaskExecutions: 20,
    });
    // A queue of its own: the relay's long activity never takes the place of a window close. No workflows here.
    const relay = await Worker.create({ ...shared, taskQueue: relayTaskQueue, maxConcurrentActivityTaskExecutions: 4 });
    const workers = [main, relay];
    const runs = workers.map((worker) => worker.run());
    const ended = Promise.all(runs).then(() => undefined);
    // Whoever does not look at `ended` must not crash on it; close() reports the same error.
    ended.catch(() => undefined);
    open.push(async () => {
      for (const worker of workers) if (worker.getState() === 'RUNNING') worker.shutdown();
      await ended;
    });
    await startRelay(client, relayHeartbeatMs(config));
    await startSchedules(client);
    return { close: closeAll, ended };
  } catch (error) {
    await closeAll().catch(() => undefined);
    throw error;
  }
}

/** Beside Temporal's own metrics: how prices are looked up by this worker. */
function countPriceLookups(priceLookup: PriceLookup): void {
  const lookups = Runtime.instance().metricMeter.createCounter(
    'reckoner_price_lookups',
    'lookups',
    'Lookups of prices: hit and miss of the cache, fallback on last known ones, failure.',
  );
  priceLookup.onLookup((result) => {
    lookups.add(1, { result });
  });
}

/** Those that this worker's relay has passed; the findings name their types. */
function countUnmeteredEvents(unmetered: UnmeteredEvents): void {
  const passed = Runtime.instance().metricMeter.createCounter(
    'reckoner_unmetered_events',
    'events',
    'Events, and amendments of events, that no meter takes.',
  );
  unmetered.onEvents((events) => {
    passed.add(events);
  });
}

/**
 * Heartbeats go out after 0.8 of this time: a minute apart in production, where each is an action that is paid for; a
 * stack with short signal intervals wants a lost relay back in seconds.
 */
function relayHeartbeatMs({ signalIntervalMs }: Pick<Config, 'signalIntervalMs'>): number {
  return Math.min(Math.max(signalIntervalMs * 3, 3_000), 75_000);
}
