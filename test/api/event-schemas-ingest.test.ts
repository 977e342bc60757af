/** Events that are held against the schemas of their types, on every way in. */
import { callEvent, exampleOfAllTests } from './support/test-api.js';

type Json = Readonly<Record<string, unknown>>;

const api = exampleOfAllTests();

const bytes = (type: unknown, more: Json = {}): Json => ({ type: 'object', properties: { bytes: { type, ...more } } });
const add = (status: number, eventType: string, schema: unknown, more: Json = {}): Promise<Json> =>
  api.expect(status, 'POST', '/event-schemas', { event_type: eventType, schema, ...more });
const event = (id: string, eventType: string, metadata: Json, more: Json = {}): Json =>
  callEvent(id, { event_type: eventType, metadata, ...more });
const send = (events: readonly Json[]): Promise<Json> => api.expect(202, 'POST', '/events', events);
const storedVersion = async (id: string): Promise<unknown> =>
  (await api.expect(200, 'GET', `/events/cust_1/${id}`))['schema_version'];

describe('events', () => {
  beforeAll(async () => {
    await add(201, 'typed', { ...bytes('integer', { maximum: 10 }), required: ['bytes'] });
    await add(201, 'typed', bytes(['integer', 'string'], { maximum: 10 }));
  });

  test('that were taken before a schema stay duplicates after it, with the same content only', async () => {
    const [early, number] = [
      event('early', 'late_schema', { bytes: 'x' }),
      event('number', 'late_schema', { bytes: 1 }),
    ];
    await send([early, number]);
    await add(201, 'late_schema', bytes('integer'));
    const other = event('early', 'late_schema', { bytes: 'y' });
    const answer = await send([early, other, number, event('new', 'late_schema', { bytes: 'x' }), early]);
    expect(answer).toMatchObject({ accepted: 0, duplicates: 3, rejected: 2 });
    expect((answer['results'] as readonly Json[]).map(({ index, status, code }) => [index, status, code])).toEqual([
      [0, 'duplicate', undefined],
      [1, 'rejected', 'EVENT_SCHEMA_MISMATCH'],
      [2, 'duplicate', undefined],
      [3, 'rejected', 'EVENT_SCHEMA_MISMATCH'],
      [4, 'duplicate', undefined],
    ]);
    const letters = await api.all('/dead-letters?customer_id=cust_1&code=EVENT_SCHEMA_MISMATCH&limit=100');
    const kept = letters.map(({ event_id: id }) => id).filter((id) => id === 'early' || id === 'new');
    expect(kept.sort()).toEqual(['early', 'new']);
  });

  test('are held against the version they name, else the latest; it is stored with them', async () => {
    const answer = await send([
      event('t1', 'typed', { bytes: 5 }, { schema_version: 1 }),
      event('t2', 'typed', { bytes: 'x' }),
      event('t3', 'typed', { bytes: 'x' }, { schema_version: 1 }),
      event('t4', 'typed', {}, { schema_version: 1 }),
      event('t5', 'typed', { bytes: 11 }),
      event('t6', 'typed', { bytes: 5 }, { schema_version: 3 }),
      event('t7', 'untyped', { bytes: false }),
      event('t8', 'untyped', {}, { schema_version: 1 }),
    ]);
    const results = answer['results'] as readonly Json[];
    expect(answer).toMatchObject({ accepted: 3, rejected: 5 });
    expect(results.map(({ event_id: id, code, detail }) => [id, code, detail])).toEqual([
      [
        't3',
        'EVENT_SCHEMA_MISMATCH',
        expect.stringMatching(
          /version 1 .*"typed", \/metadata\/bytes must be integer \(rule #\/properties\/bytes\/type\)/,
        ),
      ],
      ['t4', 'EVENT_SCHEMA_MISMATCH', expect.stringMatching(/\/metadata\/bytes is required/)],
      ['t5', 'EVENT_SCHEMA_MISMATCH', expect.stringMatching(/version 2 .*must be <= 10/)],
      ['t6', 'UNKNOWN_SCHEMA_VERSION', expect.stringMatching(/no version 3 .*it has versions 1 to 2\. POST/)],
      ['t8', 'UNKNOWN_SCHEMA_VERSION', expect.stringMatching(/no version 1 .*it has none\./)],
    ]);
    expect(await Promise.all(['t1', 't2', 't7'].map(storedVersion))).toEqual([1, 2, null]);
    const listed = await api.all('/events?customer_id=cust_1&event_type=typed');
    expect(listed.map(({ event_id: id, schema_version: version }) => [id, version])).toEqual([
      ['t1', 1],
      ['t2', 2],
    ]);
  });

  test('the same event with another version is a duplicate; the first version stays', async () => {
    expect(await send([event('t1', 'typed', { bytes: 5 }, { schema_version: 2 })])).toMatchObject({ duplicates: 1 });
    const pair = [event('t10', 'typed', { bytes: 5 }, { schema_version: 1 }), event('t10', 'typed', { bytes: 5 })];
    expect(await send(pair)).toMatchObject({ accepted: 1, duplicates: 1 });
    expect(await Promise.all(['t1', 't10'].map(storedVersion))).toEqual([1, 1]);
  });

  test('a schema_version that is none is malformed', async () => {
    for (const version of [0, -1, 1.5, '1', null, true, 2_147_483_648, 1e300]) {
      const sent = event('m1', 'typed', { bytes: 5 }, { schema_version: version });
      const problem = await api.refused('VALIDATION_FAILED', 422, 'POST', '/events', sent);
      expect(problem['errors']).toMatchObject([{ pointer: '/schema_version' }]);
    }
    const long = JSON.stringify(event('m1', 'typed', { bytes: 5 })).replace(/}$/, ',"schema_version":1e0}');
    await api.refused('VALIDATION_FAILED', 422, 'POST', '/events', long);
  });

  test('lines and CloudEvents name versions too', async () => {
    const lines = [
      event('l1', 'typed', { bytes: 5 }, { schema_version: 1 }),
      event('l2', 'typed', { bytes: 'x' }, { schema_version: 1 }),
    ].map((each) => JSON.stringify(each));
    const answer = await api.expect(202, 'POST', '/events', lines.join('\n'), {
      'content-type': 'application/x-ndjson',
    });
    expect(answer).toMatchObject({ accepted: 1, rejected: 1, results: [{ index: 1, code: 'EVENT_SCHEMA_MISMATCH' }] });
    await add(201, 'a/b ü', bytes('integer'));
    const cloud = (id: string, dataschema: string, data: Json, type = 'a/b ü'): Json => ({
      ...{ specversion: '1.0', id, source: 's', subject: 'cust_1', type, time: '2024-01-15T10:00:00Z' },
      ...{ dataschema, data },
    });
    const own = `https://reckoner.example/event-schemas/${encodeURIComponent('a/b ü')}/1`;
    const batch = [
      cloud('c1', own, { bytes: 5 }),
      cloud('c2', own, { bytes: 'x' }),
      cloud('c3', own.replace(/1$/, '2'), { bytes: 5 }),
      // Not ours: taken, not kept; the latest version holds.
      cloud('c4', 'https://example.com/schemas/9', { bytes: 5 }),
      cloud('c5', 'https://reckoner.example/event-schemas/typed/9', { bytes: 5 }),
      cloud('c6', 'https://reckoner.example/event-schemas/%E0/9', { bytes: 5 }),
    ];
    const headers = { 'content-type': 'application/cloudevents-batch+json' };
    const cloudAnswer = await api.expect(202, 'POST', '/events', batch, headers);
    expect((cloudAnswer['results'] as readonly Json[]).map(({ event_id: id, code }) => [id, code])).toEqual([
      ['c2', 'EVENT_SCHEMA_MISMATCH'],
      ['c3', 'UNKNOWN_SCHEMA_VERSION'],
    ]);
    const stored = await api.all(`/events?customer_id=cust_1&event_type=${encodeURIComponent('a/b ü')}`);
    expect(stored.map(({ schema_version: version }) => version)).toEqual([1, 1, 1, 1]);
  });

  test('numbers are exact, beyond what a float holds', async () => {
    const limits = { minimum: 0, maximum: 1, exclusiveMaximum: 9_007_199_254_740 };
    await add(201, 'exact', {
      properties: {
        a: { type: 'integer' },
        b: limits,
        c: { multipleOf: 0.01 },
        d: { enum: [1] },
        e: { uniqueItems: true },
      },
    });
    const sent = (id: string, metadata: string): string =>
      `{"event_id":"${id}","event_time":"2024-01-15T10:00:00Z","customer_id":"cust_1","event_type":"exact","metadata":${metadata}}`;
    const right = [
      '{"a":123456789012345678901234567890}',
      '{"a":1.000000000000000000,"b":0.999999999999999999}',
      '{"c":19.99}',
      '{"c":1234567890123456789.99}',
      '{"d":1.000000000000000000}',
      '{"e":[12345678901234567890,12345678901234567891,1]}',
    ];
    const wrong = [
      '{"a":123456789012345678.5}',
      '{"a":1.000000000000000001}',
      '{"b":1.000000000000000001}',
      '{"b":-0.000000000000000001}',
      '{"c":19.995}',
      '{"c":1234567890123456789.995}',
      '{"d":1.000000000000000001}',
      '{"d":0.999999999999999999}',
      '{"e":[12345678901234567890,12345678901234567890.0]}',
    ];
    const all = [...right, ...wrong].map((metadata, index) => sent(`x${index}`, metadata));
    const answer = await api.expect(202, 'POST', '/events', `[${all.join(',')}]`);
    expect((answer['results'] as readonly Json[]).map(({ index }) => index)).toEqual(
      wrong.map((_, index) => right.length + index),
    );
  });

  test('what is inherited is no property, and long texts match no pattern', async () => {
    const pattern = { properties: { a: { pattern: '^x*$' } } };
    await add(201, 'inherited', { ...pattern, required: ['constructor'] });
    const answer = await send([
      event('i1', 'inherited', {}),
      event('i2', 'inherited', { constructor: 1, a: 'x'.repeat(512) }),
      event('i3', 'inherited', { constructor: 1, a: 'x'.repeat(513) }),
    ]);
    expect((answer['results'] as readonly Json[]).map(({ event_id: id }) => id)).toEqual(['i1', 'i3']);
  });
});

