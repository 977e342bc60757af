/** What surrounds the model of a price (RULES 15, 16): included units before it; discount, maximum and minimum after it. */
import { D, decimal, parseDecimal } from '../../decimal.js';
import { DomainFailure } from '../../failure.js';
import type { DecimalString } from '../../values.js';
import { readPrice } from '../parse-tiers.js';
import type { LineTerms } from '../price-book.js';
import { pointerTo } from '../wire-reader.js';
import type { WireObject } from '../wire-reader.js';
import type { PricedShare } from './priced-share.js';
import { add, amountText, appendTerm, ZERO } from './tiers.js';

export const lineTermProperties = ['included', 'discount_percent', 'maximum', 'minimum'] as const;

/** @throws VALIDATION_FAILED: a minimum above the maximum, a discount above 100, anything below zero */
export function parseLineTerms(wire: WireObject, pointer: string): LineTerms {
  const read = (property: (typeof lineTermProperties)[number]): DecimalString | null =>
    wire[property] === undefined || wire[property] === null
      ? null
      : readPrice(wire[property], pointerTo(pointer, property));
  const terms = {
    included: read('included'),
    discountPercent: read('discount_percent'),
    maximum: read('maximum'),
    minimum: read('minimum'),
  };
  const { discountPercent, maximum, minimum } = terms;
  if (discountPercent !== null && decimal(discountPercent).gt(100)) {
    throw new DomainFailure(
      'VALIDATION_FAILED',
      'A discount takes away 100 percent at most.',
      pointerTo(pointer, 'discount_percent'),
    );
  }
  requireOrder({ minimum, maximum }, pointerTo(pointer, 'minimum'));
  return terms;
}

/** @throws VALIDATION_FAILED at the minimum */
export function requireOrder(
  { minimum, maximum }: { readonly minimum: DecimalString | null; readonly maximum: DecimalString | null },
  pointer: string,
): void {
  if (minimum === null || maximum === null || decimal(minimum).lte(decimal(maximum))) return;
  throw new DomainFailure('VALIDATION_FAILED', `The minimum is above the maximum, ${maximum}.`, pointer);
}

export interface LineTermsWire {
  readonly included?: DecimalString;
  readonly discount_percent?: DecimalString;
  readonly maximum?: DecimalString;
  readonly minimum?: DecimalString;
}

export function lineTermsToWire({ included, discountPercent, maximum, minimum }: LineTerms): LineTermsWire {
  return {
    ...(included === null ? {} : { included }),
    ...(discountPercent === null ? {} : { discount_percent: discountPercent }),
    ...(maximum === null ? {} : { maximum }),
    ...(minimum === null ? {} : { minimum }),
  };
}

/** The cumulative after included units: they are the earliest of the period, and never make it fall below zero (RULES 8). */
export function afterIncluded(cumulative: D, included: D | null): D {
  if (included === null || cumulative.isNegative() || cumulative.isZero()) return cumulative;
  return cumulative.lte(included) ? ZERO : cumulative.minus(included);
}

/** The share after included units, explained. */
export function withIncluded(priced: PricedShare, units: DecimalString, quantity: DecimalString): PricedShare {
  return {
    ...priced,
    formula: `${priced.formula} (${units} included)`,
    details: { ...priced.details, included: { units, quantity } },
  };
}

const oneHundredth = new D('0.01');

export function withDiscount(priced: PricedShare, percent: DecimalString, minorDigits: number): PricedShare {
  const { amount, formula } = priced;
  const taken = amount.times(decimal(percent)).times(oneHundredth);
  const of = amountText(amount.abs(), minorDigits);
  return {
    ...priced,
    amount: amount.minus(taken),
    formula: taken.isZero() ? formula : appendTerm(formula, `${percent} % × ${of}`, !taken.isNegative()),
    details: { ...priced.details, discount: { percent, of: amountText(amount, minorDigits) } },
  };
}

/** What must be added to a line's amount to keep it within the price's limits; null: nothing. */
export interface LimitAdjustment {
  readonly kind: 'minimum' | 'maximum';
  readonly limit: DecimalString;
  readonly lineAmount: D;
  readonly adjustment: D;
}

export function limitAdjustment(
  { maximum, minimum }: Pick<LineTerms, 'maximum' | 'minimum'>,
  lineAmount: D,
): LimitAdjustment | null {
  const adjusted = (kind: LimitAdjustment['kind'], limit: DecimalString): LimitAdjustment => {
    return { kind, limit, lineAmount, adjustment: decimal(limit).minus(lineAmount) };
  };
  if (maximum !== null && lineAmount.gt(decimal(maximum))) return adjusted('maximum', maximum);
  return minimum !== null && lineAmount.lt(decimal(minimum)) ? adjusted('minimum', minimum) : null;
}

/** The limit is the line's; the charge of the version at the period's end carries it (RULES 20). */
export function withLimit(priced: PricedShare, limit: LimitAdjustment, minorDigits: number): PricedShare {
  const { kind, adjustment, lineAmount } = limit;
  const text = `${amountText(adjustment.abs(), minorDigits)} (${kind} ${limit.limit})`;
  return {
    ...priced,
    amount: add(priced.amount, adjustment),
    formula: appendTerm(priced.formula, text, adjustment.isNegative()),
    details: {
      ...priced.details,
      limit: {
        kind,
        limit: limit.limit,
        line_amount: amountText(lineAmount, minorDigits),
        adjustment: amountText(adjustment, minorDigits),
      },
    },
  };
}

/** A whole number, zero or more. */
export function readCount(value: unknown, pointer: string): number {
  const isCount =
    typeof value === 'number' ? Number.isSafeInteger(value) && value >= 0 : /^(?:0|[1-9]\d{0,14})$/.test(String(value));
  if (!isCount || (typeof value !== 'number' && typeof value !== 'string'))
    throw new DomainFailure('VALIDATION_FAILED', 'A whole number, zero or more, is expected here.', pointer);
  return Number(value);
}

/** A decimal that may be left out or null. */
export function readOptionalPrice(wire: WireObject, property: string, pointer: string): DecimalString | null {
  const value = wire[property];
  if (value === undefined || value === null) return null;
  parseDecimal(value, pointerTo(pointer, property));
  return readPrice(value, pointerTo(pointer, property));
}
