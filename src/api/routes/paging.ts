import type { PageRequest } from '../../storage/types.js';
import { pageLimits } from '../schemas/common.js';

/** From the query of a paged route; the schema has checked the limit. */
export function pageRequest(query: {
  readonly limit?: string | undefined;
  readonly cursor?: string | undefined;
}): PageRequest {
  const limit = query.limit === undefined ? pageLimits.byDefault : Number(query.limit);
  return query.cursor === undefined ? { limit } : { limit, cursor: query.cursor };
}
