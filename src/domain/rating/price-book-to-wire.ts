import { assertNever } from '../failure.js';
import type { DecimalString } from '../values.js';
import { fixedToWire } from './models/fixed.js';
import type { FixedWire } from './models/fixed.js';
import { lineTermsToWire } from './models/line-terms.js';
import type { LineTermsWire } from './models/line-terms.js';
import { percentageToWire } from './models/percentage.js';
import type { PercentageWire } from './models/percentage.js';
import { priceItemToWire } from './price-item.js';
import type { PriceItemWire } from './price-item.js';
import type { PriceBookContent } from './parse-price-book.js';
import type { Match, Price, Tier } from './price-book.js';

interface TierBounds {
  readonly up_to: DecimalString | null;
  readonly flat_fee: DecimalString;
}
export type TierWire = TierBounds & { readonly unit_price: DecimalString };
type RateTierWire = TierBounds & { readonly rate: DecimalString };
interface PriceBaseWire extends LineTermsWire, PriceItemWire {
  readonly meter: string;
  readonly match?: Match;
  readonly price_by?: readonly string[];
}
export type PriceWire = PriceBaseWire &
  (
    | { readonly model: 'flat'; readonly unit_price: DecimalString }
    | { readonly model: 'tiered' | 'volume'; readonly tiers: readonly TierWire[]; readonly charge_when_zero?: true }
    | {
        readonly model: 'graduated_percentage';
        readonly tiers: readonly RateTierWire[];
        readonly charge_when_zero?: true;
      }
    | { readonly model: 'package'; readonly package_size: DecimalString; readonly package_price: DecimalString }
    | PercentageWire
  );
export interface PriceBookWire {
  readonly code: string;
  readonly version: string;
  readonly currency: string;
  readonly effective_from: string;
  readonly effective_until: string | null;
  readonly rounding: string;
  /** Prices of meters, then fees. */
  readonly prices: readonly (PriceWire | FixedWire)[];
  readonly minimum_commitment?: DecimalString;
}

/**
 * The inverse of `parsePriceBook`, in the canonical names (`flat`, `tiered`): parsing the answer gives the same content. What a
 * price does not say is left out, so that content that was stored before there was such a property keeps its text.
 */
export function priceBookToWire(book: PriceBookContent): PriceBookWire {
  return {
    code: book.code,
    version: book.version,
    currency: book.currency,
    effective_from: book.effectiveFrom,
    effective_until: book.effectiveUntil,
    rounding: book.rounding,
    prices: [...book.prices.map(priceToWire), ...book.fees.map(fixedToWire)],
    ...(book.minimumCommitment === null ? {} : { minimum_commitment: book.minimumCommitment }),
  };
}

function priceToWire(price: Price): PriceWire {
  const base = {
    meter: price.meter,
    ...(Object.keys(price.match).length === 0 ? {} : { match: price.match }),
    ...(price.priceBy === null ? {} : { price_by: price.priceBy }),
    ...priceItemToWire(price),
    ...lineTermsToWire(price),
  };
  switch (price.model) {
    case 'flat':
      return { ...base, model: price.model, unit_price: price.unitPrice };
    case 'tiered':
    case 'volume':
      return { ...base, model: price.model, tiers: price.tiers.map(tierToWire), ...whenZero(price) };
    case 'graduated_percentage':
      return { ...base, model: price.model, tiers: price.tiers.map(rateTierToWire), ...whenZero(price) };
    case 'package':
      return { ...base, model: price.model, package_size: price.packageSize, package_price: price.packagePrice };
    case 'percentage':
      return { ...base, ...percentageToWire(price) };
    default:
      return assertNever(price);
  }
}

const whenZero = ({ chargeWhenZero }: { readonly chargeWhenZero: boolean }): { readonly charge_when_zero?: true } =>
  chargeWhenZero ? { charge_when_zero: true } : {};

const boundsOf = (tier: Tier): TierBounds => ({ up_to: tier.upTo, flat_fee: tier.flatFee });
const tierToWire = (tier: Tier): TierWire => ({ ...boundsOf(tier), unit_price: tier.unitPrice });
const rateTierToWire = (tier: Tier): RateTierWire => ({ ...boundsOf(tier), rate: tier.unitPrice });
