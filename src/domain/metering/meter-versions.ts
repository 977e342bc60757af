/** Which version of a meter holds when: by event time, as prices do (RULES 19, 31). */
import { compareText } from '../compare-text.js';
import type { Instant, Interval, LocalDate } from '../values.js';
import { isLocalDate } from '../time/effective-from.js';
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
  const byCode = new Map<string, Meter[]>();
  for (const meter of meters) {
    const versions = byCode.get(meter.code);
    if (versions === undefined) byCode.set(meter.code, [meter]);
    else versions.push(meter);
  }
  return [...byCode.values()].flatMap((versions) => versionsInForce(versions, period, startOfDay));
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
