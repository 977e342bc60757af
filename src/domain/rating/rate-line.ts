import { toDecimalString } from '../decimal.js';
import type { D } from '../decimal.js';
import { sumDigests } from '../metering/digest.js';
import { minorUnits } from '../money/currency.js';
import type { DecimalString, GroupKey } from '../values.js';
import { inInvoiceCurrency } from './invoice-currency.js';
import type { Billing } from './invoice-currency.js';
import { specificity } from './match.js';
import { limitAdjustment, withLimit } from './models/line-terms.js';
import type { PercentageTotals } from './models/percentage.js';
import type { PricedShare } from './models/priced-share.js';
import { add, amountText, appendTerm, ZERO } from './models/tiers.js';
import type { Match, Price } from './price-book.js';
import type { PricePlan } from './price-plan.js';
import { priceShare } from './price-share.js';
import type { Calculation, RatedCharge, RatedLine, RatingProblem } from './rating.js';
import { sharesByVersion } from './version-shares.js';
import type { SegmentTotal, VersionShare } from './version-shares.js';

/** The usage of one line (a meter and pricing group), by segment. */
export interface LineUsage {
  readonly lineKey: string;
  readonly meter: string;
  readonly group: GroupKey;
  readonly allowNegative: boolean;
  /** What else has this group's properties and stands on lines of its own. */
  readonly except: readonly Match[];
  readonly segments: readonly SegmentTotal[];
  /** What the line comes to at least, where that is due. */
  readonly minimum: DecimalString | null;
  /** By segment; of lines that are priced event by event. */
  readonly eventTotals: readonly PercentageTotals[] | null;
}

/**
 * One line with a charge for each version in it, rounded once (RULES 20, 24). null: nothing was used and nothing is due.
 * A total below zero is a problem, unless the meter allows it (RULES 8).
 */
export function rateLine(plan: PricePlan, line: LineUsage, billing: Billing): RatedLine | RatingProblem | null {
  const { shares, total } = sharesByVersion(plan, line.segments);
  if (total.isNegative() && !total.isZero() && !line.allowNegative) return negativeTotal(line, total);

  const { version, price } = plan.last;
  const periodQuantity = toDecimalString(total);
  const limits = { maximum: price.maximum, minimum: line.minimum };
  const priced = withinLimits(
    { last: plan.last, limits },
    shares,
    shares.map((share) =>
      priceShare(share, { plan, total, minorDigits: minorDigitsOf(share), eventTotals: line.eventTotals }),
    ),
  );
  const charges: RatedCharge[] = [];
  let amount = ZERO;
  let formula = '';
  for (const [index, share] of shares.entries()) {
    const own = priced[index];
    if (own === undefined || (share.eventCount === 0 && share.quantity.isZero() && own.amount.isZero())) continue;
    amount = add(amount, own.amount);
    formula = joinFormulas(formula, own.formula);
    charges.push(chargeOf(line, share, { priced: own, total, periodQuantity, minorDigits: minorDigitsOf(share) }));
  }
  if (charges.length === 0) return null;
  const invoiced = inInvoiceCurrency({ charges, formula, amount }, version, billing);
  return {
    lineKey: line.lineKey,
    meter: line.meter,
    ...(price.item !== undefined && { item: price.item }),
    group: line.group,
    currency: invoiced.currency,
    quantity: periodQuantity,
    amount: invoiced.amount,
    formula: invoiced.formula,
    charges: invoiced.charges,
  };
}

const minorDigitsOf = ({ planned }: VersionShare): number => minorUnits(planned.version.currency);

function negativeTotal({ meter, group }: LineUsage, total: D): RatingProblem {
  const detail = `The usage of "${meter}" adds up to ${toDecimalString(total)}; only a meter with "allow_negative" may go below zero.`;
  return { code: 'NEGATIVE_TOTAL', meter, group, detail };
}

/** Maximum and minimum are the line's, of the version at the period's end, whose charge carries what they change (RULES 20). */
function withinLimits(
  { last, limits }: Pick<PricePlan, 'last'> & { readonly limits: Pick<Price, 'maximum' | 'minimum'> },
  shares: readonly VersionShare[],
  priced: readonly PricedShare[],
): readonly PricedShare[] {
  if (limits.maximum === null && limits.minimum === null) return priced;
  const limit = limitAdjustment(
    limits,
    priced.reduce((sum, { amount }) => add(sum, amount), ZERO),
  );
  if (limit === null) return priced;
  const minorDigits = minorUnits(last.version.currency);
  return priced.map((own, index) => (shares[index]?.planned === last ? withLimit(own, limit, minorDigits) : own));
}

interface ChargeContext {
  readonly priced: PricedShare;
  /** Of the line. */
  readonly total: D;
  readonly periodQuantity: DecimalString;
  readonly minorDigits: number;
}

function chargeOf(
  line: LineUsage,
  share: VersionShare,
  { priced, total, periodQuantity, minorDigits }: ChargeContext,
): RatedCharge {
  const { version, price, inForce } = share.planned;
  // A line of one version is all of it: the same number need not be written twice.
  const quantity = share.quantity === total ? periodQuantity : toDecimalString(share.quantity);
  const [onlyDigest] = share.digests;
  const calculation: Calculation = {
    model: price.model,
    formula: priced.formula,
    quantity,
    unit_price: priced.unitPrice,
    tiers: priced.tiers,
    quantity_before: toDecimalString(share.quantityBefore),
    period_quantity: periodQuantity,
    price_book: version.code,
    price_book_version: version.version,
    effective_date: version.effectiveFrom,
    in_force: inForce,
    ...(specificity(price.match) > 0 && { match: price.match }),
    ...(line.except.length > 0 && { except: line.except }),
    ...priced.details,
  };
  return {
    meter: line.meter,
    group: line.group,
    priceBookId: version.priceBookId,
    currency: version.currency,
    quantity,
    amount: amountText(priced.amount, minorDigits),
    eventCount: share.eventCount,
    digest: onlyDigest !== undefined && share.digests.length === 1 ? onlyDigest : sumDigests(share.digests),
    calculation,
  };
}

/** A following formula that begins with a minus is taken away as it stands. */
function joinFormulas(formula: string, next: string): string {
  if (formula === '') return next;
  return next.startsWith('−') ? appendTerm(formula, next.slice(1), true) : appendTerm(formula, next, false);
}
