/** What the prices of a period are converted at (RULES 23, 39): pinned rates first, what is known now for other currencies. */
import { localDateAt } from '../calendar/time-zones.js';
import { compareText } from '../domain/compare-text.js';
import { missingRateDetail, rateOn } from '../domain/money/conversion.js';
import type { AppliedRate } from '../domain/money/conversion.js';
import { foreignCurrencies } from '../domain/rating/invoice-currency.js';
import type { ConversionRates, PricedIn, RateFound } from '../domain/rating/invoice-currency.js';
import { addDays } from '../domain/time/local-date.js';
import { addMs, msToInstant } from '../domain/time/instant.js';
import type { LocalDate } from '../domain/values.js';
import type { BillingPeriod, CurrencyConversion, Storage } from '../storage/types.js';

/**
 * The currencies of all price books of the period, with their rates. A currency that is pinned keeps its rate for ever; of
 * another one the rate published last on or before the period's last day (or today, while the period goes on) is taken.
 * @param conversion of the customer; null: what is not pinned has no rate, and is refused as another currency
 */
export async function conversionRates(
  { reference }: Pick<Storage, 'reference'>,
  period: Pick<BillingPeriod, 'to' | 'timeZone'>,
  {
    priced,
    conversion,
    pinned = new Map(),
  }: {
    readonly priced: PricedIn;
    readonly conversion: CurrencyConversion | null;
    readonly pinned?: ConversionRates;
  },
): Promise<ConversionRates> {
  const wanted = foreignCurrencies(priced).filter((currency) => !pinned.has(currency));
  if (wanted.length === 0 || conversion === null) return pinned;
  const { source, maxAgeDays } = conversion;
  const on = rateDay(period);
  const days = { from: addDays(on, -maxAgeDays), to: on };
  const known = await reference.exchangeRates(source, [...wanted, priced.currency], days);
  const found = wanted.map((from): readonly [string, RateFound] => {
    const asked = { from, to: priced.currency, on, maxAgeDays };
    return [from, rateOn(known, asked) ?? { missing: missingRateDetail(source, asked) }];
  });
  return new Map([...pinned, ...found]);
}

/** What documents pin: the rates that there are, by currency. */
export function pinnedRates(rates: ConversionRates): readonly AppliedRate[] {
  return [...rates.values()]
    .filter((found): found is AppliedRate => !('missing' in found))
    .sort((a, b) => compareText(a.from, b.from));
}

export const ratesOfPins = (pinned: readonly AppliedRate[] = []): ConversionRates =>
  new Map(pinned.map((rate) => [rate.from, rate]));

/** The period's last local day; of one that goes on today: a rate of a day to come is not published. */
function rateDay({ to, timeZone }: Pick<BillingPeriod, 'to' | 'timeZone'>): LocalDate {
  const last = localDateAt(addMs(to, -1), timeZone);
  const today = localDateAt(msToInstant(Date.now()), timeZone);
  return last < today ? last : today;
}
