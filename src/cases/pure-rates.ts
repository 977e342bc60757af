/** Exchange rates of a case in memory: what was published, and what a period is converted at. */
import { localDateAt } from '../calendar/time-zones.js';
import type { CalendarPeriod } from '../calendar/calendar.js';
import { maxAgeDaysDefault, missingRateDetail, quotesBoth, rateOn } from '../domain/money/conversion.js';
import type { ExchangeRate } from '../domain/money/conversion.js';
import { parseRates, rateSourcePattern } from '../domain/money/parse-rates.js';
import { DomainFailure } from '../domain/failure.js';
import { foreignCurrencies } from '../domain/rating/invoice-currency.js';
import type { ConversionRates, PricedIn, RateFound } from '../domain/rating/invoice-currency.js';
import { addMs } from '../domain/time/instant.js';
import type { BillingCase, CaseExchangeRate } from './format.js';

export class PureRates {
  /** By source, pair and day: the one learned last. */
  private readonly known = new Map<string, ExchangeRate>();

  constructor(private readonly conversion: BillingCase['customer']['currency_conversion']) {}

  learn(rows: readonly CaseExchangeRate[]): void {
    for (const { source = 'ecb', ...row } of rows) {
      if (!rateSourcePattern.test(source)) throw new DomainFailure('VALIDATION_FAILED', `"${source}" names no source.`);
      for (const rate of parseRates(source, [row])) {
        this.known.set(JSON.stringify([source, rate.date, rate.base, rate.quote]), rate);
      }
    }
  }

  /** @throws DomainFailure CURRENCY_MISMATCH, EXCHANGE_RATE_MISSING: as the assignment of a price book is refused */
  requireConvertible(from: string, to: string): void {
    if (from === to) return;
    if (this.conversion === undefined) {
      throw new DomainFailure('CURRENCY_MISMATCH', `The price book is in ${from}, the customer in ${to}.`);
    }
    if (quotesBoth(this.ofSource(), from, to)) return;
    throw new DomainFailure('EXCHANGE_RATE_MISSING', `There is no exchange rate between ${from} and ${to}.`);
  }

  /** Pinned ones stay; for other currencies the rate on the period's last day. */
  ofPeriod({ to: end, timeZone }: CalendarPeriod, priced: PricedIn, pinned: ConversionRates): ConversionRates {
    const { source, max_age_days: maxAgeDays = maxAgeDaysDefault } = this.conversion ?? { source: '' };
    const on = localDateAt(addMs(end, -1), timeZone);
    const found = foreignCurrencies(priced)
      .filter((from) => !pinned.has(from))
      .map((from): readonly [string, RateFound] => {
        const asked = { from, to: priced.currency, on, maxAgeDays };
        return [from, rateOn(this.ofSource(), asked) ?? { missing: missingRateDetail(source, asked) }];
      });
    return new Map([...pinned, ...found]);
  }

  private ofSource(): readonly ExchangeRate[] {
    return [...this.known.values()].filter(({ source }) => source === this.conversion?.source);
  }
}
