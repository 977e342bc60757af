/** Where the windows of live usage are on their way: open, closing, closed (DESIGN 3). */
import { allowedLatenessMs } from '../../billing/allowed-lateness.js';
import { compareText } from '../../domain/compare-text.js';
import { groupBy } from '../../domain/group-by.js';
import type { WindowUsage } from '../../domain/metering/meter.js';
import {
  nextDeadline,
  watermark,
  type WatermarkSettings,
  windowDueAt,
  windowState,
} from '../../domain/metering/watermark.js';
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
  /**
   * When the next window is due to close; null: none is. One that was past when its usage came is left out: it closes after a quiet
   * time, of which only the workflow knows (RULES 63).
   */
  readonly nextCloseAt: Instant | null;
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
  const progress = { ...settings, highestEventTimeMs };
  const nowMs = instantToMs(asOf);
  const watermarkMs = watermark(progress, nowMs);
  const lateness = allowedLatenessMs(await storage.reference.meterVersions(), period);
  const revised = groupBy(
    [...live.revised].sort((a, b) => compareText(a.windowStart, b.windowStart)),
    ({ meter }) => meter,
  );
  const closingOf = ({ meter, windowEnd }: Pick<WindowUsage, 'meter' | 'windowEnd'>) => ({
    windowEndMs: instantToMs(windowEnd),
    allowedLatenessMs: lateness[meter] ?? 0,
  });
  const stateOf = (window: WindowUsage): StatedWindow['state'] => {
    const byTime = windowState(closingOf(window), watermarkMs);
    if (byTime === 'open') return byTime;
    const parts = partsOf(revised.get(window.meter) ?? [], window);
    // A window that a level is only carried through has no revision of its own.
    if (parts.length === 0) return byTime;
    return parts.every(({ isSettled }) => isSettled) ? 'closed' : 'closing';
  };
  const dueMs = live.revised
    .filter(({ isSettled }) => !isSettled)
    .map((window) => windowDueAt({ ...closingOf(window), lastPastArrivalMs: null }, progress));
  const nextCloseMs = nextDeadline(dueMs.filter((ms) => ms > nowMs));
  return {
    watermark: msToInstant(watermarkMs),
    nextCloseAt: nextCloseMs === null ? null : msToInstant(nextCloseMs),
    stated: (usage) => ({ ...usage, state: stateOf(usage) }),
  };
}

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
