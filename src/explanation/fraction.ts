/**
 * Exact fractions of BigInt. Explanations are recomputed with them and not with decimal.js, so that the check shares nothing
 * with what it checks.
 */

/** The denominator is positive; not reduced. */
export interface Fraction {
  readonly n: bigint;
  readonly d: bigint;
}

const zero: Fraction = { n: 0n, d: 1n };

/**
 * A plain decimal such as `-12.50`.
 * @throws SyntaxError for anything else
 */
export function fraction(decimal: string): Fraction {
  if (!/^-?\d+(?:\.\d+)?$/.test(decimal)) throw new SyntaxError(`not a plain decimal: "${decimal}"`);
  const [whole = '', places = ''] = decimal.split('.');
  return { n: BigInt(whole + places), d: 10n ** BigInt(places.length) };
}

const plus = (a: Fraction, b: Fraction): Fraction => ({ n: a.n * b.d + b.n * a.d, d: a.d * b.d });
export const minus = (a: Fraction, b: Fraction): Fraction => ({ n: a.n * b.d - b.n * a.d, d: a.d * b.d });
export const times = (a: Fraction, b: Fraction): Fraction => ({ n: a.n * b.n, d: a.d * b.d });
/** By a positive one. */
export const over = (a: Fraction, b: Fraction): Fraction => ({ n: a.n * b.d, d: a.d * b.n });
export const sum = (values: readonly Fraction[]): Fraction => values.reduce(plus, zero);
export const equal = (a: Fraction, b: Fraction): boolean => a.n * b.d === b.n * a.d;
export const isZero = ({ n }: Fraction): boolean => n === 0n;
export const isBelow = (a: Fraction, b: Fraction): boolean => a.n * b.d < b.n * a.d;
const magnitude = ({ n, d }: Fraction): Fraction => ({ n: n < 0n ? -n : n, d });

/** Half-even to that many digits after the point. */
export function rounded(value: Fraction, places: number): Fraction {
  const scale = 10n ** BigInt(places);
  const { n, d } = magnitude({ n: value.n * scale, d: value.d });
  let quotient = n / d;
  const twice = 2n * (n % d);
  if (twice > d || (twice === d && quotient % 2n === 1n)) quotient += 1n;
  return { n: value.n < 0n ? -quotient : quotient, d: scale };
}

/** Every started whole. */
export function roundedUp({ n, d }: Fraction): Fraction {
  return { n: n <= 0n ? n / d : (n + d - 1n) / d, d: 1n };
}

/** Digits after the point at most; amounts that are divided are rounded long before. */
const placesAtMost = 60;

/** As a plain decimal with at least that many digits after the point. */
export function decimalText(value: Fraction, placesAtLeast = 0): string {
  let places = placesAtLeast;
  while (places < placesAtMost && (value.n * 10n ** BigInt(places)) % value.d !== 0n) places += 1;
  const { n } = rounded(value, places);
  const digits = (n < 0n ? -n : n).toString().padStart(places + 1, '0');
  const whole = digits.slice(0, digits.length - places);
  const text = places === 0 ? whole : `${whole}.${digits.slice(-places)}`;
  return n < 0n ? `-${text}` : text;
}
