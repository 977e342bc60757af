/** Where the windows of live usage are on their way: open, closing, closed (DESIGN 3). */
import { allowedLatenessMs } from '../../billing/allowed-lateness.js';
import { compareText } from '../../domain/compare-text.js';
import { groupBy } from '../../domain/group-by.js';
import type { WindowUsage } from '../../domain/metering/meter.js';
import { type WatermarkSettings, watermark, windowState } from '../../domain/metering/watermark.js';
import { instantToMs, msToInstant } from '../../domain/time/instant.js';
import type { Instant } from '../../domain/values.js';
import type { BillingPeriod, LiveUsage, RevisedWindow, Storage } from '../../storage/types.js';

/** Those of the configuration's defaults. */
export const defaultWatermark: WatermarkSettings = { outOfOrdernessMs: 60_000, idleTimeoutMs: 300_000 };

export interface StatedWindow extends WindowUsage {
  /**
   * `open`: the watermark has not reached its end. `closed`: a final revision says what is in it. `closing`: it ended, and waits for
   * late usage, or for the revision that takes up what came since the last one.
   */
  readonly state: 'open' | 'closing' | 'closed';
}

export interface WindowStates {
  readonly watermark: Instant;
  readonly stated: (usage: WindowUsage) => StatedWindow;
}

/** @param asOf the clock at which the live usage was read */
export async function windowStates(
  storage: Pick<Storage, 'periods' | 'reference'>,
  period: BillingPeriod,
  { live, asOf, settings }: { readonly live: LiveUsage; readonly asOf: Instant; readonly settings: WatermarkSettings },
): Promise<WindowStates> {
  const highest = await storage.periods.highestEventTime(period);
  const highestEventTimeMs = highest === null ? null : instantToMs(highest);
  const watermarkMs = watermark({ ...settings, highestEventTimeMs }, instantToMs(asOf));
  const lateness = allowedLatenessMs(await storage.reference.meterVersions(), period);
  const revised = byMeter(live.revised);
  const stateOf = ({ meter, windowStart, windowEnd }: WindowUsage): StatedWindow['state'] => {
    const closing = { windowEndMs: instantToMs(windowEnd), allowedLatenessMs: lateness[meter] ?? 0 };
    const byTime = windowState(closing, watermarkMs);
    if (byTime === 'open') return byTime;
    const parts = partsOf(revised.get(meter) ?? [], { windowStart, windowEnd });
    // A window that a level is only carried through has no revision of its own.
    if (parts.length === 0) return byTime;
    return parts.every(({ isSettled }) => isSettled) ? 'closed' : 'closing';
  };
  return { watermark: msToInstant(watermarkMs), stated: (usage) => ({ ...usage, state: stateOf(usage) }) };
}

/** In order of time. */
const byMeter = (windows: readonly RevisedWindow[]): ReadonlyMap<string, readonly RevisedWindow[]> =>
  groupBy(
    [...windows].sort((a, b) => compareText(a.windowStart, b.windowStart)),
    ({ meter }) => meter,
  );

/** The smallest windows within a window of the meter; looked up, because a month has many of either. */
function partsOf(
  sorted: readonly RevisedWindow[],
  { windowStart, windowEnd }: Pick<WindowUsage, 'windowStart' | 'windowEnd'>,
): readonly RevisedWindow[] {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle]?.windowStart ?? windowStart) < windowStart) low = middle + 1;
    else high = middle;
  }
  const parts: RevisedWindow[] = [];
  for (let at = low; at < sorted.length; at += 1) {
    const part = sorted[at];
    if (part === undefined || part.windowStart >= windowEnd) break;
    parts.push(part);
  }
  return parts;
}
