import { startOfLocalDay } from '../calendar/time-zones.js';
import type { PinnedVersions } from '../domain/invoicing/invoice.js';
import type { Meter } from '../domain/metering/meter.js';
import { ratePeriod } from '../domain/rating/rate.js';
import type { PriceSegment, RatingResult, SegmentUsage } from '../domain/rating/rating.js';
import { priceSegments } from '../domain/rating/segments.js';
import type { BillingPeriod, Customer, Storage } from '../storage/types.js';
import { customerOf } from './period-facts.js';

/** The versions of customer, meters and prices that a period is rated with (DESIGN 4, pins). */
export interface PriceFacts {
  readonly customer: Customer;
  readonly meters: readonly Meter[];
  readonly segments: readonly PriceSegment[];
}

/** What is known now: of two versions for the same time the one learned last holds (RULES 21). */
export async function priceFactsOf(storage: Storage, period: BillingPeriod): Promise<PriceFacts> {
  const { reference } = storage;
  const customer = await customerOf(storage, period.customerId);
  const meters = await reference.meters();
  const assignments = await reference.assignments(period.customerId);
  const codes = [...new Set(assignments.map(({ priceBook }) => priceBook))];
  const versions = (await Promise.all(codes.map((code) => reference.priceBookVersions(code)))).flat();
  const startOfDay = (date: Parameters<typeof startOfLocalDay>[0]) => startOfLocalDay(date, period.timeZone);
  return { customer, meters, segments: priceSegments(period, { assignments, versions, startOfDay }) };
}

export function rateWith(facts: PriceFacts, period: BillingPeriod, usage: readonly SegmentUsage[]): RatingResult {
  const { customer, meters, segments } = facts;
  return ratePeriod({ period, currency: customer.currency, meters, segments, usage });
}

export function pinsOf({ customer, meters, segments }: PriceFacts): PinnedVersions {
  return {
    customer_version_id: customer.customerVersionId,
    meter_ids: meters.map(({ meterId }) => meterId).sort(),
    price_segments: segments.map(({ from, to, priceBook }) => ({
      from,
      to,
      price_book_id: priceBook?.priceBookId ?? null,
    })),
  };
}
