/** A rate of exchange as a reader checks it: as it was published, and how it was made of that. */
import type { LocalDate } from '../domain/values.js';
import { formatDay } from './format.js';

/** `inputs`: the published rates that it was made of. Documents that were issued before they were recorded have none. */
export interface RateShown {
  readonly from: string;
  readonly to: string;
  readonly rate: string;
  readonly rate_date: string;
  readonly source: string;
  readonly inputs?: readonly { readonly base: string; readonly quote: string; readonly rate: string }[];
}

/**
 * `1 EUR = 1.0826 USD (ECB, 29 February 2024)`; of a rate that was divided for
 * `1 USD = 0.923702198411232 EUR = 1 / 1.0826 (ECB: 1 EUR = 1.0826 USD, 29 February 2024)`.
 */
export function rateText(
  { from, to, rate, rate_date: date, source, inputs = [] }: RateShown,
  dayText: (day: LocalDate) => string = formatDay,
  figures: (rate: string) => string = (rate) => rate,
): string {
  const day = dayText(date as LocalDate);
  const shown = `1 ${from} = ${figures(rate)} ${to}`;
  const [only] = inputs;
  const isPublished = only === undefined || (inputs.length === 1 && only.base === from && only.quote === to);
  if (isPublished) return `${shown} (${sourceName(source)}, ${day})`;
  const published = inputs.map((input) => `1 ${input.base} = ${figures(input.rate)} ${input.quote}`).join(', ');
  return `${shown} = ${figures(quotient(inputs, from))} (${sourceName(source)}: ${published}, ${day})`;
}

/** The European Central Bank by the name that it goes by; names of one's own as they are. */
const sourceName = (source: string): string => (source === 'ecb' ? 'ECB' : source);

/** `0.9 / 1.25`: each rate on the side on which it is applied. */
function quotient(inputs: NonNullable<RateShown['inputs']>, from: string): string {
  const factors: string[] = [];
  const divisors: string[] = [];
  let at = from;
  for (const { base, quote, rate } of inputs) {
    const isInverse = quote === at;
    (isInverse ? divisors : factors).push(rate);
    at = isInverse ? base : quote;
  }
  return [factors.length === 0 ? '1' : factors.join(' × '), ...divisors].join(' / ');
}
