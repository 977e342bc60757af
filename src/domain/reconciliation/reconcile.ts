import { addDecimals } from '../decimal.js';
import { groupBy } from '../group-by.js';
import type { DecimalString, Instant, Position } from '../values.js';
import { amountDifferences } from './amounts.js';
import { countDifference, figuresOf, sortedKeys, usageDifference, usageDifferences } from './difference.js';
import type { ReconciliationDifference, UsageFigures } from './difference.js';
import { compareWithJournal } from './journal.js';
import type { DocumentStages, JournalComparison } from './journal.js';
import type { LineStages } from './lines.js';
import { compareSettled } from './settled.js';
import type { DocumentWithEntries, SettledStages } from './settled.js';
import { chargedUsage, noUsage, onlyOf, usageByMeter } from './usage.js';
import type { MeterUsage, OverPeriod } from './usage.js';

/** How the facts of a meter's event type come to what it counts: stored − voided − filtered. */
export interface StoredEvents {
  readonly meter: string;
  readonly stored: number;
  readonly voided: number;
  readonly filtered: number;
}

/** The stages of one meter, left to right; null: the period has not come that far. JSON. */
export interface MeterStages {
  readonly meter: string;
  readonly events: UsageFigures & { readonly stored: number; readonly voided: number; readonly filtered: number };
  readonly aggregates: UsageFigures | null;
  readonly charges: (UsageFigures & { readonly amount: DecimalString }) | null;
  readonly lines: { readonly amount: DecimalString } | null;
  readonly journal: { readonly amount: DecimalString } | null;
}

/** What a reconciliation says of one period. JSON, as it is stored and shown. */
export interface ReconciliationReport {
  /**
   * `open`: not invoiced; `void`: the invoice was voided and not replaced. Of both only what is final can be compared.
   * `failed`: nothing could be compared, and `error` says why.
   */
  readonly state: 'open' | 'invoiced' | 'void' | 'failed';
  /** Through which position of the ledger. */
  readonly cutoff: Position;
  readonly currency: string | null;
  readonly stages: readonly MeterStages[];
  readonly lines: readonly LineStages[];
  readonly journal: readonly DocumentStages[];
  /** Empty: the chain holds, unless the comparison failed. */
  readonly differences: readonly ReconciliationDifference[];
  readonly error?: string;
}

export interface InvoicedStages extends SettledStages {
  /** Of the rating that the documents stand on. */
  readonly cutoff: Position;
  readonly stored: readonly StoredEvents[];
  /** Rows of any granularity; the totals by meter are compared. */
  readonly events: readonly MeterUsage[];
  /** The same of the meters that do not add up, by pricing group. */
  readonly eventsOverPeriod: readonly MeterUsage[];
}

/** The whole chain of an invoiced period: events = aggregates = charges = lines = journal (RULES 29). */
export function reconcileInvoiced(stages: InvoicedStages): ReconciliationReport {
  const { meters: notAddingUp } = stages.overPeriod;
  const events = chargedUsage(stages.events, { meters: notAddingUp, usage: stages.eventsOverPeriod });
  const settled = compareSettled(stages);
  const { aggregates, charges, lines, journal } = settled;
  const counting = new Set(stages.documents.map(({ invoiceId }) => invoiceId));
  const revenue = revenueByMeter(stages, journal, counting);
  const meters = sortedKeys(storedByMeter(stages.stored), events, aggregates, charges);
  return {
    state: 'invoiced',
    cutoff: stages.cutoff,
    currency: stages.currency,
    stages: meters.map((meter) => ({
      ...openStages(meter, stages.stored, events),
      aggregates: figuresOf(aggregates.get(meter) ?? noUsage(meter)),
      charges: { ...figuresOf(charges.get(meter) ?? noUsage(meter)), amount: sumOf(lines, meter, 'charged') },
      lines: { amount: sumOf(lines, meter, 'invoiced') },
      journal: { amount: addDecimals((revenue.get(meter) ?? []).map(({ amount }) => amount)) },
    })),
    lines,
    journal: journal.map(({ document }) => document),
    differences: [
      ...storedDifferences(stages.stored, events),
      ...usageDifferences('events→aggregates', events, aggregates),
      ...usageDifferences(
        'events→aggregates',
        onlyOf(usageByMeter(stages.events), notAddingUp),
        onlyOf(usageByMeter(stages.aggregates), notAddingUp),
      ),
      ...settled.usageDifferences,
      ...settled.documentDifferences,
    ],
  };
}

