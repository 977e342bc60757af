import { decimal } from '../decimal.js';
import type { D } from '../decimal.js';
import type { Digest } from '../values.js';
import { afterIncluded } from './models/line-terms.js';
import type { CumulativeStep } from './models/tiered.js';
import { add, ZERO } from './models/tiers.js';
import type { PricePlan, VersionPrice } from './price-plan.js';

/** What one line used in one price segment; filled while pooling. */
export interface SegmentTotal {
  quantity: D;
  eventCount: number;
  readonly digests: Digest[];
}

/** One version's part of a line. */
export interface VersionShare extends SegmentTotal {
  readonly planned: VersionPrice;
  /** The line's cumulative before the version first held, included units and all. */
  readonly quantityBefore: D;
  /** The line's cumulative after included units, which is what is priced. */
  readonly steps: { -readonly [K in keyof CumulativeStep]: CumulativeStep[K] }[];
}

/**
 * Follows the cumulative through the segments, in order of event time. A run of segments with the same version is one
 * step; a version that comes back later (another one had an end) has several.
 */
export function sharesByVersion(
  plan: PricePlan,
  segments: readonly SegmentTotal[],
): { readonly shares: readonly VersionShare[]; readonly total: D } {
  const included = includedOf(plan);
  const shares = new Map<VersionPrice, VersionShare>();
  let cumulative = ZERO;
  let priced = ZERO;
  let current: VersionShare | null = null;
  for (const [index, planned] of plan.bySegment.entries()) {
    const used = segments[index];
    if (planned === null || used === undefined) continue;
    const [quantityBefore, before] = [cumulative, priced];
    cumulative = add(cumulative, used.quantity);
    priced = afterIncluded(cumulative, included);
    const [firstFeeDueBefore, firstFeeDueAfter] = [isAboveZero(before), isAboveZero(priced)];

    let share: VersionShare | undefined = shares.get(planned);
    if (share === undefined) {
      share = { planned, quantityBefore, steps: [], quantity: ZERO, eventCount: 0, digests: [] };
      shares.set(planned, share);
    }
    const lastStep = share.steps.at(-1);
    if (share === current && lastStep !== undefined) {
      lastStep.after = priced;
      lastStep.firstFeeDueAfter = firstFeeDueAfter;
    } else {
      share.steps.push({ before, after: priced, firstFeeDueBefore, firstFeeDueAfter });
    }
    share.quantity = add(share.quantity, used.quantity);
    share.eventCount += used.eventCount;
    for (const digest of used.digests) share.digests.push(digest);
    current = share;
  }
  const { price } = plan.last;
  if (priced.isZero() && 'chargeWhenZero' in price && price.chargeWhenZero) {
    const lastStep = shares.get(plan.last)?.steps.at(-1);
    if (lastStep !== undefined) lastStep.firstFeeDueAfter = true;
  }
  return { shares: [...shares.values()], total: cumulative };
}

/** Of the version at the period's end, for the whole period (RULES 20). */
export function includedOf({ last }: PricePlan): D | null {
  return last.price.included === null ? null : decimal(last.price.included);
}

/**
 * The first tier's flat fee is due from the first unit on. A period that ends at zero owes it only where the version at
 * its end charges when zero (RULES 12).
 */
function isAboveZero(quantity: D): boolean {
  return quantity.isPositive() && !quantity.isZero();
}
