/** One place that turns whatever went wrong into a problem (RFC 9457). Nothing of an unexpected error is shown. */
import { randomUUID } from 'node:crypto';
import { STATUS_CODES } from 'node:http';
import type { Socket } from 'node:net';
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify';
import { DomainFailure, type FailureCode } from '../../domain/failure.js';
import { StorageUnavailable } from '../../storage/errors.js';
import { problemMediaType, problemOf, RequestRefused, retryAfterOf, type ProblemIssue } from '../problem.js';
import type { Api } from '../types.js';
import { SchemaRefused } from './schemas.js';

export function registerErrors(app: Api): void {
  app.setErrorHandler((error: Error, request, reply) => {
    const failure = failureOf(error);
    const { status } = problemOf(failure, request.id);
    if (status >= 500) request.log[status === 500 ? 'error' : 'warn']({ err: error, reqId: request.id }, failure.code);
    return sendProblem(request, reply, failure);
  });
  app.setNotFoundHandler((request, reply) => {
    const allowed = app.methodsOf(request.url);
    if (allowed.length === 0) {
      const detail = 'There is nothing at this path. GET /openapi.json lists what there is.';
      return sendProblem(request, reply, new DomainFailure('ROUTE_NOT_FOUND', detail));
    }
    reply.header('allow', allowed.join(', '));
    const detail = `${request.method} is not possible here; possible: ${allowed.join(', ')}.`;
    return sendProblem(request, reply, new DomainFailure('METHOD_NOT_ALLOWED', detail));
  });
}

export function sendProblem(request: FastifyRequest, reply: FastifyReply, failure: DomainFailure): FastifyReply {
  const problem = problemOf(failure, request.id);
  reply.header('x-request-id', request.id);
  const retryAfter = retryAfterOf(failure);
  if (retryAfter !== undefined) reply.header('retry-after', String(retryAfter));
  // As text: a problem must never fail for a route's response schema.
  return reply.code(problem.status).type(problemMediaType).serializer(asIs).send(JSON.stringify(problem));
}

/**
 * Answers what is no request at all, so that no route sees it, and closes the connection: where the next request would begin is
 * not known. (Node: `clientError`.)
 */
export function answerBrokenRequest(error: Error & { readonly code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return;
  if (socket.writable) {
    const { status, detail, code = 'INVALID_JSON' } = brokenRequests[error.code ?? ''] ?? brokenRequest;
    const id = randomUUID();
    const body = JSON.stringify({ ...problemOf(new DomainFailure(code, detail), id), status });
    const head = [
      `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}`,
      `Content-Type: ${problemMediaType}`,
      `Content-Length: ${Buffer.byteLength(body)}`,
      `X-Request-Id: ${id}`,
      'Connection: close',
    ];
    socket.write(`${head.join('\r\n')}\r\n\r\n${body}`);
  }
  socket.destroy(error);
}

interface BrokenRequest {
  readonly status: number;
  readonly detail: string;
  /** Else INVALID_JSON: nobody knows whether there was a body at all. */
  readonly code?: FailureCode;
}

const brokenRequest: BrokenRequest = {
  status: 400,
  detail:
    'This is no HTTP request that can be read: its framing (chunks, Content-Length, Transfer-Encoding) or its headers are wrong. Nothing after the fault was read.',
};
const brokenRequests: Readonly<Record<string, BrokenRequest>> = {
  ERR_HTTP_REQUEST_TIMEOUT: { status: 408, detail: 'The request was not sent to its end in time. Send it again.' },
  HPE_HEADER_OVERFLOW: {
    status: 431,
    detail: 'The headers of the request are too large.',
    code: 'HEADERS_TOO_LARGE',
  },
};

const asIs = (payload: unknown): string => payload as string;

function failureOf(error: Error): DomainFailure {
  if (error instanceof DomainFailure) return error;
  if (error instanceof SchemaRefused) return new RequestRefused(issuesOf(error));
  if (error instanceof StorageUnavailable) {
    const detail =
      'The database cannot be reached, so the request may not have been carried out. Send the same request again later.';
    return new DomainFailure('DATABASE_UNAVAILABLE', detail);
  }
  const known = frameworkFailures[(error as FastifyError).code];
  if (known !== undefined) return new DomainFailure(known.code, known.detail);
  const detail = 'Something went wrong on our side. The log has it under the id given as "instance".';
  return new DomainFailure('INTERNAL_ERROR', detail);
}

function issuesOf({ issues }: SchemaRefused): readonly [ProblemIssue, ...ProblemIssue[]] {
  const [first, ...others] = issues;
  return [first ?? { pointer: '', code: 'VALIDATION_FAILED', detail: 'The request is not valid.' }, ...others];
}

/** What Fastify refuses by itself. (POST /events reads its own bodies.) */
const frameworkFailures: Readonly<Record<string, { readonly code: FailureCode; readonly detail: string }>> = {
  FST_ERR_CTP_BODY_TOO_LARGE: {
    code: 'BODY_TOO_LARGE',
    detail: 'The body is larger than this route takes.',
  },
  FST_ERR_CTP_INVALID_MEDIA_TYPE: {
    code: 'UNSUPPORTED_MEDIA_TYPE',
    detail: 'Send the body as JSON, with the header "Content-Type: application/json".',
  },
  FST_ERR_CTP_INVALID_CONTENT_LENGTH: {
    code: 'INVALID_JSON',
    detail: 'The body is not as long as its Content-Length says. Nothing was taken; send it again.',
  },
  FST_ERR_BAD_URL: { code: 'ROUTE_NOT_FOUND', detail: 'The path is not a valid URL.' },
};
