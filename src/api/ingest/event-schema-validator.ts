/** JSON Schema (draft 2020-12) of an event type, compiled once a version, for exact numbers. */
import { Ajv2020 } from 'ajv/dist/2020.js';
import type { ErrorObject } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import { D } from '../../domain/decimal.js';
import { escapedToken } from '../../domain/json-pointer.js';
import {
  isSchemaObject,
  resolveReference,
  type JsonSchema,
  type JsonSchemaObject,
  type JsonValue,
} from '../../domain/metering/json-schema.js';
import {
  matchesPattern,
  patternProblem,
  patternTextMax,
  satisfiesPattern,
} from '../../domain/metering/linear-pattern.js';
import type { ExactJson } from './exact-json.js';
import { exactMember, exactNumber, exactText, plainView } from './plain-metadata.js';

/** Formats that are checked in linear time; others are refused. */
export const schemaFormats = ['date-time', 'date', 'time', 'duration', 'uuid', 'ipv4', 'ipv6'] as const;

export interface SchemaMismatch {
  /** JSON pointer into the metadata. */
  readonly pointer: string;
  /** Which rule, in words. */
  readonly detail: string;
}

export type SchemaValidator = (metadata: ExactJson) => SchemaMismatch | null;

interface DataContext {
  readonly parentData: unknown;
  readonly parentDataProperty: string | number;
}

/** The number that a keyword looks at, as it was sent. */
function numberAt(float: number, context: DataContext | undefined): D {
  if (context === undefined) return exactNumber(float);
  return exactNumber(exactMember(context.parentData, context.parentDataProperty, float));
}

/** What schemas say `integer` for; Ajv's own check sees floats. */
const wholeNumber = 'wholeNumber';

/**
 * What Ajv takes instead of RegExp, for names of properties (our `pattern` is below). It keeps one by its text, and would write `code` into
 * modules, of which none are made here.
 */
const regExp = Object.assign(
  (pattern: string) => {
    requireEvaluable(pattern);
    return { test: (text: string) => matchesPattern(pattern, text) === true, toString: () => pattern };
  },
  { code: 'linearPattern' },
);

/** @throws Error */
function requireEvaluable(pattern: string): void {
  const problem = patternProblem(pattern);
  if (problem !== null)
    throw new Error(`the pattern ${JSON.stringify(pattern.slice(0, 256))} cannot be evaluated. ${problem}`);
}

const ajv = createAjv();

function createAjv(): Ajv2020 {
  const made = new Ajv2020({
    // What is not known is refused. Whether a schema is neat (types beside keywords) is not our business.
    strictSchema: true,
    strictTypes: false,
    strictTuples: false,
    strictRequired: false,
    // It would look for such properties with RegExp, which some patterns hold up for ever. Both keywords hold for them.
    allowMatchingProperties: true,
    code: { regExp },
    // What every object inherits, such as "constructor", is no property of metadata.
    ownProperties: true,
    logger: false,
  });
  // Schemas have no unevaluatedProperties, and keeping track for them makes Ajv 8.20 throw for some combinations of keywords.
  made.opts.unevaluated = false;
  addFormats.default(made, [...schemaFormats]);
  for (const keyword of ['multipleOf', 'uniqueItems', 'pattern']) made.removeKeyword(keyword);
  const numeric = { type: 'number', errors: false } as const;
  made.addKeyword({
    ...numeric,
    keyword: wholeNumber,
    schemaType: 'boolean',
    validate: (_schema: boolean, data: number, _parent?: unknown, context?: DataContext) =>
      numberAt(data, context).isInteger(),
  });
  made.addKeyword({
    ...numeric,
    keyword: 'multipleOf',
    schemaType: 'number',
    validate: (of: number, data: number, _parent?: unknown, context?: DataContext) =>
      numberAt(data, context)
        .mod(new D(String(of)))
        .isZero(),
  });
  made.addKeyword({
    keyword: 'uniqueItems',
    type: 'array',
    schemaType: 'boolean',
    errors: false,
    validate: (unique: boolean, data: readonly JsonValue[]) =>
      !unique ||
      new Set(data.map((item, at) => exactText(exactMember(data, at, item) as JsonValue))).size === data.length,
  });
  made.addKeyword({
    keyword: 'pattern',
    type: 'string',
    schemaType: 'string',
    errors: false,
    compile: (pattern: string) => {
      requireEvaluable(pattern);
      return (text: string) => satisfiesPattern(pattern, text) === true;
    },
  });
  return made;
}

/**
 * @param schema without `schemaProblems`
 * @throws Error whose message says what the standard does not allow
 */
