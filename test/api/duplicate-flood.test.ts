/** A producer that sends little but duplicates is slowed down; the ledger stays right, whatever is sent at once. */
import { Agent } from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  defaultDuplicateFloodLimits,
  DuplicateFlood,
  type DuplicateFloodLimits,
} from '../../src/api/ingest/duplicate-flood.js';
import { ownFormat } from '../../src/api/ingest/event-format.js';
import type { RefusedForNow } from '../../src/api/problem.js';
import type { UsageEvent } from '../../src/domain/metering/event.js';
import type { AppendOutcome, NewFinding } from '../../src/storage/types.js';
import { post } from './support/http.js';
import { callEvent, TestApi } from './support/test-api.js';

type Json = Readonly<Record<string, unknown>>;

describe('the rate of duplicates', () => {
  const limits: DuplicateFloodLimits = { windowMs: 60_000, duplicates: 100, percent: 50 };
  let now: number;
  let stored: NewFinding[];
  let failing: boolean;
  let flood: DuplicateFlood;

  beforeEach(() => {
    now = Date.parse('2024-03-10T12:00:00Z');
    stored = [];
    failing = false;
    const store = (finding: NewFinding): Promise<string> => {
      if (failing) return Promise.reject(new Error('away'));
      stored.push(finding);
      return Promise.resolve('id');
    };
    flood = new DuplicateFlood({ limits, clock: () => now, findings: { store } });
  });

  const eventOf = (customerId: string, source: string): UsageEvent => ({
    customerId,
    source,
    eventId: 'e',
    eventType: 't',
    eventTime: '2024-01-15T10:00:00.000000Z' as UsageEvent['eventTime'],
    metadataJson: '{}',
    contentHash: '1',
    provenance: { requestId: null, userId: null, traceId: null },
  });
  const send = (outcome: AppendOutcome, count: number, customerId = 'c', source = ''): void => {
    const events = Array.from({ length: count }, () => eventOf(customerId, source));
    flood.record(
      events,
      events.map(() => outcome),
      outcome === 'accepted' ? 0 : count,
    );
  };
  const refusal = (...items: readonly Json[]): RefusedForNow | null => {
    try {
      flood.check(items as never, ownFormat);
      return null;
    } catch (error) {
      return error as RefusedForNow;
    }
  };
  const of = (customer_id: string, source?: string): Json => ({ customer_id, ...(source !== undefined && { source }) });

  test('throttles at the limit, that producer only, until the window has moved on', () => {
    send('duplicate', 60);
    now += 15_000;
    send('conflict', 39);
    expect([flood.active, refusal(of('c'))]).toEqual([0, null]);
    send('duplicate', 1);
    expect(flood.active).toBe(1);
    expect(refusal(of('c'))).toMatchObject({ code: 'DUPLICATE_FLOOD', retryAfter: 45 });
    expect([refusal(of('c', 's')), refusal(of('d')), refusal()]).toEqual([null, null, null]);
    now += 44_999;
    expect(refusal(of('c'))).toMatchObject({ retryAfter: 1 });
    now += 1;
    expect([flood.active, refusal(of('c'))]).toEqual([0, null]);
  });

  test('leaves alone who sent more new events before the first duplicate', () => {
    send('accepted', 1_000);
    send('duplicate', 100);
    expect([flood.active, refusal(of('c'))]).toEqual([0, null]);
    send('duplicate', 900);
    expect(flood.active).toBe(1);
  });

  test('counts new events of those who send in turn by sample, whatever the distance', () => {
    const many = { ...limits, duplicates: 10_000 };
    flood = new DuplicateFlood({ limits: many, clock: () => now, findings: { store: () => Promise.resolve('id') } });
    const round = Array.from({ length: 10 }, (_, index) => eventOf(`c${index}`, ''));
    const events = Array.from({ length: 30_000 }, () => round).flat();
    for (let from = 0; from < events.length; from += 7)
      flood.record(
        events.slice(from, from + 7),
        events.slice(from, from + 7).map(() => 'accepted'),
        0,
      );
    // 30,000 new ones of each: 10,000 duplicates are a quarter, 60,000 are two thirds.
    for (const { customerId } of round) send('duplicate', 10_000, customerId);
    expect(flood.active).toBe(0);
    for (const { customerId } of round) send('duplicate', 50_000, customerId);
    expect(flood.active).toBe(10);
  });

  test('does not count what a backfill refuses', () => {
    for (const outcome of ['backfill_closed', 'in_backfill', 'to_be_replaced'] as const) send(outcome, 1_000);
    expect(flood.active).toBe(0);
  });

  test('leaves alone who sends more new events than duplicates', () => {
    send('duplicate', 1);
    send('accepted', 1_000);
    send('duplicate', 998);
    expect(flood.active).toBe(0);
    send('duplicate', 2);
    expect(flood.active).toBe(1);
  });

  test('refuses a request when all of its events are of producers that flood', () => {
    send('duplicate', 100, 'c', 'x'.repeat(256));
    send('duplicate', 100, 'e');
    const source = 'x'.repeat(256);
    expect(refusal(of('c', source), of('c', source), of('d'))).toBeNull();
    expect(stored).toMatchObject([{ code: 'DUPLICATE_FLOOD', customerId: 'c' }]);
    expect(refusal(of('c', source), of('e'))).not.toBeNull();
    expect(refusal(of('c', source), { customer_id: 5 }, 'text' as never)).toBeNull();
  });

  test('is a finding once a day and producer, and tried again when it could not be stored', async () => {
    failing = true;
    send('duplicate', 100);
    refusal(of('c'));
    await new Promise((resolve) => setImmediate(resolve));
    failing = false;
    refusal(of('c'));
    refusal(of('c'));
    expect(stored).toEqual([
      {
        code: 'DUPLICATE_FLOOD',
        customerId: 'c',
        period: null,
        subject: { customer_id: 'c', source: '', day: '2024-03-10' },
        detail: expect.stringContaining('100 duplicates'),
      },
    ]);
    now += 86_400_000;
    send('duplicate', 100);
    refusal(of('c'));
    expect(stored.map(({ subject }) => subject['day'])).toEqual(['2024-03-10', '2024-03-11']);
  });

  test.each([10, 20, 60])('by default catches 100,000 requests over 1,000 events within %i s', (seconds) => {
    flood = new DuplicateFlood({
      limits: defaultDuplicateFloodLimits,
      clock: () => now,
      findings: { store: () => Promise.resolve('id') },
    });
    send('accepted', 1_000);
    let throttled = 0;
    for (let second = 0; second < seconds; second += 1) {
      send(second % 10 === 0 ? 'conflict' : 'duplicate', 99_000 / seconds);
      now += 1_000;
      if (flood.active > 0) throttled += 1;
    }
    expect(throttled).toBeGreaterThan(0);
  });

  test('says how near the nearest producer is, of those that send little else', () => {
    expect(flood.nearest).toBe(0);
    send('accepted', 1_000, 'busy');
    send('duplicate', 90, 'busy');
    send('duplicate', 30, 'c', 'other');
    expect(flood.nearest).toBe(0.3);
    send('duplicate', 150);
    expect(flood.nearest).toBe(1.5);
    now += 60_000;
    expect(flood.nearest).toBe(0);
  });

  test('does not outlast a clock that is set back', () => {
    send('duplicate', 100);
    now -= 3_600_000;
    expect(flood.active).toBe(0);
  });

  test('may be without limit', () => {
    flood = new DuplicateFlood({
      limits: { ...limits, duplicates: 0 },
      clock: () => now,
      findings: { store: () => Promise.resolve('id') },
    });
    send('duplicate', 1_000_000);
    expect([flood.active, flood.nearest]).toEqual([0, 0]);
  });
});

