import { DomainFailure } from '../failure.js';
import type { InvoiceStatus } from './invoice.js';

/**
 * The life of an invoice (RULES 51). A status is never stored on the document: it is the last of its transitions, each a fact
 * with actor, time and reason. Paid and partly paid invoices are credited, never voided (RULES 28), and nothing leaves `void`.
 * What was settled can be open again: a payment bounces. The database holds the same table for what is issued.
 */
export const invoiceTransitions: Readonly<Record<InvoiceStatus, readonly InvoiceStatus[]>> = {
  draft: ['held', 'issued'],
  held: ['draft', 'issued'],
  issued: ['partly_paid', 'paid', 'overdue', 'void'],
  partly_paid: ['issued', 'paid', 'overdue'],
  overdue: ['issued', 'partly_paid', 'paid', 'void'],
  paid: ['issued', 'partly_paid', 'overdue'],
  void: [],
};

export function canTransition(from: InvoiceStatus, to: InvoiceStatus): boolean {
  return invoiceTransitions[from].includes(to);
}

/** @throws DomainFailure INVOICE_VOID, INVOICE_TRANSITION_REFUSED, which says what is allowed */
export function requireTransition(
  document: { readonly number: string; readonly status: InvoiceStatus },
  to: InvoiceStatus,
): void {
  const { number, status } = document;
  if (canTransition(status, to)) return;
  if (status === 'void') throw new DomainFailure('INVOICE_VOID', `${number} is void already.`);
  const detail = `${number} is ${words(status)} and cannot become ${words(to)}; from there it can become ${listOf(invoiceTransitions[status])}.${adviceFor(to)}`;
  throw new DomainFailure('INVOICE_TRANSITION_REFUSED', detail);
}

const words = (status: InvoiceStatus): string => status.replace('_', ' ');

const listOf = (statuses: readonly InvoiceStatus[]): string => statuses.map(words).join(', ');

/** Paid invoices are credited (RULES 28). */
function adviceFor(to: InvoiceStatus): string {
  return to === 'void' ? ' Credit it (POST /invoices/{id}/credit-notes), or reverse what has settled it first.' : '';
}
