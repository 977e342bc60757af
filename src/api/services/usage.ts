/** What was used in a period, and what it would cost. Quantities and amounts come from the domain; this reads its inputs. */
import { longWindowBounds, startOfLocalDay } from '../../calendar/time-zones.js';
import { addDecimals } from '../../domain/decimal.js';
import type { Invoice } from '../../domain/invoicing/invoice.js';
import { mergeUsage, sumWindows, usageBySegment } from '../../domain/metering/fold.js';
import { groupKeyText } from '../../domain/metering/group-key.js';
import type { Meter, WindowUsage } from '../../domain/metering/meter.js';
import { formatAmount } from '../../domain/money/rounding.js';
import { ratePeriod } from '../../domain/rating/rate.js';
import type { PriceSegment, RatingResult } from '../../domain/rating/rating.js';
import { priceSegments } from '../../domain/rating/segments.js';
import type { Instant, LocalDate } from '../../domain/values.js';
import type { BillingPeriod, Customer, Storage } from '../../storage/types.js';

type UsageStorage = Pick<Storage, 'reference' | 'usage' | 'periods' | 'billing'>;

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

/** The versions that the period is, or was, rated with (DESIGN 4, pins). */
interface RatingVersions {
  readonly meters: readonly Meter[];
  readonly segments: readonly PriceSegment[];
  readonly currency: string;
}

/** Live usage from the ledger, rated by the one rating function. */
export async function usageOf(storage: UsageStorage, customer: Customer, period: BillingPeriod): Promise<PeriodUsage> {
  const invoiceId = (await storage.periods.status(period.customerId, period.period))?.invoiceId ?? null;
  const invoice = invoiceId === null ? null : await storage.billing.findInvoice(invoiceId);
  const versions = await (invoice === null ? versionsNow(storage, customer, period) : versionsPinned(storage, invoice));
  const live = await storage.usage.liveUsage(period);
  const codes = new Set(versions.meters.map(({ code }) => code));
  const windows = live.windows.filter(({ meter }) => codes.has(meter));
  const isFinal = invoice !== null && (await storage.periods.veryLateFacts(period)).count === 0;
  const { meters, segments, currency } = versions;
  const cost = ratePeriod({ period, currency, meters, segments, usage: usageBySegment(windows, segments) });
  return {
    asOf: live.asOf,
    finality: isFinal ? 'final' : 'estimated',
    currency,
    meters: meters.flatMap((meter) => usageOfMeter(meter, windows, period)),
    cost,
    total: formatAmount(addDecimals(cost.lines.map(({ amount }) => amount)), currency),
  };
}

async function versionsNow(
  { reference }: UsageStorage,
  customer: Customer,
  period: BillingPeriod,
): Promise<RatingVersions> {
  const meters = await reference.meters();
  const assignments = await reference.assignments(customer.customerId);
  const codes = [...new Set(assignments.map(({ priceBook }) => priceBook))];
  const versions = (await Promise.all(codes.map((code) => reference.priceBookVersions(code)))).flat();
  const startOfDay = (date: LocalDate): Instant => startOfLocalDay(date, period.timeZone);
  return {
    meters,
    segments: priceSegments(period, { assignments, versions, startOfDay }),
    currency: customer.currency,
  };
}

async function versionsPinned(
  { reference }: UsageStorage,
  { pinnedVersions, currency }: Invoice,
): Promise<RatingVersions> {
  const pinnedMeters = new Set(pinnedVersions.meter_ids);
  const meters = (await reference.meters()).filter(({ meterId }) => pinnedMeters.has(meterId));
  const ids = pinnedVersions.price_segments.flatMap(({ price_book_id: id }) => (id === null ? [] : [id]));
  const books = new Map((await reference.priceBooksById([...new Set(ids)])).map((book) => [book.priceBookId, book]));
  const segments = pinnedVersions.price_segments.map(({ from, to, price_book_id: id }) => ({
    from,
    to,
    priceBook: id === null ? null : (books.get(id) ?? null),
  }));
  return { meters, segments, currency };
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
