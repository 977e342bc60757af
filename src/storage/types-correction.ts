/** Correction, reconciliation and adjustments. Part of types.ts. */
import type { ReRatingReason, ReRatingStatus } from '../domain/correction/reasons.js';
import type { Invoice, PinnedVersions } from '../domain/invoicing/invoice.js';
import type { JournalEntry } from '../domain/ledger/journal.js';
import type { MeterPool, PeriodUsage } from '../domain/metering/meter.js';
import type { ValuedEvent } from '../domain/rating/event-totals.js';
import type { RatedCharge } from '../domain/rating/rating.js';
import type { DecimalString, Digest, GroupKey, Instant, Interval, LocalDate, Position } from '../domain/values.js';
import type { Page, PageRequest } from './types-paging.js';
import type { BillingPeriod } from './types-reference.js';

// The chain of a period -----------------------------------------------------------------------------------------------

/** The rating that a period's documents stand on. The last one gives the chain its cutoff, pins and current charges. */
export interface PeriodRating {
  readonly sequence: number;
  readonly cutoff: Position;
  readonly pinnedVersions: PinnedVersions;
  readonly chargeIds: readonly string[];
  /** null: no line changed. */
  readonly invoiceId: string | null;
  /** null: the original invoice. */
  readonly reRatingId: string | null;
}

/** The documents of a period and where they end. */
export interface PeriodChain {
  /** Those that count: the original and its corrections, in order. Empty before the first invoice and after a void. */
  readonly documents: readonly Invoice[];
  /** The last original was voided and not replaced yet. */
  readonly voided: Invoice | null;
  /** Place of the next document; voided ones have used theirs up. */
  readonly nextPlace: number;
  /** null before the first invoice. */
  readonly rating: PeriodRating | null;
}

/** What became of a document. */
export interface InvoiceLife {
  readonly transitions: readonly {
    readonly status: string;
    readonly actor: string;
    readonly reason: string | null;
    readonly at: Instant;
  }[];
  /** Ids, in the order of the chain. */
  readonly correctedBy: readonly string[];
  readonly replacedBy: string | null;
}

// Re-rating -----------------------------------------------------------------------------------------------------------

/** Which invoiced periods: all that fit every part that is given. */
export interface ReRatingScope {
  readonly customerIds: readonly string[] | null;
  /** Codes: only periods that these meters have lines in; other lines stay as they are. */
  readonly meters: readonly string[] | null;
  /** Periods that overlap [from, to). */
  readonly from: Instant | null;
  readonly to: Instant | null;
}

export interface NewReRating {
  readonly reRatingId: string;
  readonly workflowId: string;
  readonly reason: ReRatingReason;
  readonly scope: ReRatingScope;
  /** The price book version it names (RULES 21). */
  readonly priceBookId: string | null;
  readonly dryRun: boolean;
  readonly requestedBy: string;
}

export interface ReRating extends NewReRating {
  readonly requestedAt: Instant;
  readonly status: ReRatingStatus;
  /** The greatest that there are comparisons of: a chain that moved in between is compared again. From 1. */
  readonly attempt: number;
  readonly targets: number;
}

export interface PeriodKeyOf {
  readonly customerId: string;
  readonly period: LocalDate;
}

/** What a scope means now. */
export interface ResolvedScope {
  /** Periods whose chain can be corrected. */
  readonly targets: readonly PeriodKeyOf[];
  /** Periods that the scope touches but that are not invoiced, or void: at most a few, for a refusal that names them. */
  readonly notInvoiced: readonly PeriodKeyOf[];
  readonly voided: readonly PeriodKeyOf[];
}

export interface LineDifference {
  readonly lineKey: string;
  readonly meter: string | null;
  readonly group: GroupKey;
  readonly originalAmount: DecimalString;
  readonly correctedAmount: DecimalString;
  readonly difference: DecimalString;
}

export interface Comparison extends PeriodKeyOf {
  readonly reRatingId: string;
  readonly attempt: number;
  readonly result: 'difference' | 'no_difference' | 'held';
  /** `PeriodRating.sequence` when it was compared; another one at the correction means that the chain has moved. */
  readonly ratingSequence: number;
  readonly cutoff: Position;
  readonly pinnedVersions: PinnedVersions;
  readonly currency: string;
  /** Sum of the differences. */
  readonly difference: DecimalString;
  readonly needsApproval: boolean;
  readonly differences: readonly LineDifference[];
  /** Why it is held. */
  readonly detail: string | null;
}

export interface ReRatingOutcome extends PeriodKeyOf {
  readonly reRatingId: string;
  readonly outcome: 'corrected' | 'no_difference' | 'held';
  readonly invoiceId: string | null;
}

export interface ReRatingDecision {
  readonly attempt: number;
  readonly decision: 'approved' | 'rejected';
  readonly decidedBy: string;
  readonly reason: string | null;
}