test('a dead letter is replayed once a version takes it', async () => {
  await add(201, 'replayed', bytes('integer'));
  expect(
    await send([event('r1', 'replayed', { bytes: 'x' }), event('r2', 'replayed', { bytes: 1 }, { schema_version: 2 })]),
  ).toMatchObject({ rejected: 2 });
  await add(201, 'replayed', bytes(['integer', 'string']));
  for (const code of ['EVENT_SCHEMA_MISMATCH', 'UNKNOWN_SCHEMA_VERSION']) {
    const letters = (await api.deadLetters()).filter(
      (each) => each['code'] === code && /^r[12]$/.test(String(each['event_id'])),
    );
    expect(letters).toHaveLength(1);
    const replayed = await api.expect(200, 'POST', `/dead-letters/${String(letters[0]?.['dead_letter_id'])}/replay`, {
      reason: 'v2',
    });
    expect(replayed).toMatchObject({ outcome: 'accepted' });
  }
  expect(await Promise.all(['r1', 'r2'].map(storedVersion))).toEqual([2, 2]);
});

test('a backfill is held against schemas, and keeps the version', async () => {
  await add(201, 'filled', bytes('integer'));
  const range = { from: '2024-01-01T00:00:00Z', to: '2024-02-01T00:00:00Z', mode: 'add' };
  const { backfill_id: id } = await api.expect(201, 'POST', '/backfills', { customer_ids: ['cust_1'], ...range });
  const events = [event('b1', 'filled', { bytes: 1 }), event('b2', 'filled', { bytes: 'x' }), event('b3', 'other', {})];
  const answer = await api.expect(202, 'POST', `/events?backfill_id=${String(id)}`, events);
  expect(answer).toMatchObject({ accepted: 2, rejected: 1 });
  // Again, now by the statement that passes over what is there.
  const more = [...events, event('b4', 'filled', { bytes: 2 })];
  expect(await api.expect(202, 'POST', `/events?backfill_id=${String(id)}`, more)).toMatchObject({
    accepted: 1,
    duplicates: 2,
  });
  expect(await Promise.all(['b1', 'b3', 'b4'].map(storedVersion))).toEqual([1, null, 1]);
});

