/** Every limit of POST /events in docs/reference/LIMITS.md: at it an event is taken, one beyond it is not. */
import type { AddressInfo } from 'node:net';
import { gzipSync } from 'node:zlib';
import { ingestLimits } from '../../src/api/ingest/limits.js';
import { openPost, post, type Answer } from './support/http.js';
import { callEvent, TestApi } from './support/test-api.js';

type Json = Readonly<Record<string, unknown>>;

let api: TestApi;
let url: string;

beforeAll(async () => {
  api = await TestApi.start();
  await api.setUpExample();
  await api.app.listen({ host: '127.0.0.1', port: 0 });
  url = `http://127.0.0.1:${(api.app.server.address() as AddressInfo).port}/events`;
});
afterAll(async () => {
  await api.close();
});

const json = { 'content-type': 'application/json' };
const ndjson = { 'content-type': 'application/x-ndjson' };
const MiB = 1024 * 1024;

const repeated = (count: number, of: (index: number) => readonly [string, unknown]): Json =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => of(index)));
const nested = (levels: number): unknown => (levels === 0 ? 1 : [nested(levels - 1)]);

describe('an event', () => {
  let next = 0;
  const at = (more: Json): Json => callEvent(`edge-${(next += 1)}`, more);

  test.each<[string, (size: number) => Json, number, string]>([
    ['characters of event_id', (size) => callEvent('i'.repeat(size)), 128, 'VALIDATION_FAILED'],
    ['characters of event_type', (size) => at({ event_type: 't'.repeat(size) }), 128, 'VALIDATION_FAILED'],
    ['characters of source', (size) => at({ source: 's'.repeat(size) }), 256, 'VALIDATION_FAILED'],
    ['characters of request_id', (size) => at({ request_id: 'r'.repeat(size) }), 256, 'VALIDATION_FAILED'],
    ['characters of user_id', (size) => at({ user_id: 'u'.repeat(size) }), 256, 'VALIDATION_FAILED'],
    ['characters of trace_id', (size) => at({ trace_id: 't'.repeat(size) }), 256, 'VALIDATION_FAILED'],
    ['properties', (size) => at({ metadata: repeated(size, (index) => [`k${index}`, 1]) }), 64, 'VALIDATION_FAILED'],
    ['characters of a property name', (size) => at({ metadata: { ['n'.repeat(size)]: 1 } }), 128, 'VALIDATION_FAILED'],
    [
      'bytes of metadata',
      (size) => at({ metadata: { a: 'x'.repeat(size - '{"a":""}'.length) } }),
      16 * 1024,
      'VALIDATION_FAILED',
    ],
    [
      'bytes of metadata in two-byte characters',
      (size) => at({ metadata: { a: 'ä'.repeat((size - '{"a":""}'.length) / 2) + (size % 2 === 0 ? '' : 'x') } }),
      16 * 1024,
      'VALIDATION_FAILED',
    ],
    ['levels of metadata', (size) => at({ metadata: { a: nested(size - 1) } }), 8, 'VALIDATION_FAILED'],
  ])('has so many %s', async (_name, event, limit, code) => {
    expect(await api.expect(202, 'POST', '/events', event(limit))).toMatchObject({ accepted: 1 });
    await api.refused(code, 422, 'POST', '/events', event(limit + 1));
  });

  test('has a customer of so many characters', async () => {
    const longest = 'c'.repeat(128);
    await api.expect(201, 'PUT', `/customers/${longest}`, { name: 'C', currency: 'USD', price_book: 'standard' });
    expect(await api.expect(202, 'POST', '/events', at({ customer_id: longest }))).toMatchObject({ accepted: 1 });
    await api.refused('VALIDATION_FAILED', 422, 'POST', '/events', at({ customer_id: `${longest}c` }));
  });

  test.each([
    ['digits', '9'.repeat(38), '9'.repeat(39)],
    ['digits, by exponent', '1e37', '1e38'],
    ['digits after the point', `0.${'1'.repeat(18)}`, `0.${'1'.repeat(19)}`],
    ['digits on both sides', `${'9'.repeat(20)}.${'9'.repeat(18)}`, `${'9'.repeat(21)}.${'9'.repeat(18)}`],
  ])('has numbers of so many %s', async (_name, longest, tooLong) => {
    const text = (number: string): string =>
      JSON.stringify(at({ metadata: { n: 0 } })).replace('"n":0', `"n":${number}`);
    expect(await api.expect(202, 'POST', '/events', text(longest))).toMatchObject({ accepted: 1 });
    await api.refused('NUMBER_TOO_LONG', 422, 'POST', '/events', text(tooLong));
  });

  test('is as far ahead of the clock as the tolerance', async () => {
    await api.expect(202, 'POST', '/events', at({ event_time: '2024-03-10T12:05:00Z' }));
    expect(await api.expect(202, 'POST', '/events', at({ event_time: '2024-03-10T12:05:00.000001Z' }))).toMatchObject({
      results: [{ code: 'EVENT_TIME_IN_FUTURE' }],
    });
  });
});

