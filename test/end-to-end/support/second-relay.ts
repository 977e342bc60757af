/** A relay in the test's own process, which takes the group over again and again: two at once, and each is the other's zombie. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Client } from '@temporalio/client';
import { allPartitions } from '../../../src/contracts/names.js';
import { deliverTo } from '../../../src/relay/deliver.js';
import { runRelayLoop } from '../../../src/relay/relay-loop.js';
import { createStorage } from '../../../src/storage/index.js';

export interface SecondRelay {
  /** How often it took over, was fenced, and delivered a range. */
  readonly figures: { acquired: number; fenced: number; delivered: number };
  stop(): Promise<void>;
}

const silent = { info: () => undefined, warn: () => undefined };

export function startSecondRelay(databaseUrl: string, client: Client, random: () => number): SecondRelay {
  const storage = createStorage(databaseUrl);
  const stopping = new AbortController();
  const figures = { acquired: 0, fenced: 0, delivered: 0 };
  const deliver = deliverTo(client);
  const dependencies = {
    relay: storage.relay,
    deliver: async (range: Parameters<typeof deliver>[0]): Promise<void> => {
      await deliver(range);
      figures.delivered += 1;
    },
    log: silent,
    nowMs: () => performance.now(),
  };
  const options = { group: allPartitions, tickMs: 100, signalIntervalMs: 1_000, stop: stopping.signal };
  const running = (async (): Promise<void> => {
    while (!stopping.signal.aborted) {
      figures.acquired += 1;
      if ((await runRelayLoop(dependencies, options)) === 'fenced') figures.fenced += 1;
      // The other one has time to take over, and to be in the middle of something.
      await sleep(300 + random() * 1_200, undefined, { signal: stopping.signal }).catch(() => undefined);
    }
  })();
  return {
    figures,
    stop: async () => {
      stopping.abort();
      await running;
      await storage.close();
    },
  };
}
