import { callEvent, TestApi } from './support/test-api.js';

let api: TestApi;

beforeAll(async () => {
  api = await TestApi.start();
  await api.setUpExample();
  const bytes = {
    code: 'bytes_out',
    event_type: 'download',
    aggregation: 'sum',
    value_property: 'bytes',
    group_by: ['region'],
  };
  await api.expect(201, 'POST', '/meters', bytes);
});
afterAll(async () => {
  await api.close();
});

const post = (body: unknown): Promise<Readonly<Record<string, unknown>>> => api.expect(202, 'POST', '/events', body);

describe('POST /events', () => {
  test.each([
    ['one event', callEvent('form-1'), 1],
    ['an array', [callEvent('form-2'), callEvent('form-3')], 2],
    ['an object with events', { events: [callEvent('form-4')] }, 1],
    ['an empty array', [], 0],
  ])('takes %s', async (_name, body, accepted) => {
    expect(await post(body)).toEqual({ accepted, duplicates: 0, rejected: 0, results: [] });
  });

  test('answers exactly what the contract says, listing only what was not newly accepted', async () => {
    await post(callEvent('mix-old'));
    const answer = await post([
      callEvent('mix-1'),
      callEvent('mix-old'),
      callEvent('mix-2', { event_time: '2024-03-10T12:05:00.000001Z' }),
      callEvent('mix-3', { event_time: '2024-03-10T12:05:00Z' }),
    ]);
    expect(answer).toEqual({
      accepted: 2,
      duplicates: 1,
      rejected: 1,
      results: [
        { index: 1, event_id: 'mix-old', status: 'duplicate' },
        {
          index: 2,
          event_id: 'mix-2',
          status: 'rejected',
          code: 'EVENT_TIME_IN_FUTURE',
          detail: expect.stringContaining('12:05:00'),
        },
      ],
    });
  });

  test('answers 202 also when every event is rejected', async () => {
    expect(await post([callEvent('all-1', { customer_id: 'nobody' })])).toMatchObject({
      accepted: 0,
      rejected: 1,
      results: [{ index: 0, event_id: 'all-1', code: 'UNKNOWN_CUSTOMER' }],
    });
  });

  test('answers 202 to a single event that is well-formed and cannot be taken', async () => {
    expect(await post(callEvent('single-1', { customer_id: 'nobody' }))).toMatchObject({ rejected: 1 });
    expect(await post({ ...callEvent('single-2'), event_type: 'download' })).toMatchObject({
      rejected: 1,
      results: [{ code: 'VALUE_PROPERTY_MISSING' }],
    });
  });

  test('within one request the lower index wins', async () => {
    const answer = await post([
      callEvent('twice', { metadata: { a: 1 } }),
      callEvent('twice', { metadata: { a: 1.0 } }),
      callEvent('twice', { metadata: { a: 2 } }),
    ]);
    expect(answer).toMatchObject({
      accepted: 1,
      duplicates: 1,
      rejected: 1,
      results: [
        { index: 1, status: 'duplicate' },
        { index: 2, status: 'rejected', code: 'EVENT_ID_REUSED' },
      ],
    });
  });

  test('the same content in another notation is a duplicate; other content is refused and kept', async () => {
    const text = (metadata: string): string =>
      `{"event_id":"same","customer_id":"cust_1","event_type":"t","event_time":"2024-01-15T10:00:00Z","metadata":${metadata}}`;
    expect(await post(text('{"a":100,"b":"1"}'))).toMatchObject({ accepted: 1 });
    expect(await post(text(' {"b":"1", "a":1.00e2}'))).toMatchObject({ duplicates: 1 });
    expect(await post(text('{"a":100,"b":"1"}').replace('10:00:00Z', '11:00:00.0000004+01:00'))).toMatchObject({
      duplicates: 1,
    });
    expect(await post(text('{"a":100,"b":1}'))).toMatchObject({ results: [{ code: 'EVENT_ID_REUSED' }] });
    expect(await api.deadLetters()).toContainEqual(
      expect.objectContaining({
        code: 'EVENT_ID_REUSED',
        event_id: 'same',
        customer_id: 'cust_1',
        payload: expect.stringContaining('"b":1}'),
      }),
    );
  });

  test('the same id from another source is another event', async () => {
    expect(
      await post([callEvent('sourced'), callEvent('sourced', { source: 'a' }), callEvent('sourced', { source: 'b' })]),
    ).toMatchObject({ accepted: 3 });
  });

  test('numbers are stored as they were sent, whatever a float makes of them', async () => {
    const text = JSON.stringify({ ...callEvent('exact'), event_type: 'download', metadata: { bytes: 0, big: 0 } })
      .replace('"bytes":0', '"bytes":9007199254740993.000000000000000001')
      .replace('"big":0', '"big":1e20');
    expect(await post(text)).toMatchObject({ accepted: 1 });
    const found = await api.send('GET', '/events/cust_1/exact');
    expect(found.body).toContain('"bytes":9007199254740993.000000000000000001');
    expect(found.body).toContain('"big":100000000000000000000');
  });

  test('a repeat of a request is all duplicates, at any concurrency', async () => {
    const batches = Array.from({ length: 40 }, (_, batch) =>
      Array.from({ length: 50 }, (_event, index) => callEvent(`race-${(batch * 25 + index) % 500}`)),
    );
    const answers = await Promise.all(batches.map((batch) => post(batch)));
    const sum = (key: string): number => answers.reduce((total, answer) => total + Number(answer[key]), 0);
    expect([sum('accepted'), sum('duplicates'), sum('rejected')]).toEqual([500, 1_500, 0]);
  });

  test('of concurrent requests with other content under the same ids one wins, and every other is told', async () => {
    const variants = Array.from({ length: 12 }, (_, variant) =>
      Array.from({ length: 20 }, (_event, index) => callEvent(`contest-${index}`, { metadata: { variant } })),
    );
    const answers = await Promise.all(variants.map((batch) => post(batch)));
    const sum = (key: string): number => answers.reduce((total, answer) => total + Number(answer[key]), 0);
    expect([sum('accepted'), sum('duplicates'), sum('rejected')]).toEqual([20, 0, 220]);
  });
});

