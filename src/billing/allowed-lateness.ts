/** How long a period's windows wait for what is late: by the versions of meters that count in it (RULES 31). */
import { metersOfPeriod } from '../calendar/meters-of-period.js';
import type { Meter } from '../domain/metering/meter.js';
import { holdsAtAll } from '../domain/metering/meter-versions.js';
import { parseDuration } from '../domain/time/duration.js';
import type { Interval } from '../domain/values.js';

/**
 * Milliseconds by meter code. Of several versions in one period the longest: no window closes before its own version would let it.
 * A meter that counts no part of the period has that of its last version, so that every known meter is named.
 * @param versions all versions, in order of version
 */
export function allowedLatenessMs(
  versions: readonly Meter[],
  period: Interval & { readonly timeZone: string },
): Readonly<Record<string, number>> {
  const byCode = new Map(versions.map((meter) => [meter.code, parseDuration(meter.allowedLateness)]));
  const inForce = new Map<string, number>();
  for (const meter of metersOfPeriod(versions, period).filter(holdsAtAll)) {
    const lateness = parseDuration(meter.allowedLateness);
    inForce.set(meter.code, Math.max(lateness, inForce.get(meter.code) ?? 0));
  }
  return Object.fromEntries([...byCode, ...inForce]);
}
