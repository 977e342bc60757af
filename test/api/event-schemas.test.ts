/** The schema registry: which versions it takes. */
import { exampleOfAllTests } from './support/test-api.js';

type Json = Readonly<Record<string, unknown>>;

const api = exampleOfAllTests();

const bytes = (type: unknown, more: Json = {}): Json => ({ type: 'object', properties: { bytes: { type, ...more } } });
const add = (status: number, eventType: string, schema: unknown, more: Json = {}): Promise<Json> =>
  api.expect(status, 'POST', '/event-schemas', { event_type: eventType, schema, ...more });
const refuse = (code: string, status: number, body: unknown): Promise<Json> =>
  api.refused(code, status, 'POST', '/event-schemas', body);
describe('adding versions', () => {
  test('numbers them; the latest content again is that version; a dry run stores nothing', async () => {
    const first = await api.expect(
      201,
      'POST',
      '/event-schemas',
      { event_type: 'versions', schema: bytes('integer') },
      { 'x-reckoner-actor': 'ada' },
    );
    expect(first).toEqual({
      event_type: 'versions',
      version: 1,
      schema: bytes('integer'),
      compatibility: 'backward',
      created_by: 'ada',
      created_at: expect.stringMatching(/Z$/),
    });
    const draft = await add(200, 'versions', bytes('number'), { dry_run: true, compatibility: 'full' }).catch(
      () => null,
    );
    expect(draft).toBeNull();
    expect(await add(200, 'versions', bytes('number'), { dry_run: true })).toMatchObject({
      version: 2,
      created_at: null,
    });
    expect(await add(201, 'versions', bytes('number'), { compatibility: 'none' })).toMatchObject({ version: 2 });
    const again = { properties: { bytes: { type: 'number' } }, type: 'object' };
    expect(await add(200, 'versions', again)).toMatchObject({ version: 2, compatibility: 'none' });
    // Without a mode the next one keeps that of the latest.
    expect(await add(201, 'versions', bytes('string'))).toMatchObject({ version: 3, compatibility: 'none' });
    const listed = await api.all('/event-schemas?event_type=versions&limit=2');
    expect(listed.map(({ version, schema }) => [version, schema])).toEqual([
      [1, bytes('integer')],
      [2, bytes('number')],
      [3, bytes('string')],
    ]);
    expect(await api.expect(200, 'GET', '/event-schemas/versions/2')).toMatchObject({ schema: bytes('number') });
    await api.refused('UNKNOWN_SCHEMA_VERSION', 404, 'GET', '/event-schemas/versions/4');
    await api.refused('VALIDATION_FAILED', 422, 'GET', '/event-schemas/versions/01');
  });

  test('the same content with another mode is a new version, and the mode holds from then on', async () => {
    await add(201, 'emergency', bytes('integer'));
    await add(201, 'emergency', bytes('string'), { compatibility: 'none' });
    const back = { compatibility: 'backward' };
    expect(await add(200, 'emergency', bytes('string'), { ...back, dry_run: true })).toMatchObject({
      version: 3,
      ...back,
    });
    expect(await add(201, 'emergency', bytes('string'), back)).toMatchObject({ version: 3, ...back });
    expect(await add(200, 'emergency', bytes('string'), back)).toMatchObject({ version: 3 });
    expect(await add(200, 'emergency', bytes('string'))).toMatchObject({ version: 3, ...back });
    await refuse('INCOMPATIBLE_SCHEMA', 409, { event_type: 'emergency', schema: bytes('boolean') });
    expect(await add(201, 'emergency', bytes('string'), { compatibility: 'none' })).toMatchObject({ version: 4 });
  });

  test('refuses what breaks an earlier version, any of them, and says where and why; a dry run says the same', async () => {
    await add(201, 'narrowing', bytes('number'));
    const narrower = { event_type: 'narrowing', schema: bytes('integer', { minimum: 1 }) };
    const problem = await refuse('INCOMPATIBLE_SCHEMA', 409, narrower);
    expect(problem['errors']).toEqual([
      {
        pointer: '/schema/properties/bytes/type',
        code: 'INCOMPATIBLE_SCHEMA',
        detail: expect.stringMatching(/Backward: "type" the type must be integer, which version 1 did not ask for/),
      },
      {
        pointer: '/schema/properties/bytes/minimum',
        code: 'INCOMPATIBLE_SCHEMA',
        detail: expect.stringMatching(/"minimum" numbers must be at least 1/),
      },
    ]);
    const dry = await refuse('INCOMPATIBLE_SCHEMA', 409, { ...narrower, dry_run: true });
    expect(dry['errors']).toEqual(problem['errors']);
    await add(201, 'narrowing', bytes('string'), { compatibility: 'none' });
    const required = { ...bytes(['string', 'number']), required: ['bytes'] };
    const both = await refuse('INCOMPATIBLE_SCHEMA', 409, {
      event_type: 'narrowing',
      schema: required,
      compatibility: 'backward',
    });
    expect(both['errors']).toEqual([
      expect.objectContaining({ pointer: '/schema/required', detail: expect.stringMatching(/versions 1, 2/) }),
    ]);
    expect(await api.all('/event-schemas?event_type=narrowing')).toHaveLength(2);
  });

  test('forward refuses what earlier readers would not understand, full both', async () => {
    await add(201, 'forward', bytes('number'), { compatibility: 'forward' });
    const wider = { event_type: 'forward', schema: bytes(['number', 'string']) };
    const problem = await refuse('INCOMPATIBLE_SCHEMA', 409, wider);
    expect(problem['errors']).toEqual([
      expect.objectContaining({
        pointer: '/schema/properties/bytes',
        detail: expect.stringMatching(/Forward: by version 1 the type must be number/),
      }),
    ]);
    await add(201, 'forward', bytes('integer'));
    await refuse('INCOMPATIBLE_SCHEMA', 409, { ...wider, schema: bytes('number'), compatibility: 'full' });
    await add(201, 'forward', { ...bytes('integer'), title: 'said otherwise' }, { compatibility: 'forward' });
  });

  test.each<readonly [string, unknown, RegExp]>([
    ['a text', 'x', /JSON object/],
    ['true', true, /JSON object/],
    ['an unknown keyword', { typ: 'object' }, /"typ" is no keyword/],
    ['a keyword that depends on its neighbours', { unevaluatedProperties: false }, /no keyword that is known/],
    [
      'an unknown format',
      { properties: { a: { type: 'string', format: 'email' } } },
      /unknown format "email".*Known formats: date-time/,
    ],
    ['an unknown type', { type: 'decimal' }, /no valid schema/],
    ['a remote reference', { $ref: 'https://example.com/s.json' }, /does not/],
    ['a reference to nothing', { $ref: '#/$defs/a' }, /does not/],
    ['a reference to no schema', { $ref: '#/required', required: ['a'] }, /does not/],
    ['a reference to itself', { properties: { a: { $ref: '#' } } }, /cannot lead back/],
    ['another dialect', { $schema: 'http://json-schema.org/draft-07/schema#' }, /2020-12/],
    ['a pattern that is none', { properties: { a: { pattern: '(' } } }, /Invalid regular expression/],
    ['a pattern that looks ahead', { properties: { a: { pattern: '^(?!x)a' } } }, /lookahead.*"not"/],
    ['a pattern of names that looks back', { patternProperties: { '^(a)\\1$': true } }, /back-reference.*"enum"/],
    ['a large pattern', { properties: { a: { pattern: '(a{100}){11}' } } }, /"maxLength"/],
    ['a long pattern', { properties: { a: { pattern: 'a'.repeat(257) } } }, /256 characters/],
    ['many schemas behind references', doubling(20), /at most 1000 /],
    ['many values', { enum: Array.from({ length: 1_001 }, (_, index) => index) }, /at most 1000 values/],
    ['deep schemas', nested(40), /32 deep/],
    ['very deep values', JSON.parse(`{"default":${'['.repeat(150)}${']'.repeat(150)}}`), /too deeply/],
    ['much text', { description: 'x'.repeat(70_000) }, /65536 bytes/],
    ['if without then', { if: { type: 'object' } }, /"if" without "then"/],
  ])('refuses %s', async (_what, schema, reason) => {
    const { detail, errors } = await refuse('INVALID_SCHEMA', 422, { event_type: 'refused', schema });
    expect(detail).toMatch(reason);
    expect((errors as readonly Json[])[0]?.['pointer']).toMatch(/^\/schema/);
  });

  test('refuses numbers that a float would change, and takes those that are only written long', async () => {
    const body = (number: string): string =>
      `{"event_type":"digits","schema":{"properties":{"a":{"maximum":${number}}}}}`;
    await refuse('INVALID_SCHEMA', 422, body('9007199254740993'));
    await refuse('INVALID_SCHEMA', 422, body('0.1234567890123456'));
    await refuse('INVALID_SCHEMA', 422, body('1e99'));
    const { schema } = await api.expect(201, 'POST', '/event-schemas', body('1000000000000000000'));
    expect(schema).toEqual({ properties: { a: { maximum: 1e18 } } });
  });

  test('refuses bodies of another shape', async () => {
    await refuse('UNKNOWN_PROPERTY', 422, { event_type: 'x', schema: {}, colour: 1 });
    await refuse('VALIDATION_FAILED', 422, { event_type: 'x', schema: {}, compatibility: 'sideways' });
    await refuse('VALIDATION_FAILED', 422, { event_type: 'x' });
    await refuse('VALIDATION_FAILED', 422, { schema: {} });
    await refuse('INVALID_JSON', 400, `{"event_type":"x","schema":{"default":${'['.repeat(30_000)}`);
    await refuse('INVALID_SCHEMA', 422, '{"event_type":"x","schema":{"properties":{"__proto__":{}}}}');
    await refuse('BODY_TOO_LARGE', 413, { event_type: 'x', schema: { description: 'x'.repeat(300_000) } });
  });

  test('an Idempotency-Key gives the first answer again', async () => {
    const headers = { 'idempotency-key': 'schema-1' };
    const body = { event_type: 'keyed', schema: bytes('number') };
    const first = await api.expect(201, 'POST', '/event-schemas', body, headers);
    expect(await api.expect(201, 'POST', '/event-schemas', body, headers)).toEqual(first);
    await api.refused('IDEMPOTENCY_KEY_REUSED', 422, 'POST', '/event-schemas', { ...body, schema: {} }, headers);
  });

  test('many at once: a number each, none lost, each compared with all before it', async () => {
    const schemas = Array.from({ length: 8 }, (_, index) => ({ ...bytes('number'), title: `t${index}` }));
    const answers = await Promise.all(schemas.map((schema) => add(201, 'racing', schema)));
    expect(answers.map(({ version }) => version).sort()).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    const titles = (await api.all('/event-schemas?event_type=racing')).map(({ schema }) => (schema as Json)['title']);
    expect([...titles].sort()).toEqual(schemas.map(({ title }) => title));
    // Whichever comes first, the other one would break it.
    const twoTypes = ['integer', 'string'].map((type) =>
      api.send('POST', '/event-schemas', { event_type: 'racing_types', schema: bytes(type), compatibility: 'full' }),
    );
    expect((await Promise.all(twoTypes)).map(({ statusCode }) => statusCode).sort()).toEqual([201, 409]);
  });
});

