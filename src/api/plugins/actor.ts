/**
 * Who sends a request, as far as it says so: the name that decisions are kept under (four eyes: nobody approves a re-rating
 * of their own). Until requests carry credentials it is what the sender states.
 */
import { createHash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';
import { DomainFailure } from '../../domain/failure.js';
import { automaticActor } from '../../storage/types.js';
import type { Api } from '../types.js';

declare module 'fastify' {
  interface FastifyRequest {
    /** Never empty; see `actorOf`. */
    actor: string;
  }
}

const actorHeader = 'x-reckoner-actor';
const anonymousActor = 'anonymous';

/** Characters that a header can carry, but no control characters. */
const namePattern = /^[\x20-\x7e\xa0-\xff]{1,128}$/;
const bearerPattern = /^Bearer +(\S+)$/i;
const fingerprintLength = 12;
/** Names that the program itself acts under: whoever took one could pass for it. */
const reserved: ReadonlySet<string> = new Set([automaticActor, 'reconciliation', 'invoicing']);

/** To be registered before the plugins and routes that read `request.actor`. */
export function registerActor(app: Api): void {
  app.decorateRequest('actor', anonymousActor);
  app.addHook('onRequest', (request, _reply, done) => {
    try {
      request.actor = actorOf(request.headers);
      done();
    } catch (error) {
      done(error as Error);
    }
  });
}

/**
 * The name in `X-Reckoner-Actor`, else the fingerprint of a bearer token, else `anonymous`.
 * @throws DomainFailure VALIDATION_FAILED
 */
export function actorOf(headers: IncomingHttpHeaders): string {
  const named = headers[actorHeader];
  if (named === undefined) return fingerprintOf(headers.authorization) ?? anonymousActor;
  const name = typeof named === 'string' ? named.trim() : '';
  if (!namePattern.test(name)) {
    throw refused('"X-Reckoner-Actor" has 1 to 128 printable characters (ISO 8859-1).');
  }
  if (reserved.has(name) || name.startsWith('key:')) {
    throw refused(`"X-Reckoner-Actor" cannot be "${name}": the program itself acts under that name.`);
  }
  return name;
}

/** `key:` and the first 12 hex digits of the token's SHA-256: it tells tokens apart and gives none away. */
function fingerprintOf(authorization: string | undefined): string | null {
  const token = bearerPattern.exec(authorization ?? '')?.[1];
  if (token === undefined) return null;
  return `key:${createHash('sha256').update(token).digest('hex').slice(0, fingerprintLength)}`;
}

function refused(detail: string): DomainFailure {
  return new DomainFailure('VALIDATION_FAILED', detail);
}
