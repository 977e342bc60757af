/** What was used in a period, and what it would cost. Quantities and amounts come from the domain; this reads its inputs. */
import { pinnedPriceFacts, priceFactsOf, rateWith } from '../../billing/price-facts.js';
import { longWindowBounds } from '../../calendar/time-zones.js';
import { addDecimals } from '../../domain/decimal.js';
import { mergeUsage, sumWindows, usageBySegment } from '../../domain/metering/fold.js';
import { groupKeyText } from '../../domain/metering/group-key.js';
import type { Meter, WindowUsage } from '../../domain/metering/meter.js';
import { formatAmount } from '../../domain/money/rounding.js';
import type { RatingResult } from '../../domain/rating/rating.js';
import type { Instant } from '../../domain/values.js';
import type { BillingPeriod, Storage } from '../../storage/types.js';

type UsageStorage = Pick<Storage, 'reference' | 'usage' | 'periods' | 'proof'>;

export interface UsageOfMeter {
  readonly total: WindowUsage;
  /** Of the meter's own window size. */
  readonly windows: readonly WindowUsage[];
}

export interface PeriodUsage {
  readonly asOf: Instant;
  /** `final`: invoiced, and nothing has come since that a correction would have to bill. */
  readonly finality: 'estimated' | 'final';
  readonly currency: string;
  /** By meter and group. */
  readonly meters: readonly UsageOfMeter[];
  readonly cost: RatingResult;
  readonly total: string;
}

/** Live usage from the ledger, rated by the one rating function; an invoiced period with the versions of its chain. */
export async function usageOf(storage: UsageStorage, period: BillingPeriod): Promise<PeriodUsage> {
  const { documents, rating } = await storage.proof.chain(period);
  const invoiced = documents[0] === undefined || rating === null ? null : { rating, currency: documents[0].currency };
  const facts = await (invoiced === null
    ? priceFactsOf(storage, period)
    : pinnedPriceFacts(storage, invoiced.rating.pinnedVersions, invoiced.currency));
  const live = await storage.usage.liveUsage(period);
  const codes = new Set(facts.meters.map(({ code }) => code));
  const windows = live.windows.filter(({ meter }) => codes.has(meter));
  const isFinal = invoiced !== null && (await storage.periods.veryLateFacts(period)).count === 0;
  const { currency } = facts;
  const cost = await rateWith(facts, period, (segments) => Promise.resolve(usageBySegment(windows, segments)));
  return {
    asOf: live.asOf,
    finality: isFinal ? 'final' : 'estimated',
    currency,
    meters: facts.meters.flatMap((meter) => usageOfMeter(meter, windows, period)),
    cost,
    total: formatAmount(addDecimals(cost.lines.map(({ amount }) => amount)), currency),
  };
}

function usageOfMeter(
  meter: Meter,
  allWindows: readonly WindowUsage[],
  period: BillingPeriod,
): readonly UsageOfMeter[] {
  const hours = allWindows.filter((usage) => usage.meter === meter.code);
  const bounds = meter.windowSize === 'hour' ? null : longWindowBounds(period, period.timeZone, meter.windowSize);
  const windows = bounds === null ? mergeUsage(hours) : sumWindows(hours, bounds);
  return sumWindows(hours, [period.from, period.to]).map((total) => {
    const group = groupKeyText(total.group);
    return { total, windows: windows.filter((usage) => groupKeyText(usage.group) === group) };
  });
}
