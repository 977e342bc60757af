/**
 * What group commit is measured against: the same API, the same validation, de-duplication and SQL, but an insert and a commit for
 * each request, up to eight at a time.
 */
import { pino } from 'pino';
import { buildApi } from '../src/api/app.js';
import { connectTemporal } from '../src/api/temporal-gateway.js';
import { createStorage } from '../src/storage/index.js';

const app = buildApi({
  storage: createStorage(process.env['DATABASE_URL'] ?? ''),
  // Never called by POST /events, and connected to only when called.
  temporal: connectTemporal({ address: '127.0.0.1:7233', namespace: 'default' }),
  clock: Date.now,
  config: { futureToleranceMs: 300_000, groupCommit: { committers: 8, eventsBeside: 1, eventsPerCommit: 1 } },
  logger: pino({ level: 'warn' }),
});
const url = await app.listen({ host: '127.0.0.1', port: 0 });
process.stdout.write(`${new URL(url).port}\n`);
