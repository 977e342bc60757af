/** Settlement as rows and back. */
import type { Allocation, AllocationSource, AllocationTarget } from '../domain/settlement/allocation.js';
import type { StatusChange } from '../domain/settlement/status.js';
import type { InvoiceStatus } from '../domain/invoicing/invoice.js';
import type { DecimalString, Instant } from '../domain/values.js';
import { uuidOf } from './identifiers.js';
import type { Reversal, SettlementCause } from './types-settlement.js';

/** A row of `allocations` as JSON. */
export interface AllocationRow {
  readonly allocation_id: string;
  readonly customer_id: string;
  readonly currency: string;
  readonly payment_id: string | null;
  readonly source_invoice_id: string | null;
  readonly write_off_id: string | null;
  readonly invoice_id: string | null;
  readonly refund_id: string | null;
  readonly amount: DecimalString;
  readonly actor: string;
  readonly reason: string;
}

/** A row of `invoice_transitions` as JSON; the statement counts the sequence. */
export interface StatusChangeRow {
  readonly invoice_id: string;
  readonly status: InvoiceStatus;
  readonly actor: string;
  readonly reason: string;
}

export interface CreditNoteVoidRow {
  readonly credit_note_id: string;
  readonly reason: string;
  readonly voided_by: string;
}

export interface AllocationFacts extends SettlementCause {
  readonly customerId: string;
  readonly currency: string;
}

export const allocationId = (causeId: string, { source, target }: Pick<Allocation, 'source' | 'target'>): string =>
  uuidOf('allocation', causeId, source.kind, source.id, target.kind, target.id);

export function allocationToDb(
  allocation: Allocation,
  { id, actor, reason, customerId, currency }: AllocationFacts,
): AllocationRow {
  const { source, target, amount } = allocation;
  const from = (kind: AllocationSource['kind']): string | null => (source.kind === kind ? source.id : null);
  const to = (kind: AllocationTarget['kind']): string | null => (target.kind === kind ? target.id : null);
  return {
    allocation_id: allocationId(id, allocation),
    customer_id: customerId,
    currency,
    payment_id: from('payment'),
    source_invoice_id: from('chain'),
    write_off_id: from('write_off'),
    invoice_id: to('invoice'),
    refund_id: to('refund'),
    amount,
    actor,
    reason,
  };
}

type SourceColumns = Pick<AllocationRow, 'payment_id' | 'source_invoice_id' | 'write_off_id'>;

export function sourceOf({
  payment_id: payment,
  source_invoice_id: chain,
  write_off_id: writeOff,
}: SourceColumns): AllocationSource {
  if (payment !== null) return { kind: 'payment', id: payment };
  return chain === null ? { kind: 'write_off', id: writeOff ?? '' } : { kind: 'chain', id: chain };
}

export function targetOf({
  invoice_id: invoice,
  refund_id: refund,
}: Pick<AllocationRow, 'invoice_id' | 'refund_id'>): AllocationTarget {
  return invoice === null ? { kind: 'refund', id: refund ?? '' } : { kind: 'invoice', id: invoice };
}

export const sourceColumns: Readonly<Record<AllocationSource['kind'], string>> = {
  payment: 'payment_id',
  chain: 'source_invoice_id',
  write_off: 'write_off_id',
};

export function statusToDb({ invoiceId, to }: StatusChange, { actor, reason }: SettlementCause): StatusChangeRow {
  return { invoice_id: invoiceId, status: to, actor, reason };
}

/** Of the reversal that a row is joined with, if it has one. */
export interface ReversalColumns {
  readonly reversal_reason: string | null;
  readonly reversed_by: string | null;
  readonly reversed_at: Instant | null;
}

export function reversalFromDb(row: ReversalColumns): Reversal | null {
  const { reversal_reason: reason, reversed_by: reversedBy, reversed_at: reversedAt } = row;
  return reason === null || reversedBy === null || reversedAt === null ? null : { reason, reversedBy, reversedAt };
}
