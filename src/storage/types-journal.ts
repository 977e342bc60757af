/** The journal and what is made of it. Part of types.ts. */
import type { AccountMapping } from '../domain/ledger/account-mapping.js';
import type { JournalEntry } from '../domain/ledger/journal.js';
import type { DecimalString, Instant, LocalDate } from '../domain/values.js';
import type { Page, PageRequest } from './types-paging.js';
import type { PeriodKeyOf } from './types-correction.js';

export interface StoredEntry extends JournalEntry {
  readonly entryId: string;
  /** Its place in the journal. */
  readonly entryOrder: string;
  readonly createdAt: Instant;
}

/**
 * A state of the books: all entries up to a place in the journal, all that were posted up to an instant of the clock, or all
 * with a posting date up to a day.
 */
export type LedgerMoment =
  { readonly throughEntry: string } | { readonly at: Instant } | { readonly postedThrough: LocalDate };

export interface Sums {
  readonly debit: DecimalString;
  readonly credit: DecimalString;
  /** debit − credit */
  readonly balance: DecimalString;
}

/** Of an account in one currency, of all customers. */
export interface TrialBalanceRow extends Sums {
  readonly account: string;
  readonly currency: string;
}

export interface CustomerBalance extends TrialBalanceRow {
  readonly customerId: string;
}

/** A row of the read model. */
export interface AccountBalance extends CustomerBalance {
  /** Counts its changes. */
  readonly version: number;
}

/** What a read model says, and what the journal says. */
export interface BalanceDifference {
  /** `account_balances`, or the snapshot. */
  readonly model: string;
  readonly customerId: string;
  readonly account: string;
  readonly currency: string;
  readonly expected: Pick<Sums, 'debit' | 'credit'>;
  readonly found: Pick<Sums, 'debit' | 'credit'>;
}

export interface Rebuilt {
  /** Whose balances were looked at. */
  readonly customers: number;
  readonly corrected: readonly BalanceDifference[];
  /** Those that could not be changed. */
  readonly unresolved: readonly BalanceDifference[];
}

/** Either of all entries posted up to a day, or of all up to a place in the journal. */
export interface LedgerSnapshot {
  readonly snapshotId: string;
  readonly postedThrough: LocalDate | null;
  readonly throughEntry: string | null;
  /** The latest instant at which one of them was posted. */
  readonly throughInstant: Instant | null;
  readonly takenBy: string;
  readonly takenAt: Instant;
}

export interface MonthClosing {
  /** Its first day. */
  readonly month: LocalDate;
  readonly throughEntry: string;
  readonly reason: string;
  readonly closedBy: string;
  readonly closedAt: Instant;
}

export interface StoredAccountMapping extends AccountMapping {
  readonly accountMappingId: string;
  readonly mapping: string;
  readonly reason: string | null;
  readonly mappedBy: string;
  readonly learnedAt: Instant;
}

/** Of one month by posting date, or a stretch of the journal; both ends included. */
export type ExportRange =
  | { readonly month: LocalDate; readonly throughEntry: string }
  | { readonly fromEntry: string; readonly throughEntry: string };

/** A posting with its entry, as it is exported. */
export interface ExportedPosting extends Sums {
  readonly entryOrder: string;
  readonly entryId: string;
  readonly postingNumber: number;
  readonly postingDate: LocalDate;
  readonly serviceFrom: Instant;
  readonly serviceTo: Instant;
  readonly sourceDocument: string;
  readonly description: string;
  readonly customerId: string;
  readonly invoiceNumber: string | null;
  readonly lineItemId: string | null;
  readonly account: string;
  readonly product: string | null;
  readonly currency: string;
}

/** Something of a month that is not in the books yet. */
export interface OpenItem {
  readonly kind: 'draft' | 'unbilled' | 'unapplied_payment';
  readonly customerId: string;
  /** null: of a payment. */
  readonly period: LocalDate | null;
  /** Of the invoice or payment. */
  readonly id: string | null;
  /** Of a draft its status, of a period its stage, of a payment what is left of it. */
  readonly detail: string;
  /** Of a period: codes of the open findings that hold it, and `BACKFILL_OPEN`. */
  readonly heldBy: readonly string[];
}

export interface MonthChecklist {
  readonly month: LocalDate;
  readonly drafts: number;
  readonly unbilled: number;
  /** Of the unbilled periods those that were asked for and are held. */
  readonly held: number;
  readonly unappliedPayments: number;
  /** The first ones, by kind and customer. */
  readonly items: readonly OpenItem[];
}

