/** Every "compatible" of the checker against Ajv: a document that the narrower schema accepts the wider one accepts. */
import fc from 'fast-check';
import { compileEventSchema } from '../../src/api/ingest/event-schema-validator.js';
import type { JsonSchema, JsonSchemaObject, JsonValue } from '../../src/domain/metering/json-schema.js';
import { reachOf } from '../../src/domain/metering/schema-reach.js';
import { decimalSamples } from '../../src/domain/metering/schema-samples.js';
import { gapsBetween } from '../../src/domain/metering/schema-subset.js';

/** null: not a schema that could be registered. */
function validator(schema: JsonSchemaObject): ((document: JsonValue) => boolean) | null {
  try {
    const validate = compileEventSchema(schema);
    return (document) => validate(document) === null;
  } catch {
    return null;
  }
}

const name = fc.constantFrom('a', 'b', 'ab', 'x1');
const number = fc.constantFrom(-1, 0, 0.5, 1, 1.5, 2, 3, 6);
const text = fc.constantFrom('', 'a', 'b', 'ab', 'x1', '😀');
const scalar: fc.Arbitrary<JsonValue> = fc.oneof(number, text, fc.boolean(), fc.constant(null));
const document = fc.letrec<{ any: JsonValue }>((tie) => ({
  any: fc.oneof(
    { maxDepth: 3, depthSize: 'small' },
    scalar,
    fc.dictionary(name, tie('any'), { maxKeys: 3, noNullPrototype: true }),
    fc.array(tie('any'), { maxLength: 3 }),
  ),
})).any;

const typeName = fc.constantFrom('null', 'boolean', 'object', 'array', 'string', 'number', 'integer');
const count = fc.nat(3);
const pattern = fc.constantFrom('^a', '1$', 'b');

const { schema, object } = fc.letrec<{ schema: JsonSchema; object: JsonSchemaObject }>((tie) => {
  const list = fc.array(tie('schema'), { minLength: 1, maxLength: 2 });
  const keywords: Readonly<Record<string, fc.Arbitrary<unknown>>> = {
    type: fc.oneof(typeName, fc.uniqueArray(typeName, { minLength: 1, maxLength: 3 })),
    enum: fc.uniqueArray(fc.oneof(scalar, document), {
      minLength: 1,
      maxLength: 3,
      selector: (value) => JSON.stringify(value),
    }),
    const: document,
    minimum: number,
    maximum: number,
    exclusiveMinimum: number,
    exclusiveMaximum: number,
    multipleOf: fc.constantFrom(0.5, 1, 1.5, 2, 3),
    minLength: count,
    maxLength: count,
    pattern,
    minItems: count,
    maxItems: count,
    uniqueItems: fc.boolean(),
    minProperties: count,
    maxProperties: count,
    required: fc.uniqueArray(name, { maxLength: 2 }),
    properties: fc.dictionary(name, tie('schema'), { maxKeys: 3, noNullPrototype: true }),
    patternProperties: fc.dictionary(pattern, tie('schema'), { maxKeys: 2, noNullPrototype: true }),
    additionalProperties: tie('schema'),
    propertyNames: tie('schema'),
    items: tie('schema'),
    prefixItems: list,
    containing: fc.record(
      { contains: tie('schema'), minContains: count, maxContains: count },
      { requiredKeys: ['contains'] },
    ),
    conditional: fc.record(
      { if: tie('schema'), then: tie('schema'), else: tie('schema') },
      { requiredKeys: ['if', 'then'] },
    ),
    allOf: list,
    anyOf: list,
    oneOf: list,
    not: tie('schema'),
    dependentRequired: fc.constantFrom({ a: ['b'] }, { b: ['a', 'ab'] }),
    dependentSchemas: fc.dictionary(name, tie('schema'), { maxKeys: 1, noNullPrototype: true }),
    $ref: fc.constantFrom('#/$defs/one', '#/$defs/two'),
  };
  // Keywords that hang together come together.
  const spread = ({ containing, conditional, ...own }: Readonly<Record<string, unknown>>): JsonSchemaObject =>
    ({ ...own, ...(containing as object), ...(conditional as object) }) as JsonSchemaObject;
  const ofKeywords = fc
    .uniqueArray(fc.constantFrom(...Object.keys(keywords)), { maxLength: 4 })
    .chain((names) => fc.record(Object.fromEntries(names.map((each) => [each, keywords[each] ?? fc.constant(true)]))))
    .map(spread);
  return {
    object: ofKeywords,
    schema: fc.oneof({ maxDepth: 3, depthSize: 'small' }, fc.boolean(), fc.record({ type: typeName }), tie('object')),
  };
});

