/**
 * The only door to decimal.js. Decimals travel as `DecimalString`; `D` objects live inside pure functions and never leave
 * them. Division exists only in `divide`, and rounding of money only in money/rounding.ts, always with a stated mode.
 */
import { Decimal } from 'decimal.js';
import { DomainFailure, invariant } from './failure.js';
import type { RoundingMode } from './rating/price-book.js';
import type { DecimalString } from './values.js';
import { typeName } from './type-name.js';

/** Digits of one number that comes from outside, in total and after the point; all written digits count. */
export const decimalDigitsMax = 38;
export const decimalPlacesMax = 18;

/**
 * An own clone: decimal.js's defaults keep 20 significant digits, print exponents, and are a global that anybody may
 * change. With 100 digits, sums and products of two numbers within the limits above are exact. Frozen for the same reason.
 */
export const D = Object.freeze(
  Decimal.clone({
    defaults: true,
    precision: 100,
    rounding: Decimal.ROUND_HALF_EVEN,
    toExpNeg: -9e15,
    toExpPos: 9e15,
  }),
);
export type D = Decimal;

/** Half modes break ties only; `up` is away from zero and `down` towards it, so a credit mirrors its charge. */
export const decimalRounding: Readonly<Record<RoundingMode, Decimal.Rounding>> = {
  half_even: Decimal.ROUND_HALF_EVEN,
  half_up: Decimal.ROUND_HALF_UP,
  half_down: Decimal.ROUND_HALF_DOWN,
  up: Decimal.ROUND_UP,
  down: Decimal.ROUND_DOWN,
};

export const zero = '0' as DecimalString;

type DecimalProblem = 'INVALID_DECIMAL' | 'NUMBER_TOO_LONG';

const plainNotation = /^(-?)(0|[1-9][0-9]*)(?:\.([0-9]+))?$/;
const jsonNumber = /^(-?)(0|[1-9][0-9]*)(?:\.([0-9]+))?(?:[eE]([+-]?[0-9]+))?$/;

/**
 * Reads a decimal from outside. Plain notation only: no exponent, sign `+`, NaN, Infinity or negative zero. Leading zeros
 * are refused (`007` is more likely a code than a quantity); trailing ones are kept as written, so that a price of `0.10`
 * is shown as `0.10`.
 *
 * @throws DomainFailure INVALID_DECIMAL, NUMBER_TOO_LONG
 */
export function parseDecimal(text: unknown, pointer?: string): DecimalString {
  const problem = decimalProblem(text);
  if (problem === null) return text as DecimalString;
  throw new DomainFailure(problem, problemDetail(problem, text), pointer);
}

/** Whether `parseDecimal` would take it. */
export function isDecimal(text: unknown): text is DecimalString {
  return decimalProblem(text) === null;
}

function decimalProblem(text: unknown): DecimalProblem | null {
  if (typeof text !== 'string') return 'INVALID_DECIMAL';
  const match = plainNotation.exec(text);
  if (match === null) return 'INVALID_DECIMAL';
  const [, sign, whole = '', fraction = ''] = match;
  if (sign === '-' && whole === '0' && /^0*$/.test(fraction)) return 'INVALID_DECIMAL';
  return tooLong(whole.length, fraction.length) ? 'NUMBER_TOO_LONG' : null;
}

function tooLong(wholeDigits: number, fractionDigits: number): boolean {
  return fractionDigits > decimalPlacesMax || wholeDigits + fractionDigits > decimalDigitsMax;
}

function problemDetail(problem: DecimalProblem, text: unknown): string {
  const shown = typeof text === 'string' ? `"${text.length > 50 ? `${text.slice(0, 50)}…` : text}"` : typeName(text);
  return problem === 'INVALID_DECIMAL'
    ? `Expected a decimal in plain notation, such as "12.50", and got ${shown}.`
    : `At most ${decimalDigitsMax} digits, ${decimalPlacesMax} of them after the point, are accepted; got ${shown}.`;
}

/**
 * The value of a JSON number's text (exponents allowed) as a plain decimal without superfluous zeros: `1.50` and `15e-1`
 * both give `1.5`, `-0` gives `0`. Works on the text, so it never meets a float, and its work is bounded by the text's
 * length (`1e999999999` is refused, not expanded).
 *
 * @throws DomainFailure INVALID_DECIMAL, NUMBER_TOO_LONG (the plain form exceeds the limits)
 */
