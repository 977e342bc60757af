import { compareText } from '../compare-text.js';
import { decimal } from '../decimal.js';
import { invariant } from '../failure.js';
import { groupKeyText } from '../metering/group-key.js';
import type { Meter } from '../metering/meter.js';
import { dueIn } from './due.js';
import { currencyProblem } from './invoice-currency.js';
import { lineKeyOf } from './line-key.js';
import { add, ZERO } from './models/tiers.js';
import { metersDueWithoutUsage, planMeter } from './plan-meter.js';
import { isOverride } from './overrides.js';
import type { MeterPlan, PlannedLine } from './plan-meter.js';
import type { PricePlan } from './price-plan.js';
import { rateCommitment } from './rate-commitment.js';
import { quantityOnlyMeters, rateFees } from './rate-fees.js';
import { rateLine } from './rate-line.js';
import type { LineUsage } from './rate-line.js';
import type { PriceSegment, RatedLine, RatingInput, RatingProblem, RatingResult, SegmentUsage } from './rating.js';
import type { SegmentTotal } from './version-shares.js';

/**
 * Rates a period: its cumulative usage against the price segments that tile it. Pure: the same input gives the same
 * lines, charges and texts, in any order of `usage`. RULES 8, 11–13, 17, 20 and 24; README.md explains them together.
 *
 * What cannot be priced is never free in silence: it becomes a problem, and the caller holds the invoice.
 */
export function ratePeriod(input: RatingInput): RatingResult {
  return withFees(input, rateMeters(input));
}

/** What no usage makes: fees, and the top-up to a commitment over everything else. */
export function withFees(input: RatingInput, { lines, problems }: RatingResult): RatingResult {
  const fees = rateFees(input);
  const all = [...lines, ...fees.lines];
  const commitment = rateCommitment({ ...input, segments: dueIn(input) }, all);
  const found = { lines: all, problems: [...problems, ...fees.problems] };
  if (commitment === null) return found;
  return 'lineKey' in commitment
    ? { ...found, lines: [...all, commitment] }
    : { ...found, problems: [...found.problems, commitment] };
}

/** The lines of meters alone. */
export function rateMeters(input: RatingInput): RatingResult {
  const lines: RatedLine[] = [];
  const problems: RatingProblem[] = [];
  const due = dueIn(input);
  const usageByMeter = groupByMeter(input.usage, quantityOnlyMeters(input.segments, input.next));
  for (const meter of metersToRate(input.meters, due, usageByMeter)) {
    const usage = usageByMeter.get(meter) ?? [];
    // Of a meter whose version changes in the period the last one: the one at its end.
    const facts = input.meters.findLast(({ code }) => code === meter);
    invariant(facts !== undefined, `usage of a meter that is not among the input's: ${meter}`);
    const { groupBy, allowNegative, aggregation, maxGroups } = facts;
    const groups = usage.map(({ group }) => group);
    const plan = planMeter({ code: meter, groupBy, aggregation }, input.segments, groups);
    problems.push(
      ...unpricedUsage(plan, usage, input),
      ...tooManyGroups(usage, maxGroups, input.meterGroups?.get(meter)),
    );
    const own = linesOf(plan, { meter, allowNegative, usage }, { ...input, segments: due });
    const mismatch = problemOfCurrency(input, meter, own);
    if (mismatch !== null) {
      problems.push(mismatch);
      continue;
    }
    for (const line of own) {
      const rated = rateLine(line.plan, line, input);
      if (rated === null) continue;
      if ('lineKey' in rated) lines.push(rated);
      else problems.push(rated);
    }
  }
  return { lines: lines.sort(compareLines), problems };
}

/** By meter, then pricing group. */
export const compareLines = (a: RatedLine, b: RatedLine): number =>
  compareText(a.meter ?? '', b.meter ?? '') || compareText(a.lineKey, b.lineKey);

/** Rows without events say nothing and are passed over, but for a level that is carried (RULES 3). */
function groupByMeter(
  usage: readonly SegmentUsage[],
  passedOver: ReadonlySet<string>,
): ReadonlyMap<string, readonly SegmentUsage[]> {
  const byMeter = new Map<string, SegmentUsage[]>();
  for (const row of usage) {
    if ((row.eventCount === 0 && decimal(row.quantity).isZero()) || passedOver.has(row.meter)) continue;
    const rows = byMeter.get(row.meter);
    if (rows === undefined) byMeter.set(row.meter, [row]);
    else rows.push(row);
  }
  return byMeter;
}

/** Meters with usage, and of the input's those whose price is due when there is none (RULES 12, 15). Sorted. */
function metersToRate(
  meters: readonly Meter[],
  due: readonly PriceSegment[],
  usage: ReadonlyMap<string, unknown>,
): readonly string[] {
  // A book may name a meter that counts no part of the period, or one that other segments price.
  const known = new Set(meters.map(({ code }) => code));
  const unused = metersDueWithoutUsage(due).filter((meter) => known.has(meter));
  return [...new Set([...usage.keys(), ...unused])].sort();
}

