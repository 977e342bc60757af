/** Invoices as rows and back. */
import { defaultLegalEntity } from '../domain/invoicing/invoice-number.js';
import type {
  Invoice,
  InvoiceLineItem,
  InvoiceStatus,
  InvoiceType,
  LineCalculation,
  Party,
  PinnedVersions,
} from '../domain/invoicing/invoice.js';
import type { LineItemFacts } from '../domain/invoicing/line-item.js';
import { defaultPresentation } from '../domain/invoicing/presentation.js';
import type { Itemisation } from '../domain/invoicing/presentation.js';
import type { TaxLine, TaxTerms } from '../domain/tax/tax.js';
import type { DecimalString, GroupKey, Instant, LocalDate, Position } from '../domain/values.js';

export interface InvoiceRow {
  readonly invoice_id: string;
  readonly number: string;
  readonly type: InvoiceType;
  readonly customer_id: string;
  readonly period: LocalDate;
  readonly chain_place: number;
  readonly corrects_invoice_id: string | null;
  readonly replaces_invoice_id: string | null;
  readonly period_start: Instant;
  readonly period_end: Instant;
  readonly time_zone: string;
  readonly currency: string;
  readonly subtotal: DecimalString;
  readonly credits: DecimalString;
  readonly tax: DecimalString;
  readonly total: DecimalString;
  readonly seller: Party;
  readonly buyer: Party;
  readonly payment_terms: string;
  readonly cutoff_position: Position;
  readonly pinned_versions: PinnedVersions;
  readonly document_hash: string;
  readonly issued_at: Instant;
  readonly due_at: Instant;
  readonly legal_entity: string;
  readonly schema_version: number;
  readonly locale: string;
  readonly itemisation: Itemisation;
  readonly tax_terms: TaxTerms | null;
}

/** `null` throughout on the lines of document schema 1. */
interface ItemRow {
  readonly kind: LineItemFacts['kind'] | null;
  readonly charge_code: string | null;
  readonly unit: string | null;
  readonly unit_price: DecimalString | null;
  readonly tags: LineItemFacts['tags'] | null;
  readonly metadata: LineItemFacts['metadata'] | null;
  readonly provenance: LineItemFacts['provenance'] | null;
  readonly tax_lines: readonly number[];
}

interface TaxLineRow {
  readonly invoice_id: string;
  readonly tax_line_number: number;
  readonly jurisdiction: string;
  readonly category: TaxLine['category'];
  readonly rate: DecimalString;
  readonly taxable_amount: DecimalString;
  readonly amount: DecimalString;
  readonly reason_code: string | null;
  readonly reason: string | null;
}

/** A document with its tax lines and what it has drawn, in order. */
export interface CreditedInvoiceRow extends InvoiceRow {
  readonly credit_draws: readonly { readonly grant_id: string; readonly amount: DecimalString }[];
  readonly tax_lines: readonly Omit<TaxLineRow, 'invoice_id'>[];
}

export interface LineRow extends ItemRow {
  readonly line_item_id: string;
  readonly invoice_id: string;
  readonly line_number: number;
  readonly line_key: string;
  readonly description: string;
  readonly meter: string | null;
  readonly group_key: GroupKey;
  readonly service_from: Instant;
  readonly service_to: Instant;
  readonly quantity: DecimalString | null;
  readonly amount: DecimalString;
  readonly currency: string;
  readonly original_amount: DecimalString | null;
  readonly corrected_amount: DecimalString | null;
  readonly reason: string | null;
  readonly corrects_line_item_id: string | null;
  readonly charge_ids: readonly string[];
  readonly calculation_metadata: LineCalculation;
}

interface TransitionRow {
  readonly invoice_id: string;
  readonly sequence: number;
  readonly status: InvoiceStatus;
  readonly actor: string;
  readonly reason: string | null;
}

export interface InvoiceRows {
  readonly invoice: InvoiceRow;
  readonly lines: readonly LineRow[];
  readonly taxLines: readonly TaxLineRow[];
  readonly transition: TransitionRow;
}

/** The rows of an invoice that is issued now, with its first transition. */
export function issuedInvoiceToDb(invoice: Invoice, actor: string): InvoiceRows {
  const { invoiceId } = invoice;
  return {
    invoice: {
      invoice_id: invoiceId,
      number: invoice.number,
      type: invoice.type,
      customer_id: invoice.customerId,
      period: invoice.period,
      chain_place: invoice.chainPlace,
      corrects_invoice_id: invoice.correctsInvoiceId,
      replaces_invoice_id: invoice.replacesInvoiceId,
      period_start: invoice.periodStart,
      period_end: invoice.periodEnd,
      time_zone: invoice.timeZone,
      currency: invoice.currency,
      subtotal: invoice.subtotal,
      credits: invoice.credits,
      tax: invoice.tax,
      total: invoice.total,
      seller: invoice.seller,
      buyer: invoice.buyer,
      payment_terms: invoice.paymentTerms,
      cutoff_position: invoice.cutoffPosition,
      pinned_versions: invoice.pinnedVersions,
      document_hash: invoice.documentHash,
      issued_at: invoice.issuedAt,
      due_at: invoice.dueAt,
      legal_entity: invoice.legalEntity ?? defaultLegalEntity,
      schema_version: invoice.schemaVersion ?? 1,
      ...(invoice.presentation ?? defaultPresentation),
      tax_terms: invoice.taxes?.terms ?? null,
    },
    lines: invoice.lines.map((line) => lineToDb(invoiceId, line)),
    taxLines: (invoice.taxes?.lines ?? []).map((line) => taxLineToDb(invoiceId, line)),
    transition: { invoice_id: invoiceId, sequence: 1, status: 'issued', actor, reason: null },
  };
}