/** What the comparisons of an attempt come to. */
export interface ReRatingSummary {
  readonly targets: number;
  /** Of the targets without an outcome: those whose latest comparison has this result. */
  readonly differing: number;
  readonly unchanged: number;
  /** Targets whose outcome is `held`. */
  readonly held: number;
  /** Targets without outcome that need a person, and whose differences no approved attempt has shown. */
  readonly needApproval: number;
  /** Targets with an outcome. */
  readonly settled: number;
  readonly corrected: number;
}

export interface PinnedPeriod extends PeriodKeyOf, Interval {
  readonly timeZone: string;
  /** Until when the version is pinned, in the period or in the next one, which a fee was billed in advance for. */
  readonly pinnedUntil: Instant;
}

export interface ReRatingStore {
  /** @param pinnedTo only periods whose pins name a version of this price book; null: all */
  resolveScope(scope: ReRatingScope, pinnedTo: string | null): Promise<ResolvedScope>;
  /** Invoiced periods whose last rating pins this version, in order of customer and time; void ones are left out. */
  pinnedTo(priceBookId: string): Promise<readonly PinnedPeriod[]>;
  /**
   * Of these periods those whose last rating billed a fee in advance by a version of this price book: with the end of the period
   * that it is for.
   */
  billedInAdvanceBy(
    code: string,
    periods: readonly PeriodKeyOf[],
  ): Promise<readonly (PeriodKeyOf & { readonly until: Instant })[]>;
  /**
   * Stores the re-rating, its targets and its first transition (`comparing`) in one transaction. `created` false: the same
   * id was stored before, nothing is changed.
   */
  create(reRating: NewReRating, targets: readonly PeriodKeyOf[]): Promise<{ created: boolean }>;
  find(reRatingId: string): Promise<ReRating | null>;
  /** The newest first. */
  list(
    filter: { customerId?: string; status?: ReRatingStatus; reason?: ReRatingReason },
    page: PageRequest,
  ): Promise<Page<ReRating>>;
  /** Automatic re-ratings (requested by `automaticActor`) of the period that have not ended. */
  unfinishedAutomatic(period: PeriodKeyOf): Promise<readonly ReRating[]>;
  /** Targets without outcome and without a comparison of this attempt, in order. */
  pendingComparison(reRatingId: string, attempt: number, limit: number): Promise<readonly PeriodKeyOf[]>;
  /** Targets without outcome whose latest comparison is of this attempt, in order. */
  pendingCorrection(reRatingId: string, attempt: number, limit: number): Promise<readonly Comparison[]>;
  /** The latest comparison of each target, paged by target. */
  comparisons(reRatingId: string, page: PageRequest): Promise<Page<Comparison>>;
  outcomes(reRatingId: string): Promise<readonly ReRatingOutcome[]>;
  summary(reRatingId: string, attempt: number): Promise<ReRatingSummary>;
  /** Appends a transition unless it is the last one already. */
  enter(
    reRatingId: string,
    transition: { status: ReRatingStatus; attempt: number; actor: string; reason: string | null },
  ): Promise<void>;
  /**
   * One decision an attempt. `stored` false: the attempt was decided before, by this decision or another.
   * @throws DomainFailure OWN_RE_RATING when the requester approves
   */
  decide(reRatingId: string, decision: ReRatingDecision): Promise<{ stored: boolean; decision: ReRatingDecision }>;
  decision(reRatingId: string, attempt: number): Promise<ReRatingDecision | null>;
}

/** Who asks for corrections that nobody asked for. */
export const automaticActor = 'reckoner';

// Reconciliation ------------------------------------------------------------------------------------------------------

/** A meter's usage of one period at one cutoff, by one of the stages. */
export interface StageUsage {
  readonly meter: string;
  readonly quantity: DecimalString;
  readonly eventCount: number;
  readonly digest: Digest;
}

/** The same with the pricing group kept, as rating wants it. */
export interface GroupUsage extends StageUsage {
  readonly group: GroupKey;
}

/** How the facts of one meter's event type come to what is counted (RULES 29): stored − voided − filtered = counted. */
export interface EventCounts {
  readonly meter: string;
  /** Events of the period by their latest facts, voided ones by their original facts. */
  readonly stored: number;
  readonly voided: number;
  /** Of another kind than the meter's filters want, or without a readable value. */
  readonly filtered: number;
}

/** A window that was closed, all its groups together. */
export interface FinalWindow extends StageUsage {
  readonly meterId: string;
  readonly windowStart: Instant;
  readonly windowEnd: Instant;
  /** It was aggregated at this position. */
  readonly cutoff: Position;
}

export interface ReconciliationScope {
  readonly customerIds: readonly string[] | null;
  /** Periods that overlap [from, to). */
  readonly from: Instant | null;
  readonly to: Instant | null;
  /** Other periods too, when a document was issued or a rating stored since then. */
  readonly touchedSince?: Instant | null;
}

export interface ReconciliationRequest {
  readonly runId: string;
  readonly workflowId: string;
  readonly scope: ReconciliationScope;
  readonly requestedBy: string;
}

