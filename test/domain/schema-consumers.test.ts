/** What a schema may not take away from the meters of its event type. */
import type { JsonSchemaObject } from '../../src/domain/metering/json-schema.js';
import type { Meter } from '../../src/domain/metering/meter.js';
import { ruledOutBySchema, unreadableByMeters } from '../../src/domain/metering/schema-consumers.js';

const meter = (more: Partial<Meter>): Meter => ({
  meterId: 'm',
  code: 'm',
  version: 1,
  eventType: 'e',
  aggregation: 'sum',
  valueProperty: 'bytes',
  groupBy: [],
  filters: {},
  windowSize: 'hour',
  allowedLateness: 'PT1H',
  allowNegative: false,
  maxGroups: 1_000,
  effectiveFrom: null,
  ...more,
});
const sum = meter({});
const count = meter({ aggregation: 'count', valueProperty: 'calls' });
const filtered = meter({ aggregation: 'count', valueProperty: null, filters: { tier: ['premium', '5'] } });
const grouped = meter({ aggregation: 'count', valueProperty: null, groupBy: ['tags.team'] });
const unique = meter({ aggregation: 'unique_count', valueProperty: 'user' });

const refused = (schema: JsonSchemaObject, of: Meter, previous: JsonSchemaObject | null = {}): readonly string[] =>
  unreadableByMeters(schema, [of], previous).map(({ detail }) => detail);
const bytes = (schema: JsonSchemaObject | boolean): JsonSchemaObject => ({ properties: { bytes: schema } });
const calls = (schema: JsonSchemaObject): JsonSchemaObject => ({ properties: { calls: schema } });
const tier = (schema: JsonSchemaObject): JsonSchemaObject => ({ properties: { tier: schema } });

/** Such as 125: no decimal that would be tried. */
const fewDecimals = { type: 'string', allOf: [{ pattern: '^[0-9]{3}$' }, { pattern: '[2-9]5$' }] };

type Case = readonly [string, JsonSchemaObject, Meter];

test.each<Case>([
  ['a branch of the wrong type', { anyOf: [{ ...bytes({ type: 'boolean' }), required: ['bytes'] }] }, sum],
  ['a branch that does not fit the rest', { ...bytes({ type: 'null' }), oneOf: [bytes({ type: 'number' })] }, sum],
  ['names that it has not', { propertyNames: { pattern: '^x' } }, sum],
  ['names that are listed', { propertyNames: { enum: ['a', 'b'] } }, sum],
  ['longer names', { propertyNames: { minLength: 6 } }, sum],
  ['no properties', { maxProperties: 0 }, sum],
  ['others required instead', { maxProperties: 1, required: ['kind'] }, sum],
  ['a condition that always holds', { if: true, then: bytes({ type: 'boolean' }) }, sum],
  ['a consequence of having it', { dependentSchemas: { bytes: false } }, sum],
  ['a consequence of what is required', { required: ['kind'], dependentSchemas: { kind: bytes(false) } }, sum],
  ['everything denied', { not: {} }, sum],
  ['listed metadata without it', { enum: [{ kind: 'a' }, { bytes: 'many' }] }, sum],
  ['texts of letters', bytes({ type: 'string', pattern: '^[a-z]+$' }), sum],
  ['letters among digits', bytes({ type: 'string', pattern: '^[0-9]+(?:[A-Z]|_){2,}[0-9]*$' }), sum],
  ['a letter behind digits', bytes({ type: 'string', pattern: '[0-9]\\p{L}' }), sum],
  ['long texts', bytes({ type: 'string', minLength: 60 }), sum],
  ['empty texts', bytes({ type: 'string', maxLength: 0 }), sum],
  ['empty texts, said otherwise', bytes({ type: 'string', not: { minLength: 1 } }), sum],
  ['dates', bytes({ type: 'string', format: 'date' }), sum],
  ['numbers denied', bytes({ type: 'number', not: { minimum: -1e18 }, minimum: 0 }), sum],
  ['an empty range', bytes({ type: 'number', minimum: 2, maximum: 1 }), sum],
  ['negative counts', calls({ maximum: -1, type: 'integer' }), count],
  ['counts of nothing', calls({ type: 'integer', maximum: 0 }), count],
  ['counts of parts', calls({ enum: [0.5] }), count],
  ['another value than the filter takes', tier({ enum: ['free'] }), filtered],
  ['shorter texts than the filter takes', tier({ maxLength: 6, type: 'string', minLength: 2 }), filtered],
  ['an object for a group', { properties: { tags: { properties: { team: { type: 'object' } } } } }, grouped],
  ['no tags for a group', { properties: { tags: { maxProperties: 0 } } }, grouped],
  ['lists for a user', { properties: { user: { anyOf: [{ type: 'null' }, { type: 'array' }] } } }, unique],
])('%s: refused', (_what, schema, of) => {
  expect(refused(schema, of)).toEqual([expect.stringMatching(/^The meter "m" reads .* does not let it have/)]);
  expect(refused(schema, of, null)).toHaveLength(1);
});

