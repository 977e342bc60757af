import { bodies, newEvents } from '../lib/events.js';
import { requestsOf, sendAll } from '../lib/http-client.js';
import type { Row } from './row.js';
import { ingestDatabase } from './ingest.js';

const steps = 10;
const eventsPerStep = 100_000;
const mebibyte = 2 ** 20;

/** Whether the API holds on to what passes through it: its memory over a million events. */
export const memory: Row = {
  name: 'memory',
  measure: async ({ cluster }) => {
    const api = await cluster.startApi(await ingestDatabase(cluster));
    const before = await memoryOf(api.url);
    const during: Memory[] = [];
    for (let step = 0; step < steps; step += 1) {
      await sendAll(api.port, requestsOf('/events', bodies(newEvents(eventsPerStep), 1_000)), 8);
      during.push(await memoryOf(api.url));
    }
    await api.stop();
    const resident = during.map(({ residentMiB }) => residentMiB);
    const heap = during.map(({ heapMiB }) => heapMiB);
    const note = `resident set of the API; after each ${eventsPerStep.toLocaleString('en')}: ${resident.join(', ')}; of it JavaScript heap in use: ${before.heapMiB} before, then ${heap.join(', ')}`;
    const value = `${before.residentMiB} → ${resident.at(-1) ?? 0} MiB, at most ${Math.max(...resident)}`;
    return [{ kind: 'figure', row: 'API memory over 1,000,000 events', value, note }];
  },
};

interface Memory {
  readonly residentMiB: number;
  readonly heapMiB: number;
}

async function memoryOf(url: string): Promise<Memory> {
  const text = await (await fetch(`${url}/metrics`)).text();
  const mebibytes = (name: string): number => {
    const value = new RegExp(String.raw`^${name} (\S+)$`, 'm').exec(text)?.[1];
    if (value === undefined) throw new Error(`/metrics has no ${name}`);
    return Math.round(Number(value) / mebibyte);
  };
  return { residentMiB: mebibytes('process_resident_memory_bytes'), heapMiB: mebibytes('nodejs_heap_size_used_bytes') };
}