describe('meters rely on an event type', () => {
  beforeAll(async () => {
    const meter = { event_type: 'metered', window: 'hour' };
    const meters = [
      {
        ...meter,
        code: 'm_sum',
        aggregation: 'sum',
        value_property: 'bytes',
        group_by: ['region'],
        filters: { tier: ['a'] },
      },
      { ...meter, code: 'm_count', aggregation: 'count', count_property: 'calls', group_by: ['tags.team'] },
      { ...meter, code: 'm_unique', aggregation: 'unique_count', value_property: 'user' },
    ];
    for (const each of meters) await api.expect(201, 'POST', '/meters', each);
  });

  test.each<readonly [string, Json, RegExp]>([
    [
      'a value of another type',
      { properties: { bytes: { type: 'boolean' } } },
      /"m_sum" reads the property "bytes" \(value_property\)/,
    ],
    [
      'values that are no decimals',
      { properties: { bytes: { enum: ['small', 'large'] } } },
      /a number or a decimal text/,
    ],
    ['a count of another type', { properties: { calls: { type: ['object', 'null'] } } }, /"m_count".*count_property/],
    ['a unique value that is a list', { properties: { user: { type: 'array' } } }, /"m_unique"/],
    ['a group that is an object', { properties: { region: { type: 'object' } } }, /"region" \(group_by\)/],
    [
      'a filter that is an object',
      { properties: { tier: { $ref: '#/$defs/t' } }, $defs: { t: { type: 'object' } } },
      /"tier" \(filters\)/,
    ],
    ['a tag that is an object', { properties: { tags: { properties: { team: { type: 'object' } } } } }, /"tags.team"/],
    ['tags forbidden', { properties: { tags: false } }, /"tags.team"/],
    [
      'no further properties',
      { properties: { bytes: true }, additionalProperties: false },
      /"m_sum" reads the property "region"/,
    ],
    [
      'only branches that cannot be read',
      { properties: { bytes: { anyOf: [{ type: 'null' }, { type: 'array' }] } } },
      /"bytes"/,
    ],
  ])('%s is refused', async (_what, schema, reason) => {
    const { errors } = await refuse('INCOMPATIBLE_SCHEMA', 409, { event_type: 'metered', schema });
    expect((errors as readonly Json[]).map(({ detail }) => detail).join('\n')).toMatch(reason);
  });

  test('what was required stays required; what was optional may stay so; mode none asks nobody', async () => {
    const properties = { bytes: { type: ['number', 'string'] }, region: { type: 'string' } };
    await add(201, 'metered', { properties, required: ['bytes', 'other'] });
    const { errors } = await refuse('INCOMPATIBLE_SCHEMA', 409, { event_type: 'metered', schema: { properties } });
    expect(errors).toEqual([
      {
        pointer: '/schema/required',
        code: 'INCOMPATIBLE_SCHEMA',
        detail: expect.stringMatching(/"bytes".*could be missing/),
      },
    ]);
    await add(201, 'metered', { properties, required: ['bytes'] });
    await add(201, 'metered', { properties: { bytes: { type: 'boolean' } } }, { compatibility: 'none' });
  });
});

