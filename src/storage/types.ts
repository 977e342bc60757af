/**
 * What the rest of the program may ask of storage. Everything here speaks domain types; SQL, Prisma and rows stay inside
 * this folder. A method says whether it appends facts (never changes any) or moves control rows.
 */
import type { AuditStore } from './types-audit.js';
import type { AppendOutcome, BackfillStore, DeadLetterStore, NewDeadLetter } from './types-backfills.js';
import type {
  AdjustmentStore,
  Comparison,
  InvoiceLife,
  PeriodChain,
  PeriodRating,
  ProofStore,
  ReconciliationStore,
  ReRatingOutcome,
  ReRatingStore,
} from './types-correction.js';
import type { ChargeReads } from './types-charges.js';
import type { CreditGrant, CreditStore } from './types-credits.js';
import type { DoubleBilling, DraftStore, DraftTransition, DraftOf } from './types-drafts.js';
import type { DocumentStore } from './types-documents.js';
import type { EvaluationStore } from './types-evaluations.js';
import type { EventSchemaStore } from './types-event-schemas.js';
import type { JournalStore } from './types-journal.js';
import type { NumberingStore } from './types-numbering.js';
import type { Page, PageRequest } from './types-paging.js';
import type { NewPriceFallback, PriceFallbackStore, PriceLookup } from './types-price-lookup.js';
import type { PeriodCloseStore } from './types-period-closes.js';
import type { BillingPeriodStore, InvoicingOutcome } from './types-periods.js';
import type { BillingPeriod, ReferenceStore } from './types-reference.js';
import type { RolloutStore } from './types-rollouts.js';
import type { SettlementStore, StoredCreditNote } from './types-settlement.js';
import type { TagStore } from './types-tags.js';
import type { UnmeteredEvents, UnreadableValues, UsageStore } from './types-usage.js';
import type { UnnumberedInvoice } from '../domain/invoicing/document.js';
import type { Invoice, InvoiceType, PinnedVersions } from '../domain/invoicing/invoice.js';
import type { IssuingEntity } from '../domain/invoicing/legal-entity.js';
import type { JournalEntry } from '../domain/ledger/journal.js';
import type { UsageEvent } from '../domain/metering/event.js';
import type { ValuedEvent } from '../domain/rating/event-totals.js';
import type { MeterGroups, NextPeriod, PriceSegment, RatedCharge, SegmentUsage } from '../domain/rating/rating.js';
import type { MeterInForce } from '../domain/metering/meter-versions.js';
import type { DecimalString, Digest, Instant, LocalDate, Position } from '../domain/values.js';

export { automaticActor } from './types-correction.js';
export type * from './types-audit.js';
export type * from './types-backfills.js';
export type * from './types-charges.js';
export type * from './types-correction.js';
export type * from './types-credits.js';
export type * from './types-drafts.js';
export type * from './types-documents.js';
export type * from './types-evaluations.js';
export type * from './types-event-schemas.js';
export type * from './types-journal.js';
export type * from './types-numbering.js';
export type * from './types-paging.js';
export type * from './types-period-closes.js';
export type * from './types-periods.js';
export type * from './types-price-lookup.js';
export type * from './types-reference.js';
export type * from './types-rollouts.js';
export type * from './types-settlement.js';
export type * from './types-tags.js';
export type * from './types-usage.js';

// Usage ledger --------------------------------------------------------------------------------------------------------

export interface StoredEvent extends Omit<UsageEvent, 'backfillId' | 'schemaVersion'> {
  readonly position: Position;
  readonly ingestionTime: Instant;
  /** The backfill that it came with; it counts while that is in force. null: none. */
  readonly backfillId: string | null;
  /** Of its type's schema, against which it was validated; null: the type had none. */
  readonly schemaVersion: number | null;
}

export interface UsageLedger {
  /**
   * Appends events in one transaction (one commit) and says for each, by index, what became of it. Within the batch the
   * lower index wins. `conflict`: the identity exists with other content (after comparing by value, RULES 6). Durable
   * when it resolves. Rejected events may be kept in the same commit through `deadLetters`.
   * @param committed gets what became of those that were committed when others fail: events that something else is storing wait for
   *   that, and are committed apart. Whoever tries again gives it back, so that these keep their outcome.
   */
  append(
    events: readonly UsageEvent[],
    deadLetters: readonly NewDeadLetter[],
    committed?: Map<UsageEvent, AppendOutcome>,
  ): Promise<readonly AppendOutcome[]>;
  /** What those would become that are in the ledger with the same content (RULES 6, 7), if they were appended; the others are left out. */
  repeatsAmong(events: readonly UsageEvent[]): Promise<ReadonlyMap<UsageEvent, AppendOutcome>>;
  findEvent(customerId: string, source: string, eventId: string): Promise<StoredEvent | null>;
  listEvents(
    filter: { customerId: string; eventType?: string; from?: Instant; to?: Instant },
    page: PageRequest,
  ): Promise<Page<StoredEvent>>;
  /**
   * A position at or below which nothing uncommitted can still appear (DESIGN 3): takes the exclusive advisory lock in a
   * short transaction of its own, shared with all who ask at the same time. Everything committed before the call is at or below it.
   */
  safeHorizon(): Promise<Position>;
  /** The same, with the instant by the database's clock before which whatever was committed is at or below it. */
  horizon(): Promise<{ readonly position: Position; readonly at: Instant }>;
}

