import { Context } from '@temporalio/activity';

/** Says that the process lives while one step takes long; `details` is what a next attempt continues from. */
export async function heartbeating<T>(details: () => unknown, work: () => Promise<T>): Promise<T> {
  const context = Context.current();
  const everyMs = (context.info.heartbeatTimeoutMs ?? 30_000) / 3;
  const timer = setInterval(() => context.heartbeat(details()), everyMs);
  try {
    return await work();
  } finally {
    clearInterval(timer);
  }
}
