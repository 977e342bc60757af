/**
 * Conversion between currencies (RULES 23, 39, 40): which rate holds, and what an amount comes to at it. Exact fractions of
 * integers up to the last step, never a float; a rate is rounded once, where it was not published as it is applied.
 */
import { compareText } from '../compare-text.js';
import { D, decimal, divide, toDecimalString } from '../decimal.js';
import { invariant } from '../failure.js';
import { addDays } from '../time/local-date.js';
import type { DecimalString, LocalDate } from '../values.js';

/** As its source published it: one unit of `base` is `rate` units of `quote`. */
export interface ExchangeRate {
  /** `ecb`, or a name of one's own. */
  readonly source: string;
  readonly base: string;
  readonly quote: string;
  /** The day of publication. */
  readonly date: LocalDate;
  readonly rate: DecimalString;
}

/** Two currencies that a source quotes, in this direction. */
export type QuotedPair = Pick<ExchangeRate, 'base' | 'quote'>;

/** A rate as it is applied, with what it was made of. JSON: pinned by documents, and part of explanations. */
export interface AppliedRate {
  readonly from: string;
  readonly to: string;
  /** One unit of `from` is so many of `to`: as published, else rounded half-even to 15 significant digits. */
  readonly rate: DecimalString;
  /** When it was published. */
  readonly rate_date: LocalDate;
  readonly source: string;
  /** The published rates that it was made of: one, or for a cross rate two. */
  readonly inputs: readonly (QuotedPair & { readonly rate: DecimalString })[];
}

/** Significant digits of a rate that was divided for: an amount of 10^12 units is off by less than a thousandth. */
const derivedRateDigits = 15;
/** Digits that a published rate may have, so that products with amounts stay exact. */
export const publishedRateDigitsMax = 18;
/** How old a rate may be on the day it is wanted for: weekends and the longest run of bank holidays. */
export const maxAgeDaysDefault = 7;

export interface RateWanted {
  readonly from: string;
  readonly to: string;
  readonly on: LocalDate;
  readonly maxAgeDays: number;
}

/**
 * The rate that holds on a day: of the last day up to then, and not older than allowed, on which the source quotes both
 * currencies; both legs of a cross rate are of the same day. On one day the pair itself comes before its inverse, and both
 * before a rate through a third currency (the first by code). null: there is none.
 * @param rates of one source, each pair and day once
 */
export function rateOn(rates: readonly ExchangeRate[], { from, to, on, maxAgeDays }: RateWanted): AppliedRate | null {
  invariant(from !== to, `an amount in ${from} is not converted to ${to}`);
  const oldest = addDays(on, -maxAgeDays);
  const dates = new Set(rates.map(({ date }) => date).filter((date) => date <= on && date >= oldest));
  for (const date of [...dates].sort(compareText).reverse()) {
    const published = rates.filter((rate) => rate.date === date);
    const path = pathOf(published, from, to);
    const [first] = path ?? [];
    if (path === null || first === undefined) continue;
    const inputs = path.map(({ pair: { base, quote, rate } }) => ({ base, quote, rate: plain(rate) }));
    return { from, to, rate: rateOf(path), rate_date: date, source: first.pair.source, inputs };
  }
  return null;
}

/** What to do where `rateOn` finds none. */
export function missingRateDetail(source: string, { from, to, on, maxAgeDays }: RateWanted): string {
  const days = maxAgeDays === 0 ? '' : ` or the ${maxAgeDays} days before`;
  return `"${source}" has no exchange rate from ${from} to ${to} of ${on}${days}. Import one (reckoner rates import, POST /exchange-rates) and close the period again.`;
}

/** Whether a source quotes two currencies at all, whenever. */
export function quotesBoth(pairs: readonly QuotedPair[], from: string, to: string): boolean {
  return from === to || pathOf(pairs, from, to) !== null;
}

/** Exact: an amount has its digits times those of the rate. */
export function convert(amount: DecimalString, { rate }: Pick<AppliedRate, 'rate'>): D {
  return decimal(amount).times(decimal(rate));
}

/** A published rate, and whether it is applied the other way round. */
interface Leg<P extends QuotedPair> {
  readonly pair: P;
  readonly isInverse: boolean;
}

function pathOf<P extends QuotedPair>(pairs: readonly P[], from: string, to: string): readonly Leg<P>[] | null {
  const direct = legOf(pairs, from, to);
  if (direct !== null) return [direct];
  const others = new Set(pairs.flatMap(({ base, quote }) => [base, quote]));
  for (const through of [...others].sort(compareText)) {
    const [first, second] = [legOf(pairs, from, through), legOf(pairs, through, to)];
    if (first !== null && second !== null) return [first, second];
  }
  return null;
}

function legOf<P extends QuotedPair>(pairs: readonly P[], from: string, to: string): Leg<P> | null {
  const direct = pairs.find(({ base, quote }) => base === from && quote === to);
  if (direct !== undefined) return { pair: direct, isInverse: false };
  const inverse = pairs.find(({ base, quote }) => base === to && quote === from);
  return inverse === undefined ? null : { pair: inverse, isInverse: true };
}

const one = new D(1);
const product = (factors: readonly D[]): D => factors.reduce((all, factor) => all.times(factor), one);

function rateOf(path: readonly Leg<ExchangeRate>[]): DecimalString {
  const [only] = path;
  if (only !== undefined && path.length === 1 && !only.isInverse) return plain(only.pair.rate);
  const ratesOf = (isInverse: boolean): readonly D[] =>
    path.filter((leg) => leg.isInverse === isInverse).map(({ pair }) => decimal(pair.rate));
  return toDecimalString(quotient(product(ratesOf(false)), product(ratesOf(true))));
}

/** Rounded once, half-even, to 15 significant digits. Both are above zero. */
function quotient(dividend: D, divisor: D): D {
  const around = dividend.e - divisor.e;
  // The first digit stands at the difference of the exponents, or one place behind it.
  const exponent = dividend.times(`1e${-around}`).lt(divisor) ? around - 1 : around;
  const places = derivedRateDigits - 1 - exponent;
  if (places >= 0) return divide(dividend, divisor, { places, mode: 'half_even' });
  return divide(dividend.times(`1e${places}`), divisor, { places: 0, mode: 'half_even' }).times(`1e${-places}`);
}

const plain = (rate: DecimalString): DecimalString => toDecimalString(decimal(rate));
