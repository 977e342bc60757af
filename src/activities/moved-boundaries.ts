import { cutsOf, localDateAt, startOfLocalDay, tzdataVersion } from '../calendar/time-zones.js';
import { DomainFailure } from '../domain/failure.js';
import type { Instant } from '../domain/values.js';
import type { NewFinding, StoredBounds } from '../storage/types.js';
import type { ActivityDependencies } from './dependencies.js';

/**
 * Holds the stored bounds of periods against the time-zone rules that run now. Bounds that these would cut otherwise are a
 * finding, once a version of the rules; the periods stay as they are (RULES 22).
 */
export async function noteMovedBoundaries({ storage }: Pick<ActivityDependencies, 'storage'>): Promise<void> {
  const running = tzdataVersion();
  for (const bounds of await storage.periods.boundsByOtherTimeZoneData(running)) {
    const moved = movedOrUnknown(bounds);
    if (moved.length > 0) await storage.findings.store(findingOf(bounds, { moved, running }));
  }
}

/** A zone that the running rules do not know has no bounds by them: that is a finding too, and no failure of the sweep. */
function movedOrUnknown(bounds: StoredBounds): readonly string[] {
  try {
    return movedBounds(bounds);
  } catch (error) {
    if (error instanceof DomainFailure && error.code === 'UNKNOWN_TIME_ZONE') return ['start', 'end'];
    throw error;
  }
}

/** Which of the bounds lie elsewhere now. */
export function movedBounds({ from, to, timeZone, timeZoneOfStart, cuts }: StoredBounds): readonly string[] {
  const cutsNow = cutsOf({ from, to }, timeZone);
  return [
    ...(isStartOfDay(from, timeZoneOfStart) ? [] : ['start']),
    ...(isStartOfDay(to, timeZone) ? [] : ['end']),
    ...(cuts.length === cutsNow.length && cuts.every((cut, index) => cut === cutsNow[index]) ? [] : ['cuts']),
  ];
}

const isStartOfDay = (instant: Instant, timeZone: string): boolean =>
  startOfLocalDay(localDateAt(instant, timeZone), timeZone) === instant;

function findingOf(
  bounds: StoredBounds,
  { moved, running }: { readonly moved: readonly string[]; readonly running: string },
): NewFinding {
  const { from, to, timeZone, tzdataVersion: stored, customers, customerId } = bounds;
  return {
    code: 'TIME_ZONE_RULES_CHANGED',
    customerId: null,
    period: null,
    subject: { time_zone: timeZone, from, to, tzdata_version: stored, running_tzdata_version: running },
    detail:
      `Billing periods from ${from} to ${to} in ${timeZone} were cut by the time-zone data ${stored}; by ${running} their ` +
      `${moved.join(' and ')} would lie elsewhere. They stay as they are: ${customers} customer(s), for example "${customerId}".`,
  };
}