function doubling(levels: number): Json {
  const definitions = Array.from({ length: levels }, (_, level) => {
    const next = { $ref: `#/$defs/d${level + 1}` };
    return [`d${level}`, { allOf: [next, next] }] as const;
  });
  return { $ref: '#/$defs/d0', $defs: { ...Object.fromEntries(definitions), [`d${levels}`]: true } };
}

function nested(levels: number): Json {
  return levels === 0 ? { type: 'object' } : { not: nested(levels - 1) };
}

describe('a meter of an event type with a schema', () => {
  const meter = (code: string, more: Json): Json => ({ code, event_type: code, aggregation: 'sum', ...more });
  const refuseMeter = (body: Json): Promise<Json> => api.refused('INCOMPATIBLE_METER', 409, 'POST', '/meters', body);

  test('is refused for what no event can have, and events go on', async () => {
    const closed = { type: 'object', properties: { n: { type: 'number' } }, additionalProperties: false };
    await add(201, 'closed', closed);
    const more = { group_by: ['region'], filters: { n: ['1.0', '2'] } };
    const { errors } = await refuseMeter(meter('closed', { value_property: 'bytes', ...more }));
    expect(errors).toMatchObject([
      { pointer: '/value_property', code: 'INCOMPATIBLE_METER', detail: expect.stringContaining('"closed"') },
      { pointer: '/group_by/0' },
      { pointer: '/filters/n/0', detail: expect.stringContaining('"1"') },
    ]);
    const event = {
      ...{ event_id: 'e', customer_id: 'cust_1', event_type: 'closed', event_time: '2024-01-15T10:00:00Z' },
      metadata: { n: 1 },
    };
    expect(await api.expect(202, 'POST', '/events', event)).toMatchObject({ accepted: 1 });
    await api.expect(201, 'POST', '/meters', meter('closed', { value_property: 'n' }));
  });

  test('that exists is answered as it was; a next version of it is held against the schema', async () => {
    const grouped = meter('earlier', { value_property: 'n', group_by: ['region'] });
    await api.expect(201, 'POST', '/meters', grouped);
    await add(201, 'earlier', { type: 'object', properties: { region: false } }, { compatibility: 'none' });
    await add(201, 'earlier', { type: 'object', properties: { region: false } }, { compatibility: 'backward' });
    await api.expect(200, 'POST', '/meters', grouped);
    await refuseMeter({ ...grouped, effective_from: '2024-03-01', max_groups: 5 });
    await api.expect(201, 'POST', '/meters', meter('earlier', { value_property: 'n', effective_from: '2024-03-01' }));
  });

  test('is taken where its value is a text of which no usual decimal matches the pattern, and counts it', async () => {
    for (const [code, texts, amount] of [
      ['places', { pattern: '^[0-9]{1,12}\\.[0-9]{7}$' }, '12.3456789'],
      ['no_ones', { pattern: '^[2-9][0-9]{2}$' }, '205'],
      ['few', { allOf: [{ pattern: '^[0-9]{3}$' }, { pattern: '[2-9]5$' }] }, '125'],
    ] as const) {
      const properties = { amount: { type: 'string', ...texts } };
      await add(201, code, { type: 'object', properties, required: ['amount'] });
      await api.expect(201, 'POST', '/meters', meter(code, { value_property: 'amount' }));
      const event = { customer_id: 'cust_1', event_type: code, event_time: '2024-01-15T10:00:00Z' };
      const sent = await api.expect(202, 'POST', '/events', { ...event, event_id: code, metadata: { amount } });
      expect(sent).toMatchObject({ accepted: 1 });
      // A next version may go on saying so.
      await add(201, code, { type: 'object', properties: { ...properties, more: true }, required: ['amount'] });
    }
  });

  test('is not held against one with compatibility none', async () => {
    await add(201, 'loose', { type: 'object', additionalProperties: false }, { compatibility: 'none' });
    await api.expect(201, 'POST', '/meters', meter('loose', { value_property: 'n' }));
  });
});

