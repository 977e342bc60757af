import { toDecimalString } from '../decimal.js';
import type { D } from '../decimal.js';
import { invariant } from '../failure.js';
import { priceFlat } from './models/flat.js';
import { afterIncluded, withDiscount, withIncluded } from './models/line-terms.js';
import { pricePackage } from './models/package.js';
import { addTotals, noTotals, pricePercentage } from './models/percentage.js';
import type { PercentageTotals } from './models/percentage.js';
import type { PricedShare } from './models/priced-share.js';
import { priceTiered } from './models/tiered.js';
import { add, ZERO } from './models/tiers.js';
import { priceVolume } from './models/volume.js';
import type { PricePlan } from './price-plan.js';
import { includedOf } from './version-shares.js';
import type { VersionShare } from './version-shares.js';

/** What the shares of a line have in common. */
export interface ShareContext {
  readonly plan: PricePlan;
  /** Of the period, included units and all. */
  readonly total: D;
  readonly minorDigits: number;
  readonly eventTotals: readonly PercentageTotals[] | null;
}

/** One version's share of a line: included units → model → discount (RULES 16). Limits are the line's. */
export function priceShare(share: VersionShare, context: ShareContext): PricedShare {
  const { included, discountPercent } = context.plan.last.price;
  if (included === null && discountPercent === null) return priceByModel(share, share.quantity, context);
  const quantity = included === null ? share.quantity : pricedQuantity(share);
  let priced = priceByModel(share, quantity, context);
  if (included !== null) priced = withIncluded(priced, included, toDecimalString(quantity));
  return discountPercent === null ? priced : withDiscount(priced, discountPercent, context.minorDigits);
}

const pricedQuantity = ({ steps }: VersionShare): D =>
  steps.reduce((sum, { before, after }) => add(sum, after.minus(before)), ZERO);

function priceByModel(share: VersionShare, quantity: D, context: ShareContext): PricedShare {
  const { price, tiers } = share.planned;
  const { plan, minorDigits } = context;
  switch (price.model) {
    case 'flat':
      return priceFlat(price.unitPrice, quantity);
    case 'tiered':
    case 'graduated_percentage':
      return priceTiered(tiers, share.steps, minorDigits);
    case 'volume': {
      const periodQuantity = afterIncluded(context.total, includedOf(plan));
      const isDue = periodQuantity.isZero() ? price.chargeWhenZero : periodQuantity.isPositive();
      const withFlatFee = share.planned === plan.last && isDue;
      return priceVolume(tiers, { quantity, periodQuantity, withFlatFee }, minorDigits);
    }
    case 'package':
      return pricePackage(price, quantity);
    case 'percentage': {
      const { price: last } = plan.last;
      invariant(last.model === 'percentage', 'the versions of a line that holds by version have one model');
      return pricePercentage(price, totalsOf(share, context), last);
    }
  }
}

/** Of the segments that the version prices: they are what the line used in them, event by event. */
function totalsOf(share: VersionShare, { plan, eventTotals }: ShareContext): PercentageTotals {
  if (share.eventCount === 0) return noTotals();
  invariant(eventTotals !== null, 'a line that is priced event by event comes with its events');
  const totals = addTotals(eventTotals.filter((_, segment) => plan.bySegment[segment] === share.planned));
  const { free, rated, atMinimum, atMaximum, negative } = totals;
  const kinds = [rated, atMinimum, atMaximum, negative];
  const events = kinds.reduce((sum, { count }) => sum + count, free.count);
  const amount = kinds.reduce((sum, kind) => add(sum, kind.amount), free.amount);
  invariant(
    events === share.eventCount && amount.eq(share.quantity),
    `${events} events with ${toDecimalString(amount)} were priced, of ${share.eventCount} with ${toDecimalString(share.quantity)}`,
  );
  return totals;
}
