/** Settlement on the wire. */
import type { Invoice } from '../../domain/invoicing/invoice.js';
import { addDecimals, decimal, toDecimalString, zero } from '../../domain/decimal.js';
import { formatAmount } from '../../domain/money/rounding.js';
import { ageBuckets } from '../../domain/settlement/ageing.js';
import type { Ageing } from '../../domain/settlement/ageing.js';
import { creditsIn } from '../../domain/settlement/allocation.js';
import type { Allocation, AllocationSource } from '../../domain/settlement/allocation.js';
import type { CreditableLine } from '../../domain/settlement/credit-note.js';
import { currenciesOf, receivableIn, standingOf } from '../../domain/settlement/items.js';
import type { OpenItems } from '../../domain/settlement/items.js';
import type { DecimalString } from '../../domain/values.js';
import type { InvoiceSettlement, Payment, Refund, StoredCreditNote, WriteOff } from '../../storage/types.js';
import { allocatedOf } from '../services/settlement.js';

const inCurrency =
  (currency: string) =>
  (value: DecimalString): string =>
    formatAmount(value, currency);

const sourceName: Readonly<Record<AllocationSource['kind'], string>> = {
  payment: 'payment',
  chain: 'invoice',
  write_off: 'write_off',
};

export function toApiPayment(payment: Payment): object {
  const amount = inCurrency(payment.currency);
  const { allocated, unallocated } = allocatedOf(payment);
  const { reversal } = payment;
  return {
    payment_id: payment.paymentId,
    customer_id: payment.customerId,
    currency: payment.currency,
    amount: amount(payment.amount),
    received_at: payment.receivedAt,
    method: payment.method,
    reference: payment.reference,
    allocated: amount(allocated),
    unallocated: amount(unallocated),
    settles: payment.settles.map(({ target, number, amount: settled }) => ({
      invoice_id: target.kind === 'invoice' ? target.id : null,
      number,
      refund_id: target.kind === 'refund' ? target.id : null,
      amount: amount(settled),
    })),
    reversed:
      reversal === null ? null : { reason: reversal.reason, reversed_by: reversal.reversedBy, at: reversal.reversedAt },
    recorded_by: payment.recordedBy,
    recorded_at: payment.recordedAt,
  };
}

export function toApiRefund(refund: Refund): object {
  return {
    refund_id: refund.refundId,
    customer_id: refund.customerId,
    currency: refund.currency,
    amount: formatAmount(refund.amount, refund.currency),
    method: refund.method,
    reference: refund.reference,
    reason: refund.reason,
    refunded_by: refund.refundedBy,
    refunded_at: refund.refundedAt,
  };
}

export function toApiWriteOff(writeOff: WriteOff): object {
  const { reversal } = writeOff;
  return {
    write_off_id: writeOff.writeOffId,
    invoice_id: writeOff.invoiceId,
    number: writeOff.number,
    customer_id: writeOff.customerId,
    currency: writeOff.currency,
    amount: formatAmount(writeOff.amount, writeOff.currency),
    reason: writeOff.reason,
    written_off_by: writeOff.writtenOffBy,
    written_off_at: writeOff.writtenOffAt,
    reversed:
      reversal === null ? null : { reason: reversal.reason, reversed_by: reversal.reversedBy, at: reversal.reversedAt },
  };
}

export function toApiCreditNote(note: StoredCreditNote): object {
  const amount = inCurrency(note.currency);
  return {
    credit_note_id: note.creditNoteId,
    number: note.number,
    type: 'credit_note',
    invoice_id: note.invoiceId,
    invoice_number: note.invoiceNumber,
    customer_id: note.customerId,
    currency: note.currency,
    status: note.void === null ? 'issued' : 'void',
    issued_at: note.issuedAt,
    issued_by: note.issuedBy,
    reason: note.reason,
    seller: note.seller,
    buyer: note.buyer,
    subtotal: amount(note.subtotal),
    tax: amount(note.tax),
    total: amount(note.total),
    document_hash: note.documentHash,
    void:
      note.void === null ? null : { reason: note.void.reason, voided_by: note.void.voidedBy, at: note.void.voidedAt },
    lines: note.lines.map((line) => ({
      line_number: line.lineNumber,
      line_key: line.lineKey,
      credits_line_item_id: line.lineItemId,
      description: line.description,
      original_amount: amount(line.originalAmount),
      amount: amount(line.amount),
      tax: amount(line.tax),
      reason_code: line.reasonCode,
      reason: line.reason,
    })),
  };
}

