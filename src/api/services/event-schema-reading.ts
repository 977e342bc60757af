/** From what was sent as a schema to one that events can be validated against, or why not. */
import { Script } from 'node:vm';
import { decimalTextOf } from '../../domain/decimal.js';
import { escapedToken } from '../../domain/json-pointer.js';
import {
  isSchemaObject,
  schemaProblems,
  subschemas,
  type JsonSchemaObject,
  type JsonValue,
  type PlacedSchema,
} from '../../domain/metering/json-schema.js';
import { compileEventSchema, patternTextMax, schemaFormats } from '../ingest/event-schema-validator.js';
import { NumberText, stringifyExactJson, type ExactJson } from '../ingest/exact-json.js';
import { isStorable } from '../ingest/read-metadata.js';
import { issuesMax, RequestRefused, type ProblemIssue } from '../problem.js';

/** docs/reference/LIMITS.md states them. */
export const eventSchemaLimits = { bytes: 64 * 1024, depth: 100, digits: 15, patternMs: 100 } as const;

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
  requireFastPatterns({ schema, pointer: '' });
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

/** Patterns that need long for a text are refused: every event would pay, and some texts would stop the server. */
function requireFastPatterns(place: PlacedSchema): void {
  for (const { pattern, pointer } of patternsIn(place)) {
    if (isFast(pattern)) continue;
    const detail = `The pattern ${JSON.stringify(pattern)} can take very long for some texts (repetitions within or next to one another that match the same characters). Write it so that there is only one way to match, or use "enum", "maxLength" or "format".`;
    throw refused({ pointer, detail });
  }
}

function* patternsIn(place: PlacedSchema): Generator<{ readonly pattern: string; readonly pointer: string }> {
  const { schema, pointer } = place;
  if (typeof schema === 'boolean') return;
  const { pattern, patternProperties } = schema;
  if (typeof pattern === 'string') yield { pattern, pointer: `${pointer}/pattern` };
  const named = isSchemaObject(patternProperties) ? Object.keys(patternProperties) : [];
  for (const each of named) yield { pattern: each, pointer: `${pointer}/patternProperties` };
  for (const below of subschemas(place)) yield* patternsIn(below);
}

const probe = new Script(
  '{ const expression = new RegExp(pattern, "u"); for (const text of texts) expression.test(text); }',
);

/** Tried on long texts of repeated characters, in a context whose run can be broken off. It finds most, not all, slow ones. */
function isFast(pattern: string): boolean {
  try {
    probe.runInNewContext({ pattern, texts: probeTexts(pattern) }, { timeout: eventSchemaLimits.patternMs });
    return true;
  } catch (error) {
    if ((error as { readonly code?: unknown }).code === 'ERR_SCRIPT_EXECUTION_TIMEOUT') return false;
    throw error;
  }
}

const commonUnits = ['a', 'A', '0', '-', '_', ' ', '.', 'é'];

function probeTexts(pattern: string): readonly string[] {
  const literals = [...new Set(pattern.replaceAll(/\\./gsu, '').replaceAll(/[\\^$*+?()[\]{}|]/g, ''))].slice(0, 24);
  const pairs = literals.slice(0, 8).flatMap((one) => literals.slice(0, 8).map((other) => one + other));
  const start = /^\^?([\w :/.-]*)/.exec(pattern)?.[1] ?? '';
  const starts = [...new Set(['', start, start.slice(0, -1)])];
  const units = [...new Set([...commonUnits, ...literals, ...pairs])];
  return starts.flatMap((each) =>
    units.map((unit) => `${(each + unit.repeat(patternTextMax)).slice(0, patternTextMax - 1)}\u0001`),
  );
}
