/** What several activities read of a period. */
import { createHash } from 'node:crypto';
import type { LedgerWindows, PeriodKey, PeriodSettings } from '../contracts/activities.js';
import { openWindowsMax } from '../contracts/billing-period.js';
import { DomainFailure } from '../domain/failure.js';
import { allowedLatenessMs } from '../billing/allowed-lateness.js';
import { isPastOnArrival, watermark } from '../domain/metering/watermark.js';
import { parseDuration } from '../domain/time/duration.js';
import { instantToMs } from '../domain/time/instant.js';
import type { Instant } from '../domain/values.js';
import type { BillingPeriod, Customer, OpenBackfill, OpenWindow, Storage } from '../storage/types.js';
import type { ActivityDependencies } from './dependencies.js';

/** Late usage of a customer that corrects by hand is noted all the same, after this. */
const manualQuietMs = 3_600_000;

/** @throws DomainFailure UNKNOWN_PERIOD */
export async function periodOf(storage: Storage, { customerId, period }: PeriodKey): Promise<BillingPeriod> {
  const found = await storage.periods.periodNamed(customerId, period);
  if (found === null)
    throw new DomainFailure(
      'UNKNOWN_PERIOD',
      `Customer "${customerId}" has no billing period that begins on ${period}.`,
    );
  return found;
}

export async function settingsOf(
  { storage, settings }: Pick<ActivityDependencies, 'storage' | 'settings'>,
  customer: Customer,
  period: BillingPeriod,
): Promise<PeriodSettings> {
  const { lateUsageQuietTime, invoiceDelay } = customer;
  const versions = await storage.reference.meterVersions();
  return {
    outOfOrdernessMs: settings.outOfOrdernessMs,
    idleTimeoutMs: settings.idleTimeoutMs,
    ratingCadenceMs: settings.ratingCadence === 'every_close' ? 0 : settings.ratingCadence,
    invoiceDelayMs: parseDuration(invoiceDelay) + closeJitterOf(customer.customerId, settings.closeJitterMs),
    lateUsageQuietMs: lateUsageQuietTime === 'manual' ? manualQuietMs : parseDuration(lateUsageQuietTime),
    allowedLatenessMs: allowedLatenessMs(versions, period),
  };
}

/**
 * How much later than its invoice delay says a customer's period is ready (ms), in [0, withinMs): always the same of a
 * customer, so that no reading of the settings moves it.
 */
function closeJitterOf(customerId: string, withinMs: number): number {
  if (withinMs === 0) return 0;
  const share = createHash('sha256').update(customerId).digest().readUInt32BE() / 2 ** 32;
  return Math.floor(share * withinMs);
}

export interface WindowsAtTime {
  readonly settings: PeriodSettings;
  readonly highestEventTime: Instant | null;
  /** The workflow's time. */
  readonly nowMs: number;
}

/** Windows that no open backfill covers a part of: the others close after it was closed or reverted (DESIGN 3). */
export function unheld(windows: readonly OpenWindow[], backfills: readonly OpenBackfill[]): readonly OpenWindow[] {
  const isHeld = ({ windowStart, windowEnd }: OpenWindow): boolean =>
    backfills.some(({ range }) => windowStart < range.to && windowEnd > range.from);
  return backfills.length === 0 ? windows : windows.filter((window) => !isHeld(window));
}

/** Whether the watermark has passed the window's end and allowed lateness. */
export function isPast(window: OpenWindow, at: WindowsAtTime): boolean {
  return isPastOnArrival(closingOf(window, at.settings), watermarkAt(at));
}

/** Listed while the workflow can carry them, else in the two figures that decide when to close. */
export function ledgerWindowsOf(windows: readonly OpenWindow[], at: WindowsAtTime): LedgerWindows {
  if (windows.length <= openWindowsMax) {
    return {
      kind: 'listed',
      windows: windows.map(({ meter, windowStart, windowEnd }) => ({ m: meter, w: windowStart, e: windowEnd })),
    };
  }
  const watermarkMs = watermarkAt(at);
  const targets = windows
    .map((window) => closingOf(window, at.settings))
    .filter((closing) => !isPastOnArrival(closing, watermarkMs))
    .map(({ windowEndMs, allowedLatenessMs }) => windowEndMs + allowedLatenessMs);
  return {
    kind: 'many',
    earliestTargetMs: targets.length === 0 ? null : targets.reduce((earliest, target) => Math.min(earliest, target)),
    anyPast: targets.length < windows.length,
  };
}

function closingOf(
  window: OpenWindow,
  settings: PeriodSettings,
): { readonly windowEndMs: number; readonly allowedLatenessMs: number } {
  return {
    windowEndMs: instantToMs(window.windowEnd),
    allowedLatenessMs: settings.allowedLatenessMs[window.meter] ?? 0,
  };
}

function watermarkAt({ settings, highestEventTime, nowMs }: WindowsAtTime): number {
  const highestEventTimeMs = highestEventTime === null ? null : instantToMs(highestEventTime);
  return watermark({ ...settings, highestEventTimeMs }, nowMs);
}