export function compileEventSchema(schema: JsonSchemaObject): SchemaValidator {
  const exact = forAjv(schema) as JsonSchemaObject;
  const validate = ajv.compile(exact);
  ajv.removeSchema(exact); // it would be kept for ever, by identity
  return (metadata) => {
    if (validate(plainView(metadata))) return null;
    // The last one is the rule that failed; those before it are what it tried.
    const error = validate.errors?.at(-1);
    return error === undefined ? { pointer: '', detail: 'does not match' } : mismatchOf(error, schema);
  };
}

const inPlace: ReadonlySet<string> = new Set([
  'additionalProperties',
  'propertyNames',
  'items',
  'contains',
  'not',
  'if',
  'then',
  'else',
]);
const inNames: ReadonlySet<string> = new Set(['properties', 'patternProperties', 'dependentSchemas', '$defs']);
const inLists: ReadonlySet<string> = new Set(['allOf', 'anyOf', 'oneOf', 'prefixItems']);

/** The same schema in the words that Ajv gets right. */
function forAjv(schema: JsonSchema): JsonSchema {
  if (typeof schema === 'boolean') return schema;
  const members = Object.entries(schema).map(([keyword, value]) => [keyword, memberForAjv(keyword, value)] as const);
  return withContainsApart(withWholeNumbers(Object.fromEntries(members)));
}

function memberForAjv(keyword: string, value: JsonValue): JsonValue {
  if (typeof value !== 'object' || value === null) return value;
  if (inPlace.has(keyword)) return forAjv(value as JsonSchemaObject);
  if (inLists.has(keyword)) return (value as readonly JsonSchema[]).map(forAjv);
  if (!inNames.has(keyword)) return value;
  const members = Object.entries(value as Readonly<Record<string, JsonSchema>>);
  return Object.fromEntries(members.map(([name, member]) => [name, forAjv(member)]));
}

/** `integer` as `number` and a keyword of ours: a float of 2^53 and more is always whole, the number that it stands for may not be. */
function withWholeNumbers(schema: JsonSchemaObject): JsonSchemaObject {
  const { type } = schema;
  const types = Array.isArray(type) ? (type as readonly JsonValue[]) : [type];
  if (!types.includes('integer')) return schema;
  if (types.includes('number')) return { ...schema, type: types.filter((each) => each !== 'integer') as JsonValue[] };
  return {
    ...schema,
    type: types.map((each) => (each === 'integer' ? 'number' : each)) as JsonValue[],
    [wholeNumber]: true,
  };
}

/** Ajv 8.20 passes over `contains` beside `prefixItems` where the list is empty. */
function withContainsApart(schema: JsonSchemaObject): JsonSchemaObject {
  if (schema['prefixItems'] === undefined || schema['contains'] === undefined) return schema;
  const { contains, minContains, maxContains, allOf = [], ...own } = schema;
  const apart = {
    contains,
    ...(minContains !== undefined && { minContains }),
    ...(maxContains !== undefined && { maxContains }),
  };
  return { ...own, allOf: [...(allOf as readonly JsonValue[]), apart] };
}

function mismatchOf(error: ErrorObject, schema: JsonSchemaObject): SchemaMismatch {
  const { instancePath, params, schemaPath } = error;
  const { missingProperty, additionalProperty, propertyName } = params as Readonly<Record<string, unknown>>;
  const property = missingProperty ?? additionalProperty ?? propertyName;
  const pointer = typeof property === 'string' ? `${instancePath}/${escapedToken(property)}` : instancePath;
  const rule = schemaPath.replace(/\/wholeNumber$/, '/type');
  const words = rule.endsWith('/type') ? typeWords(schema, rule.slice(0, -'/type'.length)) : wordsOf(error);
  return { pointer, detail: `${words} (rule ${rule.slice(0, 300)})` };
}

/** In the words of the schema as it was registered. */
function typeWords(schema: JsonSchemaObject, place: string): string {
  const at = resolveReference(schema, place)?.schema;
  const type = isSchemaObject(at) ? at['type'] : undefined;
  return type === undefined ? 'is of another type' : `must be ${[type].flat().join(' or ')}`;
}

function wordsOf({ keyword, params, message }: ErrorObject): string {
  switch (keyword) {
    case 'multipleOf':
      return 'must be a multiple of what the rule says';
    case 'uniqueItems':
      return 'must not have the same item twice';
    case 'pattern':
      return `must match the pattern, with at most ${patternTextMax} characters`;
    case 'enum':
      return `must be one of ${JSON.stringify((params as { readonly allowedValues?: unknown }).allowedValues).slice(0, 200)}`;
    case 'additionalProperties':
      return 'is a property that the schema does not list';
    case 'required':
      return 'is required';
    default:
      return message ?? 'does not match';
  }
}