export interface JournalStore {
  /** What of a month a close would leave out: documents that wait, ended periods without one, payments that settle nothing. */
  checklist(month: LocalDate): Promise<MonthChecklist>;
  /** @param at by default now */
  accounts(at?: LedgerMoment): Promise<
    readonly {
      account: string;
      name: string;
      kind: string;
      balances: readonly { currency: string; amount: DecimalString }[];
    }[]
  >;
  entries(filter: { customerId?: string; invoiceId?: string }, page: PageRequest): Promise<Page<StoredEntry>>;
  /** @param at by default now, from the balances; else from the last snapshot before it, and what was posted since */
  trialBalance(at?: LedgerMoment): Promise<readonly TrialBalanceRow[]>;
  /** The read model, by customer, account and currency. */
  balances(
    filter: { customerId?: string; account?: string; currency?: string },
    page: PageRequest,
  ): Promise<Page<AccountBalance>>;
  balancesAt(customerId: string, at: LedgerMoment): Promise<readonly CustomerBalance[]>;
  /** The place in the journal up to which nothing uncommitted can still appear. Waits for whoever posts at this moment. */
  horizon(): Promise<string>;

  /**
   * Holds balances and snapshots against the journal, in one snapshot of the database each. Empty: they agree.
   * @param customerIds null: all, and the snapshots too
   */
  check(customerIds: readonly string[] | null): Promise<readonly BalanceDifference[]>;
  /** Makes the balances again from the journal while others go on posting. What is right already is not touched. */
  rebuild(): Promise<Rebuilt>;

  /** All entries as of now. The same place in the journal again: the snapshot that there is. */
  takeSnapshot(takenBy: string): Promise<LedgerSnapshot>;
  /** Of closed months that have none. @returns how many */
  takeMonthSnapshots(takenBy: string): Promise<number>;
  /** The newest first. */
  snapshots(page: PageRequest): Promise<Page<LedgerSnapshot>>;

  /** The newest first. */
  closings(): Promise<readonly MonthClosing[]>;
  /**
   * The month after the last closed one; the first is that of the first posting, or a later one, so that no closing leaves decades
   * of empty months to be closed.
   * @throws DomainFailure ACCOUNTING_MONTH_CLOSED, ACCOUNTING_MONTH_OUT_OF_ORDER
   */
  requireNextToClose(month: LocalDate): Promise<void>;
  /**
   * Closes a month for ever, and with the first one all before it.
   * @throws DomainFailure ACCOUNTING_MONTH_CLOSED, ACCOUNTING_MONTH_OUT_OF_ORDER
   */
  closeMonth(closing: Pick<MonthClosing, 'month' | 'reason' | 'closedBy'>): Promise<MonthClosing>;

  /** Periods with lines in deferred revenue whose service has begun before `now` or is not wholly recognised, in order. */
  deferringPeriods(
    page: { readonly after: PeriodKeyOf | null; readonly limit: number },
    now: Instant,
  ): Promise<readonly PeriodKeyOf[]>;
  /** Posts what is due of a period's deferred revenue (RULES 45). Repeating it, or two at once, changes nothing. @returns entries */
  recognise(period: PeriodKeyOf, now: Instant): Promise<number>;

  /**
   * Appends account mappings.
   * @throws DomainFailure ACCOUNTING_MONTH_CLOSED where it would change the export of a closed month
   */
  addMappings(mappings: readonly Omit<StoredAccountMapping, 'learnedAt'>[]): Promise<void>;
  /** In the order in which they were learned. */
  mappings(mapping: string): Promise<readonly StoredAccountMapping[]>;
  /** Names, each with how many rows it has. */
  mappingNames(): Promise<readonly { readonly mapping: string; readonly rows: number }[]>;
  /** Which accounts and products are posted to, and on which days. */
  mappedIn(range: ExportRange): Promise<readonly Pick<ExportedPosting, 'account' | 'product' | 'postingDate'>[]>;
  /** Postings of the next entries of the range after one: by posting date and place in the journal, or by the place alone. */
  exported(
    range: ExportRange,
    page: { readonly after: ExportPlace | null; readonly entries: number },
  ): Promise<{ readonly postings: readonly ExportedPosting[]; readonly last: ExportPlace | null }>;
}

/** Where an export has got to. */
export interface ExportPlace {
  readonly postingDate: LocalDate;
  readonly entryOrder: string;
}
