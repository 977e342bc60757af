/**
 * Aggregation as a pure function: what the SQL of storage must equal. Order, repetition and splitting of the events do
 * not matter (DESIGN 2, invariants 2 and 3).
 */
import { D, toDecimalString } from '../decimal.js';
import { invariant } from '../failure.js';
import { isWithin } from '../time/instant.js';
import type { DecimalString, GroupKey, Instant, Interval } from '../values.js';
import type { SegmentUsage } from '../rating/rating.js';
import type { IdentifiedContent } from './canonical-content.js';
import { addDigests, digestOf } from './digest.js';
import { compareGroups, groupKeyText } from './group-key.js';
import { type Metadata, readScalar, readValue } from './metadata.js';
import type { Meter, WindowUsage } from './meter.js';
import { countAtOrBefore, type MeteringPeriod, windowOf } from './window.js';

export interface MeteredEvent extends IdentifiedContent {
  /** Decimal digits, as in `UsageEvent`. */
  readonly contentHash: string;
}

/** An event that a meter takes but whose value it cannot read (RULES 10). */
export interface UnreadableValue {
  readonly meter: string;
  readonly source: string;
  readonly eventId: string;
}

export interface Aggregate {
  /** Only windows with usage, by meter, window start and group. */
  readonly windows: readonly WindowUsage[];
  readonly unreadable: readonly UnreadableValue[];
}

/**
 * Usage of one customer's events in one period; events outside it are another period's. Each identity counts once.
 * Aggregations: `count`, `sum`.
 */
export function aggregate(events: Iterable<MeteredEvent>, meters: readonly Meter[], period: MeteringPeriod): Aggregate {
  const windows: WindowUsage[] = [];
  const unreadable: UnreadableValue[] = [];
  for (const event of distinct(events)) {
    if (!isWithin(event.eventTime, period)) continue;
    for (const meter of meters) {
      if (!takes(meter, event.eventType, event.metadata)) continue;
      const quantity = quantityOf(meter, event.metadata);
      if (quantity === null) unreadable.push({ meter: meter.code, source: event.source, eventId: event.eventId });
      else windows.push(usageOfOne(event, meter, { quantity, window: windowOf(event.eventTime, period) }));
    }
  }
  return { windows: mergeUsage(windows), unreadable: unreadable.sort(compareUnreadable) };
}

function usageOfOne(
  event: MeteredEvent,
  meter: Meter,
  part: { quantity: DecimalString; window: Interval },
): WindowUsage {
  return {
    meter: meter.code,
    windowStart: part.window.from,
    windowEnd: part.window.to,
    group: groupOf(meter, event.metadata),
    quantity: part.quantity,
    eventCount: 1,
    digest: digestOf([event.contentHash]),
  };
}

/** A repeated identity with other content never gets into the ledger, so here it is a defect. */
function distinct(events: Iterable<MeteredEvent>): Iterable<MeteredEvent> {
  const byIdentity = new Map<string, MeteredEvent>();
  for (const event of events) {
    const identity = JSON.stringify([event.customerId, event.source, event.eventId]);
    const known = byIdentity.get(identity);
    invariant(known === undefined || known.contentHash === event.contentHash, `two contents for event ${identity}`);
    if (known === undefined) byIdentity.set(identity, event);
  }
  return byIdentity.values();
}

/** Whether the meter counts such an event: its type, and every filtered property has one of the allowed texts. */
export function takes(meter: Meter, eventType: string, metadata: Metadata): boolean {
  if (meter.eventType !== eventType) return false;
  return Object.entries(meter.filters).every(([property, allowed]) => {
    const scalar = readScalar(metadata, property);
    return scalar !== null && allowed.includes(scalar.text);
  });
}

/** What one event adds to the meter; null: its value property is missing or not a decimal. */
export function quantityOf(meter: Meter, metadata: Metadata): DecimalString | null {
  switch (meter.aggregation) {
    case 'count':
      return '1' as DecimalString;
    case 'sum':
      return meter.valueProperty === null ? null : readValue(metadata, meter.valueProperty);
    case 'min':
    case 'max':
    case 'latest':
    case 'unique_count':
    case 'weighted_sum':
      throw new Error(
        `invariant broken: meter ${meter.code} aggregates by ${meter.aggregation}, which cannot exist yet`,
      );
  }
}