export function numberTextToDecimal(text: string, pointer?: string): DecimalString {
  const result = readNumber(text);
  if (typeof result === 'object') throw new DomainFailure(result.problem, problemDetail(result.problem, text), pointer);
  return result;
}

/** As `numberTextToDecimal`, but null where that would throw. */
export function decimalTextOf(numberText: string): DecimalString | null {
  const result = readNumber(numberText);
  return typeof result === 'object' ? null : result;
}

function readNumber(text: string): DecimalString | { readonly problem: DecimalProblem } {
  const match = jsonNumber.exec(text);
  if (match === null) return { problem: 'INVALID_DECIMAL' };
  const [, sign = '', whole = '', fraction = '', exponentText = '0'] = match;
  const digits = whole + fraction;
  let first = 0;
  while (digits.charCodeAt(first) === 48) first += 1;
  if (first === digits.length) return zero;
  let last = digits.length;
  while (digits.charCodeAt(last - 1) === 48) last -= 1;
  const significant = digits.slice(first, last);
  // Digits of `significant` before the decimal point; beyond its length or below zero, zeros fill the gap.
  const pointAt = whole.length - first + Number(exponentText);
  const places = Math.max(0, significant.length - pointAt);
  if (tooLong(Math.max(1, pointAt), places)) return { problem: 'NUMBER_TOO_LONG' };
  return (sign + placePoint(significant, pointAt)) as DecimalString;
}

function placePoint(significant: string, pointAt: number): string {
  if (pointAt <= 0) return `0.${'0'.repeat(-pointAt)}${significant}`;
  if (pointAt >= significant.length) return significant + '0'.repeat(pointAt - significant.length);
  return `${significant.slice(0, pointAt)}.${significant.slice(pointAt)}`;
}

/** A decimal to compute with, inside a pure function. */
export function decimal(text: DecimalString): D {
  return new D(text);
}

/** Plain notation, never an exponent, no trailing zeros after the point, `0` and never `-0`. */
export function toDecimalString(value: D): DecimalString {
  // The text of the message would cost as much as the result.
  if (!value.isFinite()) invariant(false, `a decimal is finite, got ${value.toString()}`);
  return (value.isZero() ? '0' : value.toFixed()) as DecimalString;
}

/** By value: `1.0` equals `1`. Negative, zero or positive, for sorting. */
export function compareDecimals(a: DecimalString, b: DecimalString): -1 | 0 | 1 {
  return decimal(a).comparedTo(decimal(b)) as -1 | 0 | 1;
}

/** The exact sum; `0` for none. */
export function addDecimals(list: readonly DecimalString[]): DecimalString {
  let sum = new D(0);
  for (const item of list) sum = sum.plus(item);
  return toDecimalString(sum);
}

/**
 * The quotient rounded once, to `places` digits after the point. Computed on integers, so that there is no hidden first
 * rounding to the clone's precision that could turn a quotient near a tie into the tie.
 */
export function divide(dividend: D, divisor: D, rounding: { readonly places: number; readonly mode: RoundingMode }): D {
  invariant(!divisor.isZero(), 'division by zero');
  const scale = Math.max(dividend.decimalPlaces(), divisor.decimalPlaces());
  const numerator = shiftedInteger(dividend, scale + rounding.places);
  const denominator = shiftedInteger(divisor, scale);
  const quotient = magnitude(numerator) / magnitude(denominator);
  const remainder = magnitude(numerator) % magnitude(denominator);
  const tie = 2n * remainder - magnitude(denominator);
  const rounded = roundsAway(rounding.mode, { exact: remainder === 0n, tie, odd: quotient % 2n === 1n })
    ? quotient + 1n
    : quotient;
  const negative = numerator < 0n !== denominator < 0n;
  return new D((negative ? -rounded : rounded).toString()).times(new D(`1e-${rounding.places}`));
}

function roundsAway(mode: RoundingMode, quotient: { exact: boolean; tie: bigint; odd: boolean }): boolean {
  if (quotient.exact || mode === 'down') return false;
  if (mode === 'up' || quotient.tie > 0n) return true;
  if (quotient.tie < 0n) return false;
  return mode === 'half_up' || (mode === 'half_even' && quotient.odd);
}

/** A shift of the point changes no digit, so it is exact. */
function shiftedInteger(value: D, places: number): bigint {
  return BigInt(value.times(new D(`1e${places}`)).toFixed(0));
}

function magnitude(value: bigint): bigint {
  return value < 0n ? -value : value;
}
