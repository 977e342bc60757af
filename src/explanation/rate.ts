/** A rate of exchange, made again of what was published. */
import type { AppliedConversion } from './charge-explanation.js';
import { fraction, isBelow, over, rounded, times } from './fraction.js';
import type { Fraction } from './fraction.js';

/** Significant digits of a rate that was divided for. */
const derivedDigits = 15;

/** `from` into `to`, a leg an input: as published, or turned round and rounded. @throws Error when the inputs lead elsewhere */
export function recomputeRate({ from, to, inputs = [] }: Pick<AppliedConversion, 'from' | 'to' | 'inputs'>): Fraction {
  let at = from;
  let value: Fraction = { n: 1n, d: 1n };
  let isDerived = inputs.length > 1;
  for (const { base, quote, rate } of inputs) {
    const isInverse = quote === at;
    if (!isInverse && base !== at) throw new Error(`${base}/${quote} does not lead on from ${at}`);
    value = isInverse ? over(value, fraction(rate)) : times(value, fraction(rate));
    isDerived ||= isInverse;
    at = isInverse ? base : quote;
  }
  if (at !== to) throw new Error(`the published rates lead to ${at} and not to ${to}`);
  return isDerived ? toSignificantDigits(value, derivedDigits) : value;
}

/** Of what was published, where that is recorded; else as it stands. */
export const rateOf = (conversion: AppliedConversion): Fraction =>
  conversion.inputs === undefined ? fraction(conversion.rate) : recomputeRate(conversion);

/** Half-even, of a positive number. */
function toSignificantDigits(value: Fraction, digits: number): Fraction {
  let exponent = 0;
  while (!isBelow(value, power(exponent + 1))) exponent += 1;
  while (isBelow(value, power(exponent))) exponent -= 1;
  const places = digits - 1 - exponent;
  return times(rounded(times(value, power(places)), 0), power(-places));
}

const power = (exponent: number): Fraction =>
  exponent < 0 ? { n: 1n, d: 10n ** BigInt(-exponent) } : { n: 10n ** BigInt(exponent), d: 1n };
