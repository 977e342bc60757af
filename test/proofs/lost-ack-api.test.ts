/**
 * Every handler that writes, with its answer lost: the same request again leaves the rows that one request leaves. Lost in four
 * ways: on the wire; with the process, before the answer was kept under its Idempotency-Key; at the database, which had committed;
 * at Temporal, which had started what it was asked to. Events and customers take no key, and need none.
 */
import type { FastifyInstance } from 'fastify';
import pg from 'pg';
import { pino } from 'pino';
import { buildApi } from '../../src/api/app.js';
import type { TemporalGateway } from '../../src/api/temporal-gateway.js';
import { createStorage } from '../../src/storage/index.js';
import type { Storage } from '../../src/storage/types.js';
import { FakeTemporal } from '../api/support/fake-temporal.js';
import { callEvent, exampleCalls, exampleCustomer, exampleMeter, examplePriceBook } from '../api/support/test-api.js';
import { createTestDatabase } from '../support/postgres.js';
import { contentOf } from './support/database-content.js';
import { Losses } from './support/losses.js';

type Json = Readonly<Record<string, unknown>>;

interface Request {
  readonly method: 'POST' | 'PUT';
  readonly url: string;
  readonly body: unknown;
  readonly actor?: string;
}

/** What happened before, and the request that is repeated. */
interface Handler {
  readonly before: (api: LossyApi) => Promise<unknown>;
  readonly request: (api: LossyApi) => Request | Promise<Request>;
  /** Whether it takes an Idempotency-Key. */
  readonly keyed: boolean;
  /** What it writes itself, and what it asks of Temporal: their acknowledgements are what can be lost. */
  readonly writes: readonly string[];
  /** Columns of what the request was answered, which the attempt that was lost would have said in another way. */
  readonly answers?: readonly string[];
}

const now = Date.parse('2024-03-10T12:00:00Z');
const key = 'the-same-key';

/** The API on a database of its own. While `losses` is set, its writes and messages lose acknowledgements. */
class LossyApi {
  losses: Losses | null = null;

  private constructor(
    readonly url: string,
    readonly storage: Storage,
    private readonly app: FastifyInstance,
    readonly close: () => Promise<void>,
  ) {}

