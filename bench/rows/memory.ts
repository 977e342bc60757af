import { setTimeout } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { ingestLimits } from '../../src/api/ingest/limits.js';
import { bodies, linesOf, newEvents } from '../lib/events.js';
import { gzippedLines, requestsOf, sendAll } from '../lib/http-client.js';
import { eventsPath, postSide, withIngestApi } from '../lib/ingest.js';
import { compare } from '../lib/measure.js';
import type { Figure, Side } from '../lib/measure.js';
import { memoryFigure, memoryOf } from '../lib/process-memory.js';
import type { Memory } from '../lib/process-memory.js';
import type { Row } from './row.js';

const steps = 10;
const eventsPerStep = 100_000;
const total = steps * eventsPerStep;

/** Whether the API holds on to what passes through it: its memory over a million events. */
export const memory: Row = {
  name: 'memory',
  measure: ({ cluster }) =>
    withIngestApi(cluster, 0, async ({ api }) => {
      const before = await memoryOf(api.url);
      const during: Memory[] = [];
      for (let step = 0; step < steps; step += 1) {
        await sendAll(api.port, requestsOf(eventsPath, bodies(newEvents(eventsPerStep), 1_000)), 8);
        during.push(await memoryOf(api.url));
      }
      const note = `after each ${eventsPerStep.toLocaleString('en')}`;
      return [memoryFigure(`API memory over ${total.toLocaleString('en')} events`, { before, during, note })];
    }),
};

/** A million events in streams of lines, each as long as one may be. */
function streams(): { readonly requests: readonly Buffer[]; readonly lines: number } {
  const lineBytes = linesOf(newEvents(1_000)).length / 1_000;
  const longest = Math.min(ingestLimits.streamLines, Math.floor(ingestLimits.streamBytes / (lineBytes * 1.02)));
  const lines = Math.min(total, longest);
  const compressed = Array.from({ length: Math.ceil(total / lines) }, (_, at) =>
    gzipSync(linesOf(newEvents(Math.min(lines, total - at * lines)))),
  );
  return { requests: requestsOf(eventsPath, compressed, gzippedLines), lines };
}

async function memoryOfStreams(api: { readonly url: string; readonly port: number }): Promise<Figure> {
  const before = await memoryOf(api.url);
  const during: Memory[] = [];
  const { requests, lines } = streams();
  let sending = true;
  const sent = sendAll(api.port, requests, 1).finally(() => {
    sending = false;
  });
  while (sending) {
    await setTimeout(1_000);
    during.push(await memoryOf(api.url));
  }
  await sent;
  const note = `${requests.length} streams one after the other, of at most ${lines.toLocaleString('en')} lines; every second`;
  return memoryFigure(`API memory over ${total.toLocaleString('en')} events in gzip streams of lines`, {
    before,
    during,
    note,
  });
}

const eventsPerRound = 60_000;

const streamSide = (port: number, count: number): Side => ({
  name: 'streams',
  prepare: async () => {
    const parts = Array.from({ length: count }, () => gzipSync(linesOf(newEvents(eventsPerRound / count))));
    const requests = requestsOf(eventsPath, parts, gzippedLines);
    return async () => {
      await sendAll(port, requests, count);
      return eventsPerRound;
    };
  },
});

/** Lines that are taken while they come, against batches; and what they take of memory. */
export const stream: Row = {
  name: 'stream',
  measure: ({ cluster, rounds }) =>
    withIngestApi(cluster, 0, async ({ api }) => {
      const batches = postSide('batches of 1,000, 8 connections', api.port, {
        events: eventsPerRound,
        batch: 1_000,
        connections: 8,
      });
      const row = 'POST /events, application/x-ndjson, gzip';
      const common = { unit: 'events', limit: batches, rounds, target: null };
      return [
        await compare({ ...common, row: `${row}, one stream`, ours: streamSide(api.port, 1) }),
        await compare({ ...common, row: `${row}, 4 streams at the same time`, ours: streamSide(api.port, 4) }),
        await memoryOfStreams(api),
      ];
    }),
};
