import { decimal, toDecimalString } from '../decimal.js';
import { formatAmount } from '../money/rounding.js';
import type { TaxCategory, TaxLine, TaxTerms } from '../tax/tax.js';
import type { DecimalString, GroupKey, Instant, LocalDate, Position } from '../values.js';
import { defaultLegalEntity } from './invoice-number.js';
import type {
  Invoice,
  InvoiceLineItem,
  InvoiceStatus,
  InvoiceType,
  LineCalculation,
  Party,
  PinnedVersions,
} from './invoice.js';
import { itemOf } from './line-item.js';
import type { LineKind, LineProvenance } from './line-item.js';
import { defaultPresentation } from './presentation.js';
import type { Itemisation } from './presentation.js';

export interface InvoiceLineWire {
  readonly line_item_id: string;
  readonly line_number: number;
  /** The line's identity in its chain (RULES 26). */
  readonly line_key: string;
  readonly service: { readonly from: Instant; readonly to: Instant };
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
  readonly schema_version: number;
  readonly kind: LineKind;
  readonly charge_code: string;
  readonly unit: string | null;
  readonly unit_price: string | null;
  readonly currency: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly metadata: Readonly<Record<string, string>>;
  readonly provenance: LineProvenance & { readonly cutoff_position: Position };
  /** Numbers of the document's tax lines. */
  readonly tax_lines: readonly number[];
}

export interface TaxLineWire {
  readonly tax_line_number: number;
  readonly jurisdiction: string;
  readonly category: TaxCategory;
  readonly rate: string;
  readonly taxable_amount: string;
  readonly amount: string;
  readonly reason_code: string | null;
  readonly reason: string | null;
}

export interface InvoiceWire {
  readonly invoice_id: string;
  readonly number: string;
  readonly type: InvoiceType;
  readonly corrects_invoice_id: string | null;
  readonly replaces_invoice_id: string | null;
  readonly chain_place: number;
  readonly customer_id: string;
  readonly period: {
    readonly name: LocalDate;
    readonly from: Instant;
    readonly to: Instant;
    readonly time_zone: string;
  };
  readonly currency: string;
  readonly status: InvoiceStatus;
  readonly issued_at: Instant;
  readonly due_at: Instant;
  readonly legal_entity: string;
  readonly seller: Party;
  readonly buyer: Party;
  readonly payment_terms: string;
  readonly subtotal: string;
  readonly credits: string;
  /** Only where there are any: positive drawn, negative restored. */
  readonly credit_draws?: readonly { readonly grant_id: string; readonly amount: string }[];
  readonly tax: string;
  /** Left out: nothing was taxed. */
  readonly taxes?: { readonly terms: TaxTerms; readonly lines: readonly TaxLineWire[] };
  readonly total: string;
  /** The ledger position through which the facts are part of it, and the versions they were rated with. */
  readonly cutoff_position: Position;
  readonly pinned_versions: PinnedVersions;
  readonly document_hash: string;
  /** What the hash covers. */
  readonly schema_version: number;
  readonly itemisation: Itemisation;
  readonly locale: string;
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
    replaces_invoice_id: invoice.replacesInvoiceId,
    chain_place: invoice.chainPlace,
    customer_id: invoice.customerId,
    period: { name: invoice.period, from: invoice.periodStart, to: invoice.periodEnd, time_zone: invoice.timeZone },
    currency: invoice.currency,
    status: invoice.status,
    issued_at: invoice.issuedAt,
    due_at: invoice.dueAt,
    legal_entity: invoice.legalEntity ?? defaultLegalEntity,
    seller: invoice.seller,
    buyer: invoice.buyer,
    payment_terms: invoice.paymentTerms,
    subtotal: amount(invoice.subtotal),
    credits: amount(invoice.credits),
    ...(invoice.creditDraws.length > 0 && {
      credit_draws: invoice.creditDraws.map((draw) => ({ grant_id: draw.grantId, amount: amount(draw.amount) })),
    }),
    tax: amount(invoice.tax),
    ...(invoice.taxes !== undefined && {
      taxes: { terms: invoice.taxes.terms, lines: invoice.taxes.lines.map((line) => taxLineToWire(line, amount)) },
    }),
    total: amount(invoice.total),
    cutoff_position: invoice.cutoffPosition,
    pinned_versions: invoice.pinnedVersions,
    document_hash: invoice.documentHash,
    schema_version: invoice.schemaVersion ?? 1,
    ...(invoice.presentation ?? defaultPresentation),
    lines: invoice.lines.map((line) => lineToWire(line, invoice)),
  };
}

function taxLineToWire(line: TaxLine, amount: (value: DecimalString) => string): TaxLineWire {
  return {
    tax_line_number: line.taxLineNumber,
    jurisdiction: line.jurisdiction,
    category: line.category,
    rate: toDecimalString(decimal(line.rate)),
    taxable_amount: amount(line.taxableAmount),
    amount: amount(line.amount),
    reason_code: line.reasonCode,
    reason: line.reason,
  };
}

function lineToWire(line: InvoiceLineItem, invoice: Invoice): InvoiceLineWire {
  const item = itemOf(line, invoice);
  return {
    line_item_id: line.lineItemId,
    line_number: line.lineNumber,
    line_key: line.lineKey,
    service: { from: line.serviceFrom, to: line.serviceTo },
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
    schema_version: invoice.schemaVersion ?? 1,
    kind: item.kind,
    charge_code: item.chargeCode,
    unit: item.unit,
    unit_price: item.unitPrice === null ? null : toDecimalString(decimal(item.unitPrice)),
    currency: line.currency,
    tags: item.tags,
    metadata: item.metadata,
    provenance: { ...item.provenance, cutoff_position: invoice.cutoffPosition },
    tax_lines: item.taxLines,
  };
}
