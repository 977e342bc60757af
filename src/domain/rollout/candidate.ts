import { DomainFailure } from '../failure.js';

/**
 * Takes `"rollout"` out of the wire shape of a price book version; the rest is `parsePriceBook`'s.
 * @throws DomainFailure VALIDATION_FAILED
 */
export function withoutRollout(body: unknown): { readonly content: unknown; readonly isCandidate: boolean } {
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return { content: body, isCandidate: false };
  const { rollout = false, ...content } = body as Readonly<Record<string, unknown>>;
  if (typeof rollout === 'boolean') return { content, isCandidate: rollout };
  throw new DomainFailure('VALIDATION_FAILED', '"rollout" is true or false.', '/rollout');
}
