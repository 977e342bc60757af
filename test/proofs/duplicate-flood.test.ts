/**
 * A flood of duplicates on the real API and Postgres, from 50 connections, a tenth of it with other content under a used id: every
 * distinct event is stored once, every conflict is told, nothing is answered 5xx; beyond the threshold the producer, and nobody
 * else, is told when to come back.
 */
import { Agent } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { DuplicateFloodLimits } from '../../src/api/ingest/duplicate-flood.js';
import { post } from '../api/support/http.js';
import type { Answer } from '../api/support/http.js';
import { callEvent, TestApi } from '../api/support/test-api.js';

const requests = 10_000;
const distinct = 200;
const connections = 50;
const window = { windowMs: 60_000, percent: 50 };
const json = { 'content-type': 'application/json' };

class Flood {
  readonly statuses = new Map<number, number>();
  readonly told = { accepted: 0, duplicates: 0, conflicts: 0 };
  private readonly agent = new Agent({ keepAlive: true, maxSockets: 2 * connections });

  private constructor(
    readonly api: TestApi,
    private readonly url: string,
  ) {}

  static async start(duplicates: number): Promise<Flood> {
    const duplicateFlood: DuplicateFloodLimits = { ...window, duplicates };
    const api = await TestApi.start({ duplicateFlood });
    await api.setUpExample();
    await api.app.listen({ host: '127.0.0.1', port: 0 });
    return new Flood(api, `http://127.0.0.1:${(api.app.server.address() as AddressInfo).port}/events`);
  }

  async close(): Promise<void> {
    this.agent.destroy();
    await this.api.close();
  }

  async send(body: string): Promise<Answer> {
    const answer = await post(this.url, body, json, this.agent);
    this.statuses.set(answer.status, (this.statuses.get(answer.status) ?? 0) + 1);
    if (answer.status === 202) this.count(answer.body);
    return answer;
  }

  /** From all connections at once. */
  async sendAll(bodies: readonly string[], send: (body: string) => Promise<unknown>): Promise<void> {
    const left = bodies.values();
    const lane = async (): Promise<void> => {
      for (const body of left) await send(body);
    };
    await Promise.all(Array.from({ length: connections }, lane));
  }

  private count(body: Answer['body']): void {
    this.told.accepted += Number(body['accepted']);
    this.told.duplicates += Number(body['duplicates']);
    const results = body['results'] as readonly { readonly code?: string }[];
    this.told.conflicts += results.filter(({ code }) => code === 'EVENT_ID_REUSED').length;
  }

  /** Ids in the ledger, each as often as it is there. */
  async stored(source = ''): Promise<readonly string[]> {
    const events = await this.api.all('/events?customer_id=cust_1&limit=1000');
    return events.filter((event) => event['source'] === source).map((event) => String(event['event_id']));
  }
}

const idOf = (event: number): string => `flood-${event}`;
const ids = Array.from({ length: distinct }, (_, event) => idOf(event)).sort();
const first = ids.map((id) => JSON.stringify(callEvent(id)));
const isAltered = (index: number): boolean => index % 10 === 0;
/** In a mixed order: the stride is coprime to the number of events. */
const repeats = Array.from({ length: requests - distinct }, (_, index) => {
  const more = isAltered(index) ? { metadata: { altered: index } } : {};
  return JSON.stringify(callEvent(idOf((index * 7_919) % distinct), more));
});
const altered = repeats.filter((_, index) => isAltered(index)).length;
const expected = { accepted: distinct, duplicates: repeats.length - altered, conflicts: altered };

test('below the threshold everything is answered 202, and says what became of it', async () => {
  const flood = await Flood.start(1_000_000);
  try {
    // Which content comes first is known then; beyond that everything happens at once.
    await flood.sendAll(first, (body) => flood.send(body));
    await flood.sendAll(repeats, (body) => flood.send(body));
    expect([...flood.statuses]).toEqual([[202, requests]]);
    expect(flood.told).toEqual(expected);
    expect([...(await flood.stored())].sort()).toEqual(ids);
    expect(await flood.api.deadLetters()).toHaveLength(altered);
  } finally {
    await flood.close();
  }
}, 300_000);

test('above it the producer is throttled with Retry-After and loses nothing; others send on all the while', async () => {
  const flood = await Flood.start(2_000);
  try {
    const { api } = flood;
    await flood.sendAll(first, (body) => flood.send(body));
    let throttled = 0;
    const persistently = async (body: string): Promise<void> => {
      for (;;) {
        const { status, headers, body: answer } = await flood.send(body);
        if (status === 202) return;
        const number = (throttled += 1);
        expect([status, answer['code']]).toEqual([429, 'DUPLICATE_FLOOD']);
        const seconds = Number(headers['retry-after']);
        expect(seconds).toBeGreaterThanOrEqual(1);
        expect(seconds).toBeLessThanOrEqual(window.windowMs / 1_000);
        // Another producer of the same customer, and another customer, at the moment when this one may not.
        for (const more of [{ source: 'other' }, { customer_id: 'cust_2' }]) {
          const others = await flood.send(JSON.stringify(callEvent(`while-${number}`, more)));
          expect([others.status, others.body['accepted']]).toEqual([202, 1]);
        }
        // The clock is the test's: waiting is moving it.
        api.now += seconds * 1_000;
      }
    };
    await api.expect(201, 'PUT', '/customers/cust_2', { name: 'Other', currency: 'USD', price_book: 'standard' });
    await flood.sendAll(repeats, persistently);
    expect(throttled).toBeGreaterThan(0);
    expect([...flood.statuses.keys()].sort()).toEqual([202, 429]);
    expect(flood.told).toEqual({ ...expected, accepted: distinct + 2 * throttled });
    expect([...(await flood.stored())].sort()).toEqual(ids);
    expect(await flood.stored('other')).toHaveLength(throttled);
    const [finding, ...more] = await api.all('/findings?code=DUPLICATE_FLOOD');
    expect([finding?.['subject'], more.length]).toMatchObject([{ customer_id: 'cust_1', source: '' }, 0]);
  } finally {
    await flood.close();
  }
}, 300_000);
