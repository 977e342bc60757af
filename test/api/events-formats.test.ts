/** The notations of POST /events: CloudEvents in its three modes, lines, compressed bodies. */
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { callEvent, exampleOfAllTests } from './support/test-api.js';
import type { TestApi } from './support/test-api.js';

type Json = Readonly<Record<string, unknown>>;

const api = exampleOfAllTests();

const structured = { 'content-type': 'application/cloudevents+json' };
const batched = { 'content-type': 'application/cloudevents-batch+json' };
const lines = { 'content-type': 'application/x-ndjson' };

function cloudEvent(id: string, more: Json = {}): Json {
  return {
    specversion: '1.0',
    id,
    source: '/proxy/1',
    type: 'api_call',
    subject: 'cust_1',
    time: '2024-01-15T10:00:00Z',
    ...more,
  };
}

const stored = async (id: string, source = '/proxy/1'): Promise<Json> =>
  api.expect(200, 'GET', `/events/cust_1/${id}?source=${encodeURIComponent(source)}`);

describe('CloudEvents', () => {
  test('structured: the attributes become what API.md says, numbers exact', async () => {
    const text = JSON.stringify(
      cloudEvent('ce-1', {
        datacontenttype: 'application/json',
        dataschema: 'https://example.com/schemas/1',
        traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
        tracestate: 'a=1',
        requestid: 'r-1',
        userid: 'u-1',
        data: { region: 'eu', bytes: 0 },
      }),
    ).replace('"bytes":0', '"bytes":9007199254740993.000000000000000001');
    expect(await api.expect(202, 'POST', '/events', text, structured)).toEqual({
      accepted: 1,
      duplicates: 0,
      rejected: 0,
      results: [],
    });
    expect(await stored('ce-1')).toMatchObject({
      event_id: 'ce-1',
      source: '/proxy/1',
      customer_id: 'cust_1',
      event_type: 'api_call',
      event_time: '2024-01-15T10:00:00.000000Z',
      request_id: 'r-1',
      user_id: 'u-1',
      trace_id: '4bf92f3577b34da6a3ce929d0e0e4736',
    });
    const { body } = await api.send('GET', '/events/cust_1/ce-1?source=%2Fproxy%2F1');
    expect(body).toContain('"bytes":9007199254740993.000000000000000001');
  });

  test('is the same event as in our own notation', async () => {
    await api.expect(202, 'POST', '/events', cloudEvent('ce-2', { data: { a: 1 } }), structured);
    const own = callEvent('ce-2', { source: '/proxy/1', metadata: { a: 1.0 } });
    expect(await api.expect(202, 'POST', '/events', own)).toMatchObject({ duplicates: 1 });
  });

  test('attributes that are null count as not given', async () => {
    const event = cloudEvent('ce-3', { data: null, dataschema: null, traceparent: null, unknown: null });
    expect(await api.expect(202, 'POST', '/events', event, structured)).toMatchObject({ accepted: 1 });
    expect(await stored('ce-3')).toMatchObject({ metadata: {}, trace_id: null });
  });

  test('a traceparent in another form is kept as it is, and costs no event', async () => {
    await api.expect(202, 'POST', '/events', cloudEvent('ce-4', { traceparent: 'what?' }), structured);
    expect(await stored('ce-4')).toMatchObject({ trace_id: 'what?' });
  });

  test('batched: an array, with results by index', async () => {
    const answer = await api.expect(
      202,
      'POST',
      '/events',
      [
        cloudEvent('ce-b1'),
        cloudEvent('ce-b1'),
        cloudEvent('ce-b2', { subject: 'nobody' }),
        callEvent('ce-own'),
        cloudEvent('ce-b3', { specversion: '0.3' }),
      ],
      { 'content-type': 'application/cloudevents-batch+json; charset=utf-8' },
    );
    expect(answer).toMatchObject({
      accepted: 1,
      duplicates: 1,
      rejected: 3,
      results: [
        { index: 1, event_id: 'ce-b1', status: 'duplicate' },
        { index: 2, event_id: 'ce-b2', code: 'UNKNOWN_CUSTOMER' },
        { index: 3, event_id: null, code: 'VALIDATION_FAILED' },
        { index: 4, event_id: 'ce-b3', code: 'VALIDATION_FAILED' },
      ],
    });
  });

  test('binary: attributes in headers, the body is the data', async () => {
    const headers = {
      'ce-specversion': '1.0',
      'ce-id': 'ce-%C3%A4',
      'ce-source': '"/proxy/1"',
      'ce-type': 'api_call',
      'ce-subject': 'cust_1',
      'ce-time': '2024-01-15T10:00:00Z',
      'ce-traceparent': '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
    };
    expect(await api.expect(202, 'POST', '/events', '{"big":1e20}', headers)).toMatchObject({ accepted: 1 });
    expect(await stored(encodeURIComponent('ce-ä'))).toMatchObject({ event_id: 'ce-ä', source: '/proxy/1' });
    const { body } = await api.send('GET', `/events/cust_1/${encodeURIComponent('ce-ä')}?source=%2Fproxy%2F1`);
    expect(body).toContain('"big":100000000000000000000');

    const without = await api.app.inject({ method: 'POST', url: '/events', headers: { ...headers, 'ce-id': 'bare' } });
    expect([without.statusCode, without.json()]).toEqual([202, expect.objectContaining({ accepted: 1 })]);
    await api.refused('VALIDATION_FAILED', 422, 'POST', '/events', '{}', { ...headers, 'ce-subject': '' });
    await api.refused('VALIDATION_FAILED', 422, 'POST', '/events', '[1]', headers);
  });

  describe('binary, and refused: of its headers only the attributes are kept', () => {
    const attributes = {
      specversion: '1.0',
      id: 'kept',
      source: 's',
      type: 'api_call',
      subject: 'cust_1',
      time: '2024-01-15T10:00:00Z',
    };
    const headers = {
      ...Object.fromEntries(Object.entries(attributes).map(([name, value]) => [`ce-${name}`, value])),
      authorization: 'Bearer very-secret',
      cookie: 'session=very-secret',
    };
    const letterOf = async (id: string): Promise<Json> => {
      const letter = (await api.deadLetters()).find(({ event_id: found }) => found === id);
      expect(JSON.stringify(letter)).not.toContain('very-secret');
      return letter ?? {};
    };

    test('nested too deeply', async () => {
      const data = `{"a":${'['.repeat(6_000)}1e1${']'.repeat(6_000)}}`;
      await api.refused('VALIDATION_FAILED', 422, 'POST', '/events', data, { ...headers, 'ce-id': 'deep' });
      const letter = await letterOf('deep');
      expect(letter['payload']).toBe(`${JSON.stringify({ ...attributes, id: 'deep' }).slice(0, -1)},"data":${data}}`);
    });

    test('with data that are no JSON: it can be mended and replayed', async () => {
      await api.refused('INVALID_JSON', 400, 'POST', '/events', '{"cut', headers);
      const letter = await letterOf('kept');
      expect(letter).toMatchObject({ code: 'INVALID_JSON', customer_id: 'cust_1', event_id: 'kept' });
      const kept = JSON.parse(String(letter['payload'])) as Json;
      expect(kept).toEqual({ ...attributes, data: '{"cut' });
      const url = `/dead-letters/${String(letter['dead_letter_id'])}/replay`;
      expect(await api.expect(200, 'POST', url, {})).toMatchObject({ outcome: 'rejected' });
      const event = { ...kept, data: { cut: 1 } };
      expect(await api.expect(200, 'POST', url, { event })).toMatchObject({ outcome: 'accepted' });
    });
  });

  test.each<[string, Json, string, string]>([
    ['without specversion', { specversion: undefined }, '/specversion', 'VALIDATION_FAILED'],
    ['of another version', { specversion: '2.0' }, '/specversion', 'VALIDATION_FAILED'],
    ['without id', { id: undefined }, '/id', 'VALIDATION_FAILED'],
    ['with an empty source', { source: '' }, '/source', 'VALIDATION_FAILED'],
    ['without the customer', { subject: null }, '/subject', 'VALIDATION_FAILED'],
    ['without a time', { time: undefined }, '/time', 'VALIDATION_FAILED'],
    ['with a time that is none', { time: 'yesterday' }, '/time', 'INVALID_INSTANT'],
    ['with a number for an id', { id: 5 }, '/id', 'VALIDATION_FAILED'],
    ['with NUL in its type', { type: 'a\u0000' }, '/type', 'VALIDATION_FAILED'],
    ['with data that is no object', { data: 'text' }, '/data', 'VALIDATION_FAILED'],
    ['with data that is not JSON', { data: {}, datacontenttype: 'text/xml' }, '/datacontenttype', 'VALIDATION_FAILED'],
    ['with binary data', { data_base64: 'AA==' }, '/data_base64', 'VALIDATION_FAILED'],
    ['with an extension that could change its meaning', { sampledrate: 10 }, '/sampledrate', 'UNKNOWN_PROPERTY'],
    ['with our names', { customer_id: 'cust_1' }, '/customer_id', 'UNKNOWN_PROPERTY'],
    ['with a number that is too long', { data: { a: ['9'.repeat(3)] }, long: 1 }, '/long', 'UNKNOWN_PROPERTY'],
  ])('one %s is refused with its place', async (_name, more, pointer, code) => {
    const problem = await api.refused(code, 422, 'POST', '/events', cloudEvent('ce-bad', more), structured);
    expect(problem['errors']).toContainEqual({ pointer, code, detail: expect.any(String) });
  });

  test('what lies deeper is found in the data', async () => {
    const text = JSON.stringify(cloudEvent('ce-deep', { data: { a: [0] } })).replace('[0]', `[${'9'.repeat(39)}]`);
    const problem = await api.refused('NUMBER_TOO_LONG', 422, 'POST', '/events', text, structured);
    expect(problem['errors']).toMatchObject([{ pointer: '/data/a/0' }]);
  });

  test('a batch that is no array, and a list under the type of one event, are refused', async () => {
    await api.refused('VALIDATION_FAILED', 422, 'POST', '/events', cloudEvent('ce-x'), batched);
    await api.refused('VALIDATION_FAILED', 422, 'POST', '/events', [cloudEvent('ce-x')], structured);
    await api.refused('INVALID_JSON', 400, 'POST', '/events', '{"id":', structured);
  });
});

