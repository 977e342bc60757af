import type { JsonSchemaObject } from '../../src/domain/metering/json-schema.js';
import { schemaProblems } from '../../src/domain/metering/json-schema.js';
import { incompatibilities, type CompatibilityMode } from '../../src/domain/metering/schema-compatibility.js';
import { gapsBetween } from '../../src/domain/metering/schema-subset.js';

const object = (properties: JsonSchemaObject, more: JsonSchemaObject = {}): JsonSchemaObject => ({
  type: 'object',
  properties,
  ...more,
});

/** What a change means: whether old values stay right (`wider`), new ones are understood by the old (`narrower`). */
describe('a change of a schema', () => {
  const wider = [
    ['a further property', object({ a: { type: 'string' } }), object({ a: { type: 'string' }, b: true })],
    ['a further type', { type: 'integer' }, { type: ['number', 'string'] }],
    ['an enum grows', { enum: ['a', 'b'] }, { enum: ['c', 'b', 'a'] }],
    ['an enum opens', { enum: ['a', 1, null] }, { type: ['string', 'integer', 'null'] }],
    ['true and false are all', { type: 'boolean' }, { enum: [true, false] }],
    ['a constant among bounds', { const: 5 }, { minimum: 5, exclusiveMaximum: 6, multipleOf: 2.5 }],
    [
      'a constant object',
      { const: { a: [1, 'x'] } },
      object({ a: { items: { type: ['integer', 'string'] } } }, { required: ['a'] }),
    ],
    ['a listed text matches', { enum: ['ab'] }, { pattern: '^a', maxLength: 2 }],
    ['bounds move out', { minimum: 1, exclusiveMaximum: 9 }, { exclusiveMinimum: 0, maximum: 9 }],
    [
      'bounds of whole numbers are those next to them',
      { type: 'integer', exclusiveMinimum: 0, exclusiveMaximum: 9.5 },
      { minimum: 1, maximum: 9 },
    ],
    ['a bound between whole numbers', { type: 'integer', minimum: 0.5 }, { minimum: 1 }],
    ['lengths move out', { minLength: 2, maxLength: 3 }, { minLength: 1, maxLength: 4 }],
    ['counts move out', { minItems: 2, maxItems: 3 }, { minItems: 0, maxItems: 4 }],
    [
      'properties counted by names',
      object({ a: true }, { additionalProperties: false, required: ['a'] }),
      { type: 'object', minProperties: 1, maxProperties: 1 },
    ],
    ['a finer multiple', { multipleOf: 0.5 }, { multipleOf: 0.25 }],
    ['integers are multiples', { type: 'integer' }, { type: 'number', multipleOf: 0.5 }],
    ['less is required', { required: ['a', 'b'] }, { required: ['b'] }],
    ['closed becomes open', object({ a: true }, { additionalProperties: false }), object({ a: true })],
    [
      'others become typed where nobody has others',
      object({ a: true }, { additionalProperties: false }),
      { additionalProperties: true, maxProperties: 1 },
    ],
    [
      'patterns of names stay',
      { patternProperties: { '^x': { type: 'integer' } } },
      { patternProperties: { '^x': { type: 'number' } } },
    ],
    [
      'patterns and others',
      { patternProperties: { '^x': { type: 'integer' } }, additionalProperties: false },
      { additionalProperties: { type: 'number' } },
    ],
    ['items', { items: { type: 'integer' } }, { items: { type: 'number' } }],
    ['items in places', { prefixItems: [{ type: 'integer' }], items: false }, { items: { type: 'number' } }],
    ['a branch more', { anyOf: [{ type: 'string' }] }, { anyOf: [{ type: 'string' }, { type: 'null' }] }],
    ['one of the branches', { oneOf: [{ type: 'string' }, { type: 'integer' }] }, { type: ['string', 'number'] }],
    ['a conjunct less', { allOf: [{ minimum: 1 }, { maximum: 2 }] }, { maximum: 2 }],
    ['written behind a reference', { $ref: '#/$defs/a', $defs: { a: { type: 'integer' } } }, { type: 'number' }],
    [
      'the same conditions',
      { if: { type: 'string' }, then: { minLength: 1 }, type: 'string' },
      { if: { type: 'string' }, then: { minLength: 1 } },
    ],
    ['only words change', object({ a: { title: 'x' } }), object({ a: { description: 'y' } })],
    ['nothing was accepted', { type: 'string', enum: [1] }, { type: 'null' }],
    ['unspoken of types', { type: 'string' }, { minimum: 5, required: ['a'], minItems: 3, type: 'string' }],
  ] as const satisfies readonly (readonly [string, JsonSchemaObject, JsonSchemaObject])[];

  test.each(wider)('%s: what was right stays right', (_what, narrow, wide) => {
    expect(gapsBetween(narrow, wide)).toEqual([]);
  });

  test.each([
    ['a property becomes required', object({ a: true }), object({ a: true }, { required: ['a'] }), '/required'],
    [
      'a property that nobody spoke of gets a type',
      object({}),
      object({ a: { type: 'string' } }),
      '/properties/a/type',
    ],
    ['a type less', { type: ['string', 'null'] }, { type: 'string' }, '/type'],
    ['a number becomes whole', { type: 'number' }, { type: 'integer' }, '/type'],
    ['an enum shrinks', { enum: ['a', 'b'] }, { enum: ['a'] }, '/enum'],
    ['a constant beside an enum', { const: 'a' }, { const: 'a', enum: ['b'] }, '/enum'],
    ['a bound moves in', { minimum: 1 }, { exclusiveMinimum: 1 }, '/exclusiveMinimum'],
    ['a bound between numbers', { type: 'number', exclusiveMinimum: 0 }, { minimum: 1 }, '/minimum'],
    ['a bound beyond the next whole number', { type: 'integer', exclusiveMinimum: 0 }, { minimum: 2 }, '/minimum'],
    ['another pattern', { pattern: '^a' }, { pattern: '^b' }, '/pattern'],
    ['a format', { type: 'string' }, { format: 'date' }, '/format'],
    ['closed', object({ a: true }), object({ a: true }, { additionalProperties: false }), '/additionalProperties'],
    [
      'a name less',
      object({ a: true, b: true }, { additionalProperties: false }),
      object({ a: true }, { additionalProperties: false }),
      '/additionalProperties',
    ],
    ['a pattern of names', {}, { patternProperties: { '^x': { type: 'string' } } }, '/patternProperties'],
    ['items', { items: true }, { items: { type: 'string' } }, '/items/type'],
    ['a place', { prefixItems: [true] }, { prefixItems: [{ type: 'string' }] }, '/prefixItems/0/type'],
    ['a branch less', { anyOf: [{ type: 'string' }, { type: 'null' }] }, { anyOf: [{ type: 'string' }] }, '/anyOf'],
    ['a condition', {}, { not: { type: 'string' } }, '/not'],
    [
      'another definition of the same name',
      { not: { $ref: '#/$defs/a' }, $defs: { a: { type: 'string' } } },
      { not: { $ref: '#/$defs/a' }, $defs: { a: true } },
      '/not',
    ],
    [
      'behind a reference',
      { type: 'string' },
      { $ref: '#/$defs/a', $defs: { a: { maxLength: 1 } } },
      '/$defs/a/maxLength',
    ],
  ] as const satisfies readonly (readonly [string, JsonSchemaObject, JsonSchemaObject, string])[])(
    '%s: refused at its place',
    (_what, narrow, wide, place) => {
      const places = gapsBetween(narrow, wide).map((gap) => gap.wide);
      expect(places.some((each) => each.startsWith(place))).toBe(true);
    },
  );
});

