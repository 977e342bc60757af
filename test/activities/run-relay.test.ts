/** When a relay stops: with its worker, or when its time is over, also after a collection of garbage. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { setTimeout as sleep } from 'node:timers/promises';
import { stoppedBy } from '../../src/activities/run-relay.js';

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

const untilAborted = async (stop: AbortSignal): Promise<string> => {
  await sleep(20);
  collectGarbage();
  for (let waited = 0; !stop.aborted; waited += 1) {
    if (waited === 1_000) return 'never';
    await sleep(10);
  }
  return 'stopped';
};

test('when time is over', async () => {
  const { signal } = new AbortController();
  expect(await stoppedBy({ signal, afterMs: 200 }, untilAborted)).toBe('stopped');
});

test('when the other signal is aborted, before or meanwhile', async () => {
  const other = new AbortController();
  const waiting = stoppedBy({ signal: other.signal, afterMs: 600_000 }, untilAborted);
  other.abort();
  expect(await waiting).toBe('stopped');
  expect(await stoppedBy({ signal: other.signal, afterMs: 600_000 }, untilAborted)).toBe('stopped');
});
