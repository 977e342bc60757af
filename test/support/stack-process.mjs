/**
 * Runs the stack of scripts/lib/stack.mjs on behalf of a test: Jest's module system does not load these ES modules, so they
 * run in a process of their own that takes orders over IPC. It ends with its parent.
 */
import { startStack } from '../../scripts/lib/stack.mjs';

let stack = null;

const orders = {
  async startAll(options) {
    stack = await startStack(options);
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
  async stop() {
    await stack?.stop();
    stack = null;
  },
};

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
