/** GET /events/{customer_id}/{event_id}: an event, what it counts as now, and what became of it. */
import type { Invoice, InvoiceLineItem } from '../../domain/invoicing/invoice.js';
import { groupOf, quantityOf, takes } from '../../domain/metering/fold.js';
import { groupKeyText, projectGroup } from '../../domain/metering/group-key.js';
import type { Metadata } from '../../domain/metering/metadata.js';
import type { Meter } from '../../domain/metering/meter.js';
import { windowOf } from '../../domain/metering/window.js';
import { isWithin } from '../../domain/time/instant.js';
import type { DecimalString, GroupKey, Instant, Interval, Position } from '../../domain/values.js';
import type {
  BillingPeriod,
  BillingPeriodStage,
  EventAdjustment,
  PeriodChain,
  Storage,
  StoredCharge,
  StoredEvent,
} from '../../storage/types.js';
import { parseExactJson } from '../ingest/exact-json.js';
import { eventNotFound } from './adjustments.js';

type TraceStorage = Pick<Storage, 'reference' | 'ledger' | 'periods' | 'billing' | 'adjustments' | 'proof'>;

/** One meter that takes the event. */
export interface MeteringOfEvent {
  readonly meter: string;
  readonly group: GroupKey;
  readonly window: Interval;
  readonly quantity: DecimalString | null;
  /** The charge whose cutoff includes what the event counts as; null before the period is invoiced. */
  readonly chargeId: string | null;
  /** The line that bills that charge; null where it has changed no line. */
  readonly billed: { readonly invoice: Invoice; readonly line: InvoiceLineItem } | null;
}

/** What an event counts as: itself, or the replacement of its last adjustment. */
export interface EffectiveFacts {
  readonly eventType: string;
  readonly eventTime: Instant;
  readonly metadataJson: string;
  /** Of the event or of the adjustment. */
  readonly position: Position;
}

export interface EventTrace {
  readonly event: StoredEvent;
  /** Oldest first. */
  readonly adjustments: readonly EventAdjustment[];
  /** null: the event is void and counts as nothing. */
  readonly effective: EffectiveFacts | null;
  /** The period of what it counts as; of a void event the one it was in. */
  readonly period: BillingPeriod;
  readonly stage: BillingPeriodStage;
  /** Empty for an unmetered event (RULES 10) and for a void one. */
  readonly metering: readonly MeteringOfEvent[];
}

/** @throws DomainFailure EVENT_NOT_FOUND */
export async function traceEvent(
  storage: TraceStorage,
  identity: { customerId: string; source: string; eventId: string },
): Promise<EventTrace> {
  const { customerId, source, eventId } = identity;
  const event = await storage.ledger.findEvent(customerId, source, eventId);
  if (event === null) throw eventNotFound(identity);
  const adjustments = await storage.adjustments.ofEvent(customerId, source, eventId);
  const effective = effectiveFacts(event, adjustments);
  const period = await storage.periods.periodAt(customerId, (effective ?? lastTime(event, adjustments)).eventTime);
  const status = await storage.periods.status(customerId, period.period);
  const metering = effective === null ? [] : await meteringOf(storage, effective, period);
  return { event, adjustments, effective, period, stage: status?.stage ?? 'open', metering };
}

function effectiveFacts(event: StoredEvent, adjustments: readonly EventAdjustment[]): EffectiveFacts | null {
  const last = adjustments.at(-1);
  if (last === undefined) return event;
  return last.replacement === null ? null : { ...last.replacement, position: last.position };
}

/** Where a void event was counted last. */
function lastTime(event: StoredEvent, adjustments: readonly EventAdjustment[]): { readonly eventTime: Instant } {
  return adjustments.findLast(({ replacement }) => replacement !== null)?.replacement ?? event;
}

async function meteringOf(
  storage: TraceStorage,
  facts: EffectiveFacts,
  period: BillingPeriod,
): Promise<readonly MeteringOfEvent[]> {
  const metadata = parseExactJson(facts.metadataJson) as Metadata;
  const meters = (await storage.reference.meters()).filter((meter) => takes(meter, facts.eventType, metadata));
  if (meters.length === 0) return [];
  const chain = await storage.proof.chain(period);
  return Promise.all(meters.map((meter) => meteringBy(storage, meter, { facts, metadata, period, chain })));
}

interface TraceInput {
  readonly facts: EffectiveFacts;
  readonly metadata: Metadata;
  readonly period: BillingPeriod;
  readonly chain: PeriodChain;
}

async function meteringBy(storage: TraceStorage, meter: Meter, input: TraceInput): Promise<MeteringOfEvent> {
  const { facts, metadata, period, chain } = input;
  const group = groupOf(meter, metadata);
  const window = windowOf(facts.eventTime, period);
  const metering = { meter: meter.code, group, window, quantity: quantityOf(meter, metadata) };
  const isOwn = (of: { readonly meter: string | null; readonly group: GroupKey }): boolean =>
    of.meter === meter.code && poolsGroup(of.group, group);
  // The first document whose cutoff includes the facts is the one that they came on.
  for (const invoice of chain.documents) {
    const line = invoice.lines.find(isOwn);
    const charge = line === undefined ? undefined : await chargeOf(storage, line.chargeIds, { facts, isOwn });
    if (line !== undefined && charge !== undefined)
      return { ...metering, chargeId: charge.chargeId, billed: { invoice, line } };
  }
  const settled = chain.documents.length === 0 ? [] : (chain.rating?.chargeIds ?? []);
  const charge = await chargeOf(storage, settled, { facts, isOwn });
  return { ...metering, chargeId: charge?.chargeId ?? null, billed: null };
}

/** A line's pricing group pools the groups that it is a projection of (RULES 17). */
function poolsGroup(pricingGroup: GroupKey, group: GroupKey): boolean {
  return groupKeyText(projectGroup(group, Object.keys(pricingGroup))) === groupKeyText(pricingGroup);
}

async function chargeOf(
  storage: TraceStorage,
  chargeIds: readonly string[],
  { facts, isOwn }: { readonly facts: EffectiveFacts; readonly isOwn: (charge: StoredCharge) => boolean },
): Promise<StoredCharge | undefined> {
  for (const id of chargeIds) {
    const charge = await storage.billing.findCharge(id);
    if (charge === null || !isOwn(charge) || BigInt(facts.position) > BigInt(charge.cutoff)) continue;
    if (charge.calculation.in_force.some((stretch) => isWithin(facts.eventTime, stretch))) return charge;
  }
  return undefined;
}
