/** The lines of a meter: which group of its usage is priced on which one, and by which version when (RULES 17, 20). */
import type { GroupKey } from '../values.js';
import { groupKeyText } from '../metering/group-key.js';
import { indexOf, isDueWithoutUsage } from './book-index.js';
import { lineKeyOf } from './line-key.js';
import { intersection, lineWithoutUsage, pricingGroup, specificity } from './match.js';
import { findPrices, lastOf, planFound, pricesBySegment, sameShape } from './price-plan.js';
import type { FoundPrice, PlannedMeter, PricePlan } from './price-plan.js';
import type { Match, Price, RoundingMode } from './price-book.js';
import type { PriceSegment } from './rating.js';

export interface PlannedLine {
  readonly lineKey: string;
  /** The pricing group. */
  readonly group: GroupKey;
  readonly plan: PricePlan;
  /** Of events in the pricing group those that match any of these stand on lines of their own. */
  readonly except: readonly Match[];
}

/** What a group of the meter is priced by; null where nothing prices it. */
export interface GroupPlan {
  readonly line: PlannedLine;
  /** By segment, whether this group's usage there is on the line. */
  readonly isPriced: (segment: number) => boolean;
}

export interface MeterPlan {
  planOf(group: GroupKey): GroupPlan | null;
  /** Lines that are there without usage, for what is due all the same (RULES 12, 15). */
  readonly due: readonly PlannedLine[];
  /** Whether some version of the period before the segment has a price for the group. */
  wasPriced(group: GroupKey, segment: number): boolean;
}

export function planMeter(
  meter: PlannedMeter,
  segments: readonly PriceSegment[],
  groups: Iterable<GroupKey>,
): MeterPlan {
  const prices = pricesBySegment(meter, segments);
  const isDimensional = prices.some((own) => own.some(({ match }) => specificity(match) > 0));
  const plansOf = (of: PlannedMeter): PlanOf =>
    isDimensional
      ? dimensional(of, segments, { prices, groups: [...groups, ...dueGroups(meter, prices)] })
      : uniform(of, segments, prices);
  const planOf = plansOf(meter);
  const due = dueGroups(meter, prices).flatMap((group) => {
    // A price that has ended is no price of what does not add up, and what is due in every period that it is in is due all the same.
    const line = (planOf(group) ?? plansOf({ ...meter, aggregation: 'sum' })(group))?.line;
    const isDue = line !== undefined && lineWithoutUsage(line.plan.last.price, meter.groupBy) !== null;
    return isDue ? line : [];
  });
  return {
    planOf,
    due,
    wasPriced: (group, segment) =>
      findPrices(group, segments.slice(0, segment), prices).some((found) => found !== null),
  };
}

/** Meters with a price that is due without usage. */
export function metersDueWithoutUsage(segments: readonly PriceSegment[]): readonly string[] {
  return segments.flatMap(({ priceBook }) => (priceBook === null ? [] : indexOf(priceBook).dueWithoutUsage));
}

function dueGroups({ groupBy }: PlannedMeter, prices: readonly (readonly Price[])[]): readonly GroupKey[] {
  const groups = new Map<string, GroupKey>();
  for (const own of prices) {
    for (const price of own) {
      const group = isDueWithoutUsage(price) ? lineWithoutUsage(price, groupBy) : null;
      if (group !== null) groups.set(groupKeyText(group), group);
    }
  }
  return [...groups.values()];
}

/** The version whose price the meter's line of this group is rounded by; null: no version has one. */
export function lineRounding(
  meter: PlannedMeter,
  group: GroupKey,
  segments: readonly PriceSegment[],
): RoundingMode | null {
  const found = findPrices(group, segments, pricesBySegment(meter, segments));
  const last = lastOf(meter, found) ?? found.findLast((entry) => entry !== null);
  return last?.version.rounding ?? null;
}

type PlanOf = MeterPlan['planOf'];

/** No price tells groups apart: one plan for all of them. */
function uniform(
  meter: PlannedMeter,
  segments: readonly PriceSegment[],
  prices: readonly (readonly Price[])[],
): PlanOf {
  const plan = planFound(meter, segments, { found: findPrices({}, segments, prices), changesShape: false });
  if (plan === null) return () => null;
  const isPriced = (segment: number): boolean => plan.bySegment[segment] !== null;
  const lines = new Map<string, GroupPlan>();
  return (usageGroup) => {
    const group = pricingGroup(plan.last.price, usageGroup);
    const lineKey = lineKeyOf(meter.code, group);
    const known = lines.get(lineKey);
    if (known !== undefined) return known;
    const planned = { line: { lineKey, group, plan, except: [] }, isPriced };
    lines.set(lineKey, planned);
    return planned;
  };
}

interface GrowingLine {
  readonly group: GroupKey;
  readonly last: FoundPrice;
  /** What any of its groups found. */
  readonly found: (FoundPrice | null)[];
  changesShape: boolean;
}

/**
 * A group is priced by what matches it in each version, and stands on the line of the last of these. Where any group of a line
 * had a price of another shape before, the last version holds for the whole line.
 */
function dimensional(
  meter: PlannedMeter,
  segments: readonly PriceSegment[],
  { prices, groups }: { readonly prices: readonly (readonly Price[])[]; readonly groups: Iterable<GroupKey> },
): PlanOf {
  const growing = new Map<string, GrowingLine>();
  const placed = new Map<string, { readonly lineKey: string; readonly found: readonly (FoundPrice | null)[] }>();
  for (const usageGroup of groups) {
    const found = findPrices(usageGroup, segments, prices);
    const last = lastOf(meter, found);
    if (last === null) continue;
    const group = pricingGroup(last.price, usageGroup);
    const lineKey = lineKeyOf(meter.code, group);
    placed.set(groupKeyText(usageGroup), { lineKey, found });
    const line = growing.get(lineKey) ?? { group, last, found: segments.map(() => null), changesShape: false };
    growing.set(lineKey, line);
    for (const [index, entry] of found.entries()) {
      if (entry === null) continue;
      line.found[index] ??= entry;
      line.changesShape ||= !sameShape(entry.price, last.price, meter.groupBy);
    }
  }
  const matched = new Map(prices.flat().map(({ match }) => [groupKeyText(match), match]));
  const exceptOf = (lineKey: string, group: GroupKey): readonly Match[] =>
    [...matched.values()].filter((match) => {
      const both = intersection(group, match);
      const last = both === null ? null : lastOf(meter, findPrices(both, segments, prices));
      return both !== null && last !== null && lineKeyOf(meter.code, pricingGroup(last.price, both)) !== lineKey;
    });
  const lines = new Map<string, PlannedLine>();
  for (const [lineKey, { group, found, changesShape }] of growing) {
    const plan = planFound(meter, segments, { found, changesShape });
    if (plan === null) continue;
    lines.set(lineKey, { lineKey, group, plan, except: exceptOf(lineKey, group) });
  }
  return (usageGroup) => {
    const place = placed.get(groupKeyText(usageGroup));
    const line = place === undefined ? undefined : lines.get(place.lineKey);
    if (place === undefined || line === undefined) return null;
    const isPriced = (segment: number): boolean =>
      line.plan.bySegment[segment] !== null && place.found[segment] !== null;
    return { line, isPriced };
  };
}