test.each<Case>([
  ['it must be missing', { not: { required: ['bytes'] } }, sum],
  ['metadata must be empty', { not: { minProperties: 1 } }, sum],
  ['a denied condition about it', { if: bytes({ type: 'number' }), then: false }, sum],
  ['behind a reference', { not: { $ref: '#/$defs/a' }, $defs: { a: { required: ['bytes'] } } }, sum],
  [
    'very many branches',
    {
      allOf: Array.from({ length: 30 }, (_, index) => ({
        anyOf: [{ properties: { [`a${index}`]: true } }, { properties: { [`b${index}`]: true } }],
      })),
      properties: { bytes: false },
    },
    sum,
  ],
  ['texts that few decimals are', bytes(fewDecimals), sum],
  ['texts that few counts are', calls(fewDecimals), count],
  ['lengths that no text has', bytes({ type: 'string', minLength: 5, maxLength: 3 }), sum],
])('%s: cannot be told, so refused unless it was so before', (_what, schema, of) => {
  expect(refused(schema, of)).toEqual([expect.stringMatching(/cannot tell .* use compatibility none/)]);
});

test('what cannot be told may stay as it was', () => {
  const referring = { ...bytes({ $ref: '#/$defs/a' }), $defs: { a: fewDecimals } };
  const conditional = { if: bytes({ type: 'number' }), then: false };
  for (const schema of [{ not: { required: ['bytes'] } }, conditional, bytes(fewDecimals), referring]) {
    expect(refused({ ...schema, title: 'more' }, sum, schema)).toEqual([]);
  }
  expect(refused({ ...referring, $defs: { a: { ...fewDecimals, maxLength: 3 } } }, sum, referring)).toHaveLength(1);
});

test.each<Case>([
  ['decimals as texts', bytes({ type: 'string', pattern: '^[0-9]+(\\.[0-9]+)?$' }), sum],
  ['cents', bytes({ type: 'string', pattern: '^-?[0-9]{1,12}\\.[0-9]{2}$' }), sum],
  ['seven places', bytes({ type: 'string', pattern: '^[0-9]{1,12}\\.[0-9]{7}$' }), sum],
  ['places behind what may be left out', bytes({ type: 'string', pattern: '^-?[2-9]*\\.\\d{7}$' }), sum],
  ['no ones', bytes({ type: 'string', pattern: '^[2-9][0-9]{2}$' }), sum],
  ['negative ones among letters', bytes({ type: 'string', pattern: '^(?:[a-z]+|-(?:2|[3-9]){3}(?:x)?)$' }), sum],
  ['counts without ones', calls({ type: 'string', pattern: '^-?[2-9]{2}$' }), count],
  ['twelve digits', bytes({ type: 'string', minLength: 12, maxLength: 12 }), sum],
  ['a narrow range', bytes({ type: 'number', exclusiveMinimum: 0.001, exclusiveMaximum: 0.0011 }), sum],
  ['large multiples', bytes({ type: 'integer', minimum: 1e9, multipleOf: 7 }), sum],
  ['not zero', bytes({ type: 'number', not: { const: 0 } }), sum],
  ['listed decimals', bytes({ enum: ['none', '123.456'] }), sum],
  ['a condition about others', { if: { properties: { kind: { const: 'a' } } }, then: { required: ['x'] } }, sum],
  [
    'forbidden only by a condition about others',
    { if: { properties: { kind: { const: 'a' } } }, then: bytes(false), else: { required: ['bytes'] } },
    sum,
  ],
  ['a type by a condition', { if: { required: ['bytes'] }, then: bytes({ type: 'integer' }) }, sum],
  ['others denied', { not: { required: ['legacy'] } }, sum],
  ['many properties', { maxProperties: 64 }, sum],
  ['names', { propertyNames: { pattern: '^[a-z_]+$' } }, sum],
  ['one branch of two', { oneOf: [bytes({ type: 'boolean' }), bytes({ type: 'number' })] }, sum],
  ['a consequence of others', { dependentSchemas: { kind: bytes(false), bytes: { required: ['unit'] } } }, sum],
  ['whole counts', calls({ type: 'integer', minimum: 1, maximum: 500 }), count],
  ['counts from zero', calls({ type: 'integer', minimum: 0 }), count],
  ['counts as texts', calls({ type: 'string', pattern: '^[1-9][0-9]*$' }), count],
  ['what the filter takes, among others', tier({ enum: ['free', 'premium'] }), filtered],
  ['numbers that the filter takes', tier({ type: 'integer' }), filtered],
  ['texts of letters for a filter', tier({ pattern: '^[a-z]+$' }), filtered],
  ['a pattern of users', { properties: { user: { type: 'string', pattern: '^[A-Z]{3}-[0-9]{5}$' } } }, unique],
  ['ids of users', { properties: { user: { type: 'string', format: 'uuid', not: { enum: ['x'] } } } }, unique],
  ['any team', { properties: { tags: { additionalProperties: { type: 'string', maxLength: 20 } } } }, grouped],
])('%s: accepted, whatever was before', (_what, schema, of) => {
  expect(refused(schema, of)).toEqual([]);
  expect(refused(schema, of, null)).toEqual([]);
});