/** Of `distinct` events, so many requests in a mixed order; every tenth has another content under the id. */
function floodOf(requests: number, distinct: number): readonly string[] {
  return Array.from({ length: requests }, (_, index) => {
    const event = (index * 7_919) % distinct;
    // The first of each id is sent unaltered: which one wins is then known.
    const altered = index >= distinct && index % 10 === 0;
    return JSON.stringify(callEvent(`flood-${event}`, altered ? { metadata: { altered: index } } : {}));
  });
}

async function sendAll(
  bodies: readonly string[],
  connections: number,
  send: (body: string) => Promise<void>,
): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let body = bodies[next++]; body !== undefined; body = bodies[next++]) await send(body);
  };
  await Promise.all(Array.from({ length: connections }, lane));
}

describe('a flood from 50 connections', () => {
  const distinct = 100;
  const requests = 2_000;
  const json = { 'content-type': 'application/json' };

  async function withApi(
    duplicateFlood: DuplicateFloodLimits | undefined,
    work: (api: TestApi, url: string, agent: Agent) => Promise<void>,
  ): Promise<void> {
    const api = await TestApi.start(duplicateFlood === undefined ? {} : { duplicateFlood });
    const agent = new Agent({ keepAlive: true, maxSockets: 50 });
    try {
      await api.setUpExample();
      await api.app.listen({ host: '127.0.0.1', port: 0 });
      await work(api, `http://127.0.0.1:${(api.app.server.address() as AddressInfo).port}/events`, agent);
    } finally {
      agent.destroy();
      await api.close();
    }
  }

  async function requireLedger(api: TestApi): Promise<void> {
    const events = await api.all('/events?customer_id=cust_1&limit=1000');
    expect(events.map(({ event_id: id }) => String(id)).sort()).toEqual(
      Array.from({ length: distinct }, (_, index) => `flood-${index}`).sort(),
    );
  }

  test('leaves each event once, tells every conflict, and no request fails', async () => {
    await withApi(undefined, async (api, url, agent) => {
      const count = { accepted: 0, duplicates: 0, rejected: 0 };
      const bodies = floodOf(requests, distinct);
      const add = ({ status, body }: { readonly status: number; readonly body: Json }): void => {
        expect(status).toBe(202);
        for (const key of ['accepted', 'duplicates', 'rejected'] as const) count[key] += Number(body[key]);
        for (const { code } of body['results'] as readonly Json[])
          expect(['EVENT_ID_REUSED', undefined]).toContain(code);
      };
      await sendAll(bodies.slice(0, distinct), 50, async (body) => add(await post(url, body, json, agent)));
      await sendAll(bodies.slice(distinct), 50, async (body) => add(await post(url, body, json, agent)));
      const altered = bodies.filter((body) => body.includes('altered')).length;
      expect(count).toEqual({ accepted: distinct, duplicates: requests - distinct - altered, rejected: altered });
      await requireLedger(api);
      expect((await api.deadLetters()).length).toBe(altered);
      const { body } = await api.send('GET', '/metrics');
      expect(body).toContain(`reckoner_events_total{outcome="conflict"} ${altered}`);
      expect(body).toContain(`reckoner_events_rejected_total{code="EVENT_ID_REUSED"} ${altered}`);
      expect(body).toContain('reckoner_events_total{outcome="rejected"} 0');
      expect(body).toContain(`reckoner_events_total{outcome="duplicate"} ${count.duplicates}`);
    });
  });

  test('beyond the limit is throttled with 429 and Retry-After, is a finding, and comes to its end in the next windows', async () => {
    await withApi({ windowMs: 60_000, duplicates: 500, percent: 50 }, async (api, url, agent) => {
      let throttled = 0;
      let duplicates = 0;
      await sendAll(floodOf(requests, distinct), 50, async (text) => {
        for (;;) {
          const { status, body, headers } = await post(url, text, json, agent);
          if (status === 202) {
            duplicates += Number(body['duplicates']) + Number(body['rejected']);
            return;
          }
          throttled += 1;
          expect([status, body['code']]).toEqual([429, 'DUPLICATE_FLOOD']);
          const wait = Number(headers['retry-after']);
          expect(wait).toBeGreaterThanOrEqual(1);
          expect(wait).toBeLessThanOrEqual(60);
          if (throttled === 1) {
            expect((await api.send('GET', '/metrics')).body).toContain('reckoner_duplicate_flood_active 1');
          }
          // The test's clock stands still, so waiting is moving it.
          api.now += wait * 1_000;
        }
      });
      expect(throttled).toBeGreaterThan(0);
      expect(duplicates).toBe(requests - distinct);
      await requireLedger(api);
      const findings = await api.all('/findings?code=DUPLICATE_FLOOD');
      expect(findings).toMatchObject([
        { customer_id: 'cust_1', subject: { customer_id: 'cust_1', source: '', day: '2024-03-10' } },
      ]);
    });
  });

  test('counts what a registry would refuse by now, and was taken before', async () => {
    await withApi({ windowMs: 60_000, duplicates: 5, percent: 50 }, async (api) => {
      const event = callEvent('early', { event_type: 'late', metadata: {} });
      await api.expect(202, 'POST', '/events', event);
      const meter = { code: 'late', event_type: 'late', aggregation: 'sum', value_property: 'v' };
      await api.expect(201, 'POST', '/meters', meter);
      for (let time = 0; time < 5; time += 1)
        expect(await api.expect(202, 'POST', '/events', event)).toMatchObject({ duplicates: 1, rejected: 0 });
      await api.refused('DUPLICATE_FLOOD', 429, 'POST', '/events', event);
    });
  });

  test('within a stream breaks it off with how far it came', async () => {
    await withApi({ windowMs: 60_000, duplicates: 500, percent: 50 }, async (api, url) => {
      const lines = Array.from({ length: 20_000 }, () => JSON.stringify(callEvent('same'))).join('\n');
      const { status, body, headers } = await post(url, lines, { 'content-type': 'application/x-ndjson' });
      expect([status, body['code'], Number(headers['retry-after']) > 1]).toEqual([429, 'DUPLICATE_FLOOD', true]);
      const { lines: done, accepted, duplicates: repeated } = body['progress'] as Readonly<Record<string, number>>;
      expect(done).toBeLessThan(20_000);
      expect([accepted, repeated]).toEqual([1, Number(done) - 1]);
      expect(await api.expect(202, 'POST', '/events', callEvent('other', { source: 's' }))).toMatchObject({
        accepted: 1,
      });
    });
  });
});