// Relay ---------------------------------------------------------------------------------------------------------------

/** What one range adds to one window of one meter (groups pooled). Keys are short because signals carry them. */
export interface RangeSum {
  readonly m: string; // meter code
  readonly w: Instant; // window start
  readonly e: Instant; // window end
  readonly n: number; // events
  readonly q: DecimalString; // quantity
  readonly d: Digest;
}

export interface UsageRange {
  readonly customerId: string;
  readonly period: LocalDate;
  readonly from: Position;
  readonly to: Position;
  readonly eventCount: number;
  readonly maxEventTime: Instant | null;
  /** null: too much to carry, look in the ledger. */
  readonly sums: readonly RangeSum[] | null;
}

export interface RelayStore {
  /** Takes over a group of partitions: raises the epoch and returns it with the cursor. */
  acquire(group: string): Promise<{ epoch: number; position: Position }>;
  /**
   * Plans everything new up to the safe horizon: ranges and cursor move in one transaction, which fails with
   * `RelayFenced` when the epoch is no longer the newest. Creates billing periods that events need through
   * `periodAt`. Returns the new cursor and how many facts it passed.
   */
  plan(group: string, epoch: number): Promise<{ position: Position; facts: number }>;
  /**
   * Undelivered ranges of customers and periods whose last delivery is older than `intervalMs`, merged to one range a
   * customer and period, the oldest first. Stable until delivered: asking again gives the same `to`, or a later one
   * with the same `from`.
   */
  due(group: string, intervalMs: number, limit: number): Promise<readonly UsageRange[]>;
  markDelivered(ranges: readonly Pick<UsageRange, 'customerId' | 'period' | 'to'>[]): Promise<void>;
  lag(group: string): Promise<{ facts: number; oldestUndelivered: Instant | null }>;
}

// The gate: everything that issuing needs, in one transaction ---------------------------------------------------------

/** Versions that a period is rated with. */
export interface KnownVersions {
  /** Of the price books, all of whose versions are known. */
  readonly codes: readonly string[];
  readonly priceBookIds: readonly string[];
  /** Of the versions of meters that count some part of the period. */
  readonly meterIds: readonly string[];
}