/** The meter's group of such an event; a property without a text is null (RULES 17). */
export function groupOf(meter: Meter, metadata: Metadata): GroupKey {
  return Object.fromEntries(meter.groupBy.map((property) => [property, readScalar(metadata, property)?.text ?? null]));
}

/** Adds up usage of disjoint sets of events by meter, window and group. Associative, commutative, `[]` is neutral. */
export function mergeUsage(...parts: readonly (readonly WindowUsage[])[]): readonly WindowUsage[] {
  const sums = new Sums<WindowUsage>();
  for (const usage of parts.flat())
    sums.add(JSON.stringify([usage.meter, usage.windowStart, groupKeyText(usage.group)]), usage);
  return sums.result().sort(compareUsage);
}

/** Day and month windows: usage summed between consecutive bounds, which must fall on bounds of the small windows. */
export function sumWindows(windows: readonly WindowUsage[], bounds: readonly Instant[]): readonly WindowUsage[] {
  return mergeUsage(
    windows.map((usage) => {
      const index = countAtOrBefore(bounds, usage.windowStart);
      const [windowStart, windowEnd] = [bounds[index - 1], bounds[index]];
      invariant(
        windowStart !== undefined && windowEnd !== undefined && usage.windowEnd <= windowEnd,
        `window ${usage.windowStart} to ${usage.windowEnd} does not lie between two bounds`,
      );
      return { ...usage, windowStart, windowEnd };
    }),
  );
}

/**
 * Usage by price segment. Segments tile the period and change only where windows are cut, so every window lies in exactly
 * one. By meter, group and segment.
 */
export function usageBySegment(
  windows: readonly WindowUsage[],
  segments: readonly Interval[],
): readonly SegmentUsage[] {
  const sums = new Sums<SegmentUsage>();
  for (const { windowStart, windowEnd, ...usage } of windows) {
    const segment = segments.findIndex((candidate) => isWithin(windowStart, candidate));
    const bounds = segments[segment];
    invariant(
      bounds !== undefined && windowEnd <= bounds.to,
      `window ${windowStart} to ${windowEnd} does not lie in one segment`,
    );
    sums.add(JSON.stringify([usage.meter, groupKeyText(usage.group), segment]), { ...usage, segment });
  }
  return sums
    .result()
    .sort((a, b) => compareText(a.meter, b.meter) || compareGroups(a.group, b.group) || a.segment - b.segment);
}

/** Running sums by key; decimals stay objects until the end. */
class Sums<T extends Pick<WindowUsage, 'quantity' | 'eventCount' | 'digest'>> {
  private readonly entries = new Map<string, { first: T; quantity: D; eventCount: number; digest: T['digest'] }>();

  add(key: string, usage: T): void {
    const entry = this.entries.get(key);
    if (entry === undefined) {
      this.entries.set(key, {
        first: usage,
        quantity: new D(usage.quantity),
        eventCount: usage.eventCount,
        digest: usage.digest,
      });
      return;
    }
    entry.quantity = entry.quantity.plus(usage.quantity);
    entry.eventCount += usage.eventCount;
    entry.digest = addDigests(entry.digest, usage.digest);
  }

  result(): T[] {
    return [...this.entries.values()].map(({ first, quantity, eventCount, digest }) => ({
      ...first,
      quantity: toDecimalString(quantity),
      eventCount,
      digest,
    }));
  }
}

function compareUsage(a: WindowUsage, b: WindowUsage): number {
  return compareText(a.meter, b.meter) || compareText(a.windowStart, b.windowStart) || compareGroups(a.group, b.group);
}

function compareUnreadable(a: UnreadableValue, b: UnreadableValue): number {
  return compareText(a.meter, b.meter) || compareText(a.source, b.source) || compareText(a.eventId, b.eventId);
}

function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
