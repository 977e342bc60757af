/** What was used in a period, and what it would cost. Quantities and amounts come from the domain; this reads its inputs. */
import { defaultPriceFallback, priceFactsOrLastKnown } from '../../billing/price-fallback.js';
import type { PriceFallbackPolicy } from '../../billing/price-fallback.js';
import { pinnedOf, pinnedPriceFacts, poolsOf, rateWith } from '../../billing/price-facts.js';
import type { PriceFacts } from '../../billing/price-facts.js';
import { unreadableDetail } from '../../billing/unreadable-values.js';
import { windowBoundsOf } from '../../calendar/time-zones.js';
import { groupBy } from '../../domain/group-by.js';
import { mergeUsage, sumWindows, usageBySegment } from '../../domain/metering/fold.js';
import { groupKeyText } from '../../domain/metering/group-key.js';
import { addsUp, type Meter, type WindowUsage } from '../../domain/metering/meter.js';
import type { MeterInForce } from '../../domain/metering/meter-versions.js';
import { asSegmentUsage } from '../../domain/metering/period-usage.js';
import type { WatermarkSettings } from '../../domain/metering/watermark.js';
import { formatAmount } from '../../domain/money/rounding.js';
import { groupsByMeter } from '../../domain/rating/pools.js';
import type { PriceSegment, RatingProblem, RatingResult, SegmentUsage } from '../../domain/rating/rating.js';
import { totalOf } from '../../domain/rating/total.js';
import type { Instant } from '../../domain/values.js';
import type { BillingPeriod, LiveUsage, Storage, UnreadableValues, UsageSpan } from '../../storage/types.js';
import { defaultWatermark, type StatedWindow, type WindowStates, windowStates } from './window-states.js';

type UsageStorage = Pick<Storage, 'ledger' | 'reference' | 'usage' | 'periods' | 'proof' | 'rollouts' | 'priceLookup'>;

export interface UsageOfMeter {
  readonly total: WindowUsage;
  /** Of the meter's own window size; none that has not begun, but for those that have events already. */
  readonly windows: readonly StatedWindow[];
}

export interface PeriodUsage {
  /** What was committed before is in it. */
  readonly asOf: Instant;
  readonly watermark: Instant;
  readonly nextCloseAt: WindowStates['nextCloseAt'];
  /** `final`: invoiced, and nothing has come since that a correction would have to bill. */
  readonly finality: 'estimated' | 'final';
  readonly currency: string;
  /** It was rated on prices that were known then, because those of now cannot be read; null: on those of now. */
  readonly pricesAsOf: Instant | null;
  /** By meter and group. */
  readonly meters: readonly UsageOfMeter[];
  readonly lines: RatingResult['lines'];
  /** What would hold the invoice. */
  readonly problems: readonly UsageProblem[];
  readonly total: string;
}

/** One that is about a meter as a whole has no group. */
export interface UsageProblem extends Pick<RatingProblem, 'meter' | 'group' | 'detail'> {
  readonly code: RatingProblem['code'] | 'UNREADABLE_VALUE';
}

export interface UsageSettings {
  /** What is not said of it is as by default. */
  readonly fallback?: Partial<PriceFallbackPolicy> | undefined;
  /** Those of the workers, or the states of windows are not theirs. */
  readonly watermark?: WatermarkSettings | undefined;
}

/**
 * Live usage from the ledger, rated by the one rating function; an invoiced period with the versions of its chain. While
 * prices cannot be read, with those last known, which it then says (RULES 43).
 */
export async function usageOf(
  storage: UsageStorage,
  period: BillingPeriod,
  { fallback, watermark = defaultWatermark }: UsageSettings = {},
): Promise<PeriodUsage> {
  const pinned = pinnedOf(await storage.proof.chain(period));
  const { facts, pricesAsOf } =
    pinned === null
      ? await priceFactsOrLastKnown(storage, period, { ...defaultPriceFallback, ...fallback })
      : { facts: await pinnedPriceFacts(storage, period, pinned), pricesAsOf: null };
  const spans = spansOf(facts, period);
  // Everything is read as it was at one position, however often the ledger is asked.
  const { position: cutoff, at: asOf } = await storage.ledger.horizon();
  const { meters } = facts;
  const live = await storage.usage.liveUsage(period, { meters, spans: spans.map(({ span }) => span), cutoff });
  const isFinal = pinned !== null && (await storage.periods.veryLateFacts(period)).count === 0;
  const { currency } = facts;
  const cost = await rateWith(facts, period, {
    usage: (segments, meterIds) => {
      const asked = meters.filter(({ meterId }) => meterIds.includes(meterId));
      return Promise.resolve(rateable(asked, { live, spans, segments }));
    },
    groups: () =>
      Promise.resolve(groupsByMeter(meters.flatMap(({ code }) => spanOf({ live, spans }, 'total', code) ?? []))),
    events: (meterIds, visit) => storage.proof.eachEvent(period, { meterIds, cutoff }, visit),
  });
  const states = await windowStates(storage, period, { live, asOf, settings: watermark });
  const windows = groupBy(live.windows, ({ meter }) => meter);
  return {
    asOf,
    watermark: states.watermark,
    nextCloseAt: states.nextCloseAt,
    finality: isFinal ? 'final' : 'estimated',
    currency,
    pricesAsOf,
    meters: lastVersions(facts.meters).flatMap((meter) =>
      usageOfMeter(meter, { live, windows, spans, period, asOf, states }),
    ),
    lines: cost.lines,
    problems: [...live.unreadable.map(unreadableProblem), ...cost.problems],
    total: formatAmount(totalOf(cost), currency),
  };
}