/**
 * How a document stands.
 * @param creditable of an original
 */
export function toApiSettlement(
  { invoiceId, currency, status }: Invoice,
  {
    items,
    settlement,
    creditable,
  }: {
    readonly items: OpenItems;
    readonly settlement: InvoiceSettlement;
    readonly creditable: readonly CreditableLine[];
  },
): object {
  const amount = inCurrency(currency);
  const chain = items.chains.find(({ documents }) => documents.some((each) => each.invoiceId === invoiceId));
  const standing = chain === undefined ? undefined : standingOf(chain).documents.get(invoiceId);
  const allocatedFrom = (kind: AllocationSource['kind']): DecimalString =>
    addDecimals(settlement.allocations.filter(({ source }) => source.kind === kind).map((each) => each.amount));
  return {
    open: amount(standing?.open ?? zero),
    credited: amount(standing?.credited ?? zero),
    settled: amount(addDecimals(settlement.allocations.map((each) => each.amount))),
    settled_by: {
      paid: amount(allocatedFrom('payment')),
      credited: amount(addDecimals([standing?.credited ?? zero, allocatedFrom('chain')])),
      written_off: amount(allocatedFrom('write_off')),
    },
    creditable: (status === 'void' ? [] : creditable).map((line) => ({
      line_key: line.lineKey,
      line_item_id: line.lineItemId,
      description: line.description,
      invoiced: amount(line.invoiced),
      credited: amount(line.credited),
      creditable: amount(line.creditable),
    })),
    allocations: settlement.allocations.map(({ source, amount: settled, actor, reason, at }) => ({
      source: sourceName[source.kind],
      source_id: source.id,
      amount: amount(settled),
      actor,
      reason,
      at,
    })),
    credit_notes: settlement.creditNotes.map((note) => ({
      credit_note_id: note.creditNoteId,
      number: note.number,
      total: amount(note.total),
      status: note.void === null ? 'issued' : 'void',
    })),
  };
}

export function toApiReceivable(customerId: string, items: OpenItems): object {
  const { chains } = items;
  const currencies = currenciesOf(items);
  return {
    customer_id: customerId,
    currencies: currencies.map((currency) => {
      const amount = inCurrency(currency);
      const { open, unapplied, besideWriteOffs, balance } = receivableIn(items, currency);
      return {
        currency,
        open: amount(open),
        unapplied: amount(unapplied),
        beside_write_offs: amount(besideWriteOffs),
        balance: amount(balance),
      };
    }),
    open_documents: chains.flatMap((chain) => {
      const amount = inCurrency(chain.currency);
      const standing = standingOf(chain).documents;
      return chain.documents.flatMap((document) => {
        const { open, credited } = standing.get(document.invoiceId) ?? { open: zero, credited: zero };
        if (decimal(open).isZero()) return [];
        return {
          invoice_id: document.invoiceId,
          number: document.number,
          currency: chain.currency,
          status: document.status,
          due_at: document.dueAt,
          total: amount(document.total),
          credited: amount(credited),
          settled: amount(document.settled),
          open: amount(open),
        };
      });
    }),
    credits: currencies.flatMap((currency) =>
      creditsIn(items, currency).map(({ key, amount }) => ({
        source: sourceName[key.kind],
        source_id: key.id,
        currency,
        amount: formatAmount(toDecimalString(amount), currency),
      })),
    ),
  };
}

export function toApiAgeing(customerId: string, ageing: Ageing): object {
  const amount = inCurrency(ageing.currency);
  return {
    customer_id: customerId,
    currency: ageing.currency,
    open: amount(ageing.open),
    not_due: amount(ageing.notDue),
    overdue: Object.fromEntries(ageBuckets.map((bucket) => [bucket, amount(ageing.overdue[bucket])])),
    unapplied: amount(ageing.unapplied),
    beside_write_offs: amount(ageing.besideWriteOffs),
    balance: amount(ageing.balance),
  };
}

export function toApiApplied(allocations: readonly Allocation[]): object {
  return {
    allocations: allocations.map(({ source, target, amount }) => ({
      source: sourceName[source.kind],
      source_id: source.id,
      invoice_id: target.kind === 'invoice' ? target.id : null,
      refund_id: target.kind === 'refund' ? target.id : null,
      amount,
    })),
  };
}
