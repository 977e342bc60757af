import { DomainFailure } from '../failure.js';
import { emptyDigest } from '../metering/digest.js';
import { groupKeyText, projectGroup } from '../metering/group-key.js';
import { addsUp } from '../metering/meter.js';
import type { Meter } from '../metering/meter.js';
import { EventTotals } from '../rating/event-totals.js';
import type { PriceBookVersion } from '../rating/price-book.js';
import { ratePeriod } from '../rating/rate.js';
import type { PriceSegment, RatingResult, SegmentUsage } from '../rating/rating.js';
import type { DecimalString, GroupKey, Interval } from '../values.js';

/** How much of a meter somebody asks about. */
export interface AskedQuantity {
  readonly meter: string;
  /** Of the properties that the meter groups by; one that is left out is missing (null). */
  readonly group: GroupKey;
  readonly quantity: DecimalString;
}

/**
 * What the quantities would cost under the version, as if they were all the usage of one period. Entries of the same meter
 * and group add up; where a price is taken of each event (RULES 14) every entry is an event, in the order given. Fees are due once, for the whole
 * period.
 *
 * @throws DomainFailure UNKNOWN_METER, VALIDATION_FAILED: with pointers below `/quantities`
 */
export function rateQuantities(
  version: PriceBookVersion,
  quantities: readonly AskedQuantity[],
  { meters, period, next }: { readonly meters: readonly Meter[]; readonly period: Interval; readonly next: Interval },
): RatingResult {
  const byCode = new Map(meters.map((meter) => [meter.code, meter]));
  const seen = new Set<string>();
  const usage = quantities.map((asked, index) => {
    const meter = requireMeter(byCode, asked, index);
    refuseSecond(meter, asked, { index, seen });
    return usageOf(meter, asked);
  });
  const segments: readonly PriceSegment[] = [{ from: period.from, to: period.to, priceBook: version }];
  const totals = new EventTotals({ meters, segments, usage });
  const byEvent = new Set(totals.meters.map(({ code }) => code));
  for (const { meter, group, quantity } of usage) {
    if (byEvent.has(meter)) totals.add({ meter, group, eventTime: period.from, value: quantity });
  }
  return ratePeriod({
    period,
    currency: version.currency,
    meters,
    segments,
    usage,
    eventTotals: totals.totals,
    next: { ...next, segments: [{ ...next, priceBook: version }] },
  });
}

function requireMeter(meters: ReadonlyMap<string, Meter>, { meter: code, group }: AskedQuantity, index: number): Meter {
  const meter = meters.get(code);
  if (meter === undefined) {
    throw new DomainFailure('UNKNOWN_METER', `There is no meter "${code}".`, `/quantities/${index}/meter`);
  }
  const strange = Object.keys(group).find((property) => !meter.groupBy.includes(property));
  if (strange === undefined) return meter;
  throw new DomainFailure(
    'VALIDATION_FAILED',
    `The meter "${code}" does not group by "${strange}".`,
    `/quantities/${index}/group`,
  );
}

/** A maximum or a count of different things of two parts is not the sum of theirs. */
function refuseSecond(
  meter: Meter,
  { group }: AskedQuantity,
  { index, seen }: { readonly index: number; readonly seen: Set<string> },
): void {
  if (addsUp(meter)) return;
  const key = `${meter.code} ${groupKeyText(projectGroup(group, meter.groupBy))}`;
  if (!seen.has(key)) {
    seen.add(key);
    return;
  }
  throw new DomainFailure(
    'VALIDATION_FAILED',
    `The usage of "${meter.code}" (${meter.aggregation}) does not add up: give one quantity a group.`,
    `/quantities/${index}`,
  );
}

function usageOf(meter: Meter, { group, quantity }: AskedQuantity): SegmentUsage {
  return {
    meter: meter.code,
    group: projectGroup(group, meter.groupBy),
    segment: 0,
    quantity,
    eventCount: 1,
    digest: emptyDigest,
  };
}