/** A final window as it was stored, and as the raw events at its own cutoff have it. */
export interface FinalWindow {
  readonly windowStart: Instant;
  readonly stored: MeterUsage;
  readonly events: MeterUsage;
}

export interface OpenStages {
  readonly state: 'open' | 'void';
  /** A safe horizon. */
  readonly cutoff: Position;
  readonly currency: string | null;
  readonly stored: readonly StoredEvents[];
  readonly events: readonly MeterUsage[];
  readonly overPeriod: OverPeriod;
  /** Those to be looked at. */
  readonly finalWindows: readonly FinalWindow[];
  readonly posted: readonly DocumentWithEntries[];
}

/** A period without an invoice that counts: its usage is still coming, so only final windows and void documents compare. */
export function reconcileOpen(stages: OpenStages): ReconciliationReport {
  const events = chargedUsage(stages.events, stages.overPeriod);
  const journal = stages.posted.map(({ document, entries }) => compareWithJournal(document, entries));
  const windows = stages.finalWindows.map(({ windowStart, stored, events: raw }) =>
    usageDifference({ stage: 'events→aggregates', meter: stored.meter, window_start: windowStart }, raw, stored),
  );
  return {
    state: stages.state,
    cutoff: stages.cutoff,
    currency: stages.currency,
    stages: sortedKeys(storedByMeter(stages.stored), events).map((meter) => ({
      ...openStages(meter, stages.stored, events),
      aggregates: null,
      charges: null,
      lines: null,
      journal: null,
    })),
    lines: [],
    journal: journal.map(({ document }) => document),
    differences: [
      ...storedDifferences(stages.stored, events),
      ...windows.filter((difference) => difference !== null),
      ...stages.posted.flatMap(({ document }) => amountDifferences(document)),
      ...journal.flatMap(({ differences }) => differences),
    ],
  };
}

const storedByMeter = (stored: readonly StoredEvents[]): ReadonlyMap<string, StoredEvents> =>
  new Map(stored.map((row) => [row.meter, row]));

const nothingStored = { stored: 0, voided: 0, filtered: 0 };

function openStages(
  meter: string,
  stored: readonly StoredEvents[],
  events: ReadonlyMap<string, MeterUsage>,
): Pick<MeterStages, 'meter' | 'events'> {
  const { stored: count, voided, filtered } = storedByMeter(stored).get(meter) ?? nothingStored;
  return { meter, events: { stored: count, voided, filtered, ...figuresOf(events.get(meter) ?? noUsage(meter)) } };
}

function storedDifferences(
  stored: readonly StoredEvents[],
  events: ReadonlyMap<string, MeterUsage>,
): readonly ReconciliationDifference[] {
  const byMeter = storedByMeter(stored);
  return sortedKeys(byMeter, events).flatMap((meter) => {
    const { stored: count, voided, filtered } = byMeter.get(meter) ?? nothingStored;
    const counted = events.get(meter)?.eventCount ?? 0;
    return countDifference({ stage: 'stored→events', meter }, count - voided - filtered, counted) ?? [];
  });
}

function sumOf(lines: readonly LineStages[], meter: string, figure: 'charged' | 'invoiced'): DecimalString {
  return addDecimals(lines.filter((line) => line.meter === meter).map((line) => line[figure]));
}

/** Of the documents that count. */
function revenueByMeter(
  { documents }: InvoicedStages,
  journal: readonly JournalComparison[],
  counting: ReadonlySet<string>,
): ReadonlyMap<string, readonly { readonly amount: DecimalString }[]> {
  const meterOf = new Map(documents.flatMap(({ lines }) => lines.map((line) => [line.lineKey, line.meter] as const)));
  const amounts = journal
    .filter(({ document }) => counting.has(document.invoice_id))
    .flatMap(({ revenue }) => [...revenue])
    .flatMap(([lineKey, amount]) => {
      const meter = meterOf.get(lineKey) ?? null;
      return meter === null ? [] : { meter, amount };
    });
  return groupBy(amounts, ({ meter }) => meter);
}

/** Of a period that could not be compared at all. */
export function failedReport(error: string): ReconciliationReport {
  const cutoff = '0' as Position;
  return { state: 'failed', cutoff, currency: null, stages: [], lines: [], journal: [], differences: [], error };
}
