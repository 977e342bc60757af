import { toDecimalString } from '../decimal.js';
import type { D } from '../decimal.js';
import { addDigests } from '../metering/digest.js';
import { minorUnits } from '../money/currency.js';
import { roundMoney } from '../money/rounding.js';
import type { Digest, GroupKey } from '../values.js';
import { priceFlat } from './models/flat.js';
import type { PricedShare } from './models/priced-share.js';
import { priceTiered } from './models/tiered.js';
import type { CumulativeStep } from './models/tiered.js';
import { add, amountText, appendTerm, ZERO } from './models/tiers.js';
import { priceVolume } from './models/volume.js';
import type { PricePlan, VersionPrice } from './price-plan.js';
import type { Calculation, RatedCharge, RatedLine, RatingProblem } from './rating.js';

/** What one line used in one price segment; filled while pooling. */
export interface SegmentTotal {
  quantity: D;
  eventCount: number;
  readonly digests: Digest[];
}

/** The usage of one line (a meter and pricing group), by segment. */
export interface LineUsage {
  readonly lineKey: string;
  readonly meter: string;
  readonly group: GroupKey;
  readonly allowNegative: boolean;
  readonly segments: readonly SegmentTotal[];
}

/** One version's part of a line. */
interface VersionShare extends SegmentTotal {
  readonly planned: VersionPrice;
  readonly steps: { -readonly [K in keyof CumulativeStep]: CumulativeStep[K] }[];
}

/**
 * One line with a charge for each version in it, rounded once (RULES 20, 24). null: nothing was used and nothing is due.
 * A total below zero is a problem, unless the meter allows it (RULES 8).
 */
export function rateLine(plan: PricePlan, line: LineUsage): RatedLine | RatingProblem | null {
  const { shares, total } = sharesByVersion(plan, line);
  if (total.isNegative() && !total.isZero() && !line.allowNegative) return negativeTotal(line, total);

  const { version } = plan.last;
  const minorDigits = minorUnits(version.currency);
  const periodQuantity = toDecimalString(total);
  const charges: RatedCharge[] = [];
  let amount = ZERO;
  let formula = '';
  for (const share of shares) {
    const priced = priceShare(share, { plan, total, minorDigits });
    if (share.eventCount === 0 && share.quantity.isZero() && priced.amount.isZero()) continue;
    amount = add(amount, priced.amount);
    formula = joinFormulas(formula, priced.formula);
    charges.push(chargeOf(line, share, { priced, periodQuantity, minorDigits }));
  }
  if (charges.length === 0) return null;
  return {
    lineKey: line.lineKey,
    meter: line.meter,
    group: line.group,
    currency: version.currency,
    quantity: periodQuantity,
    amount: roundMoney(amount, version.currency, version.rounding),
    formula,
    charges,
  };
}

function negativeTotal({ meter, group }: LineUsage, total: D): RatingProblem {
  const detail = `The usage of "${meter}" adds up to ${toDecimalString(total)}; only a meter with "allow_negative" may go below zero.`;
  return { code: 'NEGATIVE_TOTAL', meter, group, detail };
}

/**
 * Follows the cumulative through the segments, in order of event time. A run of segments with the same version is one
 * step; a version that comes back later (another one had an end) has several.
 */
function sharesByVersion(plan: PricePlan, line: LineUsage): { shares: readonly VersionShare[]; total: D } {
  const shares = new Map<VersionPrice, VersionShare>();
  let cumulative = ZERO;
  let current: VersionShare | null = null;
  for (const [index, planned] of plan.bySegment.entries()) {
    const used = line.segments[index];
    if (planned === null || used === undefined) continue;
    const before = cumulative;
    cumulative = add(cumulative, used.quantity);
    const [firstFeeDueBefore, firstFeeDueAfter] = [isAboveZero(before), isAboveZero(cumulative)];

    let share: VersionShare | undefined = shares.get(planned);
    if (share === undefined) {
      share = { planned, steps: [], quantity: ZERO, eventCount: 0, digests: [] };
      shares.set(planned, share);
    }
    const lastStep = share.steps.at(-1);
    if (share === current && lastStep !== undefined) {
      lastStep.after = cumulative;
      lastStep.firstFeeDueAfter = firstFeeDueAfter;
    } else {
      share.steps.push({ before, after: cumulative, firstFeeDueBefore, firstFeeDueAfter });
    }
    share.quantity = add(share.quantity, used.quantity);
    share.eventCount += used.eventCount;
    share.digests.push(...used.digests);
    current = share;
  }
  if (cumulative.isZero() && plan.last.price.model === 'tiered' && plan.last.price.chargeWhenZero) {
    const lastStep = shares.get(plan.last)?.steps.at(-1);
    if (lastStep !== undefined) lastStep.firstFeeDueAfter = true;
  }
  return { shares: [...shares.values()], total: cumulative };
}

/**
 * The first tier's flat fee is due from the first unit on. A period that ends at zero owes it only where the version at
 * its end charges when zero (RULES 12).
 */
function isAboveZero(quantity: D): boolean {
  return quantity.isPositive() && !quantity.isZero();
}

function priceShare(
  share: VersionShare,
  context: { readonly plan: PricePlan; readonly total: D; readonly minorDigits: number },
): PricedShare {
  const { price, tiers } = share.planned;
  switch (price.model) {
    case 'flat':
      return priceFlat(price.unitPrice, share.quantity);
    case 'tiered':
      return priceTiered(tiers, share.steps, context.minorDigits);
    case 'volume': {
      const { total } = context;
      const isDue = total.isZero() ? price.chargeWhenZero : total.isPositive();
      const withFlatFee = share.planned === context.plan.last && isDue;
      return priceVolume(
        tiers,
        { quantity: share.quantity, periodQuantity: context.total, withFlatFee },
        context.minorDigits,
      );
    }
  }
}

function chargeOf(
  line: LineUsage,
  share: VersionShare,
  {
    priced,
    periodQuantity,
    minorDigits,
  }: { priced: PricedShare; periodQuantity: RatedLine['quantity']; minorDigits: number },
): RatedCharge {
  const { version, price, inForce } = share.planned;
  const quantity = toDecimalString(share.quantity);
  const [onlyDigest] = share.digests;
  const calculation: Calculation = {
    model: price.model,
    formula: priced.formula,
    quantity,
    unit_price: priced.unitPrice,
    tiers: priced.tiers,
    quantity_before: toDecimalString(share.steps[0]?.before ?? ZERO),
    period_quantity: periodQuantity,
    price_book: version.code,
    price_book_version: version.version,
    effective_date: version.effectiveFrom,
    in_force: inForce,
  };
  return {
    meter: line.meter,
    group: line.group,
    priceBookId: version.priceBookId,
    currency: version.currency,
    quantity,
    amount: amountText(priced.amount, minorDigits),
    eventCount: share.eventCount,
    digest: onlyDigest !== undefined && share.digests.length === 1 ? onlyDigest : addDigests(...share.digests),
    calculation,
  };
}

/** A following formula that begins with a minus is taken away as it stands. */
function joinFormulas(formula: string, next: string): string {
  if (formula === '') return next;
  return next.startsWith('−') ? appendTerm(formula, next.slice(1), true) : appendTerm(formula, next, false);
}
