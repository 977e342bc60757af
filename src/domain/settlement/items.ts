import { D, decimal, toDecimalString } from '../decimal.js';
import type { InvoiceStatus } from '../invoicing/invoice.js';
import type { DecimalString, Instant } from '../values.js';

/** A document that counts, as far as settling looks at it. */
export interface ReceivableDocument {
  readonly invoiceId: string;
  readonly number: string;
  readonly total: DecimalString;
  readonly status: InvoiceStatus;
  readonly issuedAt: Instant;
  readonly dueAt: Instant;
  /** Allocated to it: payments, write-offs, what other invoices had over. */
  readonly settled: DecimalString;
}

/** An invoice with its corrections and credit notes: one account between seller and customer. */
export interface ReceivableChain {
  readonly originalId: string;
  readonly currency: string;
  /** In the order of the chain; void ones are left out. */
  readonly documents: readonly ReceivableDocument[];
  /** What credit notes by hand come to. */
  readonly credited: DecimalString;
  /** What of its credit was carried to other invoices, or refunded. */
  readonly carried: DecimalString;
  /** What of its documents write-offs settle. */
  readonly writtenOff: DecimalString;
}

/** A payment that has not bounced. */
export interface PaymentItem {
  readonly paymentId: string;
  readonly currency: string;
  readonly receivedAt: Instant;
  readonly amount: DecimalString;
  readonly allocated: DecimalString;
}

/** A refund; what of it no credit covers any more, because the payment that it came from has bounced, is owed. */
export interface RefundItem {
  readonly refundId: string;
  readonly currency: string;
  readonly refundedAt: Instant;
  readonly amount: DecimalString;
  readonly covered: DecimalString;
}

/** Whatever of a customer is not settled yet. */
export interface OpenItems {
  readonly chains: readonly ReceivableChain[];
  readonly payments: readonly PaymentItem[];
  readonly refunds: readonly RefundItem[];
}

export const currenciesOf = ({ chains, payments, refunds }: OpenItems): readonly string[] =>
  [...new Set([...chains, ...payments, ...refunds].map(({ currency }) => currency))].sort();

export interface OpenDocument {
  /** What credit notes and negative corrections of its own chain take away: it is not due any more. */
  readonly credited: DecimalString;
  /** total − credited − settled; never below zero, 0 for a document that gives credit. */
  readonly open: DecimalString;
}

export interface ChainStanding {
  /** By invoice id. */
  readonly documents: ReadonlyMap<string, OpenDocument>;
  /** What the chain has over: unapplied credit of the customer. */
  readonly surplus: DecimalString;
}

/**
 * How a chain stands (RULES 48): what its negative documents and credit notes give, less what was carried away, lowers its
 * own positive documents first, the oldest first, as far as nothing else has settled them; the rest is unapplied credit.
 * Computed, never stored: when a payment bounces, the credit is the chain's own again.
 */
export function standingOf({ documents, credited, carried }: ReceivableChain): ChainStanding {
  let pool = decimal(credited).minus(decimal(carried));
  for (const { total } of documents) if (isNegative(total)) pool = pool.minus(decimal(total));
  const standing = new Map<string, OpenDocument>();
  for (const { invoiceId, total, settled } of documents) {
    const room = D.max(decimal(total).minus(decimal(settled)), 0);
    const taken = D.min(room, D.max(pool, 0));
    pool = pool.minus(taken);
    standing.set(invoiceId, { credited: toDecimalString(taken), open: toDecimalString(room.minus(taken)) });
  }
  return { documents: standing, surplus: toDecimalString(D.max(pool, 0)) };
}

/** What of a payment settles nothing yet. */
export const restOf = ({ amount, allocated }: PaymentItem): D => decimal(amount).minus(decimal(allocated));

/** What of a refund no credit covers. */
export const uncovered = ({ amount, covered }: RefundItem): D => decimal(amount).minus(decimal(covered));

const isNegative = (amount: DecimalString): boolean => decimal(amount).lessThan(0);

/**
 * What of a chain's surplus is the customer's to use. A write-off gives up a claim that nobody has paid, so credit goes against it
 * first; that part is used when the write-off is reversed (RULES 50).
 */
export const toGive = (chain: ReceivableChain): D =>
  D.max(decimal(standingOf(chain).surplus).minus(decimal(chain.writtenOff)), 0);

/** What a customer owes, and what the customer has over, in one currency. */
export interface Receivable {
  readonly open: DecimalString;
  /** What settles, or is refunded: of payments, and what chains have to give. */
  readonly unapplied: DecimalString;
  /** What chains have over and do not give: it goes against what is written off of them, until that is reversed. */
  readonly besideWriteOffs: DecimalString;
  /** open − unapplied − beside write-offs: the balance of the account. */
  readonly balance: DecimalString;
}

export function receivableIn(items: OpenItems, currency: string): Receivable {
  let open = new D(0);
  let unapplied = new D(0);
  let beside = new D(0);
  for (const chain of items.chains.filter((each) => each.currency === currency)) {
    const { documents, surplus } = standingOf(chain);
    for (const document of documents.values()) open = open.plus(decimal(document.open));
    const given = toGive(chain);
    unapplied = unapplied.plus(given);
    beside = beside.plus(decimal(surplus).minus(given));
  }
  for (const refund of items.refunds.filter((each) => each.currency === currency)) open = open.plus(uncovered(refund));
  for (const payment of items.payments.filter((each) => each.currency === currency))
    unapplied = unapplied.plus(restOf(payment));
  return {
    open: toDecimalString(open),
    unapplied: toDecimalString(unapplied),
    besideWriteOffs: toDecimalString(beside),
    balance: toDecimalString(open.minus(unapplied).minus(beside)),
  };
}
