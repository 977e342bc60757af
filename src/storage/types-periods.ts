/** Billing periods: their stages, what is asked of them, and the requests to invoice them. */
import type { PinnedDates } from '../calendar/meters-of-period.js';
import type { Meter } from '../domain/metering/meter.js';
import type { WaitingStage } from '../domain/invoicing/waiting.js';
import type { Instant, Interval, LocalDate, Position } from '../domain/values.js';
import type { Page, PageRequest } from './types-paging.js';
import type { PeriodKeyOf } from './types-correction.js';
import type { BillingPeriod } from './types-reference.js';
import type { OpenWindow } from './types-usage.js';

/** `void`: the invoice was voided; closing the period again issues its replacement (RULES 28). */
export type BillingPeriodStage = 'open' | 'closing' | 'ready' | 'held' | 'invoiced' | 'skipped' | 'void';

/** What a period that is closing or held waits for. */
export interface WaitsFor {
  /** Of the finding; `DRAFT`: an approval or its grace period; `BACKFILL_OPEN`: a backfill that covers a part of it. */
  readonly code: string;
  readonly detail: string;
  /** Of the finding, the draft (its future invoice) or the backfill. */
  readonly id: string;
  /** When a draft is issued by itself; null: not without a person. */
  readonly dueAt: Instant | null;
}

export interface WaitingPeriods {
  readonly stage: WaitingStage;
  readonly count: number;
  /** The end of the one that ended first; null without one. */
  readonly oldestEnd: Instant | null;
}

export interface BillingPeriodStatus extends BillingPeriod {
  readonly stage: BillingPeriodStage;
  /**
   * Windows whose aggregates count an event, and how many of them are final. Usage that is not aggregated yet shows in
   * `liveUsage` and `openWindows`, which read the ledger; a status does not.
   */
  readonly windows: number;
  readonly closedWindows: number;
  readonly lastCutoff: Position | null;
  /** The original at the head of the chain that counts; null before it and after a void. */
  readonly invoiceId: string | null;
  /** Through which position the facts are settled: of the last rating, with or without a document. */
  readonly invoicedCutoff: Position | null;
  /** Of a period that is `closing` or `held`; findings that are open, so also such as are mended but not resolved. */
  readonly waitsFor: readonly WaitsFor[];
}

/** The same for all these customers, of whom one is named. */
export interface StoredBounds extends Interval {
  readonly timeZone: string;
  /** Of the period before, whose facts decided where this one begins (RULES 22); its own where there is none before. */
  readonly timeZoneOfStart: string;
  readonly cuts: readonly Instant[];
  readonly tzdataVersion: string;
  readonly customers: number;
  readonly customerId: string;
}

/** Whether a decided period ends with a level that is not zero; asked only where stored usage says that it may. */
export type LeavesLevel = (period: BillingPeriod) => Promise<boolean>;

