import type { FastifyInstance, InjectOptions, LightMyRequestResponse } from 'fastify';
import { pino } from 'pino';
import { buildApi } from '../../../src/api/app.js';
import type { ApiConfig } from '../../../src/api/types.js';
import { createStorage } from '../../../src/storage/index.js';
import type { Storage } from '../../../src/storage/types.js';
import { createTestDatabase } from '../../support/postgres.js';
import { FakeTemporal } from './fake-temporal.js';

type Json = Readonly<Record<string, unknown>>;

/** The API on a database of its own, with a clock that the test sets. */
export class TestApi {
  /** 2024-03-10T12:00:00Z, until a test moves it. */
  now = Date.parse('2024-03-10T12:00:00Z');

  private constructor(
    readonly app: FastifyInstance,
    readonly storage: Storage,
    readonly temporal: FakeTemporal,
    private readonly end: () => Promise<void>,
  ) {}

  /** @param wrap lets a test stand between the API and its database, see `breakable-proxy.ts`. */
  static async start(
    config: Partial<ApiConfig> = {},
    wrap: (url: string) => Promise<string> = (url) => Promise.resolve(url),
  ): Promise<TestApi> {
    const database = await createTestDatabase();
    const storage = createStorage(await wrap(database.url));
    const clock = (): number => api.now;
    const temporal = new FakeTemporal(storage, clock);
    const app = buildApi({
      storage,
      temporal,
      clock,
      // The parties of the worker, as one configuration of both has them.
      config: {
        futureToleranceMs: 300_000,
        closeWaitMs: 2_000,
        parties: temporal.parties,
        ...config,
      },
      logger: pino({ level: 'silent' }),
    });
    const api: TestApi = new TestApi(app, storage, temporal, async () => {
      await app.close();
      await storage.close();
      await database.drop();
    });
    await app.ready();
    return api;
  }

  close(): Promise<void> {
    return this.end();
  }

  send(
    method: 'GET' | 'POST' | 'PUT' | 'DELETE',
    url: string,
    payload?: unknown,
    headers: Record<string, string> = {},
  ): Promise<LightMyRequestResponse> {
    const options: InjectOptions = { method, url, headers };
    if (payload === undefined) return this.app.inject(options);
    const text = typeof payload === 'string' ? payload : JSON.stringify(payload);
    return this.app.inject({ ...options, payload: text, headers: { 'content-type': 'application/json', ...headers } });
  }

  /** Fails unless the answer has the status. */
  async expect(status: number, ...request: Parameters<TestApi['send']>): Promise<Json> {
    const response = await this.send(...request);
    expect({ status: response.statusCode, body: response.statusCode === status ? null : response.body }).toEqual({
      status,
      body: null,
    });
    return response.json();
  }

  /** Fails unless the answer is a problem of that code, in the form of RFC 9457. */
  async refused(code: string, status: number, ...request: Parameters<TestApi['send']>): Promise<Json> {
    const response = await this.send(...request);
    const problem: Json = response.json();
    expect({ status: response.statusCode, code: problem['code'], detail: problem['detail'] }).toEqual({
      status,
      code,
      detail: expect.any(String),
    });
    expect(response.headers['content-type']).toMatch(/^application\/problem\+json/);
    expect(Object.keys(problem).sort()).toEqual(['code', 'detail', 'errors', 'instance', 'status', 'title', 'type']);
    expect(problem['status']).toBe(status);
    expect(problem['instance']).toBe(response.headers['x-request-id']);
    return problem;
  }

  /** Every item of a paged list. */
  async all(url: string): Promise<readonly Json[]> {
    const items: Json[] = [];
    for (let next = url; ;) {
      const page = await this.expect(200, 'GET', next);
      items.push(...(page['data'] as readonly Json[]));
      if (page['next_cursor'] === null) return items;
      next = `${url}${url.includes('?') ? '&' : '?'}cursor=${encodeURIComponent(String(page['next_cursor']))}`;
    }
  }

  deadLetters(): Promise<readonly Json[]> {
    return this.all('/dead-letters');
  }

  /** The meter, price book and customer of the introductory example: 1,234 calls cost 118.72. */
  async setUpExample(customerId = 'cust_1'): Promise<void> {
    await this.expect(201, 'POST', '/meters', exampleMeter);
    await this.expect(201, 'POST', '/price-books', examplePriceBook);
    await this.expect(201, 'PUT', `/customers/${customerId}`, exampleCustomer);
  }
}

/** The API with the example of each test of the file that calls it: what is asked of it is asked of the one of the test that runs. */
export function exampleOfEachTest(): TestApi {
  return exampleOf(beforeEach, afterEach);
}

/** One for all tests of the file. */
export function exampleOfAllTests(): TestApi {
  return exampleOf(beforeAll, afterAll);
}

function exampleOf(before: typeof beforeEach, after: typeof afterEach): TestApi {
  let current: TestApi;
  before(async () => {
    current = await TestApi.start();
    await current.setUpExample();
  });
  after(() => current.close());
  return new Proxy({} as TestApi, {
    get: (_none, name) => {
      const value: unknown = Reflect.get(current, name);
      return typeof value === 'function' ? value.bind(current) : value;
    },
    set: (_none, name, value) => Reflect.set(current, name, value),
  });
}

export const exampleMeter = {
  code: 'api_calls',
  event_type: 'api_call',
  aggregation: 'count',
  window: 'hour',
} as const;

export const examplePriceBook = {
  code: 'standard',
  version: 'v1',
  currency: 'USD',
  effective_from: '2024-01-01T00:00:00Z',
  prices: [
    {
      meter: 'api_calls',
      model: 'tiered',
      tiers: [
        { up_to: '1000', unit_price: '0.10' },
        { up_to: null, unit_price: '0.08' },
      ],
    },
  ],
} as const;

export const exampleCustomer = {
  name: 'Acme',
  currency: 'USD',
  price_book: 'standard',
  billing_from: '2024-01-01',
} as const;

export function callEvent(eventId: string, more: Json = {}): Json {
  return {
    event_id: eventId,
    event_time: '2024-01-15T10:00:00Z',
    customer_id: 'cust_1',
    event_type: 'api_call',
    ...more,
  };
}

/** The 1,234 calls, one a second. */
export function exampleCalls(count = 1_234): readonly Json[] {
  const start = Date.parse('2024-01-15T10:00:00Z');
  return Array.from({ length: count }, (_, index) =>
    callEvent(`e${index + 1}`, { event_time: new Date(start + index * 1_000).toISOString() }),
  );
}
