import { compareText } from '../compare-text.js';
import { D, decimal, toDecimalString, zero } from '../decimal.js';
import type { DecimalString, Instant } from '../values.js';
import { restOf, standingOf, toGive, uncovered } from './items.js';
import type { OpenItems } from './items.js';

export interface AllocationSource {
  /** `chain`: what an invoice with its corrections and credit notes has over, named by the original. */
  readonly kind: 'payment' | 'chain' | 'write_off';
  readonly id: string;
}

export interface AllocationTarget {
  readonly kind: 'invoice' | 'refund';
  readonly id: string;
}

/** Which source settles how much of which target; below zero takes it back. */
export interface Allocation {
  readonly source: AllocationSource;
  readonly target: AllocationTarget;
  readonly amount: DecimalString;
}

interface Side<Key> {
  readonly key: Key;
  readonly since: Instant;
  readonly amount: D;
}

/** Unapplied credit that a customer can use, in a currency, the oldest first: payments, and what chains have to give. */
export function creditsIn(items: OpenItems, currency: string): readonly Side<AllocationSource>[] {
  const payments = items.payments
    .filter((payment) => payment.currency === currency)
    .map((payment): Side<AllocationSource> => ({
      key: { kind: 'payment', id: payment.paymentId },
      since: payment.receivedAt,
      amount: restOf(payment),
    }));
  const chains = items.chains
    .filter((chain) => chain.currency === currency)
    .map((chain): Side<AllocationSource> => ({
      key: { kind: 'chain', id: chain.originalId },
      since: chain.documents[0]?.issuedAt ?? never,
      amount: toGive(chain),
    }));
  return [...payments, ...chains].filter(isSomething).sort(byAge);
}

/** Refunds that nothing covers any more, the oldest first. */
function refundsOwed(items: OpenItems, currency: string): readonly Side<AllocationTarget>[] {
  return items.refunds
    .filter((refund) => refund.currency === currency)
    .map((refund): Side<AllocationTarget> => ({
      key: { kind: 'refund', id: refund.refundId },
      since: refund.refundedAt,
      amount: uncovered(refund),
    }))
    .filter(isSomething)
    .sort(byAge);
}

/** What is open: refunds that nothing covers any more, then documents by issue, each the oldest first (RULES 50). */
function debtsIn(items: OpenItems, currency: string): readonly Side<AllocationTarget>[] {
  const documents = items.chains
    .filter((chain) => chain.currency === currency)
    .flatMap((chain) => {
      const { documents: standing } = standingOf(chain);
      return chain.documents.map(({ invoiceId, issuedAt }): Side<AllocationTarget> => ({
        key: { kind: 'invoice', id: invoiceId },
        since: issuedAt,
        amount: decimal(standing.get(invoiceId)?.open ?? zero),
      }));
    });
  return [...refundsOwed(items, currency), ...documents.filter(isSomething).sort(byAge)];
}

/** Carries unapplied credit to what is open, both the oldest first (RULES 49). */
export function carryCredit(items: OpenItems, currency: string): readonly Allocation[] {
  return match(creditsIn(items, currency), debtsIn(items, currency));
}

/** What can be refunded: what was refunded and is owed is covered first. */
export function refundableIn(items: OpenItems, currency: string): DecimalString {
  const left = sumOf(creditsIn(items, currency)).minus(sumOf(refundsOwed(items, currency)));
  return toDecimalString(D.max(left, 0));
}

const sumOf = (sides: readonly Side<unknown>[]): D => sides.reduce((sum, { amount }) => sum.plus(amount), new D(0));

/**
 * Takes an amount of the unapplied credit, the oldest first, once refunds that are owed are covered, which is part of the answer;
 * null: there is not so much.
 */
export function coverRefund(
  items: OpenItems,
  {
    refundId,
    currency,
    amount,
  }: { readonly refundId: string; readonly currency: string; readonly amount: DecimalString },
): readonly Allocation[] | null {
  const debt = { key: { kind: 'refund', id: refundId } as const, since: never, amount: decimal(amount) };
  const allocations = match(creditsIn(items, currency), [...refundsOwed(items, currency), debt]);
  const own = allocations.filter(({ target }) => target.id === refundId);
  const sum = own.reduce((total, each) => total.plus(decimal(each.amount)), new D(0));
  return sum.equals(debt.amount) ? allocations : null;
}

function match(
  credits: readonly Side<AllocationSource>[],
  debts: readonly Side<AllocationTarget>[],
): readonly Allocation[] {
  const allocations: Allocation[] = [];
  const left = credits.map(({ key, amount }) => ({ key, amount }));
  for (const debt of debts) {
    let open = debt.amount;
    for (const credit of left) {
      const part = D.min(open, credit.amount);
      if (!part.greaterThan(0)) continue;
      allocations.push({ source: credit.key, target: debt.key, amount: toDecimalString(part) });
      credit.amount = credit.amount.minus(part);
      open = open.minus(part);
    }
  }
  return allocations;
}

/** Takes back what a source has settled. */
export function released(allocations: readonly Allocation[]): readonly Allocation[] {
  return allocations
    .filter(({ amount }) => !decimal(amount).isZero())
    .map((each) => ({ ...each, amount: toDecimalString(decimal(each.amount).negated()) }));
}

/** The items once these allocations stand. */
export function afterwards(items: OpenItems, allocations: readonly Allocation[]): OpenItems {
  const sumWhere = (belongs: (allocation: Allocation) => boolean): D =>
    allocations.filter(belongs).reduce((sum, { amount }) => sum.plus(decimal(amount)), new D(0));
  const plus = (amount: DecimalString, more: D): DecimalString => toDecimalString(decimal(amount).plus(more));
  const from = (kind: AllocationSource['kind'], id: string): D =>
    sumWhere(({ source }) => source.kind === kind && source.id === id);
  const to = (kind: AllocationTarget['kind'], id: string): D =>
    sumWhere(({ target }) => target.kind === kind && target.id === id);
  return {
    payments: items.payments.map((item) => ({
      ...item,
      allocated: plus(item.allocated, from('payment', item.paymentId)),
    })),
    refunds: items.refunds.map((item) => ({ ...item, covered: plus(item.covered, to('refund', item.refundId)) })),
    chains: items.chains.map((chain) => ({
      ...chain,
      carried: plus(chain.carried, from('chain', chain.originalId)),
      writtenOff: plus(
        chain.writtenOff,
        sumWhere(
          ({ source, target }) =>
            source.kind === 'write_off' && chain.documents.some(({ invoiceId }) => invoiceId === target.id),
        ),
      ),
      documents: chain.documents.map((document) => ({
        ...document,
        settled: plus(document.settled, to('invoice', document.invoiceId)),
      })),
    })),
  };
}

const isSomething = ({ amount }: Side<unknown>): boolean => amount.greaterThan(0);

const byAge = <Key extends { readonly id: string }>(a: Side<Key>, b: Side<Key>): number =>
  compareText(a.since, b.since) || compareText(a.key.id, b.key.id);

/** Behind every instant. */
const never = '~' as Instant;