function unreadableProblem(values: UnreadableValues[number]): UsageProblem {
  return { code: 'UNREADABLE_VALUE', meter: values.meter, group: {}, detail: unreadableDetail(values) };
}

/** What a span is asked for. */
interface AskedSpan {
  readonly purpose: 'price' | 'total' | 'windows';
  readonly meter: string;
  readonly span: UsageSpan;
}

/** What cannot be had from the smallest windows: totals of meters that do not add up, and their longer windows. */
function spansOf(facts: PriceFacts, period: BillingPeriod): readonly AskedSpan[] {
  const whole = [period.from, period.to] as const;
  return poolsOf(facts).flatMap((priced): readonly AskedSpan[] => {
    const { meter } = priced;
    const pools = [{ meter, by: meter.groupBy }];
    const isStored = meter.windowSize === 'hour' && meter.aggregation !== 'weighted_sum';
    const bounds = windowBoundsOf(period, period.timeZone, meter.windowSize);
    return [
      { purpose: 'price', meter: meter.code, span: { pools: [priced], bounds: whole } },
      { purpose: 'total', meter: meter.code, span: { pools, bounds: whole } },
      ...(isStored ? [] : [{ purpose: 'windows', meter: meter.code, span: { pools, bounds } } as const]),
    ];
  });
}

interface Read {
  readonly live: LiveUsage;
  readonly spans: readonly AskedSpan[];
}

/** null: was not asked for. */
function spanOf({ live, spans }: Read, purpose: AskedSpan['purpose'], meter: string): readonly WindowUsage[] | null {
  const index = spans.findIndex((asked) => asked.purpose === purpose && asked.meter === meter);
  return live.spans[index] ?? null;
}

function rateable(
  meters: readonly Meter[],
  { segments, ...read }: Read & { readonly segments: readonly PriceSegment[] },
): readonly SegmentUsage[] {
  const adding = new Set(meters.filter(addsUp).map(({ code }) => code));
  const windows = read.live.windows.filter(({ meter }) => adding.has(meter));
  const whole = meters.flatMap(({ code }) => spanOf(read, 'price', code) ?? []);
  return [...usageBySegment(windows, segments), ...asSegmentUsage(whole, segments)];
}

/** Versions of one meter share its windows, and are shown as one. */
function lastVersions(meters: readonly MeterInForce[]): readonly Meter[] {
  return [...new Map(meters.map((meter) => [meter.code, meter])).values()];
}

interface Shown extends Read {
  readonly period: BillingPeriod;
  /** The smallest ones, by meter. */
  readonly windows: ReadonlyMap<string, readonly WindowUsage[]>;
  readonly asOf: Instant;
  readonly states: WindowStates;
}

function usageOfMeter(meter: Meter, read: Shown): readonly UsageOfMeter[] {
  const { period, asOf, states } = read;
  const hours = read.windows.get(meter.code) ?? [];
  const totals = spanOf(read, 'total', meter.code) ?? sumWindows(hours, [period.from, period.to]);
  const begun = (spanOf(read, 'windows', meter.code) ?? windowsOf(meter, hours, period)).filter(
    // A level is carried through windows to come; an event may be a little ahead of the clock.
    ({ windowStart, eventCount }) => eventCount > 0 || windowStart <= asOf,
  );
  const byGroup = groupBy(begun, ({ group }) => groupKeyText(group));
  return totals.map((total) => ({
    total,
    windows: (byGroup.get(groupKeyText(total.group)) ?? []).map(states.stated),
  }));
}

function windowsOf(meter: Meter, hours: readonly WindowUsage[], period: BillingPeriod): readonly WindowUsage[] {
  if (!addsUp(meter)) return hours;
  return meter.windowSize === 'hour'
    ? mergeUsage(hours)
    : sumWindows(hours, windowBoundsOf(period, period.timeZone, meter.windowSize));
}
