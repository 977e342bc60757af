import { assertNever } from '../failure.js';
import type { DecimalString } from '../values.js';
import type { PriceBookContent } from './parse-price-book.js';
import type { Price, Tier } from './price-book.js';

export interface TierWire {
  readonly up_to: DecimalString | null;
  readonly unit_price: DecimalString;
  readonly flat_fee: DecimalString;
}
export type PriceWire = { readonly meter: string; readonly price_by?: readonly string[] } & (
  | { readonly model: 'flat'; readonly unit_price: DecimalString }
  | { readonly model: 'tiered' | 'volume'; readonly tiers: readonly TierWire[]; readonly charge_when_zero?: true }
);
export interface PriceBookWire {
  readonly code: string;
  readonly version: string;
  readonly currency: string;
  readonly effective_from: string;
  readonly effective_until: string | null;
  readonly rounding: string;
  readonly prices: readonly PriceWire[];
}

/** The inverse of `parsePriceBook`, in the canonical names (`flat`, `tiered`): parsing the answer gives the same content. */
export function priceBookToWire(book: PriceBookContent): PriceBookWire {
  return {
    code: book.code,
    version: book.version,
    currency: book.currency,
    effective_from: book.effectiveFrom,
    effective_until: book.effectiveUntil,
    rounding: book.rounding,
    prices: book.prices.map(priceToWire),
  };
}

function priceToWire(price: Price): PriceWire {
  const base = { meter: price.meter, ...(price.priceBy === null ? {} : { price_by: price.priceBy }) };
  switch (price.model) {
    case 'flat':
      return { ...base, model: price.model, unit_price: price.unitPrice };
    case 'tiered':
    case 'volume':
      return {
        ...base,
        model: price.model,
        tiers: price.tiers.map(tierToWire),
        ...(price.chargeWhenZero ? { charge_when_zero: true } : {}),
      };
    default:
      return assertNever(price);
  }
}

const tierToWire = (tier: Tier): TierWire => ({ up_to: tier.upTo, unit_price: tier.unitPrice, flat_fee: tier.flatFee });