/** Usage in segments whose version has no price for its group, or that have no version at all; one problem a group. */
function unpricedUsage(
  plan: MeterPlan,
  usage: readonly SegmentUsage[],
  { segments }: Pick<RatingInput, 'segments'>,
): readonly RatingProblem[] {
  const problems = new Map<string, RatingProblem>();
  for (const { meter, group, segment } of usage) {
    if (plan.planOf(group)?.isPriced(segment) === true) continue;
    const wasPriced = plan.wasPriced(group, segment);
    const code = wasPriced ? 'METER_DROPPED_FROM_PRICE_BOOK' : 'UNPRICED_METER';
    const used =
      Object.keys(group).length === 0
        ? `"${meter}" has usage`
        : `"${meter}" has usage of the group ${groupKeyText(group)}`;
    const priceBook = segments[segment]?.priceBook ?? null;
    const detail =
      priceBook !== null && isOverride(priceBook)
        ? `${used}, and no price for it: ${priceBook.code} version ${priceBook.version} prices "${meter}" instead of the price book.`
        : wasPriced
          ? `${used} after the price book version that no longer has a price for it came into force.`
          : `${used} that no price book version in force has a price for.`;
    problems.set(code + lineKeyOf(meter, group), { code, meter, group, detail });
  }
  if (problems.size === 0) return [];
  return [...problems.entries()].sort(([a], [b]) => compareText(a, b)).map(([, problem]) => problem);
}

/** A group for every request id is a mistake of the meter, not a thousand lines of an invoice (RULES 30). */
function tooManyGroups(
  usage: readonly SegmentUsage[],
  maxGroups: number,
  pooled: number | undefined,
): readonly RatingProblem[] {
  const [first] = usage;
  if (first === undefined || Math.max(usage.length, pooled ?? 0) <= maxGroups) return [];
  const groups = pooled ?? new Set(usage.map(({ group }) => groupKeyText(group))).size;
  if (groups <= maxGroups) return [];
  const detail = `"${first.meter}" has usage in ${groups} groups and may have ${maxGroups}; a version of the meter with a greater "max_groups", or with fewer properties in "group_by", lets the period be invoiced.`;
  return [{ code: 'TOO_MANY_GROUPS', meter: first.meter, group: {}, detail }];
}

function problemOfCurrency(input: RatingInput, meter: string, lines: readonly PlannedUsage[]): RatingProblem | null {
  for (const { last, versions } of new Set(lines.map(({ plan }) => plan))) {
    const booked = [...versions.map(({ version }) => version), last.version];
    const problem = currencyProblem(input, booked);
    if (problem !== null) return { ...problem, meter, group: {} };
    const { price, version } = last;
    const other = booked.find(({ currency }) => currency !== version.currency);
    if (other === undefined || (price.maximum === null && price.minimum === null)) continue;
    const detail = `The minimum or maximum of the price book ${version.code} ${version.version} is in ${version.currency}, and ${other.code} ${other.version} prices a part of the same line in ${other.currency}; let the change take effect at a boundary of billing periods.`;
    return { code: 'CURRENCY_MISMATCH', meter, group: {}, detail };
  }
  return null;
}

interface MeterUsage extends Pick<Meter, 'allowNegative'> {
  readonly meter: string;
  readonly usage: readonly SegmentUsage[];
}

interface PlannedUsage extends LineUsage {
  readonly plan: PricePlan;
}

/** Pools the usage of a meter by pricing group and segment (RULES 17), and adds the lines that are due without any. */
function linesOf(
  meterPlan: MeterPlan,
  { meter, allowNegative, usage }: MeterUsage,
  { eventTotals, segments: due }: Pick<RatingInput, 'eventTotals' | 'segments'>,
): readonly PlannedUsage[] {
  const isAnyDue = due.length > 0;
  const lines = new Map<string, PlannedUsage>();
  const lineOf = ({ lineKey, group, plan, except }: PlannedLine): LineUsage => {
    const known = lines.get(lineKey);
    if (known !== undefined) return known;
    const segments = plan.bySegment.map(nothingUsed);
    const events = eventTotals?.get(lineKey) ?? null;
    const minimum = isAnyDue ? plan.last.price.minimum : null;
    const created = { lineKey, meter, group, allowNegative, except, minimum, segments, eventTotals: events, plan };
    lines.set(lineKey, created);
    return created;
  };
  for (const row of usage) {
    const planned = meterPlan.planOf(row.group);
    if (planned === null || !planned.isPriced(row.segment)) continue;
    const segment = lineOf(planned.line).segments[row.segment];
    invariant(segment !== undefined, `usage of segment ${row.segment}, which the input does not have`);
    segment.quantity = add(segment.quantity, decimal(row.quantity));
    segment.eventCount += row.eventCount;
    segment.digests.push(row.digest);
  }
  if (isAnyDue) for (const line of meterPlan.due) lineOf(line);
  return [...lines.values()];
}

const nothingUsed = (): SegmentTotal => ({ quantity: ZERO, eventCount: 0, digests: [] });
