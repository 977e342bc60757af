import { compareText } from '../compare-text.js';
import { decimal } from '../decimal.js';
import { invariant } from '../failure.js';
import { groupKeyText, projectGroup } from '../metering/group-key.js';
import { type Meter, maxGroupsDefault } from '../metering/meter.js';
import type { GroupKey } from '../values.js';
import { lineKeyOf } from './line-key.js';
import { add, ZERO } from './models/tiers.js';
import { planPrices } from './price-plan.js';
import type { PricePlan } from './price-plan.js';
import { rateLine } from './rate-line.js';
import type { LineUsage, SegmentTotal } from './rate-line.js';
import type { RatedLine, RatingInput, RatingProblem, RatingResult, SegmentUsage } from './rating.js';

/**
 * Rates a period: its cumulative usage against the price segments that tile it. Pure: the same input gives the same
 * lines, charges and texts, in any order of `usage`. RULES 8, 11–13, 17, 20 and 24; README.md explains them together.
 *
 * What cannot be priced is never free in silence: it becomes a problem, and the caller holds the invoice.
 */
export function ratePeriod(input: RatingInput): RatingResult {
  const lines: RatedLine[] = [];
  const problems: RatingProblem[] = [];
  const usageByMeter = groupByMeter(input.usage);
  for (const meter of metersToRate(input, usageByMeter)) {
    const usage = usageByMeter.get(meter) ?? [];
    // Of a meter whose version changes in the period the last one: the one at its end.
    const facts = input.meters.findLast(({ code }) => code === meter);
    invariant(facts !== undefined || usage.length === 0, `usage of a meter that is not among the input's: ${meter}`);
    const { groupBy, allowNegative, aggregation, maxGroups } = facts ?? ungrouped;
    const plan = planPrices({ code: meter, groupBy, aggregation }, input.segments);
    problems.push(
      ...unpricedUsage({ plan, meter, segments: input.segments }, usage),
      ...tooManyGroups(usage, maxGroups),
    );
    if (plan === null) continue;
    const mismatch = currencyProblem(input, meter, plan);
    if (mismatch !== null) {
      problems.push(mismatch);
      continue;
    }
    for (const line of linesOf(plan, { meter, groupBy, allowNegative, usage })) {
      const rated = rateLine(plan, line);
      if (rated === null) continue;
      if ('lineKey' in rated) lines.push(rated);
      else problems.push(rated);
    }
  }
  lines.sort((a, b) => compareText(a.meter, b.meter) || compareText(a.lineKey, b.lineKey));
  return { lines, problems };
}

/** Rows without events say nothing and are passed over, but for a level that is carried (RULES 3). */
function groupByMeter(usage: readonly SegmentUsage[]): ReadonlyMap<string, readonly SegmentUsage[]> {
  const byMeter = new Map<string, SegmentUsage[]>();
  for (const row of usage) {
    if (row.eventCount === 0 && decimal(row.quantity).isZero()) continue;
    const rows = byMeter.get(row.meter);
    if (rows === undefined) byMeter.set(row.meter, [row]);
    else rows.push(row);
  }
  return byMeter;
}

/** Meters with usage, and those whose price is charged when there is none (RULES 12). Sorted. */
function metersToRate(input: RatingInput, usage: ReadonlyMap<string, unknown>): readonly string[] {
  const meters = new Set(usage.keys());
  for (const { priceBook } of input.segments) {
    for (const price of priceBook?.prices ?? []) {
      if (price.model !== 'flat' && price.chargeWhenZero) meters.add(price.meter);
    }
  }
  return [...meters].sort();
}

interface PlannedUsage {
  readonly plan: PricePlan | null;
  readonly meter: string;
  readonly segments: RatingInput['segments'];
}