test('a byte order mark at the beginning of a body is passed over', async () => {
  const mark = '\uFEFF';
  const sent = (id: string): string => mark + JSON.stringify(callEvent(id));
  expect(await api.expect(202, 'POST', '/events', sent('mark 1'))).toMatchObject({ accepted: 1 });
  const lines = `${sent('mark 2')}\n${JSON.stringify(callEvent('mark 3'))}`;
  const answer = await api.expect(202, 'POST', '/events', lines, { 'content-type': 'application/x-ndjson' });
  expect(answer).toMatchObject({ accepted: 2 });
  await api.refused('INVALID_JSON', 400, 'POST', '/events', mark + sent('mark 4'));
  const meter = { code: 'marked', event_type: 'marked', aggregation: 'count' };
  await api.expect(201, 'POST', '/meters', mark + JSON.stringify(meter));
});

/** Of every notation: how an event with this id and metadata is sent. */
const notations: readonly (readonly [string, (id: string, metadata: Json) => Parameters<TestApi['send']>])[] = [
  ['one event', (id, metadata) => ['POST', '/events', callEvent(id, { metadata })]],
  ['an array', (id, metadata) => ['POST', '/events', [callEvent(id, { metadata })]]],
  ['lines', (id, metadata) => ['POST', '/events', `${JSON.stringify(callEvent(id, { metadata }))}\n`, lines]],
  ['a CloudEvent', (id, data) => ['POST', '/events', cloudEvent(id, { data, source: 's' }), structured]],
  ['a batch of CloudEvents', (id, data) => ['POST', '/events', [cloudEvent(id, { data, source: 's' })], batched]],
  [
    'a CloudEvent in binary mode',
    (id, data) => [
      'POST',
      '/events',
      data,
      {
        'ce-specversion': '1.0',
        'ce-id': id,
        'ce-source': 's',
        'ce-type': 'api_call',
        'ce-subject': 'cust_1',
        'ce-time': '2024-01-15T10:00:00Z',
      },
    ],
  ],
];

