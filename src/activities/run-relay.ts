import { ApplicationFailure } from '@temporalio/common';
import { CancelledFailure, Context, log } from '@temporalio/activity';
import type { RunRelayInput } from '../contracts/activities.js';
import { deliverTo } from '../relay/deliver.js';
import { runRelayLoop } from '../relay/relay-loop.js';
import type { ActivityDependencies } from './dependencies.js';
import { heartbeating } from './heartbeating.js';

/** The relay of a group of partitions, until its time is over, its worker stops, or another one has taken over. */
export function runRelay({ storage, client, settings }: ActivityDependencies) {
  return async ({ group, runForMs }: RunRelayInput): Promise<void> => {
    const { cancellationSignal } = Context.current();
    const end = await stoppedBy({ signal: cancellationSignal, afterMs: runForMs }, (stop) =>
      heartbeating(
        () => ({ group }),
        () =>
          runRelayLoop(
            { relay: storage.relay, deliver: deliverTo(client), log, nowMs: () => performance.now() },
            { group, tickMs: settings.relayTickMs, signalIntervalMs: settings.signalIntervalMs, stop },
          ),
      ),
    );
    if (end === 'fenced') throw ApplicationFailure.retryable('another relay has taken over this group', 'RELAY_FENCED');
    if (cancellationSignal.aborted) throw whyStopped(cancellationSignal.reason);
  };
}

/**
 * Runs `work` with a signal that is aborted with another one, or when time is over. Not by `AbortSignal.any` and
 * `AbortSignal.timeout`: nothing holds on to what those make, and once it is collected the time is never over.
 */
export async function stoppedBy<T>(
  { signal, afterMs }: { readonly signal: AbortSignal; readonly afterMs: number },
  work: (stop: AbortSignal) => Promise<T>,
): Promise<T> {
  const stopping = new AbortController();
  const stop = (): void => stopping.abort();
  if (signal.aborted) stop();
  signal.addEventListener('abort', stop);
  const timer = setTimeout(stop, afterMs);
  try {
    return await work(stopping.signal);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', stop);
  }
}

/** A worker that stops hands the relay on by a failure that is retried; a cancelled workflow wants none any more. */
function whyStopped(reason: unknown): Error {
  const isCancelled = reason instanceof CancelledFailure && reason.message !== 'WORKER_SHUTDOWN';
  return isCancelled ? reason : ApplicationFailure.retryable('the worker of the relay stops', 'WORKER_SHUTDOWN');
}