export interface GateTransaction {
  readonly cutoff: Position;
  readonly chain: PeriodChain;
  /** Brings every window of the period to the cutoff from the ledger; returns how many revisions that took. */
  bringWindowsToCutoff(): Promise<number>;
  /**
   * Brings to the cutoff only the windows in which facts in (since, cutoff] are, were, or now come to be; of these meters.
   * The windows must stand at `since`. In place of `bringWindowsToCutoff`.
   */
  bringTouchedWindows(meterIds: readonly string[], since: Position): Promise<number>;
  /**
   * Usage by meter, group and price segment, from stored revisions.
   * @param at by default all meters at the gate's own cutoff, to which windows are then brought; otherwise the latest
   *   revisions at or below a cutoff to which they were brought before
   * @param next the period after this one: its fees in advance are counted in this one
   */
  segmentUsage(
    segments: readonly PriceSegment[],
    at?: { readonly meterIds: readonly string[]; readonly cutoff: Position },
    next?: NextPeriod,
  ): Promise<readonly SegmentUsage[]>;
  /** In how many groups these meters have usage (`RatingInput.meterGroups`), after `segmentUsage` at the same cutoff. */
  meterGroups(meters: readonly MeterInForce[], at?: { readonly cutoff: Position }): Promise<MeterGroups>;
  /**
   * Visits the events that these meters, which add up, count in the period, in order of event time (then event_id, then
   * source), a few thousand in memory at once.
   * @param at by default the gate's own cutoff
   */
  eachEvent(
    meterIds: readonly string[],
    visit: (event: ValuedEvent) => void,
    at?: { readonly cutoff: Position },
  ): Promise<void>;
  /** Events in the windows brought to the cutoff that a meter takes but whose value is missing or not a decimal (RULES 10). */
  unreadableValues(): Promise<UnreadableValues>;
  /**
   * Keeps versions of these price books from being learned until the transaction ends, and tells whether the ones that are known
   * are all there are: who corrects a price is offered what was issued before, and nothing is issued without seeing it (RULES 35).
   * Of meters they are to be those that the gate aggregates with: what it counts is rated, and pinned (RULES 21, 31).
   */
  holdVersions(known: KnownVersions): Promise<boolean>;
  /** Stored charges of the period, by input order. */
  chargesOf(chargeIds: readonly string[]): Promise<readonly RatedCharge[]>;
  /**
   * Appends charge revisions; one equal to the latest of its key is not repeated. Ids by input order.
   * @param cutoff of the usage they were rated on; by default the gate's
   */
  storeCharges(charges: readonly RatedCharge[], cutoff?: Position): Promise<readonly string[]>;
  /**
   * The customer's credit grants with what each has left. Locked to the end of the transaction: nobody else draws, expires or
   * takes back any of them. To be asked for before a number is drawn.
   */
  creditGrants(): Promise<readonly CreditGrant[]>;
  /**
   * Locks the customer's account, and carries unapplied credit to what is open, this document included. To be asked for after
   * the grants and before a number is drawn.
   * @throws CorrectionHeld
   */
  carryCredit(document: UnnumberedInvoice): Promise<void>;
  /** Credit notes by hand of a chain that count; after `carryCredit` no other one comes. */
  creditNotes(originalId: string): Promise<readonly StoredCreditNote[]>;
  /** As its documents are issued now; it does not change before the transaction has ended. To be asked for before a number is drawn. */
  legalEntity(code: string): Promise<IssuingEntity>;
  /** The next number of a series (`numberSeries`), gapless: given back when the transaction fails. */
  drawNumber(series: string): Promise<number>;
  /** The draft of the chain's next document, with what was decided about it; null: there is none. */
  draft(): Promise<DraftOf | null>;
  /** Keeps the next document as a draft, or holds it; what says the same as the last transition is not repeated. */
  keepDraft(
    draft: { readonly invoiceId: string; readonly readyAt: Instant },
    transition: DraftTransition,
  ): Promise<void>;
  /** What the customer's last invoices before this period came to, without credits, the newest first; in this currency. */
  trailingSubtotals(currency: string, periods: number): Promise<readonly DecimalString[]>;
  /** Lines of the customer that are stored twice for one service; empty: none is. */
  doubleBilling(): Promise<readonly DoubleBilling[]>;
  /** With what it draws and restores. */
  insertInvoice(invoice: Invoice, actor: string): Promise<void>;
  /** Appends the transition to `void`; its credits are given back. */
  voidInvoice(invoiceId: string, actor: string, reason: string): Promise<void>;
  /**
   * What voiding the chain does to the customer's account; after all of its documents are voided.
   * @throws DomainFailure INVOICE_TRANSITION_REFUSED where something has settled one of them
   */
  settleVoid(decision: { readonly actor: string; readonly reason: string; readonly now: Instant }): Promise<void>;
  /** Where the month of its posting date is closed, on the first day of the first open one (RULES 46). */
  postEntry(entry: JournalEntry): Promise<void>;
  /** The entry of a document, as the journal has it; null: none. */
  postedEntry(invoiceId: string): Promise<JournalEntry | null>;
  /** The rating that the period's documents stand on from now on; it gets the next sequence. */
  insertRating(rating: Omit<PeriodRating, 'sequence'>): Promise<void>;
  recordComparison(comparison: Comparison): Promise<void>;
  recordReRatingOutcome(outcome: ReRatingOutcome): Promise<void>;
  recordOutcome(requestId: string, outcome: InvoicingOutcome, invoiceId: string | null): Promise<void>;
  storeFinding(finding: NewFinding): Promise<void>;
  /** A provisional rating on last known prices. */
  storeFallback(fallback: NewPriceFallback): Promise<void>;
}

/** `provisional`: what it would cost if the period ended now; windows brought to that cutoff are not final by it. */
export type GatePurpose = 'issue' | 'provisional';

