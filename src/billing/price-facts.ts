/** The versions of customer, meters and prices that a period is rated with (DESIGN 4, pins), and rating with them. */
import { metersOfPeriod } from '../calendar/meters-of-period.js';
import { startOfLocalDay } from '../calendar/time-zones.js';
import { DomainFailure, invariant } from '../domain/failure.js';
import type { PinnedSegment, PinnedVersions } from '../domain/invoicing/invoice.js';
import { type MeterInForce, holdsAtAll } from '../domain/metering/meter-versions.js';
import type { PriceBookVersion } from '../domain/rating/price-book.js';
import { rateParts } from '../domain/rating/rate-pinned.js';
import type { PricedMeters } from '../domain/rating/rate-pinned.js';
import type { PriceSegment, RatingResult, SegmentUsage } from '../domain/rating/rating.js';
import { priceSegments } from '../domain/rating/segments.js';
import type { BillingPeriod, Customer, Storage } from '../storage/types.js';

type Reference = Pick<Storage, 'reference'>;

export interface PriceFacts {
  readonly currency: string;
  readonly customerVersionId: string;
  /** The versions that count some part of the period, by code and version. */
  readonly meters: readonly MeterInForce[];
  /** Of all meters but those in `meterSegments`. They tile the period. */
  readonly segments: readonly PriceSegment[];
  /** By meter code: prices that a re-rating limited to some meters has moved. */
  readonly meterSegments: ReadonlyMap<string, readonly PriceSegment[]>;
}

/** What is known now: of two versions for the same time the one learned last holds (RULES 21). @throws UNKNOWN_CUSTOMER */
export async function priceFactsOf(
  storage: Reference,
  period: BillingPeriod,
): Promise<PriceFacts & { readonly customer: Customer }> {
  const { reference } = storage;
  const customer = await customerOf(storage, period.customerId);
  const meters = metersOfPeriod(await reference.meterVersions(), period).filter(holdsAtAll);
  const assignments = await reference.assignments(period.customerId);
  const codes = [...new Set(assignments.map(({ priceBook }) => priceBook))];
  const versions = (await Promise.all(codes.map((code) => reference.priceBookVersions(code)))).flat();
  const startOfDay = (date: Parameters<typeof startOfLocalDay>[0]) => startOfLocalDay(date, period.timeZone);
  return {
    customer,
    currency: customer.currency,
    customerVersionId: customer.customerVersionId,
    meters,
    segments: priceSegments(period, { assignments, versions, startOfDay }),
    meterSegments: new Map(),
  };
}

/** What a document of the period was rated with: of the versions of meters those that it pinned, and no later one. */
export async function pinnedPriceFacts(
  { reference }: Reference,
  period: BillingPeriod,
  { pins, currency }: { readonly pins: PinnedVersions; readonly currency: string },
): Promise<PriceFacts> {
  const pinned = new Set(pins.meter_ids);
  const versions = (await reference.meterVersions()).filter(({ meterId }) => pinned.has(meterId));
  const meters = metersOfPeriod(versions, period).filter(holdsAtAll);
  const byMeter = Object.entries(pins.meter_price_segments ?? {});
  const all = [pins.price_segments, ...byMeter.map(([, segments]) => segments)].flat();
  const ids = [...new Set(all.flatMap(({ price_book_id: id }) => id ?? []))];
  const books = new Map((await reference.priceBooksById(ids)).map((book) => [book.priceBookId, book]));
  return {
    currency,
    customerVersionId: pins.customer_version_id,
    meters,
    segments: pins.price_segments.map((segment) => unpinned(segment, books)),
    meterSegments: new Map(
      byMeter.map(([meter, segments]) => [meter, segments.map((segment) => unpinned(segment, books))]),
    ),
  };
}

function unpinned(
  { from, to, price_book_id: id }: PinnedSegment,
  books: ReadonlyMap<string, PriceBookVersion>,
): PriceSegment {
  const priceBook = id === null ? null : books.get(id);
  invariant(priceBook !== undefined, `the pinned price book version ${id ?? ''} exists: versions are never deleted`);
  return { from, to, priceBook };
}

export function pinsOf({ customerVersionId, meters, segments, meterSegments }: PriceFacts): PinnedVersions {
  return {
    customer_version_id: customerVersionId,
    meter_ids: meters.map(({ meterId }) => meterId).sort(),
    price_segments: segments.map(pinned),
    ...(meterSegments.size > 0 && {
      meter_price_segments: Object.fromEntries(
        [...meterSegments].sort(([a], [b]) => (a < b ? -1 : 1)).map(([meter, own]) => [meter, own.map(pinned)]),
      ),
    }),
  };
}

const pinned = ({ from, to, priceBook }: PriceSegment): PinnedSegment => ({
  from,
  to,
  price_book_id: priceBook?.priceBookId ?? null,
});

/** Usage of these meters by these segments; rows of other meters do no harm. */
export type UsageOf = (
  segments: readonly PriceSegment[],
  meterIds: readonly string[],
) => Promise<readonly SegmentUsage[]>;

export interface RatedPeriod extends RatingResult {
  /** What was rated. */
  readonly usage: readonly SegmentUsage[];
}

/** The one way to an amount: issuing, re-rating and verifying differ only in where their usage and versions come from. */
export async function rateWith(facts: PriceFacts, period: BillingPeriod, usageOf: UsageOf): Promise<RatedPeriod> {
  const parts: PricedMeters[] = [];
  // One after the other: they are read on the gate's one connection.
  for (const { meters, segments } of partsOf(facts)) {
    const ids = new Set(meters.map(({ code }) => code));
    const usage = await usageOf(
      segments,
      meters.map(({ meterId }) => meterId),
    );
    parts.push({ meters, segments, usage: usage.filter(({ meter }) => ids.has(meter)) });
  }
  const result = rateParts(period, facts.currency, parts);
  return { ...result, usage: parts.flatMap(({ usage }) => usage) };
}

/** Meters by the segments that price them. A book may name meters that nothing was recorded for: the first part has them. */
function partsOf({ meters, segments, meterSegments }: PriceFacts) {
  return [
    { meters: meters.filter(({ code }) => !meterSegments.has(code)), segments },
    ...[...meterSegments]
      .map(([own, moved]) => ({ meters: meters.filter(({ code }) => code === own), segments: moved }))
      .filter((part) => part.meters.length > 0),
  ];
}

/** @throws DomainFailure UNKNOWN_CUSTOMER */
export async function customerOf({ reference }: Reference, customerId: string): Promise<Customer> {
  const found = await reference.findCustomer(customerId);
  if (found === null) throw new DomainFailure('UNKNOWN_CUSTOMER', `There is no customer "${customerId}".`);
  return found;
}