function lineToDb(invoiceId: string, line: InvoiceLineItem): LineRow {
  return {
    line_item_id: line.lineItemId,
    invoice_id: invoiceId,
    line_number: line.lineNumber,
    line_key: line.lineKey,
    description: line.description,
    meter: line.meter,
    group_key: line.group,
    service_from: line.serviceFrom,
    service_to: line.serviceTo,
    quantity: line.quantity,
    amount: line.amount,
    currency: line.currency,
    original_amount: line.originalAmount,
    corrected_amount: line.correctedAmount,
    reason: line.reason,
    corrects_line_item_id: line.correctsLineItemId,
    charge_ids: line.chargeIds,
    calculation_metadata: line.calculation,
    kind: line.item?.kind ?? null,
    charge_code: line.item?.chargeCode ?? null,
    unit: line.item?.unit ?? null,
    unit_price: line.item?.unitPrice ?? null,
    tags: line.item?.tags ?? null,
    metadata: line.item?.metadata ?? null,
    provenance: line.item?.provenance ?? null,
    tax_lines: line.item?.taxLines ?? [],
  };
}

function taxLineToDb(invoiceId: string, line: TaxLine): TaxLineRow {
  return {
    invoice_id: invoiceId,
    tax_line_number: line.taxLineNumber,
    jurisdiction: line.jurisdiction,
    category: line.category,
    rate: line.rate,
    taxable_amount: line.taxableAmount,
    amount: line.amount,
    reason_code: line.reasonCode,
    reason: line.reason,
  };
}

const taxLineFromDb = (row: Omit<TaxLineRow, 'invoice_id'>): TaxLine => ({
  taxLineNumber: row.tax_line_number,
  jurisdiction: row.jurisdiction,
  category: row.category,
  rate: row.rate,
  taxableAmount: row.taxable_amount,
  amount: row.amount,
  reasonCode: row.reason_code,
  reason: row.reason,
});

/** @param lines of this invoice, by line number. */
export function invoiceFromDb(
  row: CreditedInvoiceRow & { readonly status: InvoiceStatus },
  lines: readonly LineRow[],
): Invoice {
  return {
    invoiceId: row.invoice_id,
    number: row.number,
    type: row.type,
    customerId: row.customer_id,
    period: row.period,
    periodStart: row.period_start,
    periodEnd: row.period_end,
    timeZone: row.time_zone,
    chainPlace: row.chain_place,
    correctsInvoiceId: row.corrects_invoice_id,
    replacesInvoiceId: row.replaces_invoice_id,
    currency: row.currency,
    status: row.status,
    subtotal: row.subtotal,
    credits: row.credits,
    creditDraws: row.credit_draws.map(({ grant_id: grantId, amount }) => ({ grantId, amount })),
    tax: row.tax,
    total: row.total,
    seller: row.seller,
    buyer: row.buyer,
    paymentTerms: row.payment_terms,
    cutoffPosition: row.cutoff_position,
    pinnedVersions: row.pinned_versions,
    documentHash: row.document_hash,
    issuedAt: row.issued_at,
    dueAt: row.due_at,
    ...(row.tax_terms !== null && { taxes: { terms: row.tax_terms, lines: row.tax_lines.map(taxLineFromDb) } }),
    ...(row.schema_version > 1 && {
      schemaVersion: row.schema_version,
      presentation: { itemisation: row.itemisation, locale: row.locale },
    }),
    lines: lines.map(lineFromDb),
    ...(row.legal_entity !== defaultLegalEntity && { legalEntity: row.legal_entity }),
  };
}

export function lineFromDb(row: LineRow): InvoiceLineItem {
  return {
    lineItemId: row.line_item_id,
    lineNumber: row.line_number,
    lineKey: row.line_key,
    description: row.description,
    meter: row.meter,
    group: row.group_key,
    serviceFrom: row.service_from,
    serviceTo: row.service_to,
    quantity: row.quantity,
    amount: row.amount,
    currency: row.currency,
    originalAmount: row.original_amount,
    correctedAmount: row.corrected_amount,
    reason: row.reason,
    correctsLineItemId: row.corrects_line_item_id,
    chargeIds: row.charge_ids,
    calculation: row.calculation_metadata,
    ...itemFromDb(row),
  };
}

function itemFromDb(row: ItemRow): Pick<InvoiceLineItem, 'item'> {
  const { kind, charge_code: chargeCode, tags, metadata, provenance } = row;
  if (kind === null || chargeCode === null || tags === null || metadata === null || provenance === null) return {};
  const { unit, unit_price: unitPrice, tax_lines: taxLines } = row;
  return { item: { kind, chargeCode, unit, unitPrice, tags, metadata, provenance, taxLines } };
}
