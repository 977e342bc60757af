import { decimal, toDecimalString } from '../decimal.js';
import { formatAmount } from '../money/rounding.js';
import type { GroupKey, Instant } from '../values.js';
import type { Invoice, InvoiceLineItem, InvoiceStatus, InvoiceType, LineCalculation, Party } from './invoice.js';

export interface InvoiceLineWire {
  readonly line_item_id: string;
  readonly description: string;
  readonly meter: string | null;
  readonly group: GroupKey;
  readonly quantity: string | null;
  readonly amount: string;
  readonly charge_ids: readonly string[];
  readonly calculation: LineCalculation;
  /** The following stand on the lines of corrections only. */
  readonly original_amount?: string;
  readonly corrected_amount?: string;
  readonly reason?: string;
  readonly corrects_line_item_id?: string;
}

export interface InvoiceWire {
  readonly invoice_id: string;
  readonly number: string;
  readonly type: InvoiceType;
  readonly corrects_invoice_id: string | null;
  readonly customer_id: string;
  readonly period: { readonly from: Instant; readonly to: Instant };
  readonly currency: string;
  readonly status: InvoiceStatus;
  readonly issued_at: Instant;
  readonly due_at: Instant;
  readonly seller: Party;
  readonly buyer: Party;
  readonly payment_terms: string;
  readonly subtotal: string;
  readonly credits: string;
  readonly tax: string;
  readonly total: string;
  readonly document_hash: string;
  readonly lines: readonly InvoiceLineWire[];
}

/** The invoice as the API shows it; amounts with all digits of the currency's minor unit. */
export function invoiceToWire(invoice: Invoice): InvoiceWire {
  const amount = (value: Invoice['total']): string => formatAmount(value, invoice.currency);
  return {
    invoice_id: invoice.invoiceId,
    number: invoice.number,
    type: invoice.type,
    corrects_invoice_id: invoice.correctsInvoiceId,
    customer_id: invoice.customerId,
    period: { from: invoice.periodStart, to: invoice.periodEnd },
    currency: invoice.currency,
    status: invoice.status,
    issued_at: invoice.issuedAt,
    due_at: invoice.dueAt,
    seller: invoice.seller,
    buyer: invoice.buyer,
    payment_terms: invoice.paymentTerms,
    subtotal: amount(invoice.subtotal),
    credits: amount(invoice.credits),
    tax: amount(invoice.tax),
    total: amount(invoice.total),
    document_hash: invoice.documentHash,
    lines: invoice.lines.map(lineToWire),
  };
}

function lineToWire(line: InvoiceLineItem): InvoiceLineWire {
  return {
    line_item_id: line.lineItemId,
    description: line.description,
    meter: line.meter,
    group: line.group,
    quantity: line.quantity === null ? null : toDecimalString(decimal(line.quantity)),
    amount: formatAmount(line.amount, line.currency),
    charge_ids: line.chargeIds,
    calculation: line.calculation,
    ...(line.originalAmount === null ? {} : { original_amount: formatAmount(line.originalAmount, line.currency) }),
    ...(line.correctedAmount === null ? {} : { corrected_amount: formatAmount(line.correctedAmount, line.currency) }),
    ...(line.reason === null ? {} : { reason: line.reason }),
    ...(line.correctsLineItemId === null ? {} : { corrects_line_item_id: line.correctsLineItemId }),
  };
}
