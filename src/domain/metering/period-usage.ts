/** Usage taken over the events between bounds, and not over windows: what does not add up (RULES 1, 3, 17). */
import { zero } from '../decimal.js';
import type { SegmentUsage } from '../rating/rating.js';
import { isWithin } from '../time/instant.js';
import type { DecimalString, GroupKey, Instant, Interval } from '../values.js';
import { digestOf } from './digest.js';
import {
  type AggregatedMeter,
  compareUnreadable,
  compareUsage,
  distinct,
  type MeteredEvent,
  readingAs,
  takesAt,
  type UnreadableValue,
} from './fold.js';
import { groupKeyText } from './group-key.js';
import { levelsBetween } from './levels.js';
import type { MeterPool, PeriodUsage, WindowUsage } from './meter.js';
import { groupOf, readingOf } from './reading.js';
import { type Reading, reduce } from './reduce.js';

export interface BetweenBounds {
  /** By meter, window start and group: windows with usage, and those that a level is carried through. */
  readonly windows: readonly (WindowUsage & Pick<PeriodUsage, 'closingLevel'>)[];
  readonly unreadable: readonly UnreadableValue[];
}

/**
 * Usage between consecutive bounds, by the groups of each pool. A `weighted_sum` also looks at what came before the first
 * bound: its level is carried.
 */
export function usageBetween(
  events: Iterable<MeteredEvent>,
  pools: readonly MeterPool<AggregatedMeter>[],
  bounds: readonly Instant[],
): BetweenBounds {
  const all = [...distinct(events)];
  const unreadable: UnreadableValue[] = [];
  const windows = pools.flatMap((pool) => {
    const read = readingsOf(all, pool, bounds);
    for (const value of read.unreadable) unreadable.push(value);
    return [...read.byGroup.values()].flatMap((part) => windowsOf(pool, part, bounds));
  });
  return { windows: windows.sort(compareUsage), unreadable: unreadable.sort(compareUnreadable) };
}

/** Usage over a whole period, by the groups of each pool. */
export function usageOfPeriod(
  events: Iterable<MeteredEvent>,
  pools: readonly MeterPool<AggregatedMeter>[],
  period: Interval,
): readonly PeriodUsage[] {
  const { windows } = usageBetween(events, pools, [period.from, period.to]);
  return windows.map(({ windowStart: _from, windowEnd: _to, ...usage }) => usage);
}

/** As rating wants it: at the period's end, whose price version holds for all of it (RULES 20). */
export function asSegmentUsage(
  usage: readonly Omit<SegmentUsage, 'segment'>[],
  segments: readonly unknown[],
): readonly SegmentUsage[] {
  const segment = segments.length - 1;
  return usage.map(({ meter, group, quantity, eventCount, digest }) => {
    return { meter, group, segment, quantity, eventCount, digest };
  });
}

interface GroupReadings {
  readonly group: GroupKey;
  readonly readings: Reading[];
}

function readingsOf(
  events: readonly MeteredEvent[],
  { meter, by }: MeterPool<AggregatedMeter>,
  bounds: readonly Instant[],
): { readonly byGroup: ReadonlyMap<string, GroupReadings>; readonly unreadable: readonly UnreadableValue[] } {
  const [first, last] = [bounds[0], bounds.at(-1)];
  const byGroup = new Map<string, GroupReadings>();
  const unreadable: UnreadableValue[] = [];
  for (const event of events) {
    const isCarried = meter.aggregation === 'weighted_sum' && first !== undefined && event.eventTime < first;
    const isInside = first !== undefined && last !== undefined && isWithin(event.eventTime, { from: first, to: last });
    if (!(isCarried || isInside) || !takesAt(meter, event)) continue;
    const value = readingOf(meter, event.metadata);
    if (value === null) {
      unreadable.push({ meter: meter.code, source: event.source, eventId: event.eventId });
      continue;
    }
    const group = groupOf({ groupBy: by }, event.metadata);
    const key = groupKeyText(group);
    const known = byGroup.get(key);
    if (known === undefined) byGroup.set(key, { group, readings: [readingAs(event, value)] });
    else known.readings.push(readingAs(event, value));
  }
  return { byGroup, unreadable };
}

function windowsOf(
  { meter }: MeterPool,
  { group, readings }: GroupReadings,
  bounds: readonly Instant[],
): readonly BetweenBounds['windows'][number][] {
  const found = meter.aggregation === 'weighted_sum' ? levelsBetween(readings, bounds) : setsBetween(readings, bounds);
  return found.flatMap((part, index) => {
    const [windowStart, windowEnd] = [bounds[index], bounds[index + 1]];
    if (windowStart === undefined || windowEnd === undefined) return [];
    if (part.readings.length === 0 && part.openingLevel === zero) return [];
    return {
      meter: meter.code,
      windowStart,
      windowEnd,
      group,
      quantity: part.quantity ?? reduce(meter.aggregation, part.readings),
      eventCount: part.readings.length,
      digest: digestOf(part.readings.map(({ contentHash }) => contentHash)),
      closingLevel: part.closingLevel,
    };
  });
}

interface Part {
  readonly readings: readonly Reading[];
  readonly openingLevel: DecimalString;
  readonly closingLevel: DecimalString | null;
  readonly quantity: DecimalString | null;
}

function setsBetween(readings: readonly Reading[], bounds: readonly Instant[]): readonly Part[] {
  return bounds.slice(1).map((to, index) => ({
    readings: readings.filter(({ eventTime }) => isWithin(eventTime, { from: bounds[index] ?? to, to })),
    openingLevel: zero,
    closingLevel: null,
    quantity: null,
  }));
}
