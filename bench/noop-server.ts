/**
 * What POST /events is measured against. `handler`: the same API with its hooks, parsers and schemas, which reads the body,
 * parses it, and answers what POST /events answers without having looked at one event. `ledger`: the same API as a whole,
 * on a ledger that says "accepted" and stores nothing.
 *
 *     node --import tsx bench/noop-server.ts handler|ledger
 */
import type { FastifyInstance } from 'fastify';
import { pino } from 'pino';
import { buildApi } from '../src/api/app.js';
import { parseEventsBody } from '../src/api/ingest/parse-body.js';
import type { WholeBody } from '../src/api/ingest/receive-events.js';
import { connectTemporal } from '../src/api/temporal-gateway.js';
import { createStorage } from '../src/storage/index.js';

/** After the body was read and the request validated, in place of the route's handler. */
function answerAtOnce(app: FastifyInstance): void {
  app.addHook('preHandler', (request, reply, done) => {
    if (request.routeOptions.url !== '/events' || request.method !== 'POST') {
      done();
      return;
    }
    const { items } = parseEventsBody((request.body as WholeBody).bytes);
    const answer = { accepted: items.length, duplicates: 0, rejected: 0, results: [] };
    void reply
      .code(202)
      .type('application/json; charset=utf-8')
      .serializer((payload: unknown) => payload as string)
      .send(JSON.stringify(answer));
  });
}

const [kind] = process.argv.slice(2);
const storage = createStorage(process.env['DATABASE_URL'] ?? '');
const ledger = kind === 'ledger' ? { ...storage.ledger, append: acceptAll } : storage.ledger;
const app = buildApi({
  storage: { ...storage, ledger },
  // Never called by POST /events, and connected to only when called.
  temporal: connectTemporal({ address: '127.0.0.1:7233', namespace: 'default' }),
  clock: Date.now,
  config: { futureToleranceMs: 300_000, processMetrics: true },
  logger: pino({ level: 'warn' }),
});
if (kind === 'handler') answerAtOnce(app);
const url = await app.listen({ host: '127.0.0.1', port: 0 });
process.stdout.write(`${new URL(url).port}\n`);

function acceptAll(events: readonly unknown[]): Promise<readonly 'accepted'[]> {
  return Promise.resolve(events.map(() => 'accepted' as const));
}
