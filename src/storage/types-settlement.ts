/** Payments, credit notes by hand, refunds, write-offs, and what settles what. Part of types.ts. */
import type { IssuingEntity } from '../domain/invoicing/legal-entity.js';
import type { Allocation } from '../domain/settlement/allocation.js';
import type { CreditNote } from '../domain/settlement/credit-note.js';
import type { CreditedSoFar } from '../domain/settlement/credit-room.js';
import type { OpenItems } from '../domain/settlement/items.js';
import type { StatusChange } from '../domain/settlement/status.js';
import type { Invoice } from '../domain/invoicing/invoice.js';
import type { JournalEntry } from '../domain/ledger/journal.js';
import type { DecimalString, Instant } from '../domain/values.js';
import type { Page, PageRequest } from './types-paging.js';

export interface NewPayment {
  readonly paymentId: string;
  readonly customerId: string;
  readonly currency: string;
  readonly amount: DecimalString;
  readonly receivedAt: Instant;
  readonly method: string;
  readonly reference: string | null;
  readonly recordedBy: string;
}

/** What of a document settles it, or of a payment it settles: the sum that is left of allocations and what was taken back. */
export interface SettledPart {
  readonly target: Allocation['target'];
  /** Of an invoice. */
  readonly number: string | null;
  readonly amount: DecimalString;
}

/** How something was taken back; it stays on record. */
export interface Reversal {
  readonly reason: string;
  readonly reversedBy: string;
  readonly reversedAt: Instant;
}

export interface Payment extends NewPayment {
  readonly recordedAt: Instant;
  readonly reversal: Reversal | null;
  readonly settles: readonly SettledPart[];
}

export interface NewRefund {
  readonly refundId: string;
  readonly customerId: string;
  readonly currency: string;
  readonly amount: DecimalString;
  readonly method: string;
  readonly reference: string | null;
  readonly reason: string;
  readonly refundedBy: string;
}
export interface Refund extends NewRefund {
  readonly refundedAt: Instant;
}

export interface NewWriteOff {
  readonly writeOffId: string;
  readonly invoiceId: string;
  readonly amount: DecimalString;
  readonly reason: string;
  readonly writtenOffBy: string;
}

export interface WriteOff extends NewWriteOff {
  readonly customerId: string;
  /** Of the invoice. */
  readonly number: string;
  readonly currency: string;
  readonly writtenOffAt: Instant;
  readonly reversal: Reversal | null;
}

export interface StoredCreditNote extends CreditNote {
  /** Of the invoice that it credits. */
  readonly invoiceNumber: string;
  readonly void: { readonly reason: string; readonly voidedBy: string; readonly voidedAt: Instant } | null;
}

/** Who decided, and why: kept with allocations and transitions. */
export interface SettlementCause {
  /** With source and target the identity of an allocation: a repeated step writes the same row. */
  readonly id: string;
  readonly actor: string;
  readonly reason: string;
}