  static async start(): Promise<LossyApi> {
    const database = await createTestDatabase();
    const storage = createStorage(database.url);
    const temporal = new FakeTemporal(storage, () => now);
    const around = <T extends object>(name: string, object: T): T =>
      new Proxy(object, {
        get: (target, property): unknown => Reflect.get(api.losses?.around(name, target) ?? target, property, target),
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
      config: { futureToleranceMs: 300_000, closeWaitMs: 0 },
      logger: pino({ level: 'silent' }),
    });
    const api: LossyApi = new LossyApi(database.url, storage, app, async () => {
      await app.close();
      await storage.close();
      await database.drop();
    });
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

interface Answer {
  readonly status: number;
  readonly body: string;
}

// The handlers ---------------------------------------------------------------------------------------------------------

const put = (customerId: string, more: Json = {}): Request => ({
  method: 'PUT',
  url: `/customers/${customerId}`,
  body: { ...exampleCustomer, ...more },
});
const post = (url: string, body: unknown = {}, actor = 'ada'): Request => ({ method: 'POST', url, body, actor });
const close = post('/billing-periods/cust_1/2024-01/close');
const reRate = post('/re-ratings', { reason: 'late_usage', scope: { customer_ids: ['cust_1'] } });

async function example(api: LossyApi, customer: Json = {}): Promise<void> {
  await api.ok(post('/meters', exampleMeter));
  await api.ok(post('/price-books', examplePriceBook));
  await api.ok(put('cust_1', customer));
  await api.ok(post('/events', exampleCalls(10)));
}

async function invoiced(api: LossyApi, customer: Json = {}): Promise<string> {
  await example(api, customer);
  await api.ok(close);
  const { data } = (await api.storage.billing.listInvoices({}, { limit: 1 })) as {
    data: readonly { invoiceId: string }[];
  };
  await api.ok(post('/events', callEvent('late')));
  return String(data[0]?.invoiceId);
}

/** A re-rating that waits for a decision, asked for by ada. Its id is made of its key: the same on every database. */
async function waiting(api: LossyApi): Promise<void> {
  await invoiced(api, { approval_threshold: '0' });
  await api.send(reRate, 'asked');
}
const decision =
  (path: string): Handler['request'] =>
  async (api) => {
    const { data } = await api.storage.reRatings.list({}, { limit: 1 });
    return post(`/re-ratings/${String(data[0]?.reRatingId)}/${path}`, { reason: 'looked at' }, 'grace');
  };

/** A backfill with some events, sent for it; and its id, which is made of its key. */
async function openBackfill(api: LossyApi): Promise<void> {
  await invoiced(api);
  await api.send(openRequest, 'opened');
  await api.ok(post(`/events?backfill_id=${await backfillId(api)}`, filled));
}
const openRequest = post('/backfills', {
  customer_ids: ['cust_1'],
  mode: 'replace',
  from: '2024-01-01T00:00:00Z',
  to: '2024-02-01T00:00:00Z',
});
const filled = exampleCalls(5).map((event) => ({ ...event, source: 'mended' }));
async function backfillId(api: LossyApi): Promise<string> {
  const { data } = await api.storage.backfills.list({}, { limit: 1 });
  return String(data[0]?.backfillId);
}

/** Two that nobody could take; the customer of both is known by now. */
async function rejected(api: LossyApi): Promise<void> {
  await example(api);
  await api.ok(
    post(
      '/events',
      exampleCalls(2).map((event) => ({ ...event, customer_id: 'cust_2' })),
    ),
  );
  await api.ok(put('cust_2'));
}
const oneDeadLetter =
  (path: string, body: Json): Handler['request'] =>
  async (api) => {
    const [letter] = await api.storage.deadLetters.toReplay({}, 1);
    return post(`/dead-letters/${String(letter?.deadLetterId)}/${path}`, body);
  };

const finding = { code: 'LATE_USAGE', customerId: null, period: null, subject: { test: 1 }, detail: 'of a test' };
const none = (): Promise<void> => Promise.resolve();

const handlers: Readonly<Record<string, Handler>> = {
  'POST /meters': {
    keyed: true,
    writes: ['reference.createMeter'],
    before: none,
    request: () => post('/meters', exampleMeter),
  },
  'POST /price-books': {
    keyed: true,
    writes: ['reference.createPriceBook'],
    before: (api) => api.ok(post('/meters', exampleMeter)),
    request: () => post('/price-books', examplePriceBook),
  },
  'PUT /customers/{customer_id}': {
    keyed: false,
    writes: ['reference.assignPriceBook', 'reference.putCustomer', 'temporal.startBillingPeriod'],
    before: example,
    request: () => put('cust_2', { name: 'Another' }),
  },
  'POST /events': {
    keyed: false,
    writes: ['ledger.append'],
    before: example,
    // Taken, taken before, and not to be taken.
    request: () => post('/events', [...exampleCalls(20), callEvent('e1', { customer_id: 'nobody' })]),
  },
  'POST /event-adjustments': {
    keyed: true,
    writes: ['adjustments.adjust'],
    before: invoiced,
    request: () => post('/event-adjustments', { customer_id: 'cust_1', event_id: 'e1', type: 'void' }),
  },
  'POST /billing-periods/{customer_id}/{period}/close': {
    keyed: true,
    writes: ['periods.periodNamed', 'temporal.closePeriod'],
    before: example,
    request: () => close,
  },
  'POST /re-ratings': {
    keyed: true,
    writes: ['reRatings.create', 'temporal.startReRating'],
    before: invoiced,
    request: () => reRate,
  },
  'POST /re-ratings/{id}/approve': {
    keyed: true,
    writes: ['reRatings.decide', 'temporal.signalDecided'],
    before: waiting,
    request: decision('approve'),
  },
  'POST /re-ratings/{id}/reject': {
    keyed: true,
    writes: ['reRatings.decide', 'temporal.signalDecided'],
    before: waiting,
    request: decision('reject'),
  },
  'POST /reconciliations': {
    keyed: true,
    writes: ['reconciliation.request', 'temporal.startReconciliation'],
    before: invoiced,
    request: () => post('/reconciliations', { customer_ids: ['cust_1'] }),
  },
  'POST /findings/{id}/resolve': {
    keyed: true,
    writes: ['findings.resolve'],
    before: (api) => api.storage.findings.store(finding),
    request: async (api) => {
      const id = await api.storage.findings.store(finding);
      return post(`/findings/${id}/resolve`, { resolution: 'accepted', reason: 'it is a test' });
    },
  },
  'POST /backfills': {
    keyed: true,
    writes: ['backfills.create'],
    before: invoiced,
    request: () => openRequest,
  },
  'POST /backfills/{id}/close': {
    keyed: true,
    writes: ['backfills.decide'],
    before: openBackfill,
    request: async (api) => post(`/backfills/${await backfillId(api)}/close`),
  },
  'POST /backfills/{id}/revert': {
    keyed: true,
    writes: ['backfills.decide'],
    before: async (api) => {
      await openBackfill(api);
      await api.ok(post(`/backfills/${await backfillId(api)}/close`));
    },
    request: async (api) => post(`/backfills/${await backfillId(api)}/revert`),
  },
  'POST /dead-letters/{id}/replay': {
    keyed: true,
    writes: ['deadLetters.decide', 'ledger.append'],
    // The event is stored before the decision is: what was accepted without anybody learning of it is a duplicate then.
    answers: ['outcome'],
    before: rejected,
    request: oneDeadLetter('replay', { reason: 'the customer was missing' }),
  },
  'POST /dead-letters/replay': {
    keyed: true,
    writes: ['deadLetters.decide', 'ledger.append'],
    // The event is stored before the decision is: what was accepted without anybody learning of it is a duplicate then.
    answers: ['outcome'],
    before: rejected,
    request: () => post('/dead-letters/replay', { code: 'UNKNOWN_CUSTOMER' }),
  },
  'POST /dead-letters/{id}/discard': {
    keyed: true,
    writes: ['deadLetters.decide'],
    before: rejected,
    request: oneDeadLetter('discard', { reason: 'a test system' }),
  },
  'POST /invoices/{id}/void': {
    keyed: true,
    writes: ['billing.atGate', 'periods.periodNamed'],
    before: invoiced,
    request: async (api) => {
      const { data } = await api.storage.billing.listInvoices({}, { limit: 1 });
      return post(`/invoices/${String(data[0]?.invoiceId)}/void`, { reason: 'a mistake' });
    },
  },
};

/** What they compute is not kept. */
const writeNothing = ['POST /price-books/evaluate'];

// The ways to lose an answer -------------------------------------------------------------------------------------------

interface Sent {
  readonly api: LossyApi;
  readonly request: Request;
  readonly handler: Handler;
}
type Way = (sent: Sent) => Promise<void>;

/** A refusal that tells that it was done before is an answer, too. */
function expectDone({ status, body }: Answer): void {
  expect({ status, body: status < 300 || status === 409 ? '' : body }).toEqual({ status, body: '' });
}

const keyOf = ({ keyed }: Handler): string | null => (keyed ? key : null);

const freeKeys = `UPDATE idempotency_keys SET locked_until = now() - interval '1 second' WHERE response_status IS NULL`;

const untilAnswered =
  (loses: (call: string) => boolean): Way =>
  async ({ api, request, handler }) => {
    api.losses = new Losses(loses);
    const attempt = async (): Promise<void> => {
      const answer = await api.send(request, keyOf(handler));
      // A key whose request died is free after a while.
      await api.sql(freeKeys);
      if (answer.status >= 500 || answer.body.includes('IDEMPOTENCY_KEY_IN_FLIGHT')) throw new Error(answer.body);
      expectDone(answer);
    };
    await api.losses.untilDone('request', attempt, () => false);
  };

const ways: Readonly<Record<string, Way>> = {
  'on the wire': async ({ api, request, handler }) => {
    const first = await api.send(request, keyOf(handler));
    const second = await api.send(request, keyOf(handler));
    expectDone(second);
    if (handler.keyed) expect(second).toEqual(first);
  },
  'with the process': async ({ api, request, handler }) => {
    await api.send(request, keyOf(handler));
    await api.sql('UPDATE idempotency_keys SET response_status = NULL, response_body = NULL, locked_until = now()');
    await api.sql(freeKeys);
    expectDone(await api.send(request, keyOf(handler)));
  },
  'at the database': untilAnswered((call) => !call.startsWith('temporal.')),
  'at Temporal': untilAnswered((call) => call.startsWith('temporal.')),
};

const once: Way = async ({ api, request, handler }) => {
  const { status, body } = await api.send(request, keyOf(handler));
  expect({ status, body: status < 300 ? '' : body }).toEqual({ status, body: '' });
};

/** What lost an acknowledgement, but for the keys. */
function lostCalls({ losses }: LossyApi): readonly string[] {
  const calls = [...(losses?.lost ?? [])].map((point) => point.split(' ').at(-2) ?? '');
  return [...new Set(calls)].filter((call) => !call.startsWith('idempotency.')).sort();
}

interface After {
  readonly content: Readonly<Record<string, readonly string[]>>;
  readonly lost: readonly string[];
}

/** What the database holds after a request; keys are control rows, and positions are used up by a repeated ingest. */
async function sentIn(way: Way, handler: Handler): Promise<After> {
  const api = await LossyApi.start();
  try {
    await handler.before(api);
    const leavingOut = { ...leaving, columns: [...leaving.columns, ...(handler.answers ?? [])] };
    const before = await contentOf(api.url, leavingOut);
    await way({ api, request: await handler.request(api), handler });
    await api.quiet();
    const content = await contentOf(api.url, leavingOut);
    expect(content).not.toEqual(before);
    return { content, lost: lostCalls(api) };
  } finally {
    await api.close();
  }
}
const leaving = {
  tables: ['idempotency_keys'],
  columns: ['position', 'cutoff_position', 'accumulated_position'],
};

test('every handler that writes is here', async () => {
  const api = await LossyApi.start();
  try {
    const { paths } = (await api.routes()) as { paths: Readonly<Record<string, Json>> };
    const writing = Object.entries(paths).flatMap(([path, methods]) =>
      Object.keys(methods)
        .filter((method) => ['post', 'put', 'patch', 'delete'].includes(method))
        .map((method) => `${method.toUpperCase()} ${path}`),
    );
    expect(writing.filter((route) => !writeNothing.includes(route)).sort()).toEqual(Object.keys(handlers).sort());
  } finally {
    await api.close();
  }
});

const atTemporal = (call: string): boolean => call.startsWith('temporal.');
const lostIn: Readonly<Record<string, (handler: Handler) => readonly string[]>> = {
  'at the database': ({ writes }) => writes.filter((call) => !atTemporal(call)),
  'at Temporal': ({ writes }) => writes.filter(atTemporal),
};

describe.each(Object.entries(handlers))('%s', (_name, handler) => {
  let reference: After['content'];
  beforeAll(async () => {
    reference = (await sentIn(once, handler)).content;
  });

  test.each(Object.entries(ways))('its answer is lost %s', async (name, way) => {
    const { content, lost } = await sentIn(way, handler);
    expect(content).toEqual(reference);
    expect(lost).toEqual(lostIn[name]?.(handler) ?? []);
  });
});