describe('a meter and a schema at the same time: whoever comes second is held against the first', () => {
  const meter = (code: string): Json => ({ code, event_type: code, aggregation: 'sum', value_property: 'bytes' });
  const sizes = bytes('string', { enum: ['small', 'large'] });
  /** Once, between what a check reads and what is made of it. */
  const afterReading = (what: 'schemas' | 'meters', act: () => Promise<unknown>): void => {
    const { eventSchemas, reference } = api.storage;
    let isDone = false;
    const between = async <T>(read: Promise<T>): Promise<T> => {
      const found = await read;
      if (!isDone) {
        isDone = true;
        await act();
      }
      return found;
    };
    if (what === 'schemas') {
      const versions = (eventType: string) => between(eventSchemas.versions(eventType));
      jest.replaceProperty(api.storage, 'eventSchemas', { ...eventSchemas, versions });
    } else {
      const meterVersions = () => between(reference.meterVersions());
      jest.replaceProperty(api.storage, 'reference', { ...reference, meterVersions });
    }
  };
  afterEach(() => {
    jest.restoreAllMocks();
  });

  test('the meter', async () => {
    await add(201, 'meter_second', bytes(['number', 'string']), { compatibility: 'forward' });
    afterReading('schemas', () => add(201, 'meter_second', sizes));
    await api.refused('INCOMPATIBLE_METER', 409, 'POST', '/meters', meter('meter_second'));
  });

  test('a meter that the schema of that moment takes, too', async () => {
    afterReading('schemas', () => add(201, 'both', bytes('number')));
    await api.expect(201, 'POST', '/meters', meter('both'));
  });

  test('the schema', async () => {
    afterReading('meters', () => api.expect(201, 'POST', '/meters', meter('schema_second')));
    await refuse('INCOMPATIBLE_SCHEMA', 409, { event_type: 'schema_second', schema: sizes });
    expect(await api.all('/event-schemas?event_type=schema_second')).toEqual([]);
  });
});
