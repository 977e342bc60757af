/**
 * What a line must cost under any model and terms, from the values of its events: the oracle of rational-rating.ts for RULES
 * 13 to 16 and 20. Exact fractions, none of the project's code.
 */
import { compare, minus, oracleCharges, plus, rational, sum, times, zero } from './rational-rating.js';
import type { OraclePrice, OracleTier, Rational } from './rational-rating.js';

export interface OracleTerms {
  readonly included?: string;
  readonly discountPercent?: string;
  readonly maximum?: string;
  readonly minimum?: string;
}

export interface OraclePercentage {
  readonly model: 'percentage';
  readonly rate: string;
  readonly fixedFee?: string;
  readonly freeEvents?: number;
  readonly freeAmount?: string;
  readonly perEventMinimum?: string;
  readonly perEventMaximum?: string;
}

export type OracleModel =
  | OraclePrice
  | { readonly model: 'graduated_percentage'; readonly tiers: readonly OracleTier[]; readonly chargeWhenZero: boolean }
  | { readonly model: 'package'; readonly size: string; readonly price: string }
  | OraclePercentage;

export type OracleLinePrice = OracleModel & { readonly terms: OracleTerms };

/** Values of events, in order of time, in a stretch of the period. */
export interface OracleEvents {
  readonly version: string;
  readonly values: readonly string[];
}

/** The line's amount before rounding. */
export function oracleLine(
  stretches: readonly OracleEvents[],
  prices: Readonly<Record<string, OracleLinePrice>>,
): Rational {
  const last = prices[stretches.at(-1)?.version ?? ''];
  if (last === undefined) return zero;
  const amount = ofModel(stretches, prices, last);
  return limited(discounted(amount, last.terms), last.terms);
}

function discounted(amount: Rational, { discountPercent }: OracleTerms): Rational {
  if (discountPercent === undefined) return amount;
  const left = minus({ n: 100n, d: 1n }, rational(discountPercent));
  return times(amount, { n: left.n, d: left.d * 100n });
}

function limited(amount: Rational, { maximum, minimum }: OracleTerms): Rational {
  const below = maximum !== undefined && compare(amount, rational(maximum)) > 0 ? rational(maximum) : amount;
  return minimum !== undefined && compare(below, rational(minimum)) < 0 ? rational(minimum) : below;
}

function ofModel(
  stretches: readonly OracleEvents[],
  prices: Readonly<Record<string, OracleLinePrice>>,
  last: OracleLinePrice,
): Rational {
  const sameModel = stretches.every(({ version }) => prices[version]?.model === last.model);
  const held = sameModel
    ? stretches
    : stretches.map(({ values }) => ({ version: stretches.at(-1)?.version ?? '', values }));
  if (last.model === 'percentage') return ofPercentage(held, prices, last);
  const charged = afterIncluded(held, last.terms.included);
  if (last.model === 'package') {
    const total = sum(charged.map(({ quantity }) => rational(quantity)));
    return times(startedPackages(total, rational(last.size)), rational(last.price));
  }
  const priced = Object.fromEntries(Object.entries(prices).map(([version, price]) => [version, asTiered(price)]));
  return sum([...oracleCharges(charged, priced).values()]);
}

/** Tiers of rates are tiers of prices of one currency unit. */
function asTiered(price: OracleModel): OraclePrice {
  if (price.model === 'graduated_percentage') return { ...price, model: 'tiered' };
  if (price.model === 'flat' || price.model === 'tiered' || price.model === 'volume') return price;
  return { model: 'flat', unitPrice: '0' };
}

function startedPackages(quantity: Rational, size: Rational): Rational {
  if (quantity.n <= 0n) return zero;
  const n = quantity.n * size.d;
  const d = quantity.d * size.n;
  return { n: n % d === 0n ? n / d : n / d + 1n, d: 1n };
}

/** The earliest units of the period are free; what is left of each stretch. */
function afterIncluded(
  stretches: readonly OracleEvents[],
  included = '0',
): readonly { readonly version: string; readonly quantity: string }[] {
  const free = rational(included);
  const after = (cumulative: Rational): Rational => {
    if (cumulative.n <= 0n) return cumulative;
    return compare(cumulative, free) > 0 ? minus(cumulative, free) : zero;
  };
  let cumulative = zero;
  return stretches.map(({ version, values }) => {
    const before = after(cumulative);
    cumulative = sum([cumulative, ...values.map(rational)]);
    return { version, quantity: decimalText(minus(after(cumulative), before)) };
  });
}

/** A fraction over a power of ten, as a decimal. */
function decimalText({ n, d }: Rational): string {
  const places = String(d).length - 1;
  const digits = String(n < 0n ? -n : n).padStart(places + 1, '0');
  const text = places === 0 ? digits : `${digits.slice(0, -places)}.${digits.slice(-places)}`;
  return n < 0n ? `-${text}` : text;
}

/** Event by event, as RULES 14 tells it. */
function ofPercentage(
  stretches: readonly OracleEvents[],
  prices: Readonly<Record<string, OracleLinePrice>>,
  { freeEvents, freeAmount }: OraclePercentage,
): Rational {
  const hasAllowance = freeEvents !== undefined || freeAmount !== undefined;
  let eventsLeft = freeEvents ?? Number.MAX_SAFE_INTEGER;
  let amountLeft = freeAmount === undefined ? null : rational(freeAmount);
  let cost = zero;
  for (const { version, values } of stretches) {
    const price = prices[version];
    if (price?.model !== 'percentage') continue;
    for (const value of values.map(rational)) {
      if (value.n < 0n) {
        cost = plus(cost, times(value, rational(price.rate)));
        continue;
      }
      const isOpen = hasAllowance && eventsLeft > 0 && (amountLeft === null || amountLeft.n > 0n);
      const isWhollyFree = isOpen && (amountLeft === null || compare(value, amountLeft) <= 0);
      const free = isWhollyFree ? value : isOpen && amountLeft !== null ? amountLeft : zero;
      eventsLeft -= 1;
      if (amountLeft !== null) amountLeft = compare(value, amountLeft) >= 0 ? zero : minus(amountLeft, value);
      if (!isWhollyFree) cost = plus(cost, eventCost(minus(value, free), price));
    }
  }
  return cost;
}

function eventCost(value: Rational, price: OraclePercentage): Rational {
  const cost = plus(times(value, rational(price.rate)), rational(price.fixedFee ?? '0'));
  const terms = {
    ...(price.perEventMaximum === undefined ? {} : { maximum: price.perEventMaximum }),
    ...(price.perEventMinimum === undefined ? {} : { minimum: price.perEventMinimum }),
  };
  return limited(cost, terms);
}
