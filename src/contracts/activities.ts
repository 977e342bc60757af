/** What the activities take and answer. Ids, counts and instants: amounts stay in Postgres (DESIGN 6). */
import type { DecimalString, Digest, Instant, LocalDate, Position } from '../domain/values.js';
import type { InvoicingProgress } from './invoicing.js';

export interface PeriodKey {
  readonly customerId: string;
  readonly period: LocalDate;
}

/** Everything that decides when windows and the period close; milliseconds throughout. */
export interface PeriodSettings {
  readonly outOfOrdernessMs: number;
  readonly idleTimeoutMs: number;
  readonly invoiceDelayMs: number;
  readonly lateUsageQuietMs: number;
  /** Provisional charges at most this often; 0: with every close. */
  readonly ratingCadenceMs: number;
  /** Allowed lateness by meter code. */
  readonly allowedLatenessMs: Readonly<Record<string, number>>;
}

/** Windows with facts newer than their last revision, as the ledger knows them. */
export type LedgerWindows =
  | { readonly kind: 'listed'; readonly windows: readonly LedgerWindow[] }
  | { readonly kind: 'many'; readonly earliestTargetMs: number | null; readonly anyPast: boolean };

export interface LedgerWindow {
  readonly m: string;
  readonly w: Instant;
  readonly e: Instant;
}

export interface ReadPeriodInput extends PeriodKey {
  /** Workflow time: which windows are past is decided by it, not by the activity's clock. */
  readonly nowMs: number;
}

/** The truth about a period, from Postgres. */
export interface PeriodReading {
  readonly from: Instant;
  readonly to: Instant;
  readonly timeZone: string;
  /** `requested`: handed to invoicing, which has not decided yet. A held or skipped period is metered on. */
  readonly stage: 'metering' | 'requested' | 'invoiced';
  readonly invoiceNumber: string | null;
  readonly highestEventTime: Instant | null;
  readonly windows: LedgerWindows;
  /** Facts beyond the issued cutoff. */
  readonly veryLateFacts: number;
  readonly settings: PeriodSettings;
}

/** What the signals accumulated for one window, in positions (since, accumulatedThrough]. */
export interface WindowToClose extends LedgerWindow {
  /** null: nothing to compare. */
  readonly since: Position | null;
  readonly n: number;
  readonly q: DecimalString;
  readonly d: Digest;
}

export interface CloseWindowsInput extends PeriodKey {
  readonly nowMs: number;
  /** `listed`: these windows. `due`: whatever the ledger lists and `nowMs` makes due. `all`: every window with usage. */
  readonly scope: 'listed' | 'due' | 'all';
  readonly windows: readonly WindowToClose[];
  readonly accumulatedThrough: Position | null;
  /** Store provisional charges too. */
  readonly rate: boolean;
}

export interface CloseWindowsOutput {
  readonly cutoff: Position;
  readonly closed: number;
  readonly revisions: number;
  /** How many windows differed from the ledger; each is stored as a finding, and the ledger wins. */
  readonly differences: number;
  /** What is still open, for scope `due`; null otherwise. */
  readonly remaining: LedgerWindows | null;
}

export interface RequestInvoicingInput extends PeriodKey {
  readonly requestId: string;
  readonly billingDay: LocalDate;
  readonly forced: boolean;
  readonly reason: string | null;
  readonly nowMs: number;
}

export interface RequestInvoicingOutput {
  readonly alreadyInvoiced: boolean;
}

export interface IssueChunkInput {
  readonly billingDay: LocalDate;
  readonly limit: number;
}

export interface IssueChunkOutput extends InvoicingProgress {
  /** More requests are waiting. */
  readonly more: boolean;
  readonly lastInvoiceNumber: string | null;
}

export interface RunRelayInput {
  readonly group: string;
  /** The activity returns after this long (ms), so that the workflow's history stays short. */
  readonly runForMs: number;
}

export interface SweepOutput {
  readonly started: number;
}

/** The activities as workflows see them; src/activities makes them. */
export interface Activities {
  readPeriod(input: ReadPeriodInput): Promise<PeriodReading>;
  closeWindows(input: CloseWindowsInput): Promise<CloseWindowsOutput>;
  requestInvoicing(input: RequestInvoicingInput): Promise<RequestInvoicingOutput>;
  noteLateUsage(input: PeriodKey): Promise<void>;
  issueChunk(input: IssueChunkInput): Promise<IssueChunkOutput>;
  runRelay(input: RunRelayInput): Promise<void>;
  sweepPeriods(): Promise<SweepOutput>;
}
