/** POST /event-adjustments, and what an adjusted event shows. */
import { forgetKeys } from './support/forget-keys.js';
import { callEvent, exampleCustomer, TestApi } from './support/test-api.js';

type Json = Readonly<Record<string, unknown>>;

let api: TestApi;
let databaseUrl: string;

const bytesMeter = {
  code: 'bytes',
  event_type: 'download',
  aggregation: 'sum',
  value_property: 'bytes',
  group_by: ['region'],
};
const download = (id: string, bytes: unknown, more: Json = {}): Json =>
  callEvent(id, { event_type: 'download', metadata: { bytes, region: 'eu' }, ...more });

beforeAll(async () => {
  api = await TestApi.start({}, (url) => {
    databaseUrl = url;
    return Promise.resolve(url);
  });
  await api.setUpExample();
  await api.expect(201, 'POST', '/meters', bytesMeter);
  await api.expect(201, 'PUT', '/customers/other', exampleCustomer);
});
afterAll(async () => {
  await api.close();
});

const adjust = (event: string, more: Json): Json => ({ customer_id: 'cust_1', event_id: event, ...more });
const replacement = {
  event_type: 'download',
  event_time: '2024-01-20T10:00:00Z',
  metadata: { bytes: '7', region: 'us' },
};
const amend = (event: string, more: Json = {}): Json =>
  adjust(event, { type: 'amend', replacement: { ...replacement, ...more } });

describe('adjusting', () => {
  test('a void takes the event out; saying it again is a duplicate, whatever the reason', async () => {
    await api.expect(202, 'POST', '/events', callEvent('voided'));
    const first = await api.expect(
      202,
      'POST',
      '/event-adjustments',
      adjust('voided', { type: 'void', reason: 'test call' }),
    );
    expect(first).toEqual({
      adjustment_id: expect.any(String),
      status: 'accepted',
      customer_id: 'cust_1',
      source: '',
      event_id: 'voided',
      type: 'void',
      replacement: null,
      reason: 'test call',
      created_at: expect.stringMatching(/Z$/),
      position: expect.stringMatching(/^\d+$/),
    });
    const again = await api.expect(202, 'POST', '/event-adjustments', adjust('voided', { type: 'void' }));
    expect(again).toEqual({ ...first, status: 'duplicate' });
    expect(await api.expect(200, 'GET', '/events/cust_1/voided')).toMatchObject({
      event_type: 'api_call',
      adjustments: [{ type: 'void' }],
      effective: null,
      period: { period: '2024-01-01' },
      metering: [],
    });
  });

  test('an amendment says what the event counts as from now on; the original stays readable', async () => {
    await api.expect(202, 'POST', '/events', download('amended', '5'));
    const moved = amend('amended', { event_time: '2024-02-03T10:00:00.1234567Z' });
    expect(await api.expect(202, 'POST', '/event-adjustments', moved)).toMatchObject({
      status: 'accepted',
      type: 'amend',
      replacement: { ...replacement, event_time: '2024-02-03T10:00:00.123456Z' },
    });
    expect(await api.expect(200, 'GET', '/events/cust_1/amended')).toMatchObject({
      event_time: '2024-01-15T10:00:00.000000Z',
      metadata: { bytes: '5', region: 'eu' },
      effective: { event_time: '2024-02-03T10:00:00.123456Z', metadata: { bytes: '7', region: 'us' } },
      period: { period: '2024-02-01' },
      metering: [{ meter: 'bytes', group: { region: 'us' }, quantity: '7', charge_id: null, invoice: null }],
    });
    const usage = await api.expect(200, 'GET', '/customers/cust_1/usage?period=2024-02');
    expect(usage['meters']).toMatchObject([{ meter: 'bytes', group: { region: 'us' }, quantity: '7' }]);
  });

  test('numbers of a replacement are exact', async () => {
    await api.expect(202, 'POST', '/events', download('exact', '5'));
    const body = (digits: string): string =>
      `{"customer_id":"cust_1","event_id":"exact","type":"amend","replacement":{"event_type":"download","event_time":"2024-01-20T10:00:00Z","metadata":{"bytes":${digits}}}}`;
    const answer = await api.send('POST', '/event-adjustments', body('12345678901234567890.000000000000000001'));
    expect([answer.statusCode, answer.body]).toEqual([
      202,
      expect.stringContaining('"bytes":12345678901234567890.000000000000000001'),
    ]);
    expect((await api.send('GET', '/events/cust_1/exact')).body).toContain(
      '"quantity":"12345678901234567890.000000000000000001"',
    );
    await api.refused('NUMBER_TOO_LONG', 422, 'POST', '/event-adjustments', body('1'.repeat(39)));
  });

  test('the last adjustment counts, and all of them are listed', async () => {
    await api.expect(202, 'POST', '/events', download('often', '1', { source: 'meter-7' }));
    const source = { source: 'meter-7' };
    await api.expect(202, 'POST', '/event-adjustments', { ...amend('often'), ...source });
    await api.expect(202, 'POST', '/event-adjustments', { ...adjust('often', { type: 'void' }), ...source });
    await api.expect(202, 'POST', '/event-adjustments', { ...amend('often', { metadata: { bytes: 9 } }), ...source });
    const list = await api.all('/event-adjustments?customer_id=cust_1&event_id=often&source=meter-7');
    expect(list.map(({ type }) => type)).toEqual(['amend', 'void', 'amend']);
    expect(await api.expect(200, 'GET', '/events/cust_1/often?source=meter-7')).toMatchObject({
      metering: [{ quantity: '9', group: { region: null } }],
    });
    await api.refused('EVENT_NOT_FOUND', 404, 'GET', '/event-adjustments?customer_id=cust_1&event_id=often');
    await api.refused('VALIDATION_FAILED', 422, 'GET', '/event-adjustments?customer_id=cust_1');
  });

  test('the same Idempotency-Key answers the same', async () => {
    await api.expect(202, 'POST', '/events', callEvent('keyed'));
    const send = () =>
      api.send('POST', '/event-adjustments', adjust('keyed', { type: 'void' }), { 'idempotency-key': 'adjust-1' });
    const [first, again] = [await send(), await send()];
    expect([again.statusCode, again.body, again.headers['idempotency-replayed']]).toEqual([202, first.body, 'true']);
  });
});

