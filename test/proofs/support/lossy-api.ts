/** The API on a database of its own, whose writes and messages may lose their acknowledgements. */
import type { FastifyInstance } from 'fastify';
import pg from 'pg';
import { pino } from 'pino';
import { buildApi } from '../../../src/api/app.js';
import type { TemporalGateway } from '../../../src/api/temporal-gateway.js';
import { createStorage } from '../../../src/storage/index.js';
import type { Storage } from '../../../src/storage/types.js';
import { FakeTemporal } from '../../api/support/fake-temporal.js';
import { createTestDatabase } from '../../support/postgres.js';
import type { Losses } from './losses.js';

export type Json = Readonly<Record<string, unknown>>;

export interface Request {
  readonly method: 'POST' | 'PUT';
  readonly url: string;
  readonly body: unknown;
  readonly actor?: string;
}

const now = Date.parse('2024-03-10T12:00:00Z');

/** The API on a database of its own. While `losses` is set, its writes and messages lose acknowledgements. */
export class LossyApi {
  losses: Losses | null = null;

  private constructor(
    readonly url: string,
    readonly storage: Storage,
    readonly temporal: FakeTemporal,
    private readonly app: FastifyInstance,
    readonly close: () => Promise<void>,
  ) {}

  static async start(): Promise<LossyApi> {
    const database = await createTestDatabase();
    const storage = createStorage(database.url);
    const temporal = new FakeTemporal(storage, () => now);
    // While the API is being built nothing gets lost.
    let losses: () => Losses | null = () => null;
    const around = <T extends object>(name: string, object: T): T =>
      new Proxy(object, {
        get: (target, property): unknown => Reflect.get(losses()?.around(name, target) ?? target, property, target),
      });
    const lossy = Object.fromEntries(
      Object.entries(storage).map(([name, store]) => [
        name,
        typeof store === 'object' ? around(name, store as object) : (store as unknown),
      ]),
    ) as unknown as Storage;
    const app = buildApi({
      storage: lossy,
      temporal: around<TemporalGateway>('temporal', temporal),
      clock: () => now,
      config: { futureToleranceMs: 300_000, closeWaitMs: 0, parties: temporal.parties },
      logger: pino({ level: 'silent' }),
    });
    const api: LossyApi = new LossyApi(database.url, storage, temporal, app, async () => {
      await app.close();
      await storage.close();
      await database.drop();
    });
    losses = () => api.losses;
    await app.ready();
    return api;
  }

  routes(): Promise<Json> {
    return this.app.inject({ method: 'GET', url: '/openapi.json' }).then((answer) => answer.json());
  }

  async send({ method, url, body, actor = 'ada' }: Request, idempotencyKey: string | null): Promise<Answer> {
    const headers = {
      'content-type': 'application/json',
      'x-reckoner-actor': actor,
      ...(idempotencyKey !== null && { 'idempotency-key': idempotencyKey }),
    };
    const answer = await this.app.inject({ method, url, headers, payload: JSON.stringify(body) });
    return { status: answer.statusCode, body: answer.body };
  }

  /** Takes no more requests, and ends what goes on after an answer. */
  quiet(): Promise<void> {
    return this.app.close();
  }

  async ok(request: Request): Promise<Json> {
    const { status, body } = await this.send(request, null);
    if (status >= 300) throw new Error(`${request.method} ${request.url}: ${status} ${body}`);
    return JSON.parse(body) as Json;
  }

  async sql(text: string): Promise<void> {
    const client = new pg.Client({ connectionString: this.url });
    await client.connect();
    await client.query(text);
    await client.end();
  }
}

export interface Answer {
  readonly status: number;
  readonly body: string;
}