export interface ReconciliationResult extends PeriodKeyOf {
  readonly result: 'equal' | 'different';
  /** JSON: the chain stage by stage (domain/reconciliation). */
  readonly report: unknown;
}

export interface ReconciliationRun extends ReconciliationRequest {
  readonly requestedAt: Instant;
  /** null while it runs. */
  readonly finishedAt: Instant | null;
  readonly periods: number;
  readonly different: number;
}

export interface ReconciliationStore {
  /** Stored once; repeating it changes nothing. */
  request(request: ReconciliationRequest): Promise<void>;
  find(runId: string): Promise<ReconciliationRun | null>;
  /** Of the runs of this workflow the one that was asked for last, of those that have ended. */
  lastFinished(workflowId: string): Promise<ReconciliationRun | null>;
  /** The newest first. */
  list(page: PageRequest): Promise<Page<ReconciliationRun>>;
  results(
    runId: string,
    filter: { result?: 'equal' | 'different' },
    page: PageRequest,
  ): Promise<Page<ReconciliationResult>>;
  /** Periods of the scope that have usage, charges or documents and no result of the run yet, in order of customer and time. */
  pending(runId: string, limit: number): Promise<readonly BillingPeriod[]>;
  storeResult(runId: string, result: ReconciliationResult): Promise<void>;
  finish(runId: string): Promise<void>;
}

/** Reads of the stages, each from its own rows and nothing else. All at one cutoff. */
export interface ProofStore {
  chain(period: PeriodKeyOf): Promise<PeriodChain>;
  /** From raw events, by meter, group and window start: what `usageSql` says, not what was stored. */
  rawUsage(
    period: BillingPeriod,
    meterIds: readonly string[],
    cutoff: Position,
  ): Promise<readonly (GroupUsage & { readonly windowStart: Instant; readonly windowEnd: Instant })[]>;
  /** From raw events, of the whole period: meters that do not add up, by the groups of these pools. */
  rawPeriodUsage(period: BillingPeriod, pools: readonly MeterPool[], cutoff: Position): Promise<readonly PeriodUsage[]>;
  /** The same from the latest revisions at or below the cutoff. */
  periodUsage(period: PeriodKeyOf, pools: readonly MeterPool[], cutoff: Position): Promise<readonly PeriodUsage[]>;
  /** As `GateTransaction.eachEvent` visits them. */
  eachEvent(
    period: BillingPeriod,
    query: { readonly meterIds: readonly string[]; readonly cutoff: Position },
    visit: (event: ValuedEvent) => void,
  ): Promise<void>;
  eventCounts(period: BillingPeriod, meterIds: readonly string[], cutoff: Position): Promise<readonly EventCounts[]>;
  /** From the latest revisions at or below the cutoff. */
  aggregatedUsage(period: PeriodKeyOf, meterIds: readonly string[], cutoff: Position): Promise<readonly StageUsage[]>;
  /** From the latest revisions, whatever their cutoff: windows whose groups are all final. */
  finalWindows(period: PeriodKeyOf): Promise<readonly FinalWindow[]>;
  /** Charges of the period, by input order. */
  charges(period: PeriodKeyOf, chargeIds: readonly string[]): Promise<readonly RatedCharge[]>;
  /** Of these documents, reversals included. */
  entries(invoiceIds: readonly string[]): Promise<readonly JournalEntry[]>;
}

// Adjustments ---------------------------------------------------------------------------------------------------------

export interface Replacement {
  readonly eventType: string;
  readonly eventTime: Instant;
  readonly metadataJson: string;
  readonly contentHash: string;
}

export interface NewEventAdjustment {
  readonly customerId: string;
  readonly source: string;
  readonly eventId: string;
  readonly type: 'void' | 'amend';
  /** null for a void. */
  readonly replacement: Replacement | null;
  readonly reason: string | null;
}

export interface EventAdjustment extends NewEventAdjustment {
  readonly adjustmentId: string;
  readonly position: Position;
  readonly createdAt: Instant;
}

export interface Adjusted {
  readonly outcome: 'accepted' | 'duplicate';
  readonly adjustment: EventAdjustment;
}

export interface AdjustmentStore {
  /**
   * Appends the adjustment as a fact of the ledger. What says the same as the event's last adjustment is a `duplicate`
   * and appends nothing; so is a request that was carried out before, with the adjustment that it was told then (RULES 66).
   * @param requestId of who asks, under which key, for what; absent: the request has no key
   * @throws DomainFailure EVENT_NOT_FOUND
   */
  adjust(adjustment: NewEventAdjustment, requestId?: string): Promise<Adjusted>;
  /** What that request was told; null: it was not carried out. */
  ofRequest(requestId: string): Promise<EventAdjustment | null>;
  /** Of one event, oldest first. */
  ofEvent(customerId: string, source: string, eventId: string): Promise<readonly EventAdjustment[]>;
}
