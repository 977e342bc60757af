/** Strict JSON bodies for every route but POST /events, which reads its own bytes. */
import { isUtf8 } from 'node:buffer';
import { DomainFailure } from '../../domain/failure.js';
import { jsonTextOf } from '../json-text.js';
import type { Api } from '../types.js';

/** Configuration bodies are small; a price book of 1,000 prices with many tiers stays far below. */
const bodyLimit = 1024 * 1024;

export function registerJsonBody(app: Api): void {
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer', bodyLimit }, (_request, body: Buffer, done) => {
    try {
      done(null, parseStrictJson(body));
    } catch (error) {
      done(error as Error);
    }
  });
}

/** @throws DomainFailure INVALID_JSON, UNKNOWN_PROPERTY, VALIDATION_FAILED */
function parseStrictJson(body: Buffer): unknown {
  if (body.length === 0) throw new DomainFailure('INVALID_JSON', 'The body is empty; it must be a JSON object.');
  if (!isUtf8(body)) throw new DomainFailure('INVALID_JSON', 'The body is not valid UTF-8.');
  try {
    return JSON.parse(jsonTextOf(body), refuseUnsafe);
  } catch (error) {
    if (error instanceof SyntaxError)
      throw new DomainFailure('INVALID_JSON', `The body is not JSON: ${error.message}.`);
    if (error instanceof RangeError) throw new DomainFailure('INVALID_JSON', 'The body is nested too deeply.');
    throw error;
  }
}

/** Names that reach into prototypes, and texts that Postgres cannot store. */
function refuseUnsafe(key: string, value: unknown): unknown {
  if (key === '__proto__') {
    throw new DomainFailure('UNKNOWN_PROPERTY', '"__proto__" is not accepted as a name of a property.');
  }
  if (/[\0\p{Surrogate}]/u.test(key) || (typeof value === 'string' && /[\0\p{Surrogate}]/u.test(value))) {
    const detail = 'Texts cannot contain the character U+0000 or half of a surrogate pair.';
    throw new DomainFailure('VALIDATION_FAILED', detail);
  }
  return value;
}