/** One customer's account, locked to the end of the transaction: nobody else settles, credits or issues for the customer. */
export interface SettlementTransaction {
  /** What is not settled, and the chains of these documents. */
  items(documents?: readonly string[]): Promise<OpenItems>;
  /** The documents of a chain that count, with their lines, in order; empty: it is void. */
  chain(originalId: string): Promise<readonly Invoice[]>;
  creditedOf(originalId: string): Promise<CreditedSoFar>;
  /** By line item id: what of it the journal says that notes which count have taken. */
  creditedItems(originalId: string): Promise<ReadonlyMap<string, DecimalString>>;
  /** What a source settles now. */
  allocatedBy(source: Allocation['source']): Promise<readonly Allocation[]>;
  /** Whether this very cause has allocated between the two before. */
  isAllocated(between: Pick<Allocation, 'source' | 'target'>, causeId: string): Promise<boolean>;
  /** As its documents are issued now; it does not change before the transaction has ended. To be asked for before a number is drawn. */
  legalEntity(code: string): Promise<IssuingEntity>;
  /** The next number of a series (`numberSeries`), gapless: given back when the transaction fails. To be drawn last. */
  drawNumber(series: string): Promise<number>;
  /** Each answers false, and changes nothing, where there is one of that id. */
  insertPayment(payment: NewPayment): Promise<boolean>;
  reversePayment(
    paymentId: string,
    reversal: { readonly reason: string; readonly reversedBy: string; readonly requestId: string },
  ): Promise<boolean>;
  /** Whether this very request has reversed it. */
  isReversedBy(paymentId: string, requestId: string): Promise<boolean>;
  insertRefund(refund: NewRefund): Promise<boolean>;
  insertWriteOff(writeOff: NewWriteOff): Promise<boolean>;
  reverseWriteOff(
    writeOffId: string,
    reversal: { readonly reason: string; readonly reversedBy: string; readonly requestId: string },
  ): Promise<boolean>;
  isWriteOffReversedBy(writeOffId: string, requestId: string): Promise<boolean>;
  /** Another payment of the same reference, amount, currency and day of receipt (UTC) that has not bounced; null: none. */
  paymentLike(payment: NewPayment): Promise<string | null>;
  hasCreditNote(creditNoteId: string): Promise<boolean>;
  insertCreditNote(note: CreditNote): Promise<void>;
  allocate(allocations: readonly Allocation[], cause: SettlementCause & { readonly currency: string }): void;
  change(changes: readonly StatusChange[], cause: SettlementCause): void;
  post(entry: JournalEntry): void;
}

/** A customer whose account of receivables is not what documents and settlements come to. */
export interface ReceivableMismatch {
  readonly customerId: string;
  readonly currency: string;
  readonly expected: DecimalString;
  readonly account: DecimalString;
}

/** What has settled a document. */
export interface InvoiceSettlement {
  readonly allocations: readonly {
    readonly source: Allocation['source'];
    readonly amount: DecimalString;
    readonly actor: string;
    readonly reason: string;
    readonly at: Instant;
  }[];
  /** Of its chain; of an original only. */
  readonly creditNotes: readonly StoredCreditNote[];
}

export interface SettlementStore {
  /** Locks the customer's account and runs `work` in one transaction. */
  atReceivable<T>(customerId: string, work: (tx: SettlementTransaction) => Promise<T>): Promise<T>;
  /** As it is now, without a lock. */
  items(customerId: string, documents?: readonly string[]): Promise<OpenItems>;
  findPayment(paymentId: string): Promise<Payment | null>;
  /** The newest first. */
  listPayments(filter: { customerId?: string }, page: PageRequest): Promise<Page<Payment>>;
  findRefund(refundId: string): Promise<Refund | null>;
  listRefunds(filter: { customerId?: string }, page: PageRequest): Promise<Page<Refund>>;
  findWriteOff(writeOffId: string): Promise<WriteOff | null>;
  /** The newest first. */
  listWriteOffs(filter: { customerId?: string; invoiceId?: string }, page: PageRequest): Promise<Page<WriteOff>>;
  /** By id or number. */
  findCreditNote(idOrNumber: string): Promise<StoredCreditNote | null>;
  listCreditNotes(
    filter: { customerId?: string; invoiceId?: string },
    page: PageRequest,
  ): Promise<Page<StoredCreditNote>>;
  settlementOf(invoiceId: string): Promise<InvoiceSettlement>;
  /** Customers who may owe something, or have credit, in order of id; `overdueAt`: with a document that was due before. */
  customersOwing(filter: { overdueAt?: Instant }, page: PageRequest): Promise<Page<string>>;
  /** Customers who have a document past its due date that is not overdue, paid or void yet, in order of id. */
  customersPastDue(now: Instant, page: { after: string; limit: number }): Promise<readonly string[]>;
  /** In one snapshot. Empty: the journal agrees. */
  mismatches(): Promise<readonly ReceivableMismatch[]>;
}
