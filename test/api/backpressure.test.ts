/** A slow database slows callers down. What waits is bounded, what is refused can be repeated, what is answered 202 is there once. */
import type { AddressInfo } from 'node:net';
import { Admission } from '../../src/api/ingest/admission.js';
import { BreakableProxy } from './support/breakable-proxy.js';
import { post } from './support/http.js';
import { callEvent, TestApi } from './support/test-api.js';

type Json = Readonly<Record<string, unknown>>;

const limits = { committers: 2, eventsPerCommit: 200, eventsWaiting: 400, bytesWaiting: 64 * 1024 };

describe('with a slow database', () => {
  const proxy = new BreakableProxy();
  let api: TestApi;
  let url: string;

  beforeAll(async () => {
    api = await TestApi.start({ groupCommit: limits }, (database) => proxy.through(database));
    await api.setUpExample();
    await api.app.listen({ host: '127.0.0.1', port: 0 });
    url = `http://127.0.0.1:${(api.app.server.address() as AddressInfo).port}/events`;
  });
  beforeEach(() => {
    proxy.slow(40);
  });
  afterEach(() => {
    proxy.heal();
  });
  afterAll(async () => {
    await api.close();
    await proxy.close();
  });

  /** Looks at what waits until told to stop; answers the most it saw. */
  function watch(): () => Promise<{ readonly events: number; readonly bytes: number }> {
    let stopped = false;
    const most = { events: 0, bytes: 0 };
    const watching = (async () => {
      while (!stopped) {
        const { body } = await api.send('GET', '/metrics');
        most.events = Math.max(most.events, Number(/^reckoner_ingest_queue_events (\d+)$/m.exec(body)?.[1]));
        most.bytes = Math.max(most.bytes, Number(/^reckoner_ingest_bytes (\d+)$/m.exec(body)?.[1]));
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      return most;
    })();
    return () => {
      stopped = true;
      return watching;
    };
  }

  test('callers wait or are told to come back; nothing acknowledged is lost, nothing is doubled', async () => {
    const stop = watch();
    const acknowledged: string[] = [];
    let refused = 0;
    let next = 0;
    const sender = async (): Promise<void> => {
      while (next < 120) {
        const request = (next += 1);
        const ids = Array.from({ length: 20 }, (_, index) => `slow-${request}-${index}`);
        for (;;) {
          const body = JSON.stringify(ids.map((id) => callEvent(id)));
          const answer = await post(url, body, { 'content-type': 'application/json' });
          if (answer.status === 202) {
            // Refused requests left nothing behind, so repeating one never finds its events.
            expect(answer.body).toMatchObject({ accepted: 20, duplicates: 0 });
            break;
          }
          expect([answer.status, answer.body['code'], answer.headers['retry-after']]).toEqual([
            503,
            'OVER_CAPACITY',
            '1',
          ]);
          refused += 1;
          await new Promise((resolve) => setTimeout(resolve, 20));
        }
        acknowledged.push(...ids);
      }
    };
    await Promise.all(Array.from({ length: 60 }, sender));
    const most = await stop();
    expect(refused).toBeGreaterThan(0);
    expect(most.events).toBeGreaterThan(0);
    expect(most.events).toBeLessThanOrEqual(limits.eventsWaiting);
    expect(most.bytes).toBeLessThanOrEqual(limits.bytesWaiting);

    proxy.heal();
    expect(acknowledged).toHaveLength(new Set(acknowledged).size);
    const stored = (await api.all('/events?customer_id=cust_1&limit=1000')).map(({ event_id: id }) => String(id));
    expect(stored.sort()).toEqual(acknowledged.sort());
  });

  test('streams wait for room instead of being refused', async () => {
    const before = Number((await api.all('/events?customer_id=cust_1&limit=1000')).length);
    const stop = watch();
    const bodies = Array.from({ length: 8 }, (_stream, stream) =>
      Array.from({ length: 300 }, (_event, index) => JSON.stringify(callEvent(`stream-${stream}-${index}`))).join('\n'),
    );
    const answers = await Promise.all(
      bodies.map((body) => post(url, body, { 'content-type': 'application/x-ndjson' })),
    );
    expect(answers.map(({ status, body }) => [status, body['accepted']])).toEqual(answers.map(() => [202, 300]));
    expect((await stop()).events).toBeLessThanOrEqual(limits.eventsWaiting);
    proxy.heal();
    expect(await api.all('/events?customer_id=cust_1&limit=1000')).toHaveLength(before + 2_400);
  });

  test('requests that wait for something else than their commit are bounded, too', async () => {
    proxy.slow(200);
    const stop = watch();
    const event = (index: number): Json => callEvent(`unknown-${index}`, { customer_id: `nobody-${index}` });
    const bodies = Array.from({ length: 100 }, (_, index) => JSON.stringify([event(index)]).padEnd(4_096));
    const answers = await Promise.all(bodies.map((body) => post(url, body, { 'content-type': 'application/json' })));
    const statuses = answers.map(({ status }) => status);
    expect([...new Set(statuses)].sort()).toEqual([202, 503]);
    expect((await stop()).bytes).toBeLessThanOrEqual(limits.bytesWaiting);
    proxy.heal();
    expect((await post(url, bodies[0] ?? '', { 'content-type': 'application/json' })).status).toBe(202);
    expect((await api.send('GET', '/metrics')).body).toMatch(/^reckoner_ingest_bytes 0$/m);
  });
});

describe('admission', () => {
  test('counts what is held, refuses what has no room, and always takes a request alone', () => {
    const admission = new Admission({ bytes: 100, streams: 1 });
    const large = admission.request();
    large.resize(500);
    const other = admission.request();
    expect(() => other.resize(1)).toThrow(/OVER_CAPACITY/);
    large.resize(60);
    other.resize(40);
    expect(() => other.resize(41)).toThrow(/OVER_CAPACITY/);
    expect(admission.bytes).toBe(100);
    large.end();
    other.resize(100);
    other.end();
    expect(admission.bytes).toBe(0);
  });

  test('bounds streams by their number', () => {
    const admission = new Admission({ bytes: 100, streams: 1 });
    const first = admission.stream();
    expect(() => admission.stream()).toThrow(/OVER_CAPACITY/);
    first.end();
    admission.stream().end();
    expect(admission.streams).toBe(0);
  });
});