test('under a key whose answer was forgotten: repeated it is a duplicate of itself, though the event was amended and its type has a schema since', async () => {
  await api.expect(202, 'POST', '/events', callEvent('outbox', { event_type: 'outboxed', metadata: { a: 1 } }));
  const facts = { event_type: 'outboxed', event_time: '2024-01-20T10:00:00Z' };
  const requests: Readonly<Record<string, Json>> = {
    'adjust-k': adjust('outbox', { type: 'amend', replacement: { ...facts, metadata: { a: 2 } } }),
    'adjust-l': adjust('outbox', { type: 'void' }),
  };
  const send = async (key: string): Promise<Json> => {
    await forgetKeys(databaseUrl);
    return api.expect(202, 'POST', '/event-adjustments', requests[key], { 'idempotency-key': key });
  };
  const first = await send('adjust-k');
  expect(first['status']).toBe('accepted');
  expect((await send('adjust-l'))['status']).toBe('accepted');
  const schema = { type: 'object', properties: { a: { type: 'string' } } };
  await api.expect(201, 'POST', '/event-schemas', { event_type: 'outboxed', schema });
  expect(await send('adjust-k')).toEqual({ ...first, status: 'duplicate' });
  expect(await api.all('/event-adjustments?customer_id=cust_1&event_id=outbox')).toHaveLength(2);
  // Another person under the same key, and the same one for something else, are others.
  const headers = { 'idempotency-key': 'adjust-l', 'x-reckoner-actor': 'bob' };
  expect(await api.expect(202, 'POST', '/event-adjustments', requests['adjust-l'], headers)).toMatchObject({
    status: 'duplicate',
  });
  await forgetKeys(databaseUrl);
  const other = { ...requests['adjust-k'], replacement: { ...facts, metadata: { a: 'b' } } };
  const otherwise = await api.expect(202, 'POST', '/event-adjustments', other, { 'idempotency-key': 'adjust-k' });
  expect(otherwise['status']).toBe('accepted');
});