/** Usage in segments whose version has no price for its meter, or that have no version at all; one problem a group. */
function unpricedUsage(
  { plan, meter: priced, segments }: PlannedUsage,
  usage: readonly SegmentUsage[],
): readonly RatingProblem[] {
  const problems = new Map<string, RatingProblem>();
  for (const { meter, group, segment } of usage) {
    if (plan !== null && plan.bySegment[segment] !== null) continue;
    const wasPriced = segments.slice(0, segment).some(({ priceBook }) => hasPrice(priceBook, priced));
    const code = wasPriced ? 'METER_DROPPED_FROM_PRICE_BOOK' : 'UNPRICED_METER';
    const used =
      Object.keys(group).length === 0
        ? `"${meter}" has usage`
        : `"${meter}" has usage of the group ${groupKeyText(group)}`;
    const detail = wasPriced
      ? `${used} after the price book version that no longer has a price for it came into force.`
      : `${used} that no price book version in force has a price for.`;
    problems.set(code + lineKeyOf(meter, group), { code, meter, group, detail });
  }
  return [...problems.entries()].sort(([a], [b]) => compareText(a, b)).map(([, problem]) => problem);
}

const hasPrice = (priceBook: RatingInput['segments'][number]['priceBook'], meter: string): boolean =>
  priceBook?.prices.some((price) => price.meter === meter) ?? false;

/** A group for every request id is a mistake of the meter, not a thousand lines of an invoice (RULES 30). */
function tooManyGroups(usage: readonly SegmentUsage[], maxGroups: number): readonly RatingProblem[] {
  const [first] = usage;
  if (first === undefined || usage.length <= maxGroups) return [];
  const groups = new Set(usage.map(({ group }) => groupKeyText(group))).size;
  if (groups <= maxGroups) return [];
  const detail = `"${first.meter}" has usage in ${groups} groups and may have ${maxGroups}; a version of the meter with a greater "max_groups", or with fewer properties in "group_by", lets the period be invoiced.`;
  return [{ code: 'TOO_MANY_GROUPS', meter: first.meter, group: {}, detail }];
}

function currencyProblem(input: RatingInput, meter: string, plan: PricePlan): RatingProblem | null {
  const expected = input.currency ?? plan.last.version.currency;
  const other = plan.versions.find(({ version }) => version.currency !== expected)?.version;
  if (other === undefined) return null;
  const detail = `The price book ${other.code} ${other.version} is in ${other.currency}, the invoice in ${expected}.`;
  return { code: 'CURRENCY_MISMATCH', meter, group: {}, detail };
}

interface MeterUsage extends Pick<Meter, 'groupBy' | 'allowNegative'> {
  readonly meter: string;
  readonly usage: readonly SegmentUsage[];
}

/** A price may name a meter that nothing was ever recorded for. */
const ungrouped: Pick<Meter, 'groupBy' | 'allowNegative' | 'aggregation' | 'maxGroups'> = {
  groupBy: [],
  allowNegative: false,
  aggregation: 'sum',
  maxGroups: maxGroupsDefault,
};

/** Pools the usage of a meter by pricing group and segment (RULES 17). */
function linesOf(plan: PricePlan, { meter, groupBy, allowNegative, usage }: MeterUsage): Iterable<LineUsage> {
  const { priceBy } = plan.last.price;
  const lines = new Map<string, LineUsage>();
  const lineOf = (group: GroupKey): LineUsage => {
    const lineKey = lineKeyOf(meter, group);
    const known = lines.get(lineKey);
    if (known !== undefined) return known;
    const created = { lineKey, meter, group, allowNegative, segments: plan.bySegment.map(nothingUsed) };
    lines.set(lineKey, created);
    return created;
  };
  for (const row of usage) {
    if (plan.bySegment[row.segment] === null) continue;
    const segment = lineOf(projectGroup(row.group, priceBy)).segments[row.segment];
    invariant(segment !== undefined, `usage of segment ${row.segment}, which the input does not have`);
    segment.quantity = add(segment.quantity, decimal(row.quantity));
    segment.eventCount += row.eventCount;
    segment.digests.push(row.digest);
  }
  // A fee that is due without usage has a line only where that needs no group: groups are known from usage alone.
  if (lines.size === 0 && (priceBy ?? groupBy).length === 0) lineOf({});
  return lines.values();
}

const nothingUsed = (): SegmentTotal => ({ quantity: ZERO, eventCount: 0, digests: [] });
