/** The versions of customer, meters and prices that a period is rated with (DESIGN 4, pins), and rating with them. */
import { datesNear, dayStartsOf, metersOfPeriod } from '../calendar/meters-of-period.js';
import type { PinnedDates } from '../calendar/meters-of-period.js';
import { decimal } from '../domain/decimal.js';
import { DomainFailure, invariant } from '../domain/failure.js';
import type { PinnedSegment, PinnedVersions } from '../domain/invoicing/invoice.js';
import type { Meter, MeterPool } from '../domain/metering/meter.js';
import { type MeterInForce, holdsAtAll } from '../domain/metering/meter-versions.js';
import { EventTotals } from '../domain/rating/event-totals.js';
import type { ValuedEvent } from '../domain/rating/event-totals.js';
import type { PriceBookVersion } from '../domain/rating/price-book.js';
import type { ConversionRates } from '../domain/rating/invoice-currency.js';
import { overrideCode, withOverrides } from '../domain/rating/overrides.js';
import { rateParts } from '../domain/rating/rate-pinned.js';
import type { PricedMeters } from '../domain/rating/rate-pinned.js';
import { pooledMeters, pricedPools } from '../domain/rating/pools.js';
import type {
  LineEventTotals,
  MeterGroups,
  NextPeriod,
  PriceSegment,
  RatingResult,
  SegmentUsage,
} from '../domain/rating/rating.js';
import { quantityOnlyMeters } from '../domain/rating/rate-fees.js';
import { priceSegments } from '../domain/rating/segments.js';
import type { PriceSchedule } from '../domain/rating/segments.js';
import { conversionRates, pinnedRates, ratesOfPins } from './exchange-rates.js';
import type {
  BillingPeriod,
  Customer,
  KnownPrices,
  KnownVersions,
  PeriodChain,
  PeriodRating,
  Storage,
} from '../storage/types.js';
import { membershipsOf } from './price-rollouts.js';

type Reference = Pick<Storage, 'reference'>;
/** What the price versions of a customer are read from. */
export type PriceSource = Pick<Storage, 'reference' | 'rollouts' | 'periods' | 'priceLookup'>;

export interface PriceFacts {
  readonly currency: string;
  readonly customerVersionId: string;
  /** The versions that count some part of the period, by code and version. */
  readonly meters: readonly MeterInForce[];
  /** When the local dates begin on which versions of meters do, about the period. */
  readonly localDates: PinnedDates;
  /** Of all meters but those in `meterSegments`. They tile the period. */
  readonly segments: readonly PriceSegment[];
  /** By meter code: prices that an override of the customer, or a re-rating limited to some meters, has moved. */
  readonly meterSegments: ReadonlyMap<string, readonly PriceSegment[]>;
  /** The period after this one, where a fee is billed in advance for it. */
  readonly next: NextPeriod | undefined;
  /** When it is an opening period (RULES 18); undefined: never. */
  readonly opening: PinnedVersions['opening'];
  /** What prices in other currencies are converted at; what is missing in it has no conversion set up. */
  readonly rates: ConversionRates;
}

export type CustomerPriceFacts = PriceFacts & {
  readonly customer: Customer;
  /** What segments and meters were chosen from. */
  readonly known: KnownVersions;
};

interface Passing {
  /** The price book id of a version that is to be passed over: what would hold if there were no such version. */
  readonly without?: string | null;
}

/**
 * What is known now: of two versions for the same time the one learned last holds (RULES 21), and a candidate where its rollout
 * includes the customer (RULES 41).
 * @throws DomainFailure UNKNOWN_CUSTOMER
 */
export async function priceFactsOf(
  storage: PriceSource,
  period: BillingPeriod,
  passing: Passing = {},
): Promise<CustomerPriceFacts> {
  return factsFrom(storage, period, { prices: await storage.priceLookup.pricesOf(period.customerId), ...passing });
}

