import { DomainFailure } from '../../domain/failure.js';
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