test('an amendment is held against the version of the event it amends', async () => {
  expect(await send([event('a0', 'amended', { bytes: true })])).toMatchObject({ accepted: 1 });
  await add(201, 'amended', bytes('integer'));
  expect(await send([event('a1', 'amended', { bytes: 1 })])).toMatchObject({ accepted: 1 });
  await add(201, 'amended', bytes('string'), { compatibility: 'none' });
  const amend = (eventId: string, metadata: Json, eventType = 'amended'): readonly ['POST', string, Json] => [
    'POST',
    '/event-adjustments',
    {
      customer_id: 'cust_1',
      event_id: eventId,
      type: 'amend',
      replacement: { event_type: eventType, event_time: '2024-01-15T10:00:00Z', metadata },
    },
  ];
  const problem = await api.refused('EVENT_SCHEMA_MISMATCH', 422, ...amend('a1', { bytes: 'x' }));
  expect(problem['errors']).toMatchObject([{ pointer: '/replacement/metadata/bytes' }]);
  await api.expect(202, ...amend('a1', { bytes: 2 }));
  // Of before the first schema: of none.
  await api.expect(202, ...amend('a0', { bytes: false }));
  // Of another type: as a new event of it.
  await api.expect(202, ...amend('a1', { bytes: 'x' }, 'amended_other'));
  await add(201, 'amended_other', bytes('integer'));
  await api.refused('EVENT_SCHEMA_MISMATCH', 422, ...amend('a1', { bytes: 'y' }, 'amended_other'));
  await api.refused('EVENT_NOT_FOUND', 422, ...amend('unknown', { bytes: 'y' }));
  expect(await storedVersion('a1')).toBe(1);
});

