import { createStorage } from '../../src/storage/index.js';
import { compare } from '../lib/measure.js';
import { ingestDatabase, postSide } from './ingest.js';
import type { Row } from './row.js';

const eventsPerRound = 100_000;
const group = 'all';

/** Whether the relay keeps up: planning what is new, against the ingest of it. */
export const relay: Row = {
  name: 'relay',
  measure: async ({ cluster, rounds }) => {
    const database = await ingestDatabase(cluster);
    const api = await cluster.startApi(database);
    const storage = createStorage(database.url);
    const { epoch } = await storage.relay.acquire(group);
    const ingest = postSide('POST /events, batches of 1,000', api.port, {
      events: eventsPerRound,
      batch: 1_000,
      connections: 8,
    });
    const result = await compare({
      row: 'relay: planning what was ingested',
      unit: 'events',
      ours: {
        name: 'plan',
        prepare: async () => async () => {
          const { facts } = await storage.relay.plan(group, epoch);
          if (facts !== eventsPerRound) throw new Error(`the plan passed ${facts} facts`);
          return facts;
        },
      },
      limit: ingest,
      rounds,
      target: null,
      order: 'limit first',
    });
    await storage.close();
    await api.stop();
    return [result];
  },
};