/** An event of its own, also one that is void or that no meter takes, makes it a period like any other for good (RULES 18). */
async function openingOf(
  { periods }: Pick<PriceSource, 'periods'>,
  period: BillingPeriod,
  billingStart: BillingPeriod['to'],
): Promise<PinnedVersions['opening']> {
  return period.to <= billingStart && (await periods.highestEventTime(period)) === null ? 'unless_used' : undefined;
}

/** @param prices null: there is no such customer. Rollouts and exchange rates are read, never remembered. */
export async function factsFrom(
  storage: Omit<PriceSource, 'priceLookup'>,
  period: BillingPeriod,
  { prices, without = null }: Passing & { readonly prices: KnownPrices | null },
): Promise<CustomerPriceFacts> {
  if (prices === null) throw unknownCustomer(period.customerId);
  const { customer, assignments } = prices;
  const versions = prices.versions.filter(({ priceBookId }) => priceBookId !== without);
  const startOfDay = dayStartsOf(period);
  const { customerId, timeZone } = period;
  const memberships = await membershipsOf(storage, versions, { customerId, timeZone, assignments });
  const schedule = { assignments, versions, startOfDay, memberships };
  const segments = priceSegments(period, schedule);
  const priced = {
    currency: customer.currency,
    segments,
    meterSegments: overridden(prices, period, { segments, startOfDay }),
    next: await nextPeriodOf(storage, period, schedule),
    opening: await openingOf(storage, period, startOfDay(customer.billingFrom)),
  };
  const { currencyConversion: conversion, customerVersionId } = customer;
  const rates = await conversionRates(storage, period, { priced, conversion });
  const localDates = await localDatesOf(storage, period, prices.meterVersions);
  const meters = metersOfPeriod(prices.meterVersions, period, localDates).filter(holdsAtAll);
  const known = {
    codes: [...new Set(assignments.map(({ priceBook }) => priceBook))],
    priceBookIds: prices.versions.map(({ priceBookId }) => priceBookId),
    meterIds: meters.map(({ meterId }) => meterId),
  };
  return { ...priced, customer, customerVersionId, meters, localDates, rates, known };
}

/** As the period's ratings have pinned them, the others by the rules of now. */
async function localDatesOf(
  { periods }: Pick<Storage, 'periods'>,
  period: BillingPeriod,
  versions: readonly Meter[],
): Promise<PinnedDates> {
  const dates = datesNear(versions, period);
  if (dates.length === 0) return {};
  const startOf = dayStartsOf(period, await periods.pinnedDates(period, versions));
  return Object.fromEntries(dates.map((date) => [date, startOf(date)]));
}

/** By meter, what the customer's own prices change (RULES 34); a later version of them holds from its date on. */
function overridden(
  { overrides: versions }: KnownPrices,
  period: BillingPeriod,
  { segments, startOfDay }: Pick<PriceSchedule, 'startOfDay'> & { readonly segments: readonly PriceSegment[] },
): PriceFacts['meterSegments'] {
  if (versions.length === 0) return new Map();
  const assignments = [{ priceBook: overrideCode(period.customerId), effectiveFrom: null, learnedOrder: 0 }];
  return withOverrides(segments, priceSegments(period, { assignments, versions, startOfDay }));
}

/** Looked up, and so made to exist, only where a fee is billed for it. */
async function nextPeriodOf(
  { periods }: Pick<Storage, 'periods'>,
  { customerId, to }: BillingPeriod,
  schedule: PriceSchedule,
): Promise<NextPeriod | undefined> {
  if (!schedule.versions.some(billsInAdvance)) return undefined;
  const { from, to: end } = await periods.periodAt(customerId, to);
  const segments = priceSegments({ from, to: end }, schedule);
  return segments.some(({ priceBook }) => priceBook !== null && billsInAdvance(priceBook))
    ? { from, to: end, segments }
    : undefined;
}

