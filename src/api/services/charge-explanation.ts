/** GET /charges/{id}: the amount walked back to the events it came from (docs/reference/API.md, charge explanation). */
import { isRetired } from '../../domain/correction/retire.js';
import { DomainFailure } from '../../domain/failure.js';
import type { ChargeExplanation, ExplainedOpening } from '../../explanation/charge-explanation.js';
import type { BillingPeriod, OpeningLevel, Storage, StoredCharge } from '../../storage/types.js';
import { levelStretches } from '../../domain/metering/level-stretches.js';
import type { DecimalString } from '../../domain/values.js';

const firstEvents = 5;
/** A level that changed more often is not told in stretches: the list of its events is. */
const changesMax = 100;

/** @throws DomainFailure CHARGE_NOT_FOUND */
export async function explainCharge(
  storage: Pick<Storage, 'billing' | 'periods' | 'reference' | 'usage'>,
  chargeId: string,
): Promise<ChargeExplanation> {
  const charge = await storage.billing.findCharge(chargeId);
  if (charge === null) throw new DomainFailure('CHARGE_NOT_FOUND', `There is no charge "${chargeId}".`);
  const period = await storage.periods.periodNamed(charge.customerId, charge.period);
  if (period === null) throw new Error(`invariant broken: charge ${chargeId} of a period that does not exist`);
  const { meter, group, segment, cutoff } = charge;
  const level = await storage.billing.openingLevel(chargeId);
  const [windows, events, opening, stretches, decided, lines, meters, standing] = await Promise.all([
    // What is retired stands on no usage: its windows are those of the charge that has it now.
    meter === null || isRetired(charge.calculation)
      ? []
      : storage.usage.windowsAt(period, meter, group, segment, cutoff, charge.calculation.except),
    storage.billing.chargeEvents(chargeId, { limit: firstEvents }),
    openingOf(storage, chargeId, level),
    stretchesOf(storage, charge, { period, level }),
    decidedBy(storage, chargeId),
    storage.billing.linesOfCharge(chargeId),
    storage.reference.meters(),
    storage.billing.standingOf(chargeId),
  ]);
  const aggregation = meters.find(({ code }) => code === meter)?.aggregation ?? null;
  const pricesAsOf = standing?.pricesAsOf ?? null;
  return {
    charge_id: charge.chargeId,
    revision: charge.revision,
    supersedes_charge_id: charge.supersedesChargeId,
    provisional: standing?.provisional ?? false,
    current_charge_ids: standing?.currentChargeIds ?? [],
    price_lookup: pricesAsOf === null ? 'current' : 'fallback',
    prices_as_of: pricesAsOf,
    customer_id: charge.customerId,
    period: charge.period,
    period_from: period.from,
    period_to: period.to,
    time_zone: period.timeZone,
    meter,
    aggregation,
    group,
    amount: charge.amount,
    currency: charge.currency,
    cutoff_position: cutoff,
    calculation: {
      ...charge.calculation,
      windows: windows.map((window) => ({
        window_start: window.windowStart,
        window_end: window.windowEnd,
        revision: window.revision,
        quantity: window.quantity,
        event_count: window.eventCount,
        digest: window.digest,
      })),
      source_events: {
        count: charge.eventCount,
        // The quantity of a meter that counts events is what they stand for.
        stands_for: aggregation === 'count' ? charge.quantity : null,
        digest: charge.digest,
        first: events.data.map(({ eventId }) => eventId),
        href: `/charges/${charge.chargeId}/events`,
      },
      opening_level: opening,
      level_stretches: stretches,
      decided_by: decided,
    },
    invoice_lines: lines.map(({ invoiceId, lineItemId }) => ({ invoice_id: invoiceId, line_item_id: lineItemId })),
  };
}

/**
 * From the ledger at the charge's cutoff: what is learned later does not change it (RULES 70).
 * @param opening null: the charge is not of a level, or nothing is left of it
 */
async function openingOf(
  { billing }: Pick<Storage, 'billing'>,
  chargeId: string,
  opening: OpeningLevel | null,
): Promise<ExplainedOpening | null> {
  if (opening === null) return null;
  const events = await billing.openingEvents(chargeId, { limit: firstEvents });
  const { at, level, eventCount, digest } = opening;
  const first = events.data.map(({ eventId }) => eventId);
  return { at, level, event_count: eventCount, digest, first, href: `/charges/${chargeId}/opening-events` };
}

type Shown<Name extends 'level_stretches' | 'decided_by'> = NonNullable<ChargeExplanation['calculation'][Name]> | null;

async function stretchesOf(
  { billing }: Pick<Storage, 'billing'>,
  { chargeId, eventCount, quantity }: StoredCharge,
  { period, level: opening }: { readonly period: BillingPeriod; readonly level: OpeningLevel | null },
): Promise<Shown<'level_stretches'>> {
  if (opening === null || eventCount > changesMax) return null;
  const { data } = await billing.chargeEvents(chargeId, { limit: changesMax });
  const changes = data.map(({ eventTime, value }) => ({ eventTime, change: (value ?? '0') as DecimalString }));
  return levelStretches(period, { opening: opening.level, changes, quantity });
}

async function decidedBy({ billing }: Pick<Storage, 'billing'>, chargeId: string): Promise<Shown<'decided_by'>> {
  const event = await billing.decidingEvent(chargeId);
  if (event === null) return null;
  return { event_id: event.eventId, source: event.source, event_time: event.eventTime, value: event.value };
}
