/** What the activities take and answer. Ids, counts and instants: amounts stay in Postgres (DESIGN 6). */
import type { DecimalString, Digest, Instant, LocalDate, Position } from '../domain/values.js';
import type { ReRatingStatus } from '../domain/correction/reasons.js';
import type { InvoicingProgress } from './invoicing.js';
import type { PeriodCloseProgress } from './period-close.js';

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
  /**
   * `requested`: handed to invoicing, which has not decided yet. A held or skipped period is metered on. `void`: only a
   * request to close issues the replacement.
   */
  readonly stage: 'metering' | 'requested' | 'invoiced' | 'void';
  readonly invoiceNumber: string | null;
  readonly highestEventTime: Instant | null;
  readonly windows: LedgerWindows;
  /** Facts beyond the issued cutoff. */
  readonly veryLateFacts: number;
  /**
   * An open backfill covers a part of the period: it is not handed over by itself, and `windows` has none of those that are
   * held. Absent: none does.
   */
  readonly held?: boolean;
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
  /** A person asked for it: no backfill holds it then. */
  readonly onDemand?: boolean;
}

export interface RequestInvoicingOutput {
  readonly alreadyInvoiced: boolean;
  /** An open backfill holds the period, so it was not handed over. Absent: none does. */
  readonly held?: boolean;
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

export interface StartCorrectionOutput {
  /** null: there was nothing to correct, or a person must. */
  readonly reRatingId: string | null;
  /** The customer corrects by hand: a finding says what came late. */
  readonly noted: boolean;
}

export interface ReRatingStepInput {
  readonly reRatingId: string;
  readonly attempt: number;
  /** Periods at most; the answer says whether there are more. */
  readonly limit: number;
}

export interface CompareReRatingOutput {
  /** The greatest attempt there are comparisons of: a run that begins anew goes on with it. */
  readonly attempt: number;
  readonly compared: number;
  readonly more: boolean;
  /** After the last one: where the re-rating goes from here; null while there are more. */
  readonly next: 'awaiting_approval' | 'correcting' | 'ended' | null;
  readonly status: ReRatingStatus;
  readonly held: number;
}

export interface CorrectReRatingOutput {
  readonly corrected: number;
  readonly unchanged: number;
  readonly held: number;
  /** Their chain ended elsewhere than when they were compared: so far they were compared again, under the next attempt. */
  readonly moved: number;
  readonly more: boolean;
  readonly lastInvoiceNumber: string | null;
}

export interface ReconcileOutput {
  readonly periods: number;
  readonly different: number;
  readonly more: boolean;
}

export interface EvaluateOutput {
  readonly periods: number;
  readonly notComparable: number;
  readonly more: boolean;
}

export interface PeriodCloseStepInput {
  readonly closeId: string;
  readonly billingDay: LocalDate;
}

export interface HandOverPeriodsOutput {
  readonly progress: PeriodCloseProgress;
  /** More targets are waiting for their turn. */
  readonly more: boolean;
}

export interface EndReRatingOutput {
  readonly status: ReRatingStatus;
  /** Periods with facts beyond their new cutoff, whose workflows were started to gather them. */
  readonly restarted: number;
}

/** A signed head of the audit log: it stands in a workflow's result, outside the database. */
export interface AnchorOutput {
  /** New ones. */
  readonly blocks: number;
  /** null: nothing is signed, because no key is configured. */
  readonly lastCheckpoint: {
    readonly checkpoint: number;
    readonly hash: string;
    readonly previousHash: string;
    readonly at: Instant;
    readonly block: { readonly number: number; readonly hash: string } | null;
    readonly keyId: string;
    readonly signature: string;
  } | null;
  /** New ones, and how many of them went into the anchor file; null: none is configured. */
  readonly checkpoints: number;
  readonly written: number | null;
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

  /** Very late facts of an issued period: starts the re-rating that corrects them (DESIGN 6). */
  startCorrection(input: PeriodKey): Promise<StartCorrectionOutput>;
  compareReRating(input: ReRatingStepInput): Promise<CompareReRatingOutput>;
  /** null: not decided yet. */
  readDecision(input: { reRatingId: string; attempt: number }): Promise<'approved' | 'rejected' | null>;
  correctReRating(input: ReRatingStepInput): Promise<CorrectReRatingOutput>;
  /** Reconciles the periods that the re-rating has corrected. */
  reconcileReRating(input: { reRatingId: string; attempt: number }): Promise<ReconcileOutput>;
  endReRating(input: { reRatingId: string; attempt: number; rejected: boolean }): Promise<EndReRatingOutput>;

  /** Stores the request of a daily run and returns its id; for one on demand the id it was given. */
  beginReconciliation(input: { runId: string | null }): Promise<{ runId: string }>;
  reconcileChunk(input: { runId: string; limit: number }): Promise<ReconcileOutput>;
  finishReconciliation(input: { runId: string }): Promise<void>;

  /** What-if: rates periods of an evaluation under its price book version. Nothing of it becomes a charge. */
  evaluateChunk(input: { evaluationId: string; limit: number }): Promise<EvaluateOutput>;
  finishEvaluation(input: { evaluationId: string }): Promise<void>;

  /** Closing many periods: which they are, and which of them are ready. Planned once. */
  planPeriodClose(input: { closeId: string }): Promise<PeriodCloseProgress>;
  /** Hands over so many of them to invoicing and wakes it. */
  handOverPeriods(input: PeriodCloseStepInput & { limit: number }): Promise<HandOverPeriodsOutput>;
  /** Returns when invoicing has decided all that was handed over, or after `forMs`. */
  followPeriodClose(input: PeriodCloseStepInput & { forMs: number }): Promise<PeriodCloseProgress>;
  /**
   * Seals the usage ledger, signs the heads of the audit log, and writes them outside the database; refuses where the database
   * is not what the last result says.
   */
  anchorAudit(lastResult?: AnchorOutput['lastCheckpoint']): Promise<AnchorOutput>;
}