test('no text holds up the API by a pattern', async () => {
  const schema = { properties: { host: { pattern: '^(prod|dev)-([a-z0-9]+-?)+$' } } };
  await add(201, 'hosted', schema);
  const answer = await send([
    event('h1', 'hosted', { host: `prod-${'a'.repeat(40)}_` }),
    event('h2', 'hosted', { host: 'prod-eu-1' }),
  ]);
  expect(answer).toMatchObject({
    accepted: 1,
    rejected: 1,
    results: [{ event_id: 'h1', code: 'EVENT_SCHEMA_MISMATCH' }],
  });
});

test('a version from before whose pattern cannot be evaluated refuses its own events, until the next one', async () => {
  const schema = { properties: { a: { pattern: '^(?!test)' } }, patternProperties: { '(b)\\1': { type: 'number' } } };
  const old = { eventType: 'looking', version: 1, schema, compatibility: 'backward', createdBy: 'ada' } as const;
  await api.storage.eventSchemas.append(old);
  const first = await send([event('k1', 'looking', { a: 'x' }, { schema_version: 1 }), event('k2', 'untyped', {})]);
  expect(first).toMatchObject({ accepted: 1, rejected: 1 });
  expect(first['results']).toMatchObject([
    { event_id: 'k1', code: 'EVENT_SCHEMA_UNSUPPORTED', detail: expect.stringMatching(/Version 1.*lookahead.*replay/) },
  ]);
  await api.expect(201, 'POST', '/meters', {
    code: 'looking',
    event_type: 'looking',
    aggregation: 'sum',
    value_property: 'bb',
  });
  const next = { properties: { a: { not: { pattern: '^test' } }, bb: { type: 'number' } } };
  await api.refused('INCOMPATIBLE_SCHEMA', 409, 'POST', '/event-schemas', { event_type: 'looking', schema: next });
  await add(201, 'looking', next, { compatibility: 'none' });
  expect(await send([event('k3', 'looking', { a: 'x', bb: 1 })])).toMatchObject({ accepted: 1 });
});
