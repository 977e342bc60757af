/**
 * Aggregation as a pure function: what the SQL of storage must equal. Order, repetition and splitting of the events do
 * not matter (DESIGN 2, invariants 2 and 3).
 */
import { compareText } from '../compare-text.js';
import { D, toDecimalString } from '../decimal.js';
import { invariant } from '../failure.js';
import { isWithin } from '../time/instant.js';
import type { DecimalString, GroupKey, Instant, Interval } from '../values.js';
import type { ValuedEvent } from '../rating/event-totals.js';
import type { SegmentUsage } from '../rating/rating.js';
import type { IdentifiedContent } from './canonical-content.js';
import { addDigests, digestOf } from './digest.js';
import { compareGroups, groupKeyText } from './group-key.js';
import type { Meter, WindowUsage } from './meter.js';
import type { MeterInForce } from './meter-versions.js';
import { groupOf, readingOf, takes } from './reading.js';
import { compareCodePoints, type Reading, reduce } from './reduce.js';
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

/** A version of a meter without its stretch takes the events of the whole period. */
export type AggregatedMeter = Meter & Partial<Pick<MeterInForce, 'inForce'>>;

/**
 * Usage of one customer's events in one period by its smallest windows; events outside it are another period's. Each
 * identity counts once. Of a `weighted_sum`, what the events of a window change the level by.
 */
export function aggregate(
  events: Iterable<MeteredEvent>,
  meters: readonly AggregatedMeter[],
  period: MeteringPeriod,
): Aggregate {
  const unreadable: UnreadableValue[] = [];
  const parts = new Map<string, WindowPart>();
  for (const event of distinct(events)) {
    if (!isWithin(event.eventTime, period)) continue;
    for (const meter of meters) {
      if (!takesAt(meter, event)) continue;
      const value = readingOf(meter, event.metadata);
      if (value === null) unreadable.push({ meter: meter.code, source: event.source, eventId: event.eventId });
      else addReading(parts, { meter, window: windowOf(event.eventTime, period), event, value });
    }
  }
  const windows = [...parts.values()].map(usageOfPart);
  return { windows: windows.sort(compareUsage), unreadable: unreadable.sort(compareUnreadable) };
}

interface WindowPart {
  readonly meter: Meter;
  readonly window: Interval;
  readonly group: GroupKey;
  readonly readings: Reading[];
}

function addReading(
  parts: Map<string, WindowPart>,
  { meter, window, event, value }: { meter: Meter; window: Interval; event: MeteredEvent; value: string },
): void {
  const group = groupOf(meter, event.metadata);
  const key = JSON.stringify([meter.meterId, window.from, groupKeyText(group)]);
  const reading = readingAs(event, value);
  const known = parts.get(key);
  if (known === undefined) parts.set(key, { meter, window, group, readings: [reading] });
  else known.readings.push(reading);
}

export function readingAs({ eventTime, source, eventId, contentHash }: MeteredEvent, value: string): Reading {
  return { eventTime, source, eventId, contentHash, value };
}

function usageOfPart({ meter, window, group, readings }: WindowPart): WindowUsage {
  return {
    meter: meter.code,
    windowStart: window.from,
    windowEnd: window.to,
    group,
    quantity: reduce(meter.aggregation, readings),
    eventCount: readings.length,
    digest: digestOf(readings.map(({ contentHash }) => contentHash)),
  };
}

/** Whether the meter takes the event, at its time. */
export function takesAt(
  meter: AggregatedMeter,
  event: Pick<MeteredEvent, 'eventType' | 'eventTime' | 'metadata'>,
): boolean {
  const { inForce } = meter;
  if (inForce !== undefined && inForce !== null && !isWithin(event.eventTime, inForce)) return false;
  return takes(meter, event.eventType, event.metadata);
}

/** A repeated identity with other content never gets into the ledger, so here it is a defect. */
export function distinct(events: Iterable<MeteredEvent>): Iterable<MeteredEvent> {
  const byIdentity = new Map<string, MeteredEvent>();
  for (const event of events) {
    const identity = JSON.stringify([event.customerId, event.source, event.eventId]);
    const known = byIdentity.get(identity);
    invariant(known === undefined || known.contentHash === event.contentHash, `two contents for event ${identity}`);
    if (known === undefined) byIdentity.set(identity, event);
  }
  return byIdentity.values();
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

/** Events that meters which add up count in the period, in the order in which prices are taken of them (RULES 14). */
export function valuedEvents(
  events: Iterable<MeteredEvent>,
  meters: readonly AggregatedMeter[],
  period: Interval,
): readonly ValuedEvent[] {
  if (meters.length === 0) return [];
  return [...distinct(events)]
    .filter(({ eventTime }) => isWithin(eventTime, period))
    .sort(
      (a, b) =>
        compareText(a.eventTime, b.eventTime) ||
        compareCodePoints(a.eventId, b.eventId) ||
        compareCodePoints(a.source, b.source),
    )
    .flatMap((event) =>
      meters.flatMap((meter): readonly ValuedEvent[] => {
        const value = takesAt(meter, event) ? readingOf(meter, event.metadata) : null;
        if (value === null) return [];
        const group = groupOf(meter, event.metadata);
        return [{ meter: meter.code, group, eventTime: event.eventTime, value: value as DecimalString }];
      }),
    );
}

export function compareUsage(a: WindowUsage, b: WindowUsage): number {
  return compareText(a.meter, b.meter) || compareText(a.windowStart, b.windowStart) || compareGroups(a.group, b.group);
}

export function compareUnreadable(a: UnreadableValue, b: UnreadableValue): number {
  return compareText(a.meter, b.meter) || compareText(a.source, b.source) || compareText(a.eventId, b.eventId);
}