describe('what is refused', () => {
  beforeAll(async () => {
    await api.expect(202, 'POST', '/events', download('refused', '5'));
  });

  test.each<[string, Json, string, number, string]>([
    ['an unknown event', adjust('nothing', { type: 'void' }), 'EVENT_NOT_FOUND', 422, '/event_id'],
    [
      'an event of another source',
      { ...adjust('refused', { type: 'void' }), source: 'x' },
      'EVENT_NOT_FOUND',
      422,
      '/event_id',
    ],
    [
      'an unknown customer',
      { ...adjust('refused', { type: 'void' }), customer_id: 'nobody' },
      'UNKNOWN_CUSTOMER',
      422,
      '/customer_id',
    ],
    [
      'an unknown customer, amending',
      { ...amend('refused'), customer_id: 'nobody' },
      'UNKNOWN_CUSTOMER',
      422,
      '/customer_id',
    ],
    ['an unknown type', adjust('refused', { type: 'delete' }), 'VALIDATION_FAILED', 422, '/type'],
    ['no type', adjust('refused', {}), 'VALIDATION_FAILED', 422, '/type'],
    [
      'a void with a replacement',
      adjust('refused', { type: 'void', replacement }),
      'VALIDATION_FAILED',
      422,
      '/replacement',
    ],
    ['an amendment without one', adjust('refused', { type: 'amend' }), 'VALIDATION_FAILED', 422, '/replacement'],
    ['an unknown property', adjust('refused', { type: 'void', why: 'x' }), 'UNKNOWN_PROPERTY', 422, '/why'],
    [
      'an identity in the replacement',
      amend('refused', { event_id: 'x' }),
      'UNKNOWN_PROPERTY',
      422,
      '/replacement/event_id',
    ],
    ['no event time', amend('refused', { event_time: undefined }), 'VALIDATION_FAILED', 422, '/replacement/event_time'],
    [
      'an event time that is a number',
      amend('refused', { event_time: 5 }),
      'INVALID_INSTANT',
      422,
      '/replacement/event_time',
    ],
    [
      'one without offset',
      amend('refused', { event_time: '2024-01-20T10:00:00' }),
      'INSTANT_WITHOUT_OFFSET',
      422,
      '/replacement/event_time',
    ],
    [
      'one in the future',
      amend('refused', { event_time: '2024-03-10T12:05:01Z' }),
      'EVENT_TIME_IN_FUTURE',
      422,
      '/replacement/event_time',
    ],
    [
      'no value for the meter',
      amend('refused', { metadata: {} }),
      'VALUE_PROPERTY_MISSING',
      422,
      '/replacement/metadata/bytes',
    ],
    [
      'no decimal for the meter',
      amend('refused', { metadata: { bytes: 'many' } }),
      'VALUE_PROPERTY_NOT_DECIMAL',
      422,
      '/replacement/metadata/bytes',
    ],
    ['an empty event type', amend('refused', { event_type: '' }), 'VALIDATION_FAILED', 422, '/replacement/event_type'],
    [
      'NUL in metadata',
      amend('refused', { metadata: { bytes: 1, x: 'a\u0000' } }),
      'VALIDATION_FAILED',
      422,
      '/replacement/metadata/x',
    ],
    ['NUL in the reason', adjust('refused', { type: 'void', reason: 'a\u0000' }), 'VALIDATION_FAILED', 422, '/reason'],
    [
      '65 properties',
      amend('refused', { metadata: Object.fromEntries(Array.from({ length: 65 }, (_, i) => [`p${i}`, i])) }),
      'VALIDATION_FAILED',
      422,
      '/replacement/metadata',
    ],
  ])('%s', async (_name, body, code, status, pointer) => {
    const problem = await api.refused(code, status, 'POST', '/event-adjustments', body);
    expect(problem['errors']).toMatchObject([{ pointer, code }]);
    expect(await api.storage.adjustments.ofEvent('cust_1', '', 'refused')).toEqual([]);
  });

  test.each([
    ['not JSON', '{', 'INVALID_JSON', 400],
    ['empty', '', 'INVALID_JSON', 400],
    ['a list', '[]', 'VALIDATION_FAILED', 422],
    ['a number', '12345678901234567890', 'VALIDATION_FAILED', 422],
    [
      'with __proto__',
      '{"customer_id":"cust_1","event_id":"refused","type":"void","__proto__":{}}',
      'UNKNOWN_PROPERTY',
      422,
    ],
    [
      'with __proto__ in the replacement',
      '{"customer_id":"cust_1","event_id":"refused","type":"amend","replacement":{"event_type":"t","event_time":"2024-01-20T10:00:00Z","__proto__":{}}}',
      'UNKNOWN_PROPERTY',
      422,
    ],
    [
      'with a text for a replacement',
      '{"customer_id":"cust_1","event_id":"refused","type":"amend","replacement":"x"}',
      'VALIDATION_FAILED',
      422,
    ],
    ['of more than 64 KiB', `{"reason":"${'x'.repeat(65_536)}"}`, 'BODY_TOO_LARGE', 413],
  ])('a body %s', async (_name, body, code, status) => {
    await api.refused(code, status, 'POST', '/event-adjustments', body);
  });
});
