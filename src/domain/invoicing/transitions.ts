import type { InvoiceStatus } from './invoice.js';

/**
 * The life of an invoice. A status is never stored on the document: it is the last of its transitions. Paid invoices are
 * credited, never voided (RULES 28), and nothing leaves `void`.
 */
export const invoiceTransitions: Readonly<Record<InvoiceStatus, readonly InvoiceStatus[]>> = {
  draft: ['held', 'issued'],
  held: ['draft', 'issued'],
  issued: ['partly_paid', 'paid', 'overdue', 'void'],
  partly_paid: ['paid', 'overdue'],
  overdue: ['partly_paid', 'paid', 'void'],
  paid: [],
  void: [],
};

export function canTransition(from: InvoiceStatus, to: InvoiceStatus): boolean {
  return invoiceTransitions[from].includes(to);
}