describe.each(notations)('sent as %s', (name, request) => {
  const id = `conflict ${name}`;

  test('other content under the same id is told and kept, and changes nothing', async () => {
    expect(await api.expect(202, ...request(id, { a: 1 }))).toMatchObject({ accepted: 1 });
    expect(await api.expect(202, ...request(id, { a: 1 }))).toMatchObject({
      duplicates: 1,
      results: [{ index: 0, event_id: id, status: 'duplicate' }],
    });
    expect(await api.expect(202, ...request(id, { a: 2 }))).toMatchObject({
      accepted: 0,
      rejected: 1,
      results: [{ index: 0, event_id: id, status: 'rejected', code: 'EVENT_ID_REUSED' }],
    });
    const letters = (await api.deadLetters()).filter((letter) => letter['event_id'] === id);
    expect(letters).toMatchObject([{ code: 'EVENT_ID_REUSED', customer_id: 'cust_1' }]);
    const payload = JSON.parse(String(letters[0]?.['payload'])) as Json;
    expect(payload['metadata'] ?? payload['data']).toEqual({ a: 2 });
    const source = name.includes('Cloud') ? 's' : '';
    expect(await stored(encodeURIComponent(id), source)).toMatchObject({ metadata: { a: 1 } });
  });

  test('what cannot be taken is a dead letter', async () => {
    const future = request(`rejected ${name}`, { a: 1 }).map((part) =>
      typeof part === 'object' || typeof part === 'string'
        ? (JSON.parse(JSON.stringify(part).replaceAll('2024-01-15', '2025-01-15')) as typeof part)
        : part,
    ) as Parameters<TestApi['send']>;
    expect(await api.expect(202, ...future)).toMatchObject({
      rejected: 1,
      results: [{ code: 'EVENT_TIME_IN_FUTURE' }],
    });
    const letters = (await api.deadLetters()).filter((letter) => letter['event_id'] === `rejected ${name}`);
    expect(letters).toMatchObject([{ code: 'EVENT_TIME_IN_FUTURE', customer_id: 'cust_1' }]);
  });
});

