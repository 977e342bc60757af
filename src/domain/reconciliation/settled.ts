import type { Invoice } from '../invoicing/invoice.js';
import type { JournalEntry } from '../ledger/journal.js';
import type { RatedCharge } from '../rating/rating.js';
import { amountDifferences } from './amounts.js';
import type { SummedDocument } from './amounts.js';
import { usageDifferences } from './difference.js';
import type { ReconciliationDifference } from './difference.js';
import { compareWithJournal } from './journal.js';
import type { JournalComparison, PostedDocument } from './journal.js';
import { compareLines } from './lines.js';
import type { LineStages, RoundingOf } from './lines.js';
import { chargedUsage, ofMeters, usageByMeter } from './usage.js';
import type { MeterUsage, OverPeriod } from './usage.js';

/** A document with the entries that were posted for it. */
export interface DocumentWithEntries {
  readonly document: PostedDocument & SummedDocument;
  readonly entries: readonly JournalEntry[];
}

/** What the last rating settled, from its aggregates on. */
export interface SettledStages {
  readonly currency: string;
  /** Rows of any granularity; the totals by meter are compared. */
  readonly aggregates: readonly MeterUsage[];
  /** Its aggregates of the meters that do not add up. */
  readonly overPeriod: OverPeriod;
  /** The current charges of that rating. */
  readonly charges: readonly Pick<
    RatedCharge,
    'meter' | 'lineKey' | 'group' | 'quantity' | 'amount' | 'eventCount' | 'digest' | 'calculation'
  >[];
  /** Those that count: the original and its corrections. */
  readonly documents: readonly Pick<Invoice, 'invoiceId' | 'lines'>[];
  /** Every document of the period, voided ones too. */
  readonly posted: readonly DocumentWithEntries[];
  /** Meters that are counted for fees alone: nothing charges their usage by itself. */
  readonly quantityOnly?: ReadonlySet<string>;
  readonly roundingOf: RoundingOf;
}

export interface SettledComparison {
  readonly aggregates: ReadonlyMap<string, MeterUsage>;
  readonly charges: ReadonlyMap<string, MeterUsage>;
  readonly lines: readonly LineStages[];
  readonly journal: readonly JournalComparison[];
  /** aggregates = charges */
  readonly usageDifferences: readonly ReconciliationDifference[];
  /** charges = lines = totals and draws = journal */
  readonly documentDifferences: readonly ReconciliationDifference[];
}

/** The part of the chain that was settled: aggregates = charges = lines = journal. */
export function compareSettled(stages: SettledStages): SettledComparison {
  const aggregates = chargedUsage(stages.aggregates, stages.overPeriod);
  const priced = new Map([...aggregates].filter(([meter]) => stages.quantityOnly?.has(meter) !== true));
  const charges = usageByMeter(ofMeters(stages.charges));
  const { lines, differences } = compareLines(stages);
  const journal = stages.posted.map(({ document, entries }) => compareWithJournal(document, entries));
  return {
    aggregates,
    charges,
    lines,
    journal,
    usageDifferences: usageDifferences('aggregates→charges', priced, charges),
    documentDifferences: [
      ...differences,
      ...stages.posted.flatMap(({ document }) => amountDifferences(document)),
      ...journal.flatMap((posted) => posted.differences),
    ],
  };
}
