/** Aggregated and live usage. Part of types.ts. */
import type { MeterPool, WindowUsage } from '../domain/metering/meter.js';
import type { MeterInForce } from '../domain/metering/meter-versions.js';
import type { DecimalString, Digest, GroupKey, Instant, Interval, Position } from '../domain/values.js';
import type { BillingPeriod } from './types-reference.js';

/** A window whose usage in the ledger is not what its last revision says, or whose last revision is provisional. */
export interface OpenWindow {
  readonly meter: string;
  readonly windowStart: Instant;
  readonly windowEnd: Instant;
}

/** What the workflow accumulated for a window, to be held against the ledger: positions in (since, through]. */
export interface AccumulatedWindow {
  readonly m: string;
  readonly w: Instant;
  readonly since: Position;
  readonly n: number;
  readonly q: DecimalString;
  readonly d: Digest;
}

export interface AccumulationDifference {
  readonly meter: string;
  readonly windowStart: Instant;
  readonly accumulated: { readonly n: number; readonly q: DecimalString; readonly d: Digest };
  readonly ledger: { readonly n: number; readonly q: DecimalString; readonly d: Digest };
}

export interface CloseWindowsResult {
  readonly cutoff: Position;
  /** Revisions appended now; windows whose latest revision already says the same are not repeated. */
  readonly revisions: number;
  readonly differences: readonly AccumulationDifference[];
}

/** Usage between bounds other than those of the smallest windows: longer windows, the whole period, other groups. */
export interface UsageSpan {
  readonly pools: readonly MeterPool[];
  readonly bounds: readonly [Instant, Instant, ...Instant[]];
}

export interface LiveUsageQuery {
  /** By default the versions in force. */
  readonly meters?: readonly MeterInForce[];
  readonly spans?: readonly UsageSpan[];
  /** A safe horizon; by default everything that is committed. */
  readonly cutoff?: Position;
}

export interface LiveUsage {
  /** The smallest windows, of a `weighted_sum` what changes its level in them. */
  readonly windows: readonly WindowUsage[];
  /** All smallest windows with usage now, or with a revision that says so, and whether a final revision says what there is. */
  readonly revised: readonly RevisedWindow[];
  /** By input order. */
  readonly spans: readonly (readonly WindowUsage[])[];
  /** What would hold the invoice (RULES 10), by meter. */
  readonly unreadable: UnreadableValues;
}

export interface RevisedWindow extends OpenWindow {
  /** Of all its groups. */
  readonly isSettled: boolean;
}

/** Events that a meter takes and whose value it cannot read (RULES 10), by meter, with the id of one of them. */
export type UnreadableValues = readonly { readonly meter: string; readonly count: number; readonly example: string }[];

export interface UsageStore {
  /**
   * Closes every listed window (all meters when `windows` is null) at a fresh safe horizon: set-based, appends revisions
   * where the digest, count or quantity differs from the latest. Holds the lock of (customer, period).
   */
  closeWindows(
    period: BillingPeriod,
    windows: readonly OpenWindow[] | null,
    accumulated: readonly AccumulatedWindow[],
    accumulatedThrough: Position | null,
  ): Promise<CloseWindowsResult>;
  /** Live usage from the ledger, events and adjustments committed so far. */
  liveUsage(period: BillingPeriod, query?: LiveUsageQuery): Promise<LiveUsage>;
  /**
   * The windows a charge was rated on: for each the latest revision at or below the cutoff.
   * @param except groups within the charge's that are priced elsewhere
   */
  windowsAt(
    period: BillingPeriod,
    meter: string,
    group: GroupKey,
    segment: Interval,
    cutoff: Position,
    except?: readonly GroupKey[],
  ): Promise<readonly (WindowUsage & { revision: number })[]>;
}

/** Events that no meter takes, as the relay passes them (RULES 10). */
export interface UnmeteredEvents {
  /** Told of how many, a plan and event type at a time, from now on; a relay that crashed after a plan does not tell of it. */
  onEvents(listener: (events: number) => void): void;
}