describe('compressed bodies', () => {
  const send = (payload: Buffer, encoding: string, type = 'application/json') =>
    api.app.inject({
      method: 'POST',
      url: '/events',
      headers: { 'content-type': type, 'content-encoding': encoding },
      payload,
    });

  test.each([
    ['gzip', gzipSync],
    ['deflate', deflateSync],
    ['br', brotliCompressSync],
    ['GZIP', gzipSync],
    ['identity', (bytes: Buffer) => bytes],
  ])('%s is taken, of a whole body and of lines', async (encoding, compress) => {
    const whole = await send(compress(Buffer.from(JSON.stringify(callEvent(`whole-${encoding}`)))), encoding);
    expect([whole.statusCode, whole.json()]).toEqual([202, expect.objectContaining({ accepted: 1 })]);
    const text = `${JSON.stringify(callEvent(`line-${encoding}`))}\n${JSON.stringify(callEvent(`line2-${encoding}`))}`;
    const stream = await send(compress(Buffer.from(text)), encoding, 'application/x-ndjson');
    expect([stream.statusCode, stream.json()]).toEqual([202, expect.objectContaining({ accepted: 2, lines: 2 })]);
  });

  test('gzip that does not say so is recognised, and the answer says what to send', async () => {
    const detail = (what: string): string =>
      `The ${what} is not valid UTF-8; it looks like gzip: send Content-Encoding: gzip.`;
    const bytes = gzipSync(JSON.stringify(callEvent('unsaid')));
    const whole = await send(bytes, 'identity');
    expect([whole.statusCode, whole.json<Json>()['detail']]).toEqual([400, detail('body')]);
    const lines = await send(bytes, 'identity', 'application/x-ndjson');
    expect(lines.json<{ results: readonly Json[] }>().results[0]).toMatchObject({ detail: detail('line') });
  });

  test.each(['zstd', 'gzip, gzip', 'compress'])('%s is not, and the answer says what is', async (encoding) => {
    for (const type of ['application/json', 'application/x-ndjson']) {
      const answer = await send(Buffer.from('{}'), encoding, type);
      expect([answer.statusCode, answer.json<Json>()['code']]).toEqual([415, 'UNSUPPORTED_MEDIA_TYPE']);
      expect(answer.headers['accept-encoding']).toBe('gzip, deflate, br');
    }
  });

  test.each([
    ['deflate', deflateSync],
    ['br', brotliCompressSync],
  ])('what follows what was compressed by %s is not lost in silence', async (encoding, compress) => {
    const text = (id: string): Buffer => compress(Buffer.from(`${JSON.stringify(callEvent(id))}\n`));
    for (const behind of [text(`behind-${encoding}`), Buffer.from('x')]) {
      const payload = Buffer.concat([text(`ahead-${encoding}`), behind]);
      for (const type of ['application/json', 'application/x-ndjson']) {
        const answer = await send(payload, encoding, type);
        expect([answer.statusCode, answer.json<Json>()['code']]).toEqual([400, 'INVALID_JSON']);
        expect(answer.json<Json>()['detail']).toMatch(/ends after \d+ of \d+ bytes/);
      }
    }
  });

  test.each([
    ['gzip', Buffer.from('this is no gzip')],
    ['gzip', gzipSync('[]').subarray(0, 12)],
    ['deflate', gzipSync('[]')],
    ['br', Buffer.from('this is no brotli')],
    ['gzip', Buffer.alloc(0)],
  ])('what is not %s, or cut off, is refused', async (encoding, payload) => {
    for (const type of ['application/json', 'application/x-ndjson']) {
      const answer = await send(payload, encoding, type);
      expect([answer.statusCode, answer.json<Json>()['code']]).toEqual([400, 'INVALID_JSON']);
    }
  });
});