describe('what cannot be read', () => {
  const refused = async (body: unknown, code: string, status: number, headers = {}): Promise<void> => {
    await api.refused(code, status, 'POST', '/events', body, headers);
  };

  test('malformed JSON gets INVALID_JSON and is kept', async () => {
    await refused('{"event_id":"cut off', 'INVALID_JSON', 400);
    expect(await api.deadLetters()).toContainEqual(
      expect.objectContaining({
        code: 'INVALID_JSON',
        event_id: null,
        customer_id: null,
        payload: '{"event_id":"cut off',
      }),
    );
  });

  test('a body that is not UTF-8, or empty, gets INVALID_JSON; one that is nested without end is read, and refused for what it is', async () => {
    const response = await api.app.inject({
      method: 'POST',
      url: '/events',
      headers: { 'content-type': 'application/json' },
      payload: Buffer.from([0x22, 0xff, 0xfe, 0x00, 0x22]),
    });
    expect([response.statusCode, response.json<{ code: string }>().code]).toEqual([400, 'INVALID_JSON']);
    await refused('', 'INVALID_JSON', 400);
    await refused(undefined, 'INVALID_JSON', 400);
    await refused(`{"a":1e5,"b":${'['.repeat(200_000)}${']'.repeat(200_000)}}`, 'UNKNOWN_PROPERTY', 422);
    expect(await post(`[${'['.repeat(200_000)}${']'.repeat(200_000)}]`)).toMatchObject({ rejected: 1 });
  });

  test('a body that is one malformed event gets 422 with every place at fault, and is kept', async () => {
    const body = { ...callEvent('single-bad'), colour: 1, event_type: 5 };
    const problem = await api.refused('VALIDATION_FAILED', 422, 'POST', '/events', body);
    expect(problem['errors']).toEqual([
      { pointer: '/event_type', code: 'VALIDATION_FAILED', detail: expect.any(String) },
      { pointer: '/colour', code: 'UNKNOWN_PROPERTY', detail: expect.any(String) },
    ]);
    expect(await api.deadLetters()).toContainEqual(
      expect.objectContaining({ event_id: 'single-bad', payload: expect.stringContaining('"colour":1') }),
    );
  });

  test('a scalar, or an envelope with something beside the events, gets 422', async () => {
    await refused('"text"', 'VALIDATION_FAILED', 422);
    await refused('5', 'VALIDATION_FAILED', 422);
    await refused({ events: [callEvent('envelope')], colour: 1 }, 'UNKNOWN_PROPERTY', 422);
    await refused({ events: {} }, 'VALIDATION_FAILED', 422);
    await api.refused('EVENT_NOT_FOUND', 404, 'GET', '/events/cust_1/envelope');
  });

  test('any other media type gets UNSUPPORTED_MEDIA_TYPE', async () => {
    for (const type of ['text/plain', 'application/cloudevents+xml', 'application/x-www-form-urlencoded', 'json']) {
      await refused(JSON.stringify(callEvent('media')), 'UNSUPPORTED_MEDIA_TYPE', 415, { 'content-type': type });
    }
    expect(
      await api.expect(202, 'POST', '/events', [], { 'content-type': 'application/json; charset=utf-8' }),
    ).toMatchObject({ accepted: 0 });
  });

  test('too many events get BATCH_TOO_LARGE, too many bytes BODY_TOO_LARGE; nothing of them is taken', async () => {
    await refused(
      Array.from({ length: 10_001 }, (_, index) => ({ i: index })),
      'BATCH_TOO_LARGE',
      413,
    );
    await refused([callEvent('large', { metadata: { a: 'x'.repeat(5 * 1024 * 1024) } })], 'BODY_TOO_LARGE', 413);
    await api.refused('EVENT_NOT_FOUND', 404, 'GET', '/events/cust_1/large');
  });

  test('texts that Postgres cannot store are refused, not a defect', async () => {
    await refused(
      '{"event_id":"nul\\u0000","customer_id":"cust_1","event_type":"t","event_time":"2024-01-15T10:00:00Z"}',
      'VALIDATION_FAILED',
      422,
    );
    expect(await post('[{"event_id":"half\\ud800","metadata":{"a\\u0000":"\\ud800"}}, "\\u0000"]')).toMatchObject({
      rejected: 2,
    });
  });
});

