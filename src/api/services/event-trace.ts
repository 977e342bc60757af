/** GET /events/{customer_id}/{event_id}: an event, what it counts as now, and what became of it. */
import { metersOfPeriod } from '../../calendar/meters-of-period.js';
import type { Invoice, InvoiceLineItem } from '../../domain/invoicing/invoice.js';
import { takesAt } from '../../domain/metering/fold.js';
import { groupOf, quantityOf } from '../../domain/metering/reading.js';
import type { MeterInForce } from '../../domain/metering/meter-versions.js';
import { groupKeyText, projectGroup } from '../../domain/metering/group-key.js';
import type { Metadata } from '../../domain/metering/metadata.js';
import type { Meter } from '../../domain/metering/meter.js';
import { windowOf } from '../../domain/metering/window.js';
import { isWithin } from '../../domain/time/instant.js';
import { matches } from '../../domain/rating/match.js';
import type { Calculation } from '../../domain/rating/rating.js';
import type { DecimalString, GroupKey, Instant, Interval, Position } from '../../domain/values.js';
import type {
  BillingPeriod,
  BillingPeriodStage,
  CarriedCharge,
  EventAdjustment,
  EventStanding,
  PeriodChain,
  Storage,
  StoredCharge,
  StoredEvent,
} from '../../storage/types.js';
import { parseExactJson } from '../ingest/exact-json.js';
import { eventNotFound } from './adjustments.js';

type TraceStorage = Pick<
  Storage,
  'reference' | 'ledger' | 'periods' | 'billing' | 'adjustments' | 'backfills' | 'proof'
>;

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
  /** Of a level: the charges of later periods that began with the event's change; null: the meter measures no level. */
  readonly carriedTo: { readonly count: number; readonly first: readonly CarriedCharge[] } | null;
}

/** What an event counts as: itself, or the replacement of its last adjustment. */
export interface EffectiveFacts {
  readonly eventType: string;
  readonly eventTime: Instant;
  readonly metadataJson: string;
  /** Of the event, of the adjustment, or of the closing of the event's backfill: the last of them. */
  readonly position: Position;
}

export interface EventTrace {
  readonly event: StoredEvent;
  /** Oldest first. */
  readonly adjustments: readonly EventAdjustment[];
  /** null: the event counts as nothing: it is void, or backfills decide so. */
  readonly effective: EffectiveFacts | null;
  /** The period of what it counts as; where it counts as nothing the one it was in. */
  readonly period: BillingPeriod;
  readonly stage: BillingPeriodStage;
  /** Empty for an unmetered event (RULES 10) and for one that counts as nothing. */
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
  const last = effectiveFacts(event, adjustments);
  const effective = last === null ? null : byBackfills(last, await storage.backfills.standing(event, last.eventTime));
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

function byBackfills(facts: EffectiveFacts, { counts, closedAt }: EventStanding): EffectiveFacts | null {
  if (!counts) return null;
  return closedAt === null || BigInt(closedAt) < BigInt(facts.position) ? facts : { ...facts, position: closedAt };
}

/** Where an event that counts as nothing was last. */
function lastTime(event: StoredEvent, adjustments: readonly EventAdjustment[]): { readonly eventTime: Instant } {
  return adjustments.findLast(({ replacement }) => replacement !== null)?.replacement ?? event;
}

async function meteringOf(
  storage: TraceStorage,
  facts: EffectiveFacts,
  period: BillingPeriod,
): Promise<readonly MeteringOfEvent[]> {
  const metadata = parseExactJson(facts.metadataJson) as Metadata;
  const chain = await storage.proof.chain(period);
  const meters = (await metersOf(storage, period, chain)).filter((meter) => takesAt(meter, { ...facts, metadata }));
  return Promise.all(meters.map((meter) => meteringBy(storage, meter, { facts, metadata, period, chain })));
}

/** An invoiced period is metered by the versions that its chain pins, whatever has come into force since. */
async function metersOf(
  { reference }: TraceStorage,
  period: BillingPeriod,
  { documents, rating }: PeriodChain,
): Promise<readonly MeterInForce[]> {
  const versions = await reference.meterVersions();
  const pinned = documents.length === 0 || rating === null ? null : new Set(rating.pinnedVersions.meter_ids);
  return metersOfPeriod(
    versions.filter(({ meterId }) => pinned === null || pinned.has(meterId)),
    period,
    rating?.pinnedVersions.local_dates,
  );
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
  const carried = await carriedTo(storage, meter, input);
  const metering = { meter: meter.code, group, window, quantity: quantityOf(meter, metadata), carriedTo: carried };
  const isOwn = (of: Priced, calculations: readonly Calculation[]): boolean =>
    of.meter === meter.code && poolsGroup(of.group, group) && !isElsewhere(calculations, group);
  // The first document whose cutoff includes the facts is the one that they came on.
  for (const invoice of chain.documents) {
    const line = invoice.lines.find((each) => isOwn(each, each.calculation.charges));
    const charge = line === undefined ? undefined : await chargeOf(storage, line.chargeIds, { facts, isOwn });
    if (line !== undefined && charge !== undefined)
      return { ...metering, chargeId: charge.chargeId, billed: { invoice, line } };
  }
  const settled = chain.documents.length === 0 ? [] : (chain.rating?.chargeIds ?? []);
  const charge = await chargeOf(storage, settled, { facts, isOwn });
  return { ...metering, chargeId: charge?.chargeId ?? null, billed: null };
}

/** How many later charges the trace names; the rest are on the later invoices. */
const carriedShown = 12;

async function carriedTo(
  storage: TraceStorage,
  meter: Meter,
  { facts, metadata, period }: TraceInput,
): Promise<MeteringOfEvent['carriedTo']> {
  if (meter.aggregation !== 'weighted_sum') return null;
  // A later version of the meter may group by what this one does not.
  const versions = (await storage.reference.meterVersions()).filter(({ code }) => code === meter.code);
  const dimensions = groupOf({ groupBy: [...new Set(versions.flatMap(({ groupBy }) => groupBy))] }, metadata);
  const { eventTime, position } = facts;
  const change = { customerId: period.customerId, meter: meter.code, eventTime, position, dimensions };
  return storage.billing.carriedTo(change, carriedShown);
}

interface Priced {
  readonly meter: string | null;
  readonly group: GroupKey;
}

/** Whether a more specific price takes the group out of the pool (RULES 17). */
function isElsewhere(calculations: readonly Calculation[], group: GroupKey): boolean {
  return calculations.some(({ except = [] }) => except.some((match) => matches(match, group)));
}

/** A line's pricing group pools the groups that it is a projection of (RULES 17). */
function poolsGroup(pricingGroup: GroupKey, group: GroupKey): boolean {
  return groupKeyText(projectGroup(group, Object.keys(pricingGroup))) === groupKeyText(pricingGroup);
}

async function chargeOf(
  storage: TraceStorage,
  chargeIds: readonly string[],
  {
    facts,
    isOwn,
  }: {
    readonly facts: EffectiveFacts;
    readonly isOwn: (charge: Priced, calculations: readonly Calculation[]) => boolean;
  },
): Promise<StoredCharge | undefined> {
  for (const id of chargeIds) {
    const charge = await storage.billing.findCharge(id);
    if (charge === null || !isOwn(charge, [charge.calculation]) || BigInt(facts.position) > BigInt(charge.cutoff))
      continue;
    if (charge.calculation.in_force.some((stretch) => isWithin(facts.eventTime, stretch))) return charge;
  }
  return undefined;
}
