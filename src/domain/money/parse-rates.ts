/** Exchange rates from outside: a list is taken as a whole or refused with the place of the first row that is wrong. */
import { decimal, parseDecimal, toDecimalString } from '../decimal.js';
import { DomainFailure } from '../failure.js';
import { parseLocalDate } from '../time/local-date.js';
import type { DecimalString } from '../values.js';
import { publishedRateDigitsMax } from './conversion.js';
import type { ExchangeRate } from './conversion.js';
import { findCurrency } from './currency.js';

/** One rate as it is sent. */
export interface RateText {
  readonly base: string;
  readonly quote: string;
  readonly date: string;
  readonly rate: string;
}

/** Whose rates they are. */
export const rateSourcePattern = /^[a-z0-9][a-z0-9._-]{0,63}$/;

/**
 * Above zero and of at most 18 digits, without superfluous zeros.
 * @throws DomainFailure INVALID_DECIMAL, NUMBER_TOO_LONG, VALIDATION_FAILED
 */
function parseRate(text: unknown, pointer?: string): DecimalString {
  const rate = decimal(parseDecimal(text, pointer));
  if (rate.isZero() || rate.isNegative()) {
    throw new DomainFailure('VALIDATION_FAILED', 'An exchange rate is above zero.', pointer);
  }
  if (rate.precision(true) > publishedRateDigitsMax) {
    const detail = `An exchange rate has at most ${publishedRateDigitsMax} digits.`;
    throw new DomainFailure('NUMBER_TOO_LONG', detail, pointer);
  }
  return toDecimalString(rate);
}

/**
 * @throws DomainFailure UNKNOWN_CURRENCY, INVALID_DATE, VALIDATION_FAILED (also for a pair and day that is there twice with
 *   different rates) and those of `parseRate`: with pointers below `/rates`
 */
export function parseRates(source: string, rows: readonly RateText[]): readonly ExchangeRate[] {
  const rates = new Map<string, ExchangeRate>();
  for (const [index, row] of rows.entries()) {
    const at = (column: string): string => `/rates/${index}/${column}`;
    const rate: ExchangeRate = {
      source,
      base: findCurrency(row.base, at('base')).code,
      quote: findCurrency(row.quote, at('quote')).code,
      date: parseLocalDate(row.date, at('date')),
      rate: parseRate(row.rate, at('rate')),
    };
    if (rate.base === rate.quote) {
      throw new DomainFailure('VALIDATION_FAILED', `${rate.base} has no rate to itself.`, at('quote'));
    }
    const key = `${rate.date} ${rate.base} ${rate.quote}`;
    const known = rates.get(key);
    if (known !== undefined && known.rate !== rate.rate) {
      const detail = `The rate from ${rate.base} to ${rate.quote} of ${rate.date} is there twice: ${known.rate} and ${rate.rate}.`;
      throw new DomainFailure('VALIDATION_FAILED', detail, at('rate'));
    }
    rates.set(key, rate);
  }
  return [...rates.values()];
}