export interface BillingStore extends ChargeReads {
  /**
   * Locks (customer, period), takes the cutoff and runs `work` in one transaction. Retried on serialisation failure by
   * the caller's activity, never inside.
   */
  atGate<T>(period: BillingPeriod, work: (tx: GateTransaction) => Promise<T>, purpose?: GatePurpose): Promise<T>;
  /**
   * The same for one period each of several customers, in one transaction at one cutoff: `work` one after the other, in the
   * order given. Whoever asks for a number waits for it until all the others have asked or ended. What one of them throws
   * undoes them all.
   * @param periods ordered by customer, so that two such calls never wait for each other
   * @param mayGoOn asked before each but the first; false: the rest are left alone
   * @returns of those that were worked on, by input order
   */
  atGates<T>(
    periods: readonly BillingPeriod[],
    work: (tx: GateTransaction, period: BillingPeriod) => Promise<T>,
    mayGoOn?: () => boolean,
  ): Promise<readonly T[]>;
  findInvoice(invoiceId: string): Promise<Invoice | null>;
  /** What became of a document: its transitions, the documents that correct it, the one that replaces it. */
  lifeOf(invoiceId: string): Promise<InvoiceLife>;
  listInvoices(
    filter: { customerId?: string; period?: LocalDate; type?: InvoiceType; status?: string },
    page: PageRequest,
  ): Promise<Page<Invoice>>;
}

// Findings, idempotency -----------------------------------------------------------------------------------------------

export interface NewFinding {
  readonly code: string;
  readonly customerId: string | null;
  readonly period: LocalDate | null;
  /** What it is about; with the code it is the finding's identity. JSON. */
  readonly subject: Readonly<Record<string, unknown>>;
  readonly detail: string;
  /** Of a reconciliation's finding (RULES 29). */
  readonly class?: FindingClass | null;
}
export type FindingClass = 'rounding' | 'missing' | 'duplicate' | 'disagreement' | 'large_gap';
export interface FindingResolution {
  readonly resolution: 'fixed' | 'accepted' | 'not_a_problem';
  readonly reason: string;
  readonly resolvedBy: string;
}
export interface Finding extends NewFinding {
  readonly findingId: string;
  readonly foundAt: Instant;
  /** null: still open. */
  readonly resolution: (FindingResolution & { readonly resolvedAt: Instant }) | null;
}
export interface FindingStore {
  store(finding: NewFinding): Promise<string>;
  list(
    filter: { customerId?: string; code?: string; period?: LocalDate; class?: FindingClass; resolved?: boolean },
    page: PageRequest,
  ): Promise<Page<Finding>>;
  find(findingId: string): Promise<Finding | null>;
  /** How many meters (of a customer's period) open findings with these codes speak of. */
  openMeters(codes: readonly string[]): Promise<number>;
  /** How many findings nobody has resolved, by code; codes without any are missing. */
  openByCode(): Promise<ReadonlyMap<string, number>>;
  /** The first decision stands: `stored` false when there was one. */
  resolve(findingId: string, resolution: FindingResolution): Promise<{ stored: boolean }>;
}

export type IdempotencyStart =
  | { readonly kind: 'started' }
  | { readonly kind: 'replay'; readonly status: number; readonly body: string }
  | { readonly kind: 'reused' }
  | { readonly kind: 'in_flight' };

export interface IdempotencyStore {
  start(scope: string, key: string, fingerprint: string): Promise<IdempotencyStart>;
  finish(scope: string, key: string, status: number, body: string): Promise<void>;
  /** The request failed before it had an effect: the key is free again. */
  release(scope: string, key: string): Promise<void>;
}

export interface Storage {
  readonly reference: ReferenceStore;
  readonly priceLookup: PriceLookup;
  readonly priceFallbacks: PriceFallbackStore;
  readonly ledger: UsageLedger;
  readonly relay: RelayStore;
  readonly unmetered: UnmeteredEvents;
  readonly periods: BillingPeriodStore;
  readonly usage: UsageStore;
  readonly billing: BillingStore;
  readonly journal: JournalStore;
  readonly findings: FindingStore;
  readonly idempotency: IdempotencyStore;
  readonly adjustments: AdjustmentStore;
  readonly backfills: BackfillStore;
  readonly deadLetters: DeadLetterStore;
  readonly eventSchemas: EventSchemaStore;
  readonly tags: TagStore;
  readonly numbering: NumberingStore;
  readonly periodCloses: PeriodCloseStore;
  readonly reRatings: ReRatingStore;
  readonly reconciliation: ReconciliationStore;
  readonly proof: ProofStore;
  readonly evaluations: EvaluationStore;
  readonly rollouts: RolloutStore;
  readonly credits: CreditStore;
  readonly settlement: SettlementStore;
  readonly drafts: DraftStore;
  readonly documents: DocumentStore;
  readonly audit: AuditStore;
  /** Resolves when the database answers and has all migrations; throws otherwise. */
  ready(): Promise<void>;
  close(): Promise<void>;
}

export type { PinnedVersions };
