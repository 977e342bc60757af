/** What-if over many customers. Part of types.ts. */
import type { PriceBookWire } from '../domain/rating/price-book-to-wire.js';
import type { DecimalString, Instant, LocalDate, Position } from '../domain/values.js';
import type { Page, PageRequest } from './types-paging.js';
import type { BillingPeriod } from './types-reference.js';

export interface EvaluationScope {
  /** null: all customers. */
  readonly customerIds: readonly string[] | null;
  /** Periods that overlap [from, to) and have begun. */
  readonly from: Instant | null;
  readonly to: Instant | null;
}

export interface EvaluationRequest {
  readonly evaluationId: string;
  readonly workflowId: string;
  /** The version as it stands: it need not be stored. */
  readonly priceBook: PriceBookWire;
  readonly scope: EvaluationScope;
  /** Usage is read as it was at this position, by every step of the run. */
  readonly cutoff: Position;
  readonly requestedBy: string;
  /** The stage of a rollout whose members it compares; left out: none. */
  readonly comparisonOf?: { readonly rolloutId: string; readonly sequence: number };
}

export interface PriceEvaluation extends Omit<EvaluationRequest, 'comparisonOf'> {
  readonly requestedAt: Instant;
  /** Of a comparison of a rollout: the candidate, which the other side is rated without; null: any other evaluation. */
  readonly candidateId: string | null;
  /** null while it runs. */
  readonly finishedAt: Instant | null;
  /** How many there are to evaluate, and how many are. */
  readonly targets: number;
  readonly periods: number;
}

export interface EvaluationResult {
  readonly customerId: string;
  readonly period: LocalDate;
  /** `not_comparable`: something has no price on one side, or could not be read. It counts in no sum. */
  readonly result: 'compared' | 'not_comparable';
  readonly currency: string;
  readonly current: DecimalString | null;
  readonly evaluated: DecimalString | null;
  readonly invoiced: DecimalString | null;
  /** JSON: the lines that differ. */
  readonly lines: readonly unknown[];
  /** JSON: why it is not comparable. */
  readonly problems: readonly unknown[];
}

export interface StoredEvaluationResult extends EvaluationResult {
  /** `evaluated` − `current`; null where one of them is. */
  readonly difference: DecimalString | null;
}

/** All periods of a customer together. */
export interface EvaluatedCustomer {
  readonly customerId: string;
  readonly currency: string;
  readonly periods: number;
  readonly notComparable: number;
  /** Of the comparable periods; null: there is none. */
  readonly current: DecimalString | null;
  readonly evaluated: DecimalString | null;
  readonly difference: DecimalString | null;
}

export interface CustomerDifference {
  readonly customerId: string;
  readonly difference: DecimalString;
}

/** Over the customers of one currency of whom every period compares, so that a missing price never looks like a discount. */
export interface EvaluationTotals {
  readonly currency: string;
  readonly customers: number;
  /** Customers who are left out for a period that does not compare. */
  readonly notComparable: number;
  readonly current: DecimalString;
  readonly evaluated: DecimalString;
  /** Of the customers' differences, each over all of the customer's periods. The median and p90 are differences that occur. */
  readonly difference: {
    readonly sum: DecimalString;
    readonly min: DecimalString | null;
    readonly median: DecimalString | null;
    readonly p90: DecimalString | null;
    readonly max: DecimalString | null;
  };
  /** Customers who would pay less, more, the same. */
  readonly winners: number;
  readonly losers: number;
  readonly unchanged: number;
  /** Those with the greatest differences. */
  readonly topWinners: readonly CustomerDifference[];
  readonly topLosers: readonly CustomerDifference[];
}

export interface EvaluationStore {
  /**
   * Stores the request with the periods it means, in one transaction. Stored once: repeating it changes nothing.
   * @throws DomainFailure NOTHING_TO_EVALUATE when there is no such period
   */
  request(request: EvaluationRequest): Promise<void>;
  find(evaluationId: string): Promise<PriceEvaluation | null>;
  /** The newest first. */
  list(page: PageRequest): Promise<Page<PriceEvaluation>>;
  /** Targets without a result, in order of customer and time. */
  pending(evaluationId: string, limit: number): Promise<readonly BillingPeriod[]>;
  /** The first one stands. */
  storeResult(evaluationId: string, result: EvaluationResult): Promise<void>;
  /** By currency, of the results so far; of a finished run as its report says. */
  totals(evaluationId: string): Promise<readonly EvaluationTotals[]>;
  /** In order of customer. */
  customers(evaluationId: string, page: PageRequest): Promise<Page<EvaluatedCustomer>>;
  /** In order of customer and period. */
  results(
    evaluationId: string,
    filter: { customerId?: string; result?: EvaluationResult['result'] },
    page: PageRequest,
  ): Promise<Page<StoredEvaluationResult>>;
  finish(evaluationId: string): Promise<void>;
}
