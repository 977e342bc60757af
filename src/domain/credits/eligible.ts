import { compareText } from '../compare-text.js';
import type { Instant } from '../values.js';
import type { DrawableGrant } from './grant.js';

/**
 * Whether documents of a period that ends then may draw on the grant (RULES 36): the period's end decides, never the clock, so
 * that issuing late draws the same.
 */
export function isEligible(
  grant: DrawableGrant,
  { currency, periodEnd }: { readonly currency: string; readonly periodEnd: Instant },
): boolean {
  return !grant.isVoid && grant.currency === currency && holdsAt(grant, periodEnd);
}

/** From after it begins until the instant at which it expires, that one included. */
function holdsAt({ effectiveFrom, expiresAt }: DrawableGrant, at: Instant): boolean {
  return effectiveFrom < at && (expiresAt === null || at <= expiresAt);
}

/**
 * The order in which grants are drawn (RULES 36): lower priority first, what expires sooner, what was given away before what
 * was paid for, what began earlier, and then by id, so that it is the same in every run.
 */
export function compareGrants(a: DrawableGrant, b: DrawableGrant): number {
  return (
    a.priority - b.priority ||
    compareText(a.expiresAt ?? never, b.expiresAt ?? never) ||
    (a.type === b.type ? 0 : a.type === 'promotional' ? -1 : 1) ||
    compareText(a.effectiveFrom, b.effectiveFrom) ||
    compareText(a.grantId, b.grantId)
  );
}

/** Behind every instant. */
const never = '~';
