/** Payments: recorded with what they settle, allocated later, reversed when they bounce. */
import { addMs, msPerDay, utcDay } from '../../domain/time/instant.js';
import { addDecimals, decimal, zero } from '../../domain/decimal.js';
import { DomainFailure } from '../../domain/failure.js';
import { paymentEntry, paymentReversalEntry } from '../../domain/ledger/settlement-entries.js';
import { requireMoney } from '../../domain/money/require-money.js';
import { formatAmount } from '../../domain/money/rounding.js';
import { afterwards, carryCredit, released } from '../../domain/settlement/allocation.js';
import type { Allocation } from '../../domain/settlement/allocation.js';
import { standingOf } from '../../domain/settlement/items.js';
import type { OpenItems } from '../../domain/settlement/items.js';
import { statusChanges } from '../../domain/settlement/status.js';
import type { DecimalString, Instant } from '../../domain/values.js';
import type { NewPayment, Payment, SettlementTransaction, Storage } from '../../storage/types.js';
import { settle } from './account.js';
import type { Deciding } from './account.js';

type SettlementStorage = Pick<Storage, 'settlement'>;

/** How much of a payment settles which document. */
export interface PaymentPart {
  readonly invoiceId: string;
  readonly number: string;
  readonly amount: DecimalString;
}

/**
 * Records a payment with its journal entry; what no part of it is allocated stays with the customer (RULES 48). Repeated with
 * the same id it changes nothing.
 * @throws DomainFailure VALIDATION_FAILED, INVALID_DECIMAL, UNKNOWN_CURRENCY, CURRENCY_MISMATCH, INVOICE_VOID,
 *   ALLOCATION_EXCEEDS_PAYMENT, ALLOCATION_EXCEEDS_OPEN, PAYMENT_REFERENCE_KNOWN
 */
export async function recordPayment(
  { settlement }: SettlementStorage,
  {
    payment,
    parts,
    allowDuplicate = false,
    now,
  }: {
    readonly payment: NewPayment;
    readonly parts: readonly PaymentPart[];
    /** The bank did receive it twice. */
    readonly allowDuplicate?: boolean;
  } & Pick<Deciding, 'now'>,
): Promise<void> {
  const { paymentId, customerId, currency, amount, reference, receivedAt: at, recordedBy: actor } = payment;
  requireMoney(amount, currency, { pointer: '/amount' });
  await settlement.atReceivable(customerId, async (tx) => {
    if (!(await tx.insertPayment(payment))) return;
    requireReceived(at, now);
    if (!allowDuplicate) await requireNew(tx, payment);
    const items = await tx.items(parts.map(({ invoiceId }) => invoiceId));
    const allocations = allocationsOf(items, parts, { paymentId, currency, left: amount });
    const cause = { id: `payment/${paymentId}`, actor, reason: reasonOf(payment) };
    settle(tx, allocations, { items, currency, cause, now });
    const settles = parts.map(({ number }) => number);
    // Of the day that the bank received it, or the first open day after it (RULES 46).
    tx.post(paymentEntry({ paymentId, customerId, currency, amount, reference, settles, at }, utcDay(at)));
  });
}

/** Clocks and time zones differ by less. */
const aheadMs = msPerDay;

/** @throws DomainFailure VALIDATION_FAILED */
function requireReceived(at: Instant, now: Instant): void {
  if (at <= addMs(now, aheadMs)) return;
  const detail = `It was received at ${at}, and now it is ${now}. Record a payment once it is received.`;
  throw new DomainFailure('VALIDATION_FAILED', detail, '/received_at');
}

/** @throws DomainFailure PAYMENT_REFERENCE_KNOWN */
async function requireNew(tx: SettlementTransaction, payment: NewPayment): Promise<void> {
  const known = await tx.paymentLike(payment);
  if (known === null) return;
  const { amount, currency, reference, receivedAt } = payment;
  const detail = `The payment ${known} is on record with the same reference (${reference ?? ''}), amount (${formatAmount(amount, currency)} ${currency}) and day (${utcDay(receivedAt)}). If it was received twice, send "allow_duplicate": true.`;
  throw new DomainFailure('PAYMENT_REFERENCE_KNOWN', detail, '/reference');
}

/**
 * Allocates what is left of a payment.
 * @param requestId with the payment the identity of what is allocated
 * @throws DomainFailure PAYMENT_REVERSED, and as `recordPayment`
 */
export async function allocatePayment(
  { settlement }: SettlementStorage,
  payment: Payment,
  { parts, requestId, actor, now }: Deciding & { readonly parts: readonly PaymentPart[]; readonly requestId: string },
): Promise<void> {
  const { paymentId, customerId, currency } = payment;
  await settlement.atReceivable(customerId, async (tx) => {
    for (const { invoiceId, amount } of parts) {
      const part = {
        source: { kind: 'payment', id: paymentId },
        target: { kind: 'invoice', id: invoiceId },
        amount,
      } as const;
      if (await tx.isAllocated(part, requestId)) return;
    }
    const items = await tx.items(parts.map(({ invoiceId }) => invoiceId));
    const own = items.payments.find((each) => each.paymentId === paymentId);
    const current = own === undefined ? await settlement.findPayment(paymentId) : null;
    const reversal = current?.reversal ?? null;
    if (reversal !== null) throw reversed(paymentId, reversal);
    const left = own === undefined ? '0' : decimal(own.amount).minus(decimal(own.allocated)).toFixed();
    const allocations = allocationsOf(items, parts, { paymentId, currency, left: left as DecimalString });
    settle(tx, allocations, { items, currency, cause: { id: requestId, actor, reason: reasonOf(payment) }, now });
  });
}

