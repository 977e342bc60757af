/** Which version of a meter holds when: by event time, as prices do (RULES 19, 31). */
import { compareText } from '../compare-text.js';
import { DomainFailure } from '../failure.js';
import { groupBy } from '../group-by.js';
import type { Instant, Interval, LocalDate } from '../values.js';
import { isLocalDate } from '../time/effective-from.js';
import { addMs, msPerHour, parseInstant } from '../time/instant.js';
import { addsUp, type Meter } from './meter.js';

/** A meter version with the stretch of one period whose events it takes. */
export interface MeterInForce extends Meter {
  /** null: the whole period; empty: another version holds throughout. */
  readonly inForce: Interval | null;
}

/**
 * The versions of a period, by code and version: of each code all that begin before the period's end, so that usage counted
 * by one that no longer holds is taken back. Of versions that begin together the one learned last holds. A meter that
 * does not add up is one version's for the whole period: that at its end.
 * @param startOfDay midnight of a local date in the period's zone
 */
export function metersInForce(
  meters: readonly Meter[],
  period: Interval,
  startOfDay: (date: LocalDate) => Instant,
): readonly MeterInForce[] {
  return [...groupBy(meters, ({ code }) => code).values()].flatMap((versions) =>
    versionsInForce(versions, period, startOfDay),
  );
}

function versionsInForce(
  versions: readonly Meter[],
  period: Interval,
  startOfDay: (date: LocalDate) => Instant,
): readonly MeterInForce[] {
  const [only] = versions;
  if (versions.length === 1 && only !== undefined && only.effectiveFrom === null) return [{ ...only, inForce: null }];
  const started = versions
    .map((meter) => ({ meter, from: startOf(meter, startOfDay) }))
    .filter(({ from }) => from < period.to)
    .sort((a, b) => compareText(a.from, b.from) || a.meter.version - b.meter.version);
  return started
    .map(({ meter, from }, index) => {
      const next = started[index + 1]?.from ?? null;
      return { ...meter, inForce: addsUp(meter) ? stretchOf({ from, next }, period) : wholeOrNothing(next, period) };
    })
    .sort((a, b) => a.version - b.version);
}

/** `next`: where the following version begins, before the period's end; null: it holds at the period's end. */
function stretchOf(held: { from: Instant | ''; next: Instant | '' | null }, period: Interval): Interval | null {
  const from = held.from === '' || held.from < period.from ? period.from : held.from;
  const to = held.next === null ? period.to : held.next;
  if (to === '' || from >= to) return nothing(period);
  return from === period.from && to === period.to ? null : { from, to };
}

const wholeOrNothing = (next: Instant | '' | null, period: Interval): Interval | null =>
  next === null ? null : nothing(period);

const nothing = ({ from }: Interval): Interval => ({ from, to: from });

function startOf({ effectiveFrom }: Meter, startOfDay: (date: LocalDate) => Instant): Instant | '' {
  if (effectiveFrom === null) return '';
  return isLocalDate(effectiveFrom) ? startOfDay(effectiveFrom) : effectiveFrom;
}

/** Whether the version takes any event of the period. */
export function holdsAtAll({ inForce }: MeterInForce): boolean {
  return inForce === null || inForce.from < inForce.to;
}

/** Of all places the day begins last at UTC−12: so long after midnight UTC. */
const lastMidnightMs = 12 * msPerHour;

/**
 * From when on some version of a meter surely takes an event, wherever its customer is (RULES 68): before it another property
 * than the meter's may be all that the event has. A local date has begun everywhere 12 hours after midnight UTC. What does not
 * add up takes the events of a period that ends later, so some from before it (RULES 31): which, only the period says.
 * @param versions of one code, at least one
 * @returns null: since always, as of a level, which is made of all that ever changed it (RULES 33)
 */
export function surelyCountsFrom(versions: readonly Pick<Meter, 'aggregation' | 'effectiveFrom'>[]): Instant | null {
  const starts = versions.map(({ aggregation, effectiveFrom }): Instant | '' => {
    if (effectiveFrom === null || aggregation === 'weighted_sum') return '';
    return isLocalDate(effectiveFrom)
      ? addMs(parseInstant(`${effectiveFrom}T00:00:00Z`), lastMidnightMs)
      : effectiveFrom;
  });
  const [first = ''] = starts.sort(compareText);
  return first === '' ? null : first;
}

type Reading = Pick<Meter, 'code' | 'aggregation' | 'eventType' | 'valueProperty' | 'filters'>;

/**
 * A meter that does not add up is one version's for all events of a period, a level for all that ever changed it (RULES 3, 31):
 * a version that reads another event type or property would find nothing, or nothing that it can read, in what came before it.
 * Filters of what does not add up may change, and then hold for all of the period; of a level they would drop what it is made of.
 * @param known the versions that exist; versions from before this rule may differ, and then any of them may be gone back to
 * @throws DomainFailure INCOMPATIBLE_METER_VERSION (RULES 62)
 */
export function requireSameReading(meter: Reading, known: readonly Reading[]): void {
  if (addsUp(meter)) return;
  const different = known.map((version) => differenceOf(meter, version));
  const [first] = different;
  if (first === undefined || first === null || different.includes(null)) return;
  const detail =
    meter.aggregation === 'weighted_sum'
      ? `The level of the meter "${meter.code}" is made of all that ever changed it, and a version with another "${first}" could not read that.`
      : `The meter "${meter.code}" takes its ${meter.aggregation} over all events of a period, and a version with another "${first}" could not read those before it.`;
  throw new DomainFailure('INCOMPATIBLE_METER_VERSION', `${detail} Make a new meter, with a new code.`, `/${first}`);
}

/** The first thing that the two do not read alike, as the contract names it. */
function differenceOf(a: Reading, b: Reading): 'event_type' | 'value_property' | 'filters' | null {
  if (a.eventType !== b.eventType) return 'event_type';
  if (a.valueProperty !== b.valueProperty) return 'value_property';
  return a.aggregation === 'weighted_sum' && filterText(a) !== filterText(b) ? 'filters' : null;
}

/** The order of filters and of their allowed texts means nothing. */
function filterText({ filters }: Reading): string {
  const sorted = Object.entries(filters).map(
    ([property, allowed]) => [property, [...new Set(allowed)].sort()] as const,
  );
  return JSON.stringify(sorted.sort(([a], [b]) => compareText(a, b)));
}
