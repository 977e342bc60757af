/** Prices that are taken of each event (RULES 14): what the events of a period come to, line by line. */
import { decimal } from '../decimal.js';
import { invariant } from '../failure.js';
import type { Meter } from '../metering/meter.js';
import { countAtOrBefore } from '../metering/window.js';
import type { DecimalString, GroupKey, Instant } from '../values.js';
import { countEvent, noTotals } from './models/percentage.js';
import type { PercentageTotals, UsedAllowances } from './models/percentage.js';
import { ZERO } from './models/tiers.js';
import { planMeter } from './plan-meter.js';
import type { GroupPlan, MeterPlan } from './plan-meter.js';
import type { LineEventTotals, RatingInput } from './rating.js';

/** One event as a meter counts it, in the group of all that the meter groups by. */
export interface ValuedEvent {
  readonly meter: string;
  readonly group: GroupKey;
  readonly eventTime: Instant;
  readonly value: DecimalString;
}

type EventsInput = Pick<RatingInput, 'meters' | 'segments' | 'usage'>;

interface GrowingLine {
  readonly used: UsedAllowances;
  readonly bySegment: readonly PercentageTotals[];
}

/**
 * Takes the events of the period one by one, in order of event time (then event_id, then source), and keeps no more than a
 * few figures a line. The usage tells which groups there are.
 */
export class EventTotals {
  private readonly plans: ReadonlyMap<string, MeterPlan>;
  private readonly lines = new Map<string, GrowingLine>();
  private readonly starts: readonly Instant[];

  constructor(private readonly input: EventsInput) {
    this.starts = input.segments.map(({ from }) => from);
    const priced = metersPricedByEvent(input);
    this.plans = new Map(
      priced.map((meter) => {
        const groups = input.usage.filter((row) => row.meter === meter.code).map(({ group }) => group);
        return [meter.code, planMeter(meter, input.segments, groups)];
      }),
    );
  }

  /** Of the meters whose events are wanted the versions that count some part of the period. */
  get meters(): readonly Meter[] {
    return this.input.meters.filter(({ code }) => this.plans.has(code));
  }

  get totals(): LineEventTotals {
    return new Map([...this.lines].map(([lineKey, { bySegment }]) => [lineKey, bySegment]));
  }

  add({ meter, group, eventTime, value }: ValuedEvent): void {
    const planned = this.plans.get(meter)?.planOf(group) ?? null;
    const segment = countAtOrBefore(this.starts, eventTime) - 1;
    if (planned === null || !planned.isPriced(segment)) return;
    this.count(planned, segment, value);
  }

  private count({ line: { lineKey, plan } }: GroupPlan, segment: number, value: DecimalString): void {
    const terms = plan.bySegment[segment]?.price;
    const { price: allowances } = plan.last;
    if (terms?.model !== 'percentage' || allowances.model !== 'percentage') return;
    const line = this.lines.get(lineKey) ?? {
      used: { events: 0, amount: ZERO },
      bySegment: this.input.segments.map(noTotals),
    };
    this.lines.set(lineKey, line);
    const totals = line.bySegment[segment];
    invariant(totals !== undefined, `segment ${segment} is one of the period's`);
    countEvent(decimal(value), { terms, allowances, used: line.used, totals });
  }
}

/** Versions of a meter share their prices; of each the last stands for all of them. */
function metersPricedByEvent({ meters, segments }: EventsInput): readonly Meter[] {
  const codes = new Set(
    segments.flatMap(({ priceBook }) =>
      (priceBook?.prices ?? []).filter(({ model }) => model === 'percentage').map(({ meter }) => meter),
    ),
  );
  return [...new Map(meters.filter(({ code }) => codes.has(code)).map((meter) => [meter.code, meter])).values()];
}
