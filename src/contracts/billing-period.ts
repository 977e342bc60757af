/** Messages of the `billingPeriod` workflow and its state. Plain JSON only: no Map, Date, undefined. */
import { defineQuery, defineSignal } from '@temporalio/workflow';
import type { DecimalString, Digest, Instant, LocalDate, Position } from '../domain/values.js';

export interface BillingPeriodInput {
  readonly customerId: string;
  readonly period: LocalDate;
  /** Carried over continue-as-new; absent at the first start. */
  readonly state?: BillingPeriodState;
}

/** What one range adds to one window of one meter (groups pooled). Keys are short because signals carry many. */
export interface WindowSum {
  readonly m: string;
  readonly w: Instant;
  readonly e: Instant;
  readonly n: number;
  readonly q: DecimalString;
  readonly d: Digest;
}

/** A planned range of the relay. `sums` null: look in the ledger. */
export interface UsageRecorded {
  readonly from: Position;
  readonly to: Position;
  readonly eventCount: number;
  readonly maxEventTime: Instant | null;
  readonly sums: readonly WindowSum[] | null;
}

export interface CloseRequested {
  readonly requestId: string;
  /** Closing before the period's end; the API refuses it without a reason. */
  readonly forced: boolean;
  readonly reason: string | null;
}

export interface OpenWindowState {
  readonly meter: string;
  readonly windowStart: Instant;
  readonly windowEnd: Instant;
  /** What the signals added since position `since`; null: no signal has told of this window since the ledger did. */
  readonly since: Position | null;
  readonly count: number;
  readonly quantity: DecimalString;
  readonly digest: Digest;
  /** Set when the window was already past as its usage arrived: it closes after a quiet time (DESIGN 3). */
  readonly arrivedPast: boolean;
}

/** What the signals told of a meter, for the operator's view: live usage is read from the ledger. */
export interface MeterUsage {
  readonly meter: string;
  readonly quantity: DecimalString;
  readonly events: number;
}

/** About 50 KB of state. In the regular course a few hours' windows are open; an import of a year does not fit. */
export const openWindowsMax = 256;

/** More windows are open than the state may carry: only the ledger lists them (an import of the past does this). */
export interface ManyWindows {
  /** End plus allowed lateness (ms) of the earliest window that is not past; null: all of them are past. */
  readonly earliestTargetMs: number | null;
  readonly anyPast: boolean;
}

/** As operators see it: `closing` when the period is over, `ready` when handed to invoicing, `late` while late usage gathers, `void` when the invoice was voided. */
export type BillingPeriodStageName = 'open' | 'closing' | 'ready' | 'invoiced' | 'late' | 'void';

export interface BillingPeriodState {
  readonly stage: BillingPeriodStageName;
  /** End of the last applied range; null before the first. */
  readonly appliedThrough: Position | null;
  readonly highestEventTime: Instant | null;
  readonly openWindows: readonly OpenWindowState[];
  /** When set, `openWindows` is empty. */
  readonly manyWindows: ManyWindows | null;
  /** True when a range was missing or too large to carry: the ledger must be asked which windows are open. */
  readonly lookInLedger: boolean;
  /** Workflow time (ms) of the last usage that was already past when it came. */
  readonly lastPastArrivalMs: number | null;
  /** Of the first one ever. Absent in what runs before RULES 63 carried over. */
  readonly firstPastArrivalMs?: number | null;
  /** Of the first one in the windows that gather such usage now; null: none do. */
  readonly gatheringSinceMs?: number | null;
  readonly closedWindows: number;
  readonly events: number;
  readonly usage: readonly MeterUsage[];
  readonly closeRequest: CloseRequested | null;
  /** Workflow time (ms) of the last provisional charges. */
  readonly lastRatedMs: number | null;
  /** Usage that came after the invoice: workflow time (ms) of the first and the last sign of it. */
  readonly lateUsage: { readonly firstMs: number; readonly lastMs: number } | null;
  readonly needsAttention: boolean;
}

export interface BillingPeriodView {
  readonly customerId: string;
  readonly period: LocalDate;
  readonly stage: BillingPeriodStageName;
  readonly appliedThrough: Position | null;
  readonly openWindows: readonly { meter: string; windowStart: Instant; windowEnd: Instant; quantity: DecimalString }[];
  readonly closedWindows: number;
  readonly nextDeadline: Instant | null;
  readonly usage: readonly MeterUsage[];
}

/** How a run ended: handed over to invoicing, or the invoice exists (late usage is being corrected, or a finding tells of it). */
export interface BillingPeriodOutcome {
  readonly outcome: 'handed_over' | 'already_invoiced' | 'correction_started' | 'late_usage_noted' | 'void';
}

export const usageRecordedSignal = defineSignal<[UsageRecorded]>('usageRecorded');
export const closeRequestedSignal = defineSignal<[CloseRequested]>('closeRequested');
export const billingPeriodQuery = defineQuery<BillingPeriodView>('state');