test('a NUL that a refusal would quote is kept, visibly, and does not take good events with it', async () => {
  const answer = await post([
    callEvent('nul-good'),
    { ...callEvent('nul-name'), 'x\u0000y': 1 },
    callEvent('nul-time', { event_time: '2024-01-15T10:00:00Z\u0000' }),
  ]);
  expect(answer).toMatchObject({
    accepted: 1,
    rejected: 2,
    results: [{ code: 'UNKNOWN_PROPERTY' }, { code: 'INVALID_INSTANT' }],
  });
  const kept = await api.all('/dead-letters');
  expect(kept.filter(({ event_id: id }) => id === 'nul-name' || id === 'nul-time')).toHaveLength(2);
});

test('every rejected event is a dead letter with its code, and its text as it came', async () => {
  const before = (await api.deadLetters()).length;
  const rejected = [
    { ...callEvent('dead-1'), event_time: 'yesterday' },
    { ...callEvent('dead-2'), event_time: '2024-01-15T10:00:00' },
    { ...callEvent('dead-3'), event_type: 'download', metadata: { bytes: 'many' } },
    { ...callEvent('dead-4'), event_type: 'download', metadata: { bytes: '9'.repeat(39) } },
    'no event at all',
  ];
  await post([callEvent('alive'), ...rejected]);
  const letters = (await api.deadLetters()).filter(({ event_id: id }) => String(id).startsWith('dead-'));
  expect(Object.fromEntries(letters.map((letter) => [letter['event_id'], letter['code']]))).toEqual({
    'dead-1': 'INVALID_INSTANT',
    'dead-2': 'INSTANT_WITHOUT_OFFSET',
    'dead-3': 'VALUE_PROPERTY_NOT_DECIMAL',
    'dead-4': 'NUMBER_TOO_LONG',
  });
  expect(await api.deadLetters()).toHaveLength(before + rejected.length);
  for (const letter of letters) {
    const sent = rejected.find(
      (event) => typeof event === 'object' && 'event_id' in event && event['event_id'] === letter['event_id'],
    );
    expect(JSON.parse(String(letter['payload']))).toEqual(sent);
  }
});

describe('reading events back', () => {
  test('GET /events pages through the events of a customer in order of event time', async () => {
    await api.expect(201, 'PUT', '/customers/reader', { name: 'R', currency: 'USD', price_book: 'standard' });
    const times = ['2024-01-03', '2024-01-01', '2024-01-02'].map((day) => `${day}T00:00:00Z`);
    await post(times.map((event_time, index) => callEvent(`read-${index}`, { customer_id: 'reader', event_time })));
    const page = await api.all('/events?customer_id=reader&limit=2');
    expect(page.map(({ event_id: id }) => id)).toEqual(['read-1', 'read-2', 'read-0']);
    const some = await api.expect(
      200,
      'GET',
      '/events?customer_id=reader&from=2024-01-02T00:00:00Z&to=2024-01-03T00:00:00Z&event_type=api_call',
    );
    expect(some).toMatchObject({
      data: [{ event_id: 'read-2', customer_id: 'reader', source: '', metadata: {} }],
      next_cursor: null,
    });
  });

  test('an event tells its window before it is billed', async () => {
    await post(
      callEvent('traced', { event_time: '2024-01-16T10:30:00Z', source: 'proxy/1', metadata: { region: 'eu' } }),
    );
    const url = `/events/cust_1/traced?source=${encodeURIComponent('proxy/1')}`;
    expect(await api.expect(200, 'GET', url)).toMatchObject({
      event_id: 'traced',
      source: 'proxy/1',
      event_time: '2024-01-16T10:30:00.000000Z',
      metadata: { region: 'eu' },
      period: { period: '2024-01-01', from: '2024-01-01T00:00:00.000000Z', stage: expect.any(String) },
      metering: [
        {
          meter: 'api_calls',
          group: {},
          window: { from: '2024-01-16T10:00:00.000000Z', to: '2024-01-16T11:00:00.000000Z' },
          quantity: '1',
          charge_id: null,
          invoice: null,
        },
      ],
    });
    await api.refused('EVENT_NOT_FOUND', 404, 'GET', '/events/cust_1/traced');
  });

  test('an event that no meter takes is kept and says so', async () => {
    await post(callEvent('unmetered', { event_type: 'nothing_counts_this' }));
    expect(await api.expect(200, 'GET', '/events/cust_1/unmetered')).toMatchObject({ metering: [] });
  });
});
