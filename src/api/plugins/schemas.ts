/** zod as Fastify's validator and serialiser. Nothing is coerced, and what is unknown is refused. */
import { createSerializerCompiler } from 'fastify-type-provider-zod';
import { z } from 'zod';
import type { FailureCode } from '../../domain/failure.js';
import { escapedToken } from '../../domain/json-pointer.js';
import { issuesMax, type ProblemIssue } from '../problem.js';
import type { Api } from '../types.js';

/** A request that does not fit its route's schema; up to one issue more than an answer lists. */
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
      return { error: new SchemaRefused(firstOf(parsed.error.issues, toProblemIssues)) };
    };
  });
  // A parameter that nobody reads is refused everywhere: whoever filters by it must not take all for what was asked for.
  app.addHook('onRoute', (route) => {
    if (route.schema === undefined || route.schema.hide === true || route.schema.querystring !== undefined) return;
    route.schema = { ...route.schema, querystring: noParameters };
  });
  app.setSerializerCompiler(createSerializerCompiler());
}

function firstOf(
  issues: readonly z.core.$ZodIssue[],
  toProblemIssues: (issue: z.core.$ZodIssue) => readonly ProblemIssue[],
): readonly ProblemIssue[] {
  return issues
    .slice(0, issuesMax + 1)
    .flatMap(toProblemIssues)
    .slice(0, issuesMax + 1);
}

const noParameters = z.strictObject({});

function isEmptyObject(data: unknown): boolean {
  for (const _key in data as object) return false;
  return true;
}

/** Of a body that a route reads by itself. */
export function bodyRefused({ issues }: z.ZodError): SchemaRefused {
  return new SchemaRefused(firstOf(issues, bodyIssues));
}

export function bodyIssues(issue: z.core.$ZodIssue): readonly ProblemIssue[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.slice(0, issuesMax + 1).map((key) => {
      const pointer = pointerTo([...issue.path, key]);
      return { pointer, code: 'UNKNOWN_PROPERTY', detail: `"${key.slice(0, 100)}" is not known here.` };
    });
  }
  return [{ pointer: pointerTo(issue.path), code: codeOf(issue), detail: bodySentenceOf(issue) }];
}

/** Path and query have no place in the body to point to; the sentence names the parameter instead. */
function parameterIssues(issue: z.core.$ZodIssue): readonly ProblemIssue[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.slice(0, issuesMax + 1).map((key) => {
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

/** The problem's own detail is that of its first issue, without the pointer: so the sentence names the property. */
function bodySentenceOf(issue: z.core.$ZodIssue): string {
  const property = issue.path.map(String).join('.').slice(0, 100);
  // A parser of the domain quotes the text that it refuses.
  if (property === '' || codeOf(issue) !== 'VALIDATION_FAILED') return sentenceOf(issue);
  return isMissing(issue)
    ? `"${property}" is missing; expected: ${issue.expected}.`
    : `"${property}": ${sentenceOf(issue)}`;
}

function isMissing(issue: z.core.$ZodIssue): issue is z.core.$ZodIssueInvalidType {
  return issue.code === 'invalid_type' && issue.message.endsWith('received undefined');
}

function sentenceOf(issue: z.core.$ZodIssue): string {
  if (isMissing(issue)) return `It is missing; expected: ${issue.expected}.`;
  return issue.message.endsWith('.') ? issue.message : `${issue.message}.`;
}

/** A schema may name a more telling code than VALIDATION_FAILED: `refine(…, { params: { code } })`. */
function codeOf(issue: z.core.$ZodIssue): FailureCode {
  const params = issue.code === 'custom' ? (issue.params as { readonly code?: FailureCode } | undefined) : undefined;
  return params?.code ?? 'VALIDATION_FAILED';
}

/** RFC 6901. */
function pointerTo(path: readonly PropertyKey[]): string {
  return path.map((token) => `/${escapedToken(String(token).slice(0, 100))}`).join('');
}
