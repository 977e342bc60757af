/** Corrections and rollouts do not mix. */
import { DomainFailure } from '../../domain/failure.js';
import type { PriceBookContent } from '../../domain/rating/parse-price-book.js';
import type { PriceBookVersion } from '../../domain/rating/price-book.js';

/**
 * A correction acts wherever the corrected version does, from one moment on; a candidate begins for each customer by itself.
 * @throws DomainFailure ROLLOUT_CONFLICT
 */
export function refuseCandidates(content: PriceBookContent, superseded: PriceBookVersion): void {
  if (content.isCandidate === true) {
    const detail =
      'A correction holds for everybody at once. Leave out "supersedes" to roll the version out, or "rollout" to correct.';
    throw new DomainFailure('ROLLOUT_CONFLICT', detail, '/rollout');
  }
  if (superseded.isCandidate !== true) return;
  const detail = `Version "${superseded.version}" goes to customers by a rollout. Roll it back, and roll out a version with the right prices; periods that it priced are re-rated by naming the right version.`;
  throw new DomainFailure('ROLLOUT_CONFLICT', detail, '/supersedes');
}
