/** Closing many customers' periods at once. Part of types.ts. */
import type { PeriodCloseProgress } from '../domain/invoicing/period-close-progress.js';
import type { Instant, LocalDate } from '../domain/values.js';
import type { Page, PageRequest } from './types-paging.js';

/** Why a period is not closed with the others. */
export type NotReadyReason = 'not_ended' | 'invoiced' | 'void' | 'requested' | 'skipped' | 'backfill_open';

export interface PeriodCloseScope {
  /** Exactly one of both: the periods of this name, or those whose last local day this is. */
  readonly period: LocalDate | null;
  readonly endedOn: LocalDate | null;
  /** null: all customers. */
  readonly customerIds: readonly string[] | null;
  /** Of the customers as they are now; null: all. */
  readonly legalEntity: string | null;
}

export interface PeriodCloseRequest {
  readonly closeId: string;
  readonly workflowId: string;
  readonly scope: PeriodCloseScope;
  /** The day whose invoicing run issues. */
  readonly billingDay: LocalDate;
  readonly requestedBy: string;
}

export interface PeriodClose extends PeriodCloseRequest {
  readonly requestedAt: Instant;
  /** null: the targets are not planned yet. */
  readonly plannedAt: Instant | null;
  readonly cancellation: { readonly by: string; readonly reason: string; readonly at: Instant } | null;
  readonly progress: PeriodCloseProgress;
}

/** A period of a close: what is to be, or was, done with it. */
export interface PeriodCloseTarget {
  readonly customerId: string;
  readonly period: LocalDate;
  /** `planned`: its turn has not come. `requested`: invoicing has not decided yet. */
  readonly state: 'planned' | 'requested' | 'issued' | 'held' | 'skipped' | 'already_invoiced' | 'not_ready';
  /** Of one that is not ready. */
  readonly reason: NotReadyReason | null;
  readonly invoiceId: string | null;
}

export interface NamedPeriods {
  readonly period: LocalDate;
  readonly lastDay: LocalDate;
  readonly count: number;
}

export interface PeriodCloseStore {
  /** Stored once: repeating it changes nothing. */
  request(request: PeriodCloseRequest): Promise<void>;
  find(closeId: string): Promise<PeriodClose | null>;
  /** The newest first. */
  list(page: PageRequest): Promise<Page<PeriodClose>>;
  /** In order of customer and period. */
  targets(
    closeId: string,
    filter: { readonly state?: PeriodCloseTarget['state'] },
    page: PageRequest,
  ): Promise<Page<PeriodCloseTarget>>;
  /**
   * Creates periods of the scope that should exist by now, of customers after `after`: a page of them. Only those that have
   * ended.
   * @returns the customer to go on after; null: there are no more
   */
  createMissing(closeId: string, after: string): Promise<{ readonly next: string | null }>;
  /** The targets, in one statement, with why those that are not ready are not. Planned once. */
  plan(closeId: string): Promise<void>;
  /** Hands over so many targets to invoicing, in one statement; those that are not ready any more are left. */
  handOver(closeId: string, limit: number): Promise<void>;
  progress(closeId: string): Promise<PeriodCloseProgress>;
  /** Of the periods that there are, those that end nearest to the day: what they are called, their last local days, how many. */
  nearest(day: LocalDate, limit: number): Promise<readonly NamedPeriods[]>;
  /** The first one stands: `stored` false when there was one. */
  cancel(
    closeId: string,
    cancellation: { readonly cancelledBy: string; readonly reason: string },
  ): Promise<{ readonly stored: boolean }>;
}
