import canonicalize from 'canonicalize';
import { invariant } from '../domain/failure.js';

/** The package exports the function itself; its type declaration speaks of a `default` property, which does not exist. */
const rfc8785 = canonicalize as unknown as (value: unknown) => string | undefined;

/** JSON with sorted keys and without white space (RFC 8785): equal values have equal texts. */
export function canonicalJson(value: unknown): string {
  const text = rfc8785(value);
  invariant(text !== undefined, 'only what JSON can say has a canonical text');
  return text;
}
