/** Domain → wire: snake_case, and nothing that the contract does not show. */
import { billingPeriodWorkflowId } from '../../contracts/names.js';
import { defaultLegalEntity } from '../../domain/invoicing/invoice-number.js';
import { defaultPresentation } from '../../domain/invoicing/presentation.js';
import type { Meter } from '../../domain/metering/meter.js';
import { defaultTaxTreatment } from '../../domain/tax/tax.js';
import type { TaxTreatment } from '../../domain/tax/tax.js';
import { formatAmount } from '../../domain/money/rounding.js';
import { priceBookToWire } from '../../domain/rating/price-book-to-wire.js';
import type { PriceBookVersion } from '../../domain/rating/price-book.js';
import type {
  BillingPeriodStatus,
  ChargeEvent,
  Customer,
  Finding,
  Page,
  PriceBookAssignment,
  StoredEntry,
  StoredEvent,
} from '../../storage/types.js';
import { parseExactJson, type ExactJson } from '../ingest/exact-json.js';
import type { CustomerWire, MeterWire } from '../schemas/reference.js';

export function toApiPage<T, U>(page: Page<T>, toApi: (item: T) => U): { data: U[]; next_cursor: string | null } {
  return { data: page.data.map(toApi), next_cursor: page.nextCursor };
}

/** `assignment`: the one learned last; the customer shows from when on its price book holds. */
export function toApiCustomer(customer: Customer, assignment: PriceBookAssignment | null): CustomerWire {
  return {
    customer_id: customer.customerId,
    name: customer.name,
    currency: customer.currency,
    time_zone: customer.timeZone,
    billing_anchor_day: customer.billingAnchorDay,
    billing_from: customer.billingFrom,
    price_book: customer.priceBook,
    price_book_from: assignment?.effectiveFrom ?? null,
    price_book_until: assignment?.effectiveUntil ?? null,
    invoice_delay: customer.invoiceDelay,
    late_usage_quiet_time: customer.lateUsageQuietTime,
    skip_empty_invoices: customer.skipEmptyInvoices,
    grace_period: customer.gracePeriod ?? 'PT0S',
    invoice_approval: customer.invoiceApproval ?? 'none',
    approval_threshold: customer.approvalThreshold,
    currency_conversion:
      customer.currencyConversion === null
        ? null
        : { source: customer.currencyConversion.source, max_age_days: customer.currencyConversion.maxAgeDays },
    tags: { ...customer.tags },
    buyer: { ...customer.buyer },
    legal_entity: customer.legalEntity ?? defaultLegalEntity,
    ...(customer.presentation ?? defaultPresentation),
    tax: taxToApi(customer.tax ?? defaultTaxTreatment),
    version: customer.version,
  };
}

const taxToApi = ({ treatment, exemptionReason }: TaxTreatment): CustomerWire['tax'] => ({
  treatment,
  exemption_reason: exemptionReason,
});

export function toApiMeter(meter: Meter): MeterWire {
  return {
    meter_id: meter.meterId,
    code: meter.code,
    version: meter.version,
    event_type: meter.eventType,
    aggregation: meter.aggregation,
    value_property: meter.aggregation === 'count' ? null : meter.valueProperty,
    count_property: meter.aggregation === 'count' ? meter.valueProperty : null,
    group_by: [...meter.groupBy],
    filters: Object.fromEntries(Object.entries(meter.filters).map(([property, allowed]) => [property, [...allowed]])),
    window: meter.windowSize,
    allowed_lateness: meter.allowedLateness,
    allow_negative: meter.allowNegative,
    max_groups: meter.maxGroups,
    effective_from: meter.effectiveFrom,
  };
}

export function toApiPriceBook(version: PriceBookVersion): object {
  const { priceBookId, isCandidate = false } = version;
  return { price_book_id: priceBookId, ...priceBookToWire(version), ...(isCandidate && { rollout: true }) };
}

/** Contains exact numbers: to be sent with `stringifyExactJson`. */
export function toApiEvent(event: StoredEvent): Readonly<Record<string, ExactJson>> {
  return {
    event_id: event.eventId,
    source: event.source,
    customer_id: event.customerId,
    event_type: event.eventType,
    event_time: event.eventTime,
    metadata: parseExactJson(event.metadataJson),
    request_id: event.provenance.requestId,
    user_id: event.provenance.userId,
    trace_id: event.provenance.traceId,
    ingestion_time: event.ingestionTime,
    position: event.position,
    backfill_id: event.backfillId,
    schema_version: event.schemaVersion,
  };
}

/** As `toApiEvent`. */
export function toApiChargeEvent(event: ChargeEvent): Readonly<Record<string, ExactJson>> {
  return { ...toApiEvent(event), stands_for: event.standsFor, value: event.value };
}

/** @param corrections ids of the corrections that count, in order */
export function toApiBillingPeriod(status: BillingPeriodStatus, corrections: readonly string[]): object {
  return {
    customer_id: status.customerId,
    period: status.period,
    from: status.from,
    to: status.to,
    time_zone: status.timeZone,
    stage: status.stage,
    windows: status.windows,
    closed_windows: status.closedWindows,
    last_cutoff: status.lastCutoff,
    invoice_id: status.invoiceId,
    corrections,
    invoiced_cutoff: status.invoicedCutoff,
    workflow_id: billingPeriodWorkflowId(status.customerId, status.period),
    waits_for: status.waitsFor.map(({ code, detail, id, dueAt }) => ({ code, detail, id, due_at: dueAt })),
  };
}

export function toApiEntry(entry: StoredEntry): object {
  return {
    entry_id: entry.entryId,
    entry_order: entry.entryOrder,
    source_document: entry.sourceDocument,
    customer_id: entry.customerId,
    invoice_id: entry.invoiceId,
    posting_date: entry.postingDate,
    service_period: { from: entry.serviceFrom, to: entry.serviceTo },
    description: entry.description,
    created_at: entry.createdAt,
    postings: entry.postings.map((posting) => ({
      account: posting.account,
      line_item_id: posting.lineItemId,
      invoice_id: posting.invoiceId ?? null,
      product: posting.product ?? null,
      currency: posting.currency,
      amount: formatAmount(posting.amount, posting.currency),
    })),
  };
}

export function toApiFinding(finding: Finding): object {
  return {
    finding_id: finding.findingId,
    code: finding.code,
    customer_id: finding.customerId,
    period: finding.period,
    subject: finding.subject,
    detail: finding.detail,
    class: finding.class ?? null,
    found_at: finding.foundAt,
    resolution:
      finding.resolution === null
        ? null
        : {
            resolution: finding.resolution.resolution,
            reason: finding.resolution.reason,
            resolved_by: finding.resolution.resolvedBy,
            resolved_at: finding.resolution.resolvedAt,
          },
  };
}
