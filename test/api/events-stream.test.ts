/** POST /events as application/x-ndjson: what a stream is answered, and what of it stays when it breaks. */
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { BreakableProxy } from './support/breakable-proxy.js';
import { openPost, post, type OpenRequest } from './support/http.js';
import { callEvent, TestApi } from './support/test-api.js';

type Json = Readonly<Record<string, unknown>>;

const ndjson = { 'content-type': 'application/x-ndjson' };
const line = (id: string, more: Json = {}): string => `${JSON.stringify(callEvent(id, more))}\n`;
const manyLines = (prefix: string, from: number, to: number): string =>
  Array.from({ length: to - from }, (_, index) => line(`${prefix}-${from + index}`)).join('');

async function listen(api: TestApi): Promise<string> {
  await api.app.listen({ host: '127.0.0.1', port: 0 });
  return `http://127.0.0.1:${(api.app.server.address() as AddressInfo).port}/events`;
}

/** Until the metric of the API says so. */
async function waitForMetric(api: TestApi, line: RegExp): Promise<void> {
  for (;;) {
    if (line.test((await api.send('GET', '/metrics')).body)) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

async function waitForEvent(api: TestApi, id: string): Promise<void> {
  for (;;) {
    if ((await api.send('GET', `/events/cust_1/${id}`)).statusCode === 200) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

describe('lines', () => {
  let api: TestApi;
  let url: string;

  beforeAll(async () => {
    api = await TestApi.start();
    await api.setUpExample();
    url = await listen(api);
  });
  afterAll(async () => {
    await api.close();
  });

  const send = (text: string): Promise<Json> => api.expect(202, 'POST', '/events', text, ndjson);

  test('are counted, and listed by line number where they were not newly accepted', async () => {
    const text = `${line('a')}\r\n   \n${line('a')}{"event_id":\n"no event"\n${line('b', { customer_id: 'nobody' })}\n${line('c').trim()}`;
    expect(await send(text)).toEqual({
      lines: 9,
      truncated: false,
      accepted: 2,
      duplicates: 1,
      rejected: 3,
      results: [
        { index: 3, event_id: 'a', status: 'duplicate' },
        { index: 4, event_id: null, status: 'rejected', code: 'INVALID_JSON', detail: expect.any(String) },
        { index: 5, event_id: null, status: 'rejected', code: 'VALIDATION_FAILED', detail: expect.any(String) },
        { index: 6, event_id: 'b', status: 'rejected', code: 'UNKNOWN_CUSTOMER', detail: expect.any(String) },
      ],
    });
    expect(await api.deadLetters()).toContainEqual(
      expect.objectContaining({ code: 'INVALID_JSON', payload: '{"event_id":' }),
    );
  });

  test('may be none', async () => {
    const nothing = { accepted: 0, duplicates: 0, rejected: 0, truncated: false, results: [] };
    expect(await send('')).toEqual({ ...nothing, lines: 0 });
    expect(await send('\n\n')).toEqual({ ...nothing, lines: 2 });
  });

  test('keep their numbers exact', async () => {
    await send(line('exact', { metadata: { n: 0 } }).replace('"n":0', '"n":9007199254740993.000000000000000001'));
    expect((await api.send('GET', '/events/cust_1/exact')).body).toContain('9007199254740993.000000000000000001');
  });

  test('of which one is not UTF-8 cost only that one', async () => {
    const body = Buffer.concat([
      Buffer.from(line('utf-1', { metadata: { a: 'ä€😀' } })),
      Buffer.from([0x22, 0xff, 0x22, 0x0a]),
      Buffer.from(line('utf-2')),
    ]);
    expect((await post(url, body, ndjson)).body).toMatchObject({
      accepted: 2,
      rejected: 1,
      results: [{ index: 1, code: 'INVALID_JSON', detail: 'The line is not valid UTF-8.' }],
    });
    expect(await api.expect(200, 'GET', '/events/cust_1/utf-1')).toMatchObject({ metadata: { a: 'ä€😀' } });
  });

  test('are the same wherever the network cuts them', async () => {
    const text = `${line('cut-1', { metadata: { a: 'ä€😀' } })}\n${line('cut-2')}${line('cut-1')}`;
    const bytes = Buffer.from(text);
    const request = openPost(url, ndjson);
    for (let at = 0; at < bytes.length; at += 7) await request.write(bytes.subarray(at, at + 7));
    request.end();
    expect((await request.answer).body).toMatchObject({
      lines: 4,
      accepted: 2,
      rejected: 1,
      results: [{ index: 3, event_id: 'cut-1', code: 'EVENT_ID_REUSED' }],
    });
  });

  test('are more than a body of JSON may hold, and a lower one wins across batches', async () => {
    const count = 30_000;
    const text = `${manyLines('many', 0, count)}${line('many-0', { metadata: { other: true } })}${line('many-1')}`;
    expect(Buffer.byteLength(text)).toBeLessThan(5 * 1024 * 1024);
    const { status, body } = await post(url, gzipSync(text), { ...ndjson, 'content-encoding': 'gzip' });
    expect([status, body]).toEqual([
      202,
      {
        lines: count + 2,
        accepted: count,
        duplicates: 1,
        rejected: 1,
        truncated: false,
        results: [
          expect.objectContaining({ index: count, event_id: 'many-0', code: 'EVENT_ID_REUSED' }),
          { index: count + 1, event_id: 'many-1', status: 'duplicate' },
        ],
      },
    ]);
  });

  test('that are all repeated are all counted, listed up to a limit that hides no rejection', async () => {
    const answer = await send(`${manyLines('many', 0, 6_000)}${line('bad', { customer_id: 'nobody' })}`);
    expect(answer).toMatchObject({ lines: 6_001, accepted: 0, duplicates: 6_000, rejected: 1, truncated: true });
    const results = answer['results'] as readonly Json[];
    expect(results.filter(({ status }) => status === 'duplicate')).toHaveLength(5_000);
    expect(results.filter(({ status }) => status === 'rejected').map(({ index }) => index)).toEqual([6_000]);
  });

  test('that were committed stay when the sender goes away', async () => {
    const request = openPost(url, ndjson);
    const gone = expect(request.answer).rejects.toThrow();
    await request.write(manyLines('gone', 0, 20_000));
    await waitForMetric(api, /^reckoner_ingest_streams 1$/m);
    await waitForEvent(api, 'gone-0');
    request.destroy();
    await gone;
    await waitForMetric(api, /^reckoner_ingest_streams 0$/m);
    expect(await send(manyLines('gone', 0, 1_000))).toMatchObject({ duplicates: 1_000 });
  });
});

test('more streams than there is room for get 503 with Retry-After, other requests do not', async () => {
  const api = await TestApi.start({ eventStreams: 1 });
  try {
    await api.setUpExample();
    const url = await listen(api);
    const first = openPost(url, ndjson);
    await first.write(line('s-1'));
    await waitForMetric(api, /^reckoner_ingest_streams 1$/m);
    const second = await post(url, line('s-2'), ndjson);
    expect([second.status, second.body['code'], second.headers['retry-after']]).toEqual([503, 'OVER_CAPACITY', '1']);
    expect((await post(url, JSON.stringify(callEvent('s-3')), { 'content-type': 'application/json' })).status).toBe(
      202,
    );
    first.end(line('s-4'));
    expect((await first.answer).body).toMatchObject({ accepted: 2 });
    expect((await post(url, line('s-2'), ndjson)).status).toBe(202);
  } finally {
    await api.close();
  }
});

describe('with the database going away in the middle', () => {
  const proxy = new BreakableProxy();
  let api: TestApi;
  let url: string;

  beforeAll(async () => {
    api = await TestApi.start({}, (database) => proxy.through(database));
    await api.setUpExample();
    url = await listen(api);
  });
  afterAll(async () => {
    proxy.heal();
    await api.close();
    await proxy.close();
  });

  /** Sends until the API has answered, or all is sent. */
  async function sendOn(request: OpenRequest, prefix: string, count: number): Promise<void> {
    let answered = false;
    void request.answer.finally(() => (answered = true)).catch(() => undefined);
    for (let from = 0; from < count && !answered; from += 1_000) {
      await request.write(manyLines(prefix, from, from + 1_000));
      if (from !== 20_000) continue;
      await waitForEvent(api, `${prefix}-0`);
      proxy.cut();
    }
    request.end();
  }

  test('the answer says how far it came; going on from there, or repeating it all, counts everything once', async () => {
    const count = 60_000;
    const request = openPost(url, ndjson);
    await sendOn(request, 'broken', count);
    const { status, body, headers } = await request.answer;
    expect([status, body['code'], headers['retry-after']]).toEqual([503, 'DATABASE_UNAVAILABLE', '2']);
    const { lines, accepted } = body['progress'] as { readonly lines: number; readonly accepted: number };
    expect(lines).toBeGreaterThan(0);
    expect(lines).toBeLessThan(count);
    expect(accepted).toBe(lines);
    expect(body['detail']).toContain(`first ${lines} lines`);

    proxy.heal();
    const resend = async (from: number): Promise<Json> => {
      for (;;) {
        // A connection that broke without our noticing may cost one more 503.
        const again = await post(url, manyLines('broken', from, count), ndjson);
        if (again.status === 202) return again.body;
        expect(again.status).toBe(503);
      }
    };
    const rest = await resend(lines);
    expect(Number(rest['accepted']) + Number(rest['duplicates'])).toBe(count - lines);
    expect(await resend(0)).toMatchObject({ accepted: 0, duplicates: count, rejected: 0 });
  });
});