test('modes: backward, forward, full, none; against every earlier version', () => {
  const bytes = (type: string): JsonSchemaObject => ({ properties: { bytes: { type } } });
  const earlier = [
    { version: 1, schema: bytes('integer') },
    { version: 2, schema: bytes('number') },
  ];
  const refusedBy = (type: string, mode: CompatibilityMode): readonly string[] =>
    incompatibilities(bytes(type), earlier, mode).map(({ detail }) => /versions? [\d, ]*\d/.exec(detail)?.[0] ?? '');
  expect(refusedBy('integer', 'backward')).toEqual(['version 2']);
  expect(refusedBy('string', 'backward')).toEqual(['versions 1, 2']);
  expect(refusedBy('number', 'backward')).toEqual([]);
  expect(refusedBy('number', 'forward')).toEqual(['version 1']);
  expect(refusedBy('integer', 'forward')).toEqual([]);
  expect(refusedBy('number', 'full')).toEqual(['version 1']);
  expect(refusedBy('string', 'none')).toEqual([]);
});

test('metadata is an object whether a schema says so or not', () => {
  const earlier = [{ version: 1, schema: {} }];
  expect(incompatibilities({ type: 'object' }, earlier, 'full')).toEqual([]);
  expect(incompatibilities({ type: 'object', minProperties: 1 }, earlier, 'backward')).toHaveLength(1);
});

test('schemas that are too intricate to compare are refused in bounded time', () => {
  const branches = (title: string): JsonSchemaObject => ({
    allOf: Array.from({ length: 30 }, (_, index) => ({
      anyOf: [
        { properties: { [`${title}${index}`]: { minimum: 1 } } },
        { properties: { [`p${index}`]: { minimum: 2 } } },
      ],
    })),
  });
  expect(schemaProblems(branches('x'))).toEqual([]);
  const gaps = gapsBetween(branches('x'), branches('y'));
  expect(gaps.length).toBeGreaterThan(0);
});
