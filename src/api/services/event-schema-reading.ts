/** From what was sent as a schema to one that events can be validated against, or why not. */
import { decimalTextOf } from '../../domain/decimal.js';
import { escapedToken } from '../../domain/json-pointer.js';
import {
  isSchemaObject,
  schemaProblems,
  type JsonSchemaObject,
  type JsonValue,
} from '../../domain/metering/json-schema.js';
import { compileEventSchema, schemaFormats } from '../ingest/event-schema-validator.js';
import { NumberText, stringifyExactJson, type ExactJson } from '../ingest/exact-json.js';
import { isStorable } from '../ingest/read-metadata.js';
import { issuesMax, RequestRefused, type ProblemIssue } from '../problem.js';

/** docs/reference/LIMITS.md states them. */
const eventSchemaLimits = { bytes: 64 * 1024, depth: 100, digits: 15 } as const;

/**
 * @param sent the member `schema` of a body
 * @throws RequestRefused INVALID_SCHEMA
 */
export function readEventSchema(sent: ExactJson): JsonSchemaObject {
  const schema = plain(sent, '', 1);
  if (!isSchemaObject(schema)) throw refused({ pointer: '', detail: 'A schema is a JSON object.' });
  if (Buffer.byteLength(stringifyExactJson(sent)) > eventSchemaLimits.bytes) {
    throw refused({ pointer: '', detail: `A schema has at most ${eventSchemaLimits.bytes} bytes.` });
  }
  const [first, ...others] = schemaProblems(schema);
  if (first !== undefined) throw refusedFor([first, ...others]);
  compile(schema);
  return schema;
}

interface Problem {
  readonly pointer: string;
  readonly detail: string;
}

const refused = (problem: Problem): RequestRefused => refusedFor([problem]);

function refusedFor(problems: readonly [Problem, ...Problem[]]): RequestRefused {
  const issue = ({ pointer, detail }: Problem): ProblemIssue => ({
    pointer: `/schema${pointer}`,
    code: 'INVALID_SCHEMA',
    detail,
  });
  const [first, ...others] = problems;
  return new RequestRefused([issue(first), ...others.slice(0, issuesMax).map(issue)]);
}

/** Numbers as floats, where these are exact; texts that can be stored. */
function plain(value: ExactJson, pointer: string, depth: number): JsonValue {
  if (depth > eventSchemaLimits.depth) throw refused({ pointer: '', detail: 'The schema is nested too deeply.' });
  if (typeof value === 'number' || value instanceof NumberText) return plainNumber(value, pointer);
  if (typeof value === 'string') return storable(value, pointer);
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) {
    return (value as readonly ExactJson[]).map((item, index) => plain(item, `${pointer}/${index}`, depth + 1));
  }
  const entries = Object.entries(value as Readonly<Record<string, ExactJson>>).map(([key, member]) => {
    const at = `${pointer}/${escapedToken(storable(key, pointer).slice(0, 100))}`;
    if (key === '__proto__') throw refused({ pointer: at, detail: '"__proto__" is not accepted as a name.' });
    return [key, plain(member, at, depth + 1)] as const;
  });
  return Object.fromEntries(entries);
}

function plainNumber(value: number | NumberText, pointer: string): number {
  const text = decimalTextOf(value instanceof NumberText ? value.text : String(value));
  const digits = text?.replace(/^-?0?\.?0*|\./g, '').replace(/0+$/, '').length ?? Infinity;
  if (digits <= eventSchemaLimits.digits) return Number(text);
  const detail = `Numbers of a schema have at most ${eventSchemaLimits.digits} significant digits, and 18 after the point.`;
  throw refused({ pointer, detail });
}

function storable(text: string, pointer: string): string {
  if (isStorable(text)) return text;
  throw refused({ pointer, detail: 'Texts cannot contain the character U+0000 or half of a surrogate pair.' });
}

function compile(schema: JsonSchemaObject): void {
  try {
    compileEventSchema(schema);
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const reason = error.message.slice(0, 500).replaceAll('data/', '/');
    const formats = reason.includes('unknown format') ? ` Known formats: ${schemaFormats.join(', ')}.` : '';
    throw refused({ pointer: '', detail: `This is no valid schema: ${reason}.${formats}` });
  }
}
