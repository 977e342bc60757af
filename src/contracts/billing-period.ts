/** Messages of the `billingPeriod` workflow and what its activities answer. Plain JSON only: no Map, Date, undefined. */
import { defineQuery, defineSignal } from '@temporalio/workflow';
import type { DecimalString, Digest, Instant, LocalDate, Position } from '../domain/values.js';

export interface BillingPeriodInput {
  readonly customerId: string;
  readonly period: LocalDate;
  /** Carried over continue-as-new; absent at the first start. */
  readonly state?: BillingPeriodState;
}

/** A planned range of the relay. `sums` null: look in the ledger. */
export interface UsageRecorded {
  readonly from: Position;
  readonly to: Position;
  readonly eventCount: number;
  readonly maxEventTime: Instant | null;
  readonly sums: readonly { m: string; w: Instant; e: Instant; n: number; q: DecimalString; d: Digest }[] | null;
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
  /** What the signals added since position `since`. */
  readonly since: Position;
  readonly count: number;
  readonly quantity: DecimalString;
  readonly digest: Digest;
  /** Set when the window was already past as its usage arrived: it closes after a quiet time (DESIGN 3). */
  readonly arrivedPast: boolean;
}

export interface BillingPeriodState {
  /** End of the last applied range; null before the first. */
  readonly appliedThrough: Position | null;
  readonly highestEventTime: Instant | null;
  readonly openWindows: readonly OpenWindowState[];
  /** True when a range was missing or too large to carry: the ledger must be asked which windows are open. */
  readonly lookInLedger: boolean;
  /** Workflow time (ms) of the last usage that was already past when it came. */
  readonly lastPastArrivalMs: number | null;
  readonly closedWindows: number;
  readonly events: number;
  readonly closeRequest: CloseRequested | null;
}

export interface BillingPeriodView {
  readonly customerId: string;
  readonly period: LocalDate;
  readonly stage: string;
  readonly appliedThrough: Position | null;
  readonly openWindows: readonly { meter: string; windowStart: Instant; windowEnd: Instant; quantity: DecimalString }[];
  readonly closedWindows: number;
  readonly nextDeadline: Instant | null;
  readonly usage: readonly { meter: string; quantity: DecimalString; events: number }[];
}

export const usageRecordedSignal = defineSignal<[UsageRecorded]>('usageRecorded');
export const closeRequestedSignal = defineSignal<[CloseRequested]>('closeRequested');
export const billingPeriodQuery = defineQuery<BillingPeriodView>('state');
