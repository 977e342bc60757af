/** Invoices before they are issued: drafts and held ones. Part of types.ts. */
import type { Instant, LocalDate } from '../domain/values.js';
import type { DraftDecision, DraftStanding } from '../domain/invoicing/before-issue.js';
import type { PeriodKeyOf } from './types-correction.js';
import type { Page, PageRequest } from './types-paging.js';

/** Why a draft is what it is now. */
export interface DraftTransition {
  readonly status: 'draft' | 'held';
  /** Of what it says (`contentHash` of src/billing/draft-document.ts). */
  readonly contentHash: string;
  /** When it is issued by itself; null: not without a person. */
  readonly dueAt: Instant | null;
  readonly actor: string;
  readonly reason: string;
}

export interface StoredDraftTransition extends DraftTransition {
  readonly at: Instant;
}

export interface StoredDraftDecision extends DraftDecision {
  readonly actor: string;
  readonly reason: string;
  readonly at: Instant;
}

export interface DraftOf extends DraftStanding {
  readonly invoiceId: string;
  readonly customerId: string;
  readonly period: LocalDate;
  readonly chainPlace: number;
  /** In order. */
  readonly transitions: readonly StoredDraftTransition[];
  readonly decisions: readonly StoredDraftDecision[];
  /** It is an invoice by now. */
  readonly isIssued: boolean;
  /** Invoicing skipped its period then, and has decided nothing else since: it waits for nothing. null: it did not. */
  readonly skippedAt: Instant | null;
}

/** Two stored lines that bill one service. */
export interface DoubleBilling {
  readonly lineKey: string;
  readonly kind: 'invoice' | 'correction';
  readonly rows: readonly { readonly lineItemId: string; readonly number: string }[];
}

export interface DraftStore {
  find(invoiceId: string): Promise<DraftOf | null>;
  /** Those that wait to be issued, the newest first. */
  list(
    filter: { customerId?: string; period?: LocalDate; status: 'draft' | 'held' },
    page: PageRequest,
  ): Promise<Page<DraftOf>>;
  /** Of those that wait to be issued. */
  counts(filter: {
    customerId?: string;
    period?: LocalDate;
  }): Promise<{ readonly draft: number; readonly held: number }>;
  /** `stored` false: the same was decided about the same content before. */
  decide(
    invoiceId: string,
    decision: { decision: DraftDecision['decision']; contentHash: string; actor: string; reason: string },
  ): Promise<{ stored: boolean }>;
  /** Makes requests for those whose grace has passed, and answers them. Repeated, it changes nothing. */
  requestDue(now: Instant, limit: number): Promise<readonly PeriodKeyOf[]>;
}