test('what was required in every branch stays required', () => {
  const both = [{ required: ['bytes', 'a'] }, { required: ['bytes', 'b'] }];
  for (const previous of [
    { required: ['bytes'] },
    { anyOf: [{ required: ['bytes'] }] },
    { oneOf: both },
    { allOf: [{ anyOf: both }] },
    { if: { required: ['a'] }, then: { required: ['bytes'] }, else: { required: ['bytes', 'b'] } },
  ]) {
    expect(refused({}, sum, previous)).toEqual([expect.stringMatching(/Keep it required/)]);
    expect(refused({ required: ['bytes'] }, sum, previous)).toEqual([]);
    expect(refused(previous, sum, { required: ['bytes'] })).toEqual([]);
  }
  expect(refused({}, sum, { anyOf: [{ required: ['bytes'] }, { required: ['b'] }] })).toEqual([]);
});

describe('what a schema rules out for a new meter', () => {
  const ruledOut = (schema: JsonSchemaObject, of: Meter): readonly string[] =>
    ruledOutBySchema(schema, of).map(({ pointer }) => pointer);
  const closed = { properties: { kind: { type: 'string' } }, additionalProperties: false };
  const tiers = (...texts: readonly string[]): Meter => meter({ valueProperty: null, filters: { tier: texts } });

  test.each<readonly [string, JsonSchemaObject, Meter, readonly string[]]>([
    ['a value that is no property', closed, sum, ['/value_property']],
    ['a value that is no number', bytes({ type: 'boolean' }), sum, ['/value_property']],
    ['a count that is none', calls({ type: 'string', pattern: '^[a-z]+$' }), count, ['/count_property']],
    ['a group', closed, meter({ ...sum, valueProperty: 'kind', groupBy: ['kind', 'tags.team'] }), ['/group_by/1']],
    ['every text of a filter', tier({ enum: ['free'] }), filtered, ['/filters/tier']],
    [
      'a filter on a tag',
      closed,
      meter({ valueProperty: null, filters: { 'tags.a/b': ['x'] } }),
      ['/filters/tags.a~1b'],
    ],
    [
      'spellings that no number has',
      tier({ type: 'number' }),
      tiers('1.0', '2', '1e3', '-0'),
      [0, 2, 3].map((at) => `/filters/tier/${at}`),
    ],
    ['all of them', tier({ type: 'number' }), tiers('1.0'), ['/filters/tier']],
  ])('%s', (_what, schema, of, pointers) => {
    expect(ruledOut(schema, of)).toEqual(pointers);
  });

  test.each<Case>([
    ['what has no schema to say it', {}, sum],
    ['what may be missing', bytes({ type: 'number' }), sum],
    ['one text of a filter', tier({ enum: ['free', 'premium'] }), filtered],
    ['a number or a text that is written so', tier({ type: ['number', 'string'] }), tiers('1.0')],
    ['a text that is written so', tier({ type: 'string' }), tiers('1.0')],
    ['a number by its value', tier({ type: 'integer' }), tiers('1')],
    ['what conditions leave unclear', { not: bytes({ type: 'number' }) }, sum],
    ['seven places', bytes({ type: 'string', pattern: '^[0-9]{1,12}\\.[0-9]{7}$' }), sum],
    ['no ones', bytes({ type: 'string', pattern: '^[2-9][0-9]{2}$' }), sum],
    ['what patterns leave unclear', bytes(fewDecimals), sum],
    ['of counts either', calls(fewDecimals), count],
  ])('but not %s', (_what, schema, of) => {
    expect(ruledOut(schema, of)).toEqual([]);
  });
});
