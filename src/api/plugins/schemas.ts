/** zod as Fastify's validator and serialiser. Nothing is coerced, and what is unknown is refused. */
import { createSerializerCompiler } from 'fastify-type-provider-zod';
import type { z } from 'zod';
import type { FailureCode } from '../../domain/failure.js';
import type { ProblemIssue } from '../problem.js';
import type { Api } from '../types.js';

/** A request that does not fit its route's schema. */
export class SchemaRefused extends Error {
  override readonly name = 'SchemaRefused';
  constructor(readonly issues: readonly ProblemIssue[]) {
    super(issues.map(({ pointer, detail }) => `${pointer}: ${detail}`).join('; '));
  }
}

export function registerSchemas(app: Api): void {
  app.setValidatorCompiler<z.ZodType>(({ schema, httpPart }) => {
    const toProblemIssues = httpPart === 'body' ? bodyIssues : parameterIssues;
    // A query is empty more often than not, and of POST /events always: a tenth of its time would go into saying so.
    const empty = httpPart === 'querystring' ? schema.safeParse({}) : undefined;
    return (data: unknown) => {
      if (empty?.success === true && isEmptyObject(data)) return { value: empty.data };
      const parsed = schema.safeParse(data);
      if (parsed.success) return { value: parsed.data };
      return { error: new SchemaRefused(parsed.error.issues.flatMap(toProblemIssues)) };
    };
  });
  app.setSerializerCompiler(createSerializerCompiler());
}

function isEmptyObject(data: unknown): boolean {
  for (const _key in data as object) return false;
  return true;
}

export function bodyIssues(issue: z.core.$ZodIssue): readonly ProblemIssue[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => {
      const pointer = pointerTo([...issue.path, key]);
      return { pointer, code: 'UNKNOWN_PROPERTY', detail: `"${key.slice(0, 100)}" is not known here.` };
    });
  }
  return [{ pointer: pointerTo(issue.path), code: codeOf(issue), detail: sentenceOf(issue) }];
}

/** Path and query have no place in the body to point to; the sentence names the parameter instead. */
function parameterIssues(issue: z.core.$ZodIssue): readonly ProblemIssue[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => {
      const detail = `There is no query parameter "${key.slice(0, 100)}" here.`;
      return { pointer: '', code: 'UNKNOWN_PROPERTY', detail };
    });
  }
  return [
    {
      pointer: '',
      code: codeOf(issue),
      detail: `Parameter "${issue.path.map(String).join('.')}": ${sentenceOf(issue)}`,
    },
  ];
}

function sentenceOf(issue: z.core.$ZodIssue): string {
  if (issue.code === 'invalid_type' && issue.message.endsWith('received undefined'))
    return `It is missing; expected: ${issue.expected}.`;
  return issue.message.endsWith('.') ? issue.message : `${issue.message}.`;
}

/** A schema may name a more telling code than VALIDATION_FAILED: `refine(…, { params: { code } })`. */
function codeOf(issue: z.core.$ZodIssue): FailureCode {
  const params = issue.code === 'custom' ? (issue.params as { readonly code?: FailureCode } | undefined) : undefined;
  return params?.code ?? 'VALIDATION_FAILED';
}

/** RFC 6901. */
function pointerTo(path: readonly PropertyKey[]): string {
  return path.map((token) => `/${String(token).slice(0, 100).replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}