describe('a body that is read as a whole', () => {
  test('has 10,000 events', async () => {
    const events = Array.from({ length: ingestLimits.eventsPerRequest }, (_, index) => callEvent(`batch-${index}`));
    expect(ingestLimits.eventsPerRequest).toBe(10_000);
    expect(await api.expect(202, 'POST', '/events', events)).toMatchObject({ accepted: 10_000 });
    await api.refused('BATCH_TOO_LARGE', 413, 'POST', '/events', [...events, callEvent('batch-more')]);
    const cloudEvents = Array.from({ length: 10_001 }, () => ({}));
    await api.refused('BATCH_TOO_LARGE', 413, 'POST', '/events', cloudEvents, {
      'content-type': 'application/cloudevents-batch+json',
    });
    await api.refused('EVENT_NOT_FOUND', 404, 'GET', '/events/cust_1/batch-more');
  });

  const padded = (id: string, size: number): string => JSON.stringify(callEvent(id)).padEnd(size);

  test('has 5 MiB, also inflated', async () => {
    expect(ingestLimits.bodyBytes).toBe(5 * MiB);
    expect((await post(url, padded('body-1', 5 * MiB), json)).status).toBe(202);
    const zipped = { ...json, 'content-encoding': 'gzip' };
    expect((await post(url, gzipSync(padded('body-2', 5 * MiB)), zipped)).status).toBe(202);

    const bomb = gzipSync(padded('body-3', 5 * MiB + 1));
    expect(bomb.length).toBeLessThan(10_000);
    const answers: readonly Answer[] = [
      await post(url, padded('body-3', 5 * MiB + 1), json),
      await post(url, bomb, zipped),
      await post(url, gzipSync(Buffer.alloc(500 * MiB)), zipped),
    ];
    for (const { status, body } of answers) expect([status, body['code']]).toEqual([413, 'BODY_TOO_LARGE']);
    await api.refused('EVENT_NOT_FOUND', 404, 'GET', '/events/cust_1/body-3');
  });

  test('has 5 MiB also when it does not say how long it is', async () => {
    const chunked = async (size: number): Promise<Answer> => {
      const request = openPost(url, json);
      request.end(padded(`chunked-${size}`, size));
      return request.answer;
    };
    expect((await chunked(5 * MiB)).status).toBe(202);
    expect(await chunked(5 * MiB + 1)).toMatchObject({ status: 413, body: { code: 'BODY_TOO_LARGE' } });
  });
});

describe('a stream of lines', () => {
  const line = (id: string): string => JSON.stringify(callEvent(id));

  test('has lines of 128 KiB', async () => {
    const size = ingestLimits.lineBytes;
    expect(size).toBe(128 * 1024);
    const lines = [
      line('line-1').padEnd(size),
      line('line-2').padEnd(size + 1),
      line('line-3').padEnd(3 * MiB),
      line('line-4'),
      `${line('line-5')}${'\u2003'.repeat(50_000)}`,
    ];
    const { status, body } = await post(url, lines.join('\n'), ndjson);
    expect([status, body]).toEqual([
      202,
      expect.objectContaining({
        lines: 5,
        accepted: 2,
        rejected: 3,
        results: [1, 2, 4].map((index) => expect.objectContaining({ index, code: 'VALIDATION_FAILED' })),
      }),
    ]);
    const kept = (await api.deadLetters()).filter((letter) =>
      /longer than 131072 bytes/.test(String(letter['detail'])),
    );
    expect(kept).toHaveLength(3);
  });

  test('has 64 MiB, inflated; what came before is committed', async () => {
    expect(ingestLimits.streamBytes).toBe(64 * MiB);
    const chunk = `${line('stream').padEnd(MiB / 16 - 1)}\n`;
    const whole = Buffer.from(chunk.repeat((64 * MiB) / chunk.length));
    expect(whole.length).toBe(64 * MiB);
    const zipped = { ...ndjson, 'content-encoding': 'gzip' };
    const lines = whole.length / chunk.length;
    expect((await post(url, gzipSync(whole), zipped)).body).toMatchObject({
      lines,
      accepted: 1,
      duplicates: lines - 1,
    });
    const { status, body } = await post(url, gzipSync(Buffer.concat([whole, Buffer.from('\n')])), zipped);
    expect([status, body['code']]).toEqual([413, 'BODY_TOO_LARGE']);
    expect((body['progress'] as Json)['lines']).toBeGreaterThan(lines / 2);
  });

  test('has 1,000,000 lines', async () => {
    expect(ingestLimits.streamLines).toBe(1_000_000);
    const blank = (count: number): Buffer => Buffer.alloc(count, '\n');
    expect((await post(url, blank(1_000_000), ndjson)).body).toMatchObject({ lines: 1_000_000, accepted: 0 });
    const { status, body } = await post(url, blank(1_000_001), ndjson);
    expect([status, body['code']]).toEqual([413, 'BATCH_TOO_LARGE']);
  });
});