interface Room {
  readonly paymentId: string;
  readonly currency: string;
  readonly left: DecimalString;
}

function allocationsOf(
  items: OpenItems,
  parts: readonly PaymentPart[],
  { paymentId, currency, left }: Room,
): readonly Allocation[] {
  const seen = new Set<string>();
  const allocations = parts.map(({ invoiceId, number, amount }, index): Allocation => {
    const pointer = `/allocations/${index}`;
    if (seen.has(invoiceId)) {
      throw new DomainFailure('VALIDATION_FAILED', 'A payment names each invoice once.', `${pointer}/invoice_id`);
    }
    seen.add(invoiceId);
    requireMoney(amount, currency, { pointer: `${pointer}/amount` });
    const chain = items.chains.find(({ documents }) => documents.some((each) => each.invoiceId === invoiceId));
    if (chain === undefined) {
      throw new DomainFailure('INVOICE_VOID', `${number} is void: nothing settles it.`, `${pointer}/invoice_id`);
    }
    if (chain.currency !== currency) {
      const detail = `${number} is in ${chain.currency}, the payment in ${currency}.`;
      throw new DomainFailure('CURRENCY_MISMATCH', detail, `${pointer}/invoice_id`);
    }
    const open = standingOf(chain).documents.get(invoiceId)?.open ?? zero;
    if (decimal(amount).greaterThan(decimal(open))) {
      const detail = `Of ${number} ${formatAmount(open, currency)} ${currency} are open. Allocate less; what is not allocated stays with the customer.`;
      throw new DomainFailure('ALLOCATION_EXCEEDS_OPEN', detail, `${pointer}/amount`);
    }
    return { source: { kind: 'payment', id: paymentId }, target: { kind: 'invoice', id: invoiceId }, amount };
  });
  const sum = addDecimals(allocations.map(({ amount }) => amount));
  if (decimal(sum).greaterThan(decimal(left))) {
    const detail = `${formatAmount(sum, currency)} ${currency} are allocated, and ${formatAmount(left, currency)} are left of the payment.`;
    throw new DomainFailure('ALLOCATION_EXCEEDS_PAYMENT', detail, '/allocations');
  }
  return allocations;
}

const reasonOf = ({ method, reference }: Pick<NewPayment, 'method' | 'reference'>): string =>
  reference === null ? `payment (${method})` : `payment (${method}, ${reference})`;

/**
 * A payment that has bounced: what it settled is open again, and what of it was refunded is owed. Repeated with the same request
 * id it changes nothing.
 * @throws DomainFailure PAYMENT_REVERSED
 */
export async function reversePayment(
  { settlement }: SettlementStorage,
  payment: Payment,
  { reason, requestId, actor, now }: Deciding & { readonly reason: string; readonly requestId: string },
): Promise<void> {
  const { paymentId, customerId, currency, amount, reference } = payment;
  await settlement.atReceivable(customerId, async (tx) => {
    if (!(await tx.reversePayment(paymentId, { reason, reversedBy: actor, requestId }))) {
      if (await tx.isReversedBy(paymentId, requestId)) return;
      throw reversed(paymentId, (await settlement.findPayment(paymentId))?.reversal ?? { reason: 'at the same time' });
    }
    const back = released(await tx.allocatedBy({ kind: 'payment', id: paymentId }));
    const items = await tx.items(back.flatMap(({ target }) => (target.kind === 'invoice' ? [target.id] : [])));
    const cause = { id: `reversal/${paymentId}`, actor, reason: `payment reversed: ${reason}` };
    settle(tx, back, { items, currency, cause, now });
    tx.post(paymentReversalEntry({ paymentId, customerId, currency, amount, reference, at: now }, utcDay(now)));
  });
}

const reversed = (paymentId: string, { reason }: { readonly reason: string }): DomainFailure =>
  new DomainFailure('PAYMENT_REVERSED', `The payment ${paymentId} is reversed already (${reason}).`);

/**
 * Carries unapplied credit to what is open, refunds that are owed and then documents, as issuing an invoice does. Answers what was
 * allocated; nothing where the request was carried out before.
 */
export async function applyCredit(
  { settlement }: SettlementStorage,
  { customerId, requestId, actor, now }: Deciding & { readonly customerId: string; readonly requestId: string },
): Promise<readonly Allocation[]> {
  return settlement.atReceivable(customerId, async (tx) => {
    const items = await tx.items();
    const currencies = [...new Set([...items.chains, ...items.refunds].map(({ currency }) => currency))];
    const carried = currencies.map((currency) => ({ currency, allocations: carryCredit(items, currency) }));
    for (const allocation of carried.flatMap(({ allocations }) => allocations))
      if (await tx.isAllocated(allocation, requestId)) return [];
    return carried.flatMap(({ currency, allocations }) => {
      settle(tx, allocations, {
        items,
        currency,
        cause: { id: requestId, actor, reason: 'unapplied credit applied' },
        now,
      });
      return allocations;
    });
  });
}

/** Appends `overdue` where a due date has passed and something is open. Answers of how many documents. */
export async function markOverdue(
  { settlement }: SettlementStorage,
  { customerId, actor, now }: Deciding & { readonly customerId: string },
): Promise<number> {
  return settlement.atReceivable(customerId, async (tx) => {
    const items = afterwards(await tx.items(), []);
    const of = new Set(items.chains.flatMap(({ documents }) => documents.map(({ invoiceId }) => invoiceId)));
    const changes = statusChanges(items, { of, now }).filter(({ to }) => to === 'overdue');
    tx.change(changes, { id: 'overdue', actor, reason: 'the due date has passed' });
    return changes.length;
  });
}
