/**
 * The Idempotency-Key header: the first answer to a key is stored and returned again; other content under the same key
 * is refused (docs/reference/API.md). What a route does is safe to repeat by its own identity keys; this makes the
 * *answer* the same too.
 */
import canonicalize from 'canonicalize';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { createHash } from 'node:crypto';
import { DomainFailure } from '../../domain/failure.js';
import { uuidOf } from '../../storage/identifiers.js';
import type { IdempotencyStore } from '../../storage/types.js';
import { problemMediaType } from '../problem.js';
import type { Api } from '../types.js';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** The route takes the Idempotency-Key header. */
    readonly idempotent?: boolean;
  }
}

/** The package exports the function itself; its type declaration speaks of a `default` property, which does not exist. */
const canonicalText = canonicalize as unknown as (value: unknown) => string;

const keyPattern = /^[\x21\x23-\x7e]{1,255}$/;

export function registerIdempotency(app: Api, store: IdempotencyStore): void {
  const started = new WeakMap<FastifyRequest, string>();

  app.addHook('preHandler', async (request, reply) => {
    const key = idempotencyKeyOf(request);
    if (key === null) return;
    const start = await store.start(request.actor, key, fingerprintOf(request));
    switch (start.kind) {
      case 'started':
        started.set(request, key);
        return;
      case 'replay':
        return replay(reply, start);
      case 'reused':
        throw new DomainFailure(
          'IDEMPOTENCY_KEY_REUSED',
          'This Idempotency-Key was used for another request. Use a new key for a new request.',
        );
      case 'in_flight':
        throw new DomainFailure(
          'IDEMPOTENCY_KEY_IN_FLIGHT',
          'The first request with this Idempotency-Key is still being carried out. Send it again in a moment.',
        );
    }
  });

  app.addHook('onSend', async (request, reply, payload) => {
    const key = started.get(request);
    if (key === undefined) return;
    started.delete(request);
    try {
      if (reply.statusCode >= 500 || typeof payload !== 'string') await store.release(request.actor, key);
      else await store.finish(request.actor, key, reply.statusCode, payload);
    } catch (error) {
      // The request is carried out; its key frees itself when its lock runs out.
      request.log.warn({ err: error, reqId: request.id }, 'the answer could not be stored under its Idempotency-Key');
    }
  });
}

function replay(reply: FastifyReply, first: { readonly status: number; readonly body: string }): FastifyReply {
  return reply
    .code(first.status)
    .header('idempotency-replayed', 'true')
    .type(first.status >= 400 ? problemMediaType : 'application/json; charset=utf-8')
    .serializer((body: unknown) => body as string)
    .send(first.body);
}

/**
 * The key, quoted (as the IETF draft writes it) or bare; null when the route or the request has none. Two actors may use
 * the same key: what is stored under it belongs to the actor.
 */
export function idempotencyKeyOf(request: FastifyRequest): string | null {
  if (request.routeOptions.config.idempotent !== true) return null;
  const header = request.headers['idempotency-key'];
  if (header === undefined) return null;
  const text = typeof header === 'string' ? header.trim() : '';
  const key = text.length >= 2 && text.startsWith('"') && text.endsWith('"') ? text.slice(1, -1) : text;
  if (keyPattern.test(key)) return key;
  const detail = 'An Idempotency-Key has 1 to 255 visible ASCII characters; a UUID is a good one.';
  throw new DomainFailure('IDEMPOTENCY_KEY_INVALID', detail);
}

/**
 * Names the request by who asks, the key and the content: what was carried out under it is known for ever, also when the answer
 * is forgotten. null: the request has no key.
 */
export function requestIdOf(request: FastifyRequest): string | null {
  const key = idempotencyKeyOf(request);
  return key === null ? null : uuidOf('request', request.actor, key, fingerprintOf(request));
}

/** Of method, URL and the body by content: key order and white space of the JSON do not matter. */
function fingerprintOf(request: FastifyRequest): string {
  const text = canonicalText({ method: request.method, url: request.url, body: request.body ?? null });
  return createHash('sha256').update(text).digest('hex');
}
