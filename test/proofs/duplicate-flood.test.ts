/**
 * A flood of duplicates on the real API and Postgres, from 50 connections, a tenth of it with other content under a used id, which
 * races the first: every distinct event is stored once, every conflict is told and kept, nothing is answered 5xx; beyond the
 * threshold the producer, and nobody else, is told when to come back.
 *
 * TIMES=10 sends ten times as much: 100,000 requests over 1,000 events, as does `npm run bench -- --row flood`.
 */
import { Agent } from 'node:http';
import type { AddressInfo } from 'node:net';
import { floodOf, judgeFlood, toldBy } from '../../bench/lib/flood.js';
import type { FloodRequest, Told } from '../../bench/lib/flood.js';
import type { DuplicateFloodLimits } from '../../src/api/ingest/duplicate-flood.js';
import { post } from '../api/support/http.js';
import type { Answer } from '../api/support/http.js';
import { callEvent, TestApi } from '../api/support/test-api.js';

const times = Number(process.env['TIMES'] ?? 1);
const requests = 10_000 * times;
const distinct = 100 * times;
const connections = 50;
const window = { windowMs: 60_000, percent: 50 };
const json = { 'content-type': 'application/json' };

class Flood {
  readonly statuses = new Map<number, number>();
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
    return answer;
  }

  /** From all connections at once; answers what was told of each request. */
  async sendAll(sent: readonly FloodRequest[], send: (body: string) => Promise<Answer>): Promise<readonly Told[]> {
    const told: Told[] = [];
    const left = sent.entries();
    const lane = async (): Promise<void> => {
      for (const [index, { body }] of left) told[index] = toldBy((await send(body)).body);
    };
    await Promise.all(Array.from({ length: connections }, lane));
    return told;
  }

  /** Ids and metadata of the ledger's events, each as often as it is there. */
  async stored(source = ''): Promise<readonly (readonly [id: string, metadata: unknown])[]> {
    const events = await this.api.all('/events?customer_id=cust_1&limit=1000');
    const ofSource = events.filter((event) => event['source'] === source);
    return ofSource.map((event) => [String(event['event_id']), event['metadata']] as const);
  }

  /** Whatever was raced, in the end every id has one content, everybody was told the truth, and conflicts are kept. */
  async expectTrue(told: readonly Told[]): Promise<void> {
    const { winners, conflicting, complaints } = judgeFlood(sent, told);
    expect(complaints).toEqual([]);
    expect([...winners.keys()].sort()).toEqual(ids);
    const metadataOf = (body = '{}'): unknown => (JSON.parse(body) as { metadata?: unknown }).metadata ?? {};
    const expected = ids.map((id) => [id, metadataOf(winners.get(id))]);
    expect([...(await this.stored())].sort(([a], [b]) => (a < b ? -1 : 1))).toEqual(expected);
    const letters = await this.api.deadLetters();
    expect(letters).toHaveLength(conflicting.size);
    expect(conflicting.size).toBeGreaterThanOrEqual(requests / 10 - distinct);
  }
}

const ids = Array.from({ length: distinct }, (_, event) => `flood-${event}`).sort();
type FloodEvent = ReturnType<typeof callEvent> & { readonly event_id: string };
const sent = floodOf(
  ids.map((id) => ({ ...callEvent(id), event_id: id })),
  requests,
  (event: FloodEvent, number) => ({ ...event, metadata: { altered: number } }),
);

test(
  'below the threshold everything is answered 202, and says what became of it',
  async () => {
    const flood = await Flood.start(1_000_000);
    try {
      const told = await flood.sendAll(sent, (body) => flood.send(body));
      expect([...flood.statuses]).toEqual([[202, requests]]);
      await flood.expectTrue(told);
    } finally {
      await flood.close();
    }
  },
  300_000 * times,
);

test(
  'above it the producer is throttled with Retry-After and loses nothing; others send on all the while',
  async () => {
    const flood = await Flood.start(2_000);
    try {
      const { api } = flood;
      let throttled = 0;
      const persistently = async (body: string): Promise<Answer> => {
        for (;;) {
          const answered = await flood.send(body);
          const { status, headers, body: answer } = answered;
          if (status === 202) return answered;
          const number = (throttled += 1);
          expect([status, answer['code']]).toEqual([429, 'DUPLICATE_FLOOD']);
          const refusedAt = api.now;
          const seconds = Number(headers['retry-after']);
          expect(seconds).toBeGreaterThanOrEqual(1);
          expect(seconds).toBeLessThanOrEqual(window.windowMs / 1_000);
          // Another producer of the same customer, and another customer, at the moment when this one may not.
          for (const more of [{ source: 'other' }, { customer_id: 'cust_2' }]) {
            const others = await flood.send(JSON.stringify(callEvent(`while-${number}`, more)));
            expect([others.status, others.body['accepted']]).toEqual([202, 1]);
          }
          // The clock is the test's: waiting is moving it, for all who wait at once.
          api.now = Math.max(api.now, refusedAt + seconds * 1_000);
        }
      };
      await api.expect(201, 'PUT', '/customers/cust_2', { name: 'Other', currency: 'USD', price_book: 'standard' });
      const told = await flood.sendAll(sent, persistently);
      expect(throttled).toBeGreaterThan(0);
      expect([...flood.statuses.keys()].sort()).toEqual([202, 429]);
      await flood.expectTrue(told);
      expect(await flood.stored('other')).toHaveLength(throttled);
      const [finding, ...more] = await api.all('/findings?code=DUPLICATE_FLOOD');
      expect([finding?.['subject'], more.length]).toMatchObject([{ customer_id: 'cust_1', source: '' }, 0]);
    } finally {
      await flood.close();
    }
  },
  300_000 * times,
);
