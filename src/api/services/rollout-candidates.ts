/** Price book versions that are created for a rollout. */
import { DomainFailure } from '../../domain/failure.js';
import type { PriceBookContent } from '../../domain/rating/parse-price-book.js';
import type { PriceBookVersion } from '../../domain/rating/price-book.js';

/** Takes `"rollout"` out of a body of `POST /price-books`; the rest is read by the domain. */
export function withoutRollout(body: unknown): { readonly content: unknown; readonly isCandidate: boolean } {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return { content: body, isCandidate: false };
  const { rollout = false, ...content } = body as Readonly<Record<string, unknown>>;
  if (typeof rollout === 'boolean') return { content, isCandidate: rollout };
  throw new DomainFailure('VALIDATION_FAILED', '"rollout" is true or false.', '/rollout');
}

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
