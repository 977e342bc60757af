import type { CreditDraw } from '../credits/grant.js';
import { decimal, toDecimalString } from '../decimal.js';
import type { DecimalString } from '../values.js';
import type { DocumentTax } from '../tax/tax.js';
import type { Invoice, InvoiceLineItem } from './invoice.js';
import type { LineItemFacts } from './line-item.js';

/** A document as far as two runs over the same facts must agree on it. Plain JSON. */
export type InvoiceHashInput = Readonly<Record<string, unknown>>;

/** What depends on when and in which order documents were made, or changes later, stays outside the hash. */
export type HashedInvoice = Omit<
  Invoice,
  'number' | 'documentHash' | 'status' | 'cutoffPosition' | 'issuedAt' | 'dueAt' | 'presentation'
>;

/**
 * The object whose canonical JSON (RFC 8785) is hashed to `documentHash`: everything the document says, but for its
 * number, ledger positions, clock instants and status (DESIGN 1). Decimals are brought to one form, so that a document
 * read back from `numeric` columns hashes to the same text. What a later schema added is left out of an earlier one's, so that
 * what was issued keeps its hash.
 */
export function invoiceHashInput(invoice: HashedInvoice): InvoiceHashInput {
  return {
    invoice_id: invoice.invoiceId,
    type: invoice.type,
    customer_id: invoice.customerId,
    period: { name: invoice.period, from: invoice.periodStart, to: invoice.periodEnd, time_zone: invoice.timeZone },
    chain_place: invoice.chainPlace,
    corrects_invoice_id: invoice.correctsInvoiceId,
    replaces_invoice_id: invoice.replacesInvoiceId,
    currency: invoice.currency,
    subtotal: plain(invoice.subtotal),
    credits: plain(invoice.credits),
    ...(invoice.creditDraws.length > 0 && { credit_draws: invoice.creditDraws.map(drawHashInput) }),
    tax: plain(invoice.tax),
    total: plain(invoice.total),
    ...(invoice.legalEntity !== undefined && { legal_entity: invoice.legalEntity }),
    seller: invoice.seller,
    buyer: invoice.buyer,
    payment_terms: invoice.paymentTerms,
    pinned_versions: invoice.pinnedVersions,
    ...(isLater(invoice) && { schema_version: invoice.schemaVersion }),
    ...(invoice.taxes !== undefined && { taxes: taxHashInput(invoice.taxes) }),
    lines: invoice.lines.map(lineHashInput),
  };
}

const isLater = ({ schemaVersion = 1 }: HashedInvoice): boolean => schemaVersion > 1;

function taxHashInput({ terms, lines }: DocumentTax): InvoiceHashInput {
  return {
    terms,
    lines: lines.map((line) => ({
      tax_line_number: line.taxLineNumber,
      jurisdiction: line.jurisdiction,
      category: line.category,
      rate: plain(line.rate),
      taxable_amount: plain(line.taxableAmount),
      amount: plain(line.amount),
      reason_code: line.reasonCode,
      reason: line.reason,
    })),
  };
}

function lineHashInput(line: InvoiceLineItem): InvoiceHashInput {
  return {
    line_item_id: line.lineItemId,
    line_number: line.lineNumber,
    line_key: line.lineKey,
    description: line.description,
    meter: line.meter,
    group: line.group,
    service: { from: line.serviceFrom, to: line.serviceTo },
    quantity: plainOrNull(line.quantity),
    amount: plain(line.amount),
    currency: line.currency,
    original_amount: plainOrNull(line.originalAmount),
    corrected_amount: plainOrNull(line.correctedAmount),
    reason: line.reason,
    corrects_line_item_id: line.correctsLineItemId,
    charge_ids: line.chargeIds,
    calculation: line.calculation,
    ...(line.item !== undefined && { item: itemHashInput(line.item) }),
  };
}

function itemHashInput(item: LineItemFacts): InvoiceHashInput {
  return {
    kind: item.kind,
    charge_code: item.chargeCode,
    unit: item.unit,
    unit_price: plainOrNull(item.unitPrice),
    tags: item.tags,
    metadata: item.metadata,
    provenance: item.provenance,
    tax_lines: item.taxLines,
  };
}

/** A document without draws says nothing of them, as those did that were issued before there were credits. */
function drawHashInput({ grantId, amount }: CreditDraw): InvoiceHashInput {
  return { grant_id: grantId, amount: plain(amount) };
}

const plain = (value: DecimalString): DecimalString => toDecimalString(decimal(value));
const plainOrNull = (value: DecimalString | null): DecimalString | null => (value === null ? null : plain(value));
