/** How the amount of a line came about, a part a row. */
import { decimal, toDecimalString, zero } from '../decimal.js';
import type { Calculation } from '../rating/rating.js';
import type { DecimalString } from '../values.js';
import type { InvoiceLineItem } from './invoice.js';

/** A part of a row's own calculation, in the currency of its price; it says how the amount came about, and is not added to it. */
export interface SectionDetail {
  readonly kind: 'tier' | 'price' | 'included' | 'discount' | 'minimum' | 'maximum';
  readonly description: string;
  readonly quantity: DecimalString | null;
  /** What it adds or takes away; not rounded. */
  readonly amount: DecimalString;
  readonly currency: string;
}

/** How much discounts took: shown at every level that shows lines. */
export function discountsOf(line: InvoiceLineItem): readonly SectionDetail[] {
  return partsOf(line, (charge) => termsOf(charge).filter(({ kind }) => kind === 'discount'));
}

export function detailsOf(line: InvoiceLineItem): readonly SectionDetail[] {
  return partsOf(line, (charge) => [...pricesOf(charge), ...termsOf(charge)]);
}

function partsOf(
  { calculation: { charges }, currency }: InvoiceLineItem,
  detailsOfCharge: (charge: Calculation) => readonly Detail[],
): readonly SectionDetail[] {
  return charges.flatMap((charge) =>
    detailsOfCharge(charge).map((own) => ({ ...own, currency: charge.conversion?.from ?? currency })),
  );
}

type Detail = Omit<SectionDetail, 'currency'>;

function pricesOf({ model, tiers, unit_price: price, quantity, included }: Calculation): readonly Detail[] {
  const free: Detail[] =
    included === undefined
      ? []
      : [{ kind: 'included', description: `${included.units} included`, quantity: included.units, amount: zero }];
  if (tiers.length > 0) {
    const used = tiers.map(({ up_to: upTo, quantity: own, unit_price: unitPrice, flat_fee: flat, amount }): Detail => ({
      kind: 'tier',
      description: `${upTo === null ? 'beyond' : `up to ${upTo}`}: ${own} × ${unitPrice}${flat === undefined ? '' : ` + ${flat}`}`,
      quantity: own,
      amount,
    }));
    return [...free, ...used];
  }
  if (price === null || model !== 'flat') return free;
  const paid = included?.quantity ?? quantity;
  const amount = toDecimalString(decimal(paid).times(decimal(price)));
  return [...free, { kind: 'price', description: `${paid} × ${price}`, quantity: paid, amount }];
}

function termsOf({ discount, limit }: Calculation): readonly Detail[] {
  const details: Detail[] = [];
  if (discount !== undefined) {
    const amount = toDecimalString(
      decimal(discount.of)
        .times(decimal(discount.percent))
        .times(decimal('0.01' as DecimalString)),
    );
    details.push({
      kind: 'discount',
      description: `Discount of ${discount.percent} %`,
      quantity: null,
      amount: negated(amount),
    });
  }
  if (limit !== undefined) {
    const description =
      limit.kind === 'minimum' ? `Up to the minimum of ${limit.limit}` : `Down to the maximum of ${limit.limit}`;
    details.push({ kind: limit.kind, description, quantity: null, amount: limit.adjustment });
  }
  return details;
}

const negated = (amount: DecimalString): DecimalString => toDecimalString(decimal(amount).negated());
