/** GET /events/{customer_id}/{event_id}: an event and what became of it. */
import { DomainFailure } from '../../domain/failure.js';
import type { Invoice, InvoiceLineItem } from '../../domain/invoicing/invoice.js';
import { groupOf, quantityOf, takes } from '../../domain/metering/fold.js';
import { groupKeyText, projectGroup } from '../../domain/metering/group-key.js';
import type { Metadata } from '../../domain/metering/metadata.js';
import type { Meter } from '../../domain/metering/meter.js';
import { windowOf } from '../../domain/metering/window.js';
import { isWithin } from '../../domain/time/instant.js';
import type { DecimalString, GroupKey, Interval } from '../../domain/values.js';
import type { BillingPeriod, BillingPeriodStage, Storage, StoredCharge, StoredEvent } from '../../storage/types.js';
import { parseExactJson } from '../ingest/exact-json.js';

type TraceStorage = Pick<Storage, 'reference' | 'ledger' | 'periods' | 'billing'>;

/** One meter that takes the event. */
export interface MeteringOfEvent {
  readonly meter: string;
  readonly group: GroupKey;
  readonly window: Interval;
  readonly quantity: DecimalString | null;
  /** The charge whose cutoff includes the event, and the line that bills it; null before the period is invoiced. */
  readonly billed: { readonly chargeId: string; readonly invoice: Invoice; readonly line: InvoiceLineItem } | null;
}

export interface EventTrace {
  readonly event: StoredEvent;
  readonly period: BillingPeriod;
  readonly stage: BillingPeriodStage;
  /** Empty for an unmetered event (RULES 10). */
  readonly metering: readonly MeteringOfEvent[];
}

/** @throws DomainFailure EVENT_NOT_FOUND */
export async function traceEvent(
  storage: TraceStorage,
  identity: { customerId: string; source: string; eventId: string },
): Promise<EventTrace> {
  const event = await storage.ledger.findEvent(identity.customerId, identity.source, identity.eventId);
  if (event === null) {
    const source = identity.source === '' ? 'without a source' : `from source "${identity.source}"`;
    const detail = `Customer "${identity.customerId}" has no event "${identity.eventId}" ${source}. Rejected events are under GET /dead-letters.`;
    throw new DomainFailure('EVENT_NOT_FOUND', detail);
  }
  const period = await storage.periods.periodAt(event.customerId, event.eventTime);
  const status = await storage.periods.status(event.customerId, period.period);
  const invoices = await storage.billing.listInvoices(
    { customerId: event.customerId, period: period.period },
    { limit: 100 },
  );
  const metadata = parseExactJson(event.metadataJson) as Metadata;
  const meters = (await storage.reference.meters()).filter((meter) => takes(meter, event.eventType, metadata));
  const metering = await Promise.all(
    meters.map((meter) => meteringOf(storage, { event, metadata, meter, period, invoices: invoices.data })),
  );
  return { event, period, stage: status?.stage ?? 'open', metering };
}

interface TraceInput {
  readonly event: StoredEvent;
  readonly metadata: Metadata;
  readonly meter: Meter;
  readonly period: BillingPeriod;
  readonly invoices: readonly Invoice[];
}

async function meteringOf(storage: TraceStorage, input: TraceInput): Promise<MeteringOfEvent> {
  const { event, metadata, meter, period, invoices } = input;
  const group = groupOf(meter, metadata);
  const window = windowOf(event.eventTime, period);
  const metering = { meter: meter.code, group, window, quantity: quantityOf(meter, metadata) };
  for (const invoice of invoices) {
    const line = invoice.lines.find(
      (candidate) => candidate.meter === meter.code && poolsGroup(candidate.group, group),
    );
    const charge = line === undefined ? undefined : await chargeOf(storage, line.chargeIds, event);
    if (line !== undefined && charge !== undefined)
      return { ...metering, billed: { chargeId: charge.chargeId, invoice, line } };
  }
  return { ...metering, billed: null };
}

/** A line's pricing group pools the groups that it is a projection of (RULES 17). */
function poolsGroup(pricingGroup: GroupKey, group: GroupKey): boolean {
  return groupKeyText(projectGroup(group, Object.keys(pricingGroup))) === groupKeyText(pricingGroup);
}

async function chargeOf(
  storage: TraceStorage,
  chargeIds: readonly string[],
  event: StoredEvent,
): Promise<StoredCharge | undefined> {
  for (const id of chargeIds) {
    const charge = await storage.billing.findCharge(id);
    const included = charge !== null && BigInt(event.position) <= BigInt(charge.cutoff);
    if (included && charge.calculation.in_force.some((stretch) => isWithin(event.eventTime, stretch))) return charge;
  }
  return undefined;
}
