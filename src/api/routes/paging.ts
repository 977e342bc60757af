import { DomainFailure } from '../../domain/failure.js';
import { parseInstant } from '../../domain/time/instant.js';
import type { Instant } from '../../domain/values.js';
import type { PageRequest } from '../../storage/types.js';
import { pageLimits } from '../schemas/common.js';

/**
 * From the query of a paged route; the schema has checked the limit.
 * @throws DomainFailure INVALID_CURSOR for a text that is not base64url to the last bit: a decoder would pass over what
 *   was appended to a cursor
 */
export function pageRequest(query: {
  readonly limit?: string | undefined;
  readonly cursor?: string | undefined;
}): PageRequest {
  const limit = query.limit === undefined ? pageLimits.byDefault : Number(query.limit);
  const { cursor } = query;
  if (cursor === undefined) return { limit };
  if (Buffer.from(cursor, 'base64url').toString('base64url') !== cursor) {
    const detail = 'Use the next_cursor of the page before, of the same list, unchanged.';
    throw new DomainFailure('INVALID_CURSOR', detail);
  }
  return { limit, cursor };
}

/**
 * From the query of a list over a range of time, without its end.
 * @throws DomainFailure VALIDATION_FAILED for a range that is empty whatever there is: a list of nothing would be taken for an answer
 */
export function rangeAsked(query: { readonly from?: string | undefined; readonly to?: string | undefined }): {
  readonly from?: Instant;
  readonly to?: Instant;
} {
  const from = query.from === undefined ? undefined : parseInstant(query.from);
  const to = query.to === undefined ? undefined : parseInstant(query.to);
  if (from !== undefined && to !== undefined && from >= to) {
    throw new DomainFailure('VALIDATION_FAILED', `The range from ${from} to before ${to} is empty.`);
  }
  return { ...(from !== undefined && { from }), ...(to !== undefined && { to }) };
}
