/**
 * Runs the stack of scripts/lib/stack.mjs on behalf of a test: Jest's module system does not load these ES modules, so they
 * run in a process of their own that takes orders over IPC. It ends with its parent.
 */
import { join } from 'node:path';
import { Client, Connection } from '@temporalio/client';
import { root } from '../../scripts/lib/paths.mjs';
import { waitFor } from '../../scripts/lib/ports.mjs';
import { startPart, stopPart } from '../../scripts/lib/processes.mjs';
import { localSettings, startStack } from '../../scripts/lib/stack.mjs';
import { waitForPollers } from '../../scripts/lib/temporal-server.mjs';
import {
  auditAnchorScheduleId,
  dailyReconciliationScheduleId,
  periodSweepScheduleId,
  relayTaskQueue,
  taskQueue,
} from '../../dist/contracts/names.js';
import { serverFolder } from './server-folder.mjs';

// Where the stack makes its temporary folder.
process.env.TMPDIR = serverFolder();

let stack = null;
let env = {};
/** Workers beside the stack's own. */
const workers = [];

/** What they begin at night (the sweep makes every month until today) is not what a test at that hour looks at. */
async function pauseSchedules() {
  const connection = await Connection.connect({ address: stack.temporalAddress });
  try {
    const { schedule } = new Client({ connection, namespace: stack.namespace });
    const ids = [periodSweepScheduleId, dailyReconciliationScheduleId, auditAnchorScheduleId];
    // A worker polls before it has made them.
    const pause = (id) => schedule.getHandle(id).pause('a test stack');
    for (const id of ids) await waitFor(id, () => pause(id).then(() => true), { timeoutMs: 60_000 });
  } finally {
    await connection.close();
  }
}

const orders = {
  async startAll(options) {
    stack = await startStack(options);
    env = { ...localSettings, ...options.env };
    if (stack.pids.worker !== undefined) await pauseSchedules();
    return {
      apiUrl: stack.apiUrl,
      temporalAddress: stack.temporalAddress,
      databaseUrl: stack.databaseUrl,
      dataDir: stack.dataDir,
    };
  },
  start: (part) => stack.start(part),
  kill: (part) => stack.kill(part),
  pids: async () => stack.pids,
  /** One more worker process with the stack's settings; answers with its pid once it polls. */
  async startWorker() {
    const { databaseUrl, temporalAddress: address, namespace, dataDir } = stack;
    const part = startPart({
      name: 'worker',
      command: process.execPath,
      args: [join(root, 'dist', 'main.js'), 'worker'],
      cwd: root,
      logFile: join(dataDir, 'logs', `worker-${workers.length + 2}.log`),
      env: { PATH: process.env.PATH, ...env, DATABASE_URL: databaseUrl, TEMPORAL_ADDRESS: address },
    });
    workers.push(part);
    const aborted = () => (part.alive() ? null : new Error('the worker ended at once'));
    await waitForPollers({ address, namespace, taskQueues: [taskQueue, relayTaskQueue], pid: part.pid, aborted });
    return part.pid;
  },
  async stop() {
    await Promise.all(workers.splice(0).map(stopFrozen));
    await stack?.stop();
    stack = null;
  },
};

/** A test may have left it stopped (SIGSTOP): then it would not hear that it should end. */
async function stopFrozen(part) {
  if (part.alive()) process.kill(part.pid, 'SIGCONT');
  await stopPart(part);
}

process.on('message', async ({ id, order, argument }) => {
  try {
    process.send({ id, answer: (await orders[order](argument)) ?? null });
  } catch (error) {
    process.send({ id, error: error.stack ?? String(error) });
  }
});

const end = async () => {
  await orders.stop().catch(() => {});
  process.exit(0);
};
for (const event of ['disconnect', 'SIGTERM', 'SIGINT', 'SIGHUP']) process.on(event, end);