export interface BillingPeriodStore {
  /** The stored period that contains the instant, created (with every rule of RULES 22) when it is missing. */
  periodAt(customerId: string, at: Instant): Promise<BillingPeriod>;
  /** The stored period of that name; created when it lies on the customer's calendar; null when no period starts that day. */
  periodNamed(customerId: string, period: LocalDate): Promise<BillingPeriod | null>;
  status(customerId: string, period: LocalDate): Promise<BillingPeriodStatus | null>;
  /** Of the customer's last stored period, which may not have begun; null: none is stored. */
  lastStart(customerId: string): Promise<Instant | null>;
  /** Reads all events of the period: for when a workflow must look in the ledger, not for every request. */
  openWindows(period: BillingPeriod): Promise<readonly OpenWindow[]>;
  highestEventTime(period: BillingPeriod): Promise<Instant | null>;
  /** When local dates on which these versions begin do so in the period, as far as its ratings have pinned it. */
  pinnedDates(period: BillingPeriod, versions: readonly Meter[]): Promise<PinnedDates>;
  /**
   * Facts of the period with a position above the cutoff of its last rating: very late (DESIGN 3). `events` of the `count`
   * are events, the others adjustments and decisions about backfills.
   */
  veryLateFacts(
    period: BillingPeriod,
  ): Promise<{ count: number; events: number; from: Position | null; to: Position | null }>;
  /** The same with a position above the cutoff at which the period was skipped; none where that is not the last word about it. */
  factsSinceSkip(period: BillingPeriod): Promise<{ count: number }>;
  /**
   * The first period after this one that is invoiced and has very late facts, or was skipped and has facts since: where one of its
   * meters carries a level, facts of the periods before it are its own too (RULES 3). null also where no meter carries one.
   */
  firstLateAfter(period: BillingPeriod): Promise<BillingPeriod | null>;
  /**
   * Invoiced and skipped periods that may have facts which that has not seen, in order of customer and start: the relay has planned
   * facts of them, or (where a level is carried into them) of a period before them, beyond the cutoff of their last rating or skip.
   * Every period with such facts that the relay has come to is among them; `veryLateFacts` and `factsSinceSkip` say which ones have.
   */
  perhapsLatePeriods(page: PageRequest): Promise<Page<BillingPeriod>>;
  /** What stored periods say of their bounds, of those that were cut by another version of the time-zone data than this one. */
  boundsByOtherTimeZoneData(running: string): Promise<readonly StoredBounds[]>;
  /**
   * Whether the period is stored and there is something to bill in it, as closes of many periods have it: from `billing_from` on always,
   * before it where there is usage, an invoice, a level carried into it, or a first fee in advance (RULES 18, 60, 65).
   */
  isBillable(customerId: string, period: LocalDate): Promise<boolean>;
  /** Periods that should exist by `now` (from billing_from on, or with usage) and are not invoiced, held or skipped. */
  unfinishedPeriods(
    now: Instant,
    page: PageRequest & { readonly leavesLevel: LeavesLevel },
  ): Promise<Page<BillingPeriod>>;
  /**
   * Before `billing_from`: the period after this one, made because a level is carried into it (RULES 65); null: nothing is carried
   * on, or its invoice was asked for already.
   */
  carryOn(period: BillingPeriod, leavesLevel: LeavesLevel): Promise<BillingPeriod | null>;
  /**
   * Meter versions that were learned since skipped periods were last asked about for new ones (RULES 64). Waits for gates that may
   * be skipping a period without one of them.
   */
  metersToLookBackFor(): Promise<readonly string[]>;
  /**
   * Requests invoicing for the skipped periods of a page of customers that may have usage of one of these versions, whatever the
   * relay has come to. Repeating it requests nothing twice. Answers where the next page begins; null: that was the last one.
   */
  askSkippedAgain(lookBack: LookBack): Promise<string | null>;
  /** After the last page: these versions are looked back for no more. */
  noteLookedBack(meterIds: readonly string[]): Promise<void>;
  listPeriods(customerId: string, page: PageRequest): Promise<Page<BillingPeriodStatus>>;
  /** Periods of all customers, or of one, at that stage; the one that ended first is the first. */
  listWaiting(
    filter: { readonly stage: WaitingStage; readonly customerId?: string },
    page: PageRequest,
  ): Promise<Page<BillingPeriodStatus>>;
  /** How many periods are at each stage. Reads as many rows as there are periods, and no usage. */
  waiting(): Promise<readonly WaitingPeriods[]>;

  requestInvoicing(request: InvoicingRequest): Promise<void>;
  /** Requests of a billing day that have no outcome yet, oldest first. */
  pendingInvoicing(billingDay: LocalDate, limit: number): Promise<readonly InvoicingRequest[]>;
  /** Billing days of requests that have no outcome yet, each with one of them, the earliest day first. */
  waitingInvoicing(): Promise<readonly (PeriodKeyOf & { readonly billingDay: LocalDate })[]>;
  /** Without a gate, so without a cutoff. */
  recordOutcome(requestId: string, outcome: InvoicingOutcome, invoiceId: string | null): Promise<void>;
}

export interface LookBack {
  readonly meterIds: readonly string[];
  /** Customers after this one. */
  readonly after: string;
  /** Of the requests. */
  readonly billingDay: LocalDate;
}

export interface InvoicingRequest {
  readonly requestId: string;
  readonly customerId: string;
  readonly period: LocalDate;
  readonly billingDay: LocalDate;
  readonly forced: boolean;
  readonly reason: string | null;
}

/**
 * What became of a request. A gate records it with its cutoff; `skipped` says that the period was empty by what was known at it, of
 * events as of meters, so the gate refuses it (MetersMoved) where a meter was learned since it aggregated.
 */
export type InvoicingOutcome = 'issued' | 'held' | 'skipped' | 'already_invoiced';