/** Definitions hold no references, so that none leads back to itself. */
const withoutReferences = (value: JsonValue): JsonValue => {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map((each: JsonValue) => withoutReferences(each));
  const members = Object.entries(value).filter(([key]) => key !== '$ref');
  return Object.fromEntries(members.map(([key, each]) => [key, withoutReferences(each)]));
};
const rooted = fc.tuple(object, schema, schema).map(([own, one, two]): JsonSchemaObject => ({
  ...own,
  $defs: { one: withoutReferences(one), two: withoutReferences(two) },
}));

/** Schemas that have something to do with one another: random ones are hardly ever comparable. */
const bounds = fc.dictionary(fc.constantFrom('minimum', 'exclusiveMinimum', 'maximum', 'exclusiveMaximum'), number, {
  maxKeys: 2,
  noNullPrototype: true,
});
const reference = { $ref: '#/$defs/one' };
const related = fc
  .tuple(rooted, object, fc.integer({ min: 0, max: 9 }), fc.nat(), fc.tuple(bounds, bounds, schema))
  .map(([base, other, kind, seed, [lower, upper, third]]): readonly [JsonSchemaObject, JsonSchemaObject] => {
    const keys = Object.keys(base).filter((key) => key !== '$defs');
    const dropped = keys[seed % Math.max(1, keys.length)] ?? '';
    const { [dropped]: _dropped, ...fewer } = base;
    const { $defs = {}, ...own } = base;
    const more = { ...fewer, ...other, $defs };
    switch (kind) {
      case 0:
        return [base, fewer];
      case 1:
        return [{ ...base, ...other }, base];
      case 2:
        return [base, more];
      case 3:
        return [base, { anyOf: [own, other], $defs }];
      case 4:
        return [{ allOf: [own, other], $defs }, base];
      case 5:
        return [
          { properties: { a: own }, $defs },
          { properties: { a: fewer, b: other }, $defs },
        ];
      case 6:
        return [
          { items: own, $defs },
          { items: { ...own, ...other }, $defs },
        ];
      case 7:
        return [{ type: 'number', ...lower }, upper];
      case 8:
        // The same words, with other definitions behind them.
        return [
          { not: reference, $defs },
          { not: reference, $defs: { ...($defs as JsonSchemaObject), one: withoutReferences(third) } },
        ];
      default:
        return [
          { ...other, $defs },
          { ...fewer, $defs },
        ];
    }
  });

test('whatever the narrower schema accepts the wider one accepts, if the checker says so', () => {
  const seen = { compatible: 0, informative: 0 };
  fc.assert(
    fc.property(related, fc.array(document, { minLength: 30, maxLength: 30 }), ([narrow, wide], documents) => {
      if (gapsBetween(narrow, wide).length > 0) return;
      const [isNarrow, isWide] = [validator(narrow), validator(wide)];
      if (isNarrow === null || isWide === null) return;
      seen.compatible += 1;
      const accepted = documents.filter((each) => isNarrow(each));
      if (accepted.length > 0 && documents.some((each) => !isWide(each))) seen.informative += 1;
      const broken = accepted.find((each) => !isWide(each));
      expect({ broken, narrow, wide }).toEqual({ broken: undefined, narrow, wide });
    }),
    { numRuns: Number(process.env['SCHEMA_RUNS'] ?? 2_000) },
  );
  // A checker that calls nothing compatible would pass, too.
  expect(seen.compatible).toBeGreaterThan(400);
  expect(seen.informative).toBeGreaterThan(100);
});

test('whatever a meter can read of accepted metadata is not called unreadable', () => {
  const reader = { path: ['a'], samples: decimalSamples, canRead: (value: unknown) => typeof value === 'number' };
  const metadata = fc
    .tuple(fc.dictionary(name, document, { maxKeys: 2, noNullPrototype: true }), number)
    .map(([others, a]): JsonValue => ({ ...others, a }));
  let unreadable = 0;
  fc.assert(
    fc.property(rooted, fc.array(metadata, { minLength: 30, maxLength: 30 }), (own, documents) => {
      const isAccepted = validator(own);
      if (isAccepted === null || reachOf(own, reader, null) !== 'unreadable') return;
      unreadable += 1;
      const read = documents.find((each) => isAccepted(each));
      expect({ read, own }).toEqual({ read: undefined, own });
    }),
    { numRuns: Number(process.env['SCHEMA_RUNS'] ?? 2_000) },
  );
  expect(unreadable).toBeGreaterThan(100);
});