/** Whether a version has a fee for the period after the one that is invoiced. */
export const billsInAdvance = ({ fees }: PriceBookVersion): boolean =>
  fees.some(({ billed }) => billed === 'in_advance');

/** What a document was rated with. */
export interface Pinned {
  readonly pins: PinnedVersions;
  readonly currency: string;
}

/** What an invoiced period was rated with last, in its currency; null: it is not invoiced. */
export function pinnedOf({ documents, rating }: PeriodChain): (Pinned & { readonly rating: PeriodRating }) | null {
  const [original] = documents;
  if (original === undefined || rating === null) return null;
  return { pins: rating.pinnedVersions, currency: original.currency, rating };
}

/** What a document of the period was rated with: of the versions of meters those that it pinned, and no later one. */
export async function pinnedPriceFacts(
  { reference }: Reference,
  period: BillingPeriod,
  { pins, currency }: Pinned,
): Promise<PriceFacts> {
  const pinned = new Set(pins.meter_ids);
  const versions = (await reference.meterVersions()).filter(({ meterId }) => pinned.has(meterId));
  const { local_dates: localDates = {} } = pins;
  const meters = metersOfPeriod(versions, period, localDates).filter(holdsAtAll);
  const byMeter = Object.entries(pins.meter_price_segments ?? {});
  const { next_period: next } = pins;
  const all = [pins.price_segments, next?.price_segments ?? [], ...byMeter.map(([, segments]) => segments)].flat();
  const ids = [...new Set(all.flatMap(({ price_book_id: id }) => id ?? []))];
  const books = new Map((await reference.priceBooksById(ids)).map((book) => [book.priceBookId, book]));
  return {
    currency,
    customerVersionId: pins.customer_version_id,
    meters,
    localDates,
    segments: pins.price_segments.map((segment) => unpinned(segment, books)),
    next:
      next === undefined
        ? undefined
        : { from: next.from, to: next.to, segments: next.price_segments.map((segment) => unpinned(segment, books)) },
    opening: pins.opening,
    rates: ratesOfPins(pins.exchange_rates),
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

export function pinsOf({
  customerVersionId,
  meters,
  localDates,
  segments,
  meterSegments,
  next,
  opening,
  rates,
}: PriceFacts): PinnedVersions {
  const exchangeRates = pinnedRates(rates);
  return {
    customer_version_id: customerVersionId,
    meter_ids: meters.map(({ meterId }) => meterId).sort(),
    price_segments: segments.map(pinned),
    ...(Object.keys(localDates).length > 0 && { local_dates: localDates }),
    ...(opening !== undefined && { opening }),
    ...(next !== undefined && {
      next_period: { from: next.from, to: next.to, price_segments: next.segments.map(pinned) },
    }),
    ...(meterSegments.size > 0 && {
      meter_price_segments: Object.fromEntries(
        [...meterSegments].sort(([a], [b]) => (a < b ? -1 : 1)).map(([meter, own]) => [meter, own.map(pinned)]),
      ),
    }),
    ...(exchangeRates.length > 0 && { exchange_rates: exchangeRates }),
  };
}

const pinned = ({ from, to, priceBook }: PriceSegment): PinnedSegment => ({
  from,
  to,
  price_book_id: priceBook?.priceBookId ?? null,
});

/** What prices a meter, a segment at a time. */
export const segmentsOf = ({ segments, meterSegments }: PriceFacts, code: string): readonly PriceSegment[] =>
  meterSegments.get(code) ?? segments;

/** What of the period is rated as a whole: meters that do not add up, by the groups that their prices pool. */
export const poolsOf = (facts: PriceFacts): readonly MeterPool<MeterInForce>[] =>
  facts.meters.flatMap((meter) => pricedPools([meter], segmentsOf(facts, meter.code), facts.next));

/**
 * The same with rates for the currencies that no document of the period has pinned one for, as the customer has its prices
 * converted now (RULES 39).
 */
export async function withCurrentRates(
  storage: Reference,
  period: BillingPeriod,
  facts: PriceFacts,
): Promise<PriceFacts> {
  const { currencyConversion: conversion } = await customerOf(storage, period.customerId);
  return {
    ...facts,
    rates: await conversionRates(storage, period, { priced: facts, conversion, pinned: facts.rates }),
  };
}

/**
 * Usage of these meters by these segments; rows of other meters do no harm.
 * @param next decides, with the segments, over which groups a meter that does not add up is counted
 */
export type UsageOf = (
  segments: readonly PriceSegment[],
  meterIds: readonly string[],
  next: NextPeriod | undefined,
) => Promise<readonly SegmentUsage[]>;

/** Where usage is read from, all of it as it was at one cutoff. */
export interface UsageSource {
  readonly usage: UsageOf;
  /** In how many of their own groups these meters, which do not add up, have usage. */
  readonly groups: (meters: readonly MeterInForce[]) => Promise<MeterGroups>;
  /** The events that these meters count in the period, in order of event time, event_id and source. */
  readonly events: (meterIds: readonly string[], visit: (event: ValuedEvent) => void) => Promise<void>;
}

export interface RatedPeriod extends RatingResult {
  /** What was rated; of meters that are only counted for fees nothing was. */
  readonly usage: readonly SegmentUsage[];
}

/** The one way to an amount: issuing, re-rating and verifying differ only in where their usage and versions come from. */
export async function rateWith(facts: PriceFacts, period: BillingPeriod, source: UsageSource): Promise<RatedPeriod> {
  const parts: PricedMeters[] = [];
  // One after the other: they are read on the gate's one connection.
  for (const { meters, segments } of partsOf(facts)) {
    const ids = new Set(meters.map(({ code }) => code));
    const meterIds = meters.map(({ meterId }) => meterId);
    const all = await source.usage(segments, meterIds, facts.next);
    const usage = all.filter(({ meter }) => ids.has(meter));
    const used = new Set(usage.map(({ meter }) => meter));
    const pooled = pooledMeters(meters, segments, facts.next).filter(({ code }) => used.has(code));
    const part = { meters, segments, usage, ...(pooled.length > 0 && { meterGroups: await source.groups(pooled) }) };
    parts.push({ ...part, eventTotals: await eventTotalsOf(part, source) });
  }
  const { currency, rates, segments, next, opening } = facts;
  const usage = parts.flatMap((part) => part.usage);
  const isOpening = opening === true || (opening === 'unless_used' && !usage.some(isUsed));
  const result = rateParts({ period, currency, rates, isOpening, ...(next !== undefined && { next }) }, parts);
  const isCounted = isCountedForFees(segments, next);
  return { ...result, usage: usage.filter(({ meter }) => !isCounted(meter)) };
}

/** A level that is only carried is used too. */
export const isUsed = ({ eventCount, quantity }: SegmentUsage): boolean =>
  eventCount > 0 || !decimal(quantity).isZero();

/** Meters whose usage no charge prices by itself. */
function isCountedForFees(segments: readonly PriceSegment[], next: NextPeriod | undefined): (meter: string) => boolean {
  const meters = quantityOnlyMeters(segments, next);
  return (meter) => meters.has(meter);
}

/** Events are read only where a price is taken of each of them. */
async function eventTotalsOf(part: PricedMeters, { events }: UsageSource): Promise<LineEventTotals> {
  const totals = new EventTotals(part);
  const meterIds = totals.meters.map(({ meterId }) => meterId);
  if (meterIds.length > 0) {
    await events(meterIds, (event) => {
      totals.add(event);
    });
  }
  return totals.totals;
}

/** Meters by the segments that price them. */
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
  if (found === null) throw unknownCustomer(customerId);
  return found;
}

const unknownCustomer = (customerId: string): DomainFailure =>
  new DomainFailure('UNKNOWN_CUSTOMER', `There is no customer "${customerId}".`);
