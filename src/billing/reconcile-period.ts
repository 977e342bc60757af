import { metersOfPeriod } from '../calendar/meters-of-period.js';
import { groupBy } from '../domain/group-by.js';
import { addsUp } from '../domain/metering/meter.js';
import { holdsAtAll } from '../domain/metering/meter-versions.js';
import { lineRounding } from '../domain/rating/plan-meter.js';
import { feeRounding, quantityOnlyMeters } from '../domain/rating/rate-fees.js';
import type { RoundingOf } from '../domain/reconciliation/lines.js';
import type { PlannedMeter } from '../domain/rating/price-plan.js';
import type { RoundingMode } from '../domain/rating/price-book.js';
import type { ReconciliationDifference } from '../domain/reconciliation/difference.js';
import { reconcileInvoiced, reconcileOpen } from '../domain/reconciliation/reconcile.js';
import type { FinalWindow, ReconciliationReport } from '../domain/reconciliation/reconcile.js';
import { compareSettled } from '../domain/reconciliation/settled.js';
import type { DocumentWithEntries, SettledStages } from '../domain/reconciliation/settled.js';
import { noUsage, sameUsage, usageByMeter } from '../domain/reconciliation/usage.js';
import type { MeterUsage } from '../domain/reconciliation/usage.js';
import type { Invoice } from '../domain/invoicing/invoice.js';
import type { Instant } from '../domain/values.js';
import type { BillingPeriod, NewFinding, PeriodChain, PeriodRating, Storage } from '../storage/types.js';
import { documentHash } from './document-hash.js';
import { documentsOfPeriod } from './documents-of-period.js';
import { pinnedPriceFacts, poolsOf } from './price-facts.js';
import type { PriceFacts } from './price-facts.js';

type Reading = Pick<Storage, 'billing' | 'ledger' | 'proof' | 'reference'>;

export interface ReconciledPeriod {
  readonly result: 'equal' | 'different';
  readonly report: ReconciliationReport;
  /** One a difference. */
  readonly findings: readonly NewFinding[];
}

/** A chain that goes on while it is read is read again, so often. */
const attemptsMax = 5;

/**
 * Holds the chain of one period against itself: an invoiced one at the cutoff of its last rating, all stages; any other its
 * final windows, each at its own cutoff, and its void documents (RULES 29). Reads only.
 */
export async function reconcilePeriod(storage: Reading, period: BillingPeriod): Promise<ReconciledPeriod> {
  for (let attempt = 1; ; attempt += 1) {
    const chain = await storage.proof.chain(period);
    const documents = await documentsOfPeriod(storage, period);
    const report = await reportOf(storage, period, { chain, documents });
    const { differences } = report;
    if (differences.length === 0) return { result: 'equal', report, findings: [] };
    // A correction or a void between two reads looks like a difference and is none.
    const isSettled =
      endOf(await storage.proof.chain(period)) === endOf(chain) &&
      statusesOf(await documentsOfPeriod(storage, period)) === statusesOf(documents);
    if (isSettled || attempt === attemptsMax) {
      return { result: 'different', report, findings: differences.map((difference) => findingOf(period, difference)) };
    }
  }
}

/** The same, with its findings stored: each difference once, however often it is found. */
export async function reconcileAndStore(
  storage: Reading & Pick<Storage, 'findings'>,
  period: BillingPeriod,
): Promise<ReconciledPeriod> {
  const reconciled = await reconcilePeriod(storage, period);
  for (const finding of reconciled.findings) await storage.findings.store(finding);
  return reconciled;
}

/**
 * Whether what was settled so far still stands: aggregates = charges = lines = journal at the last rating's cutoff, and every
 * document hashes to what it was issued with. A correction is the difference to it, so nothing is corrected on top of a chain
 * that does not hold. Raw events are left out: they are what the correction itself reads.
 * @param usage false: for a re-rating that aggregates everything anew because the aggregates are in doubt
 * @returns why not, one sentence a difference; empty: it holds
 */
export async function brokenSettlement(
  storage: Reading,
  period: BillingPeriod,
  { chain, usage }: { readonly chain: PeriodChain; readonly usage: boolean },
): Promise<readonly { readonly detail: string; readonly subject: object }[]> {
  const { rating, documents } = chain;
  if (rating === null || documents.length === 0) return [];
  const read = { chain, rating, posted: await withEntries(storage, documents) };
  const facts = await factsOf(storage, period, read);
  const settled = compareSettled(await settledStages(storage, period, { ...read, facts }));
  const differences = [...(usage ? settled.usageDifferences : []), ...settled.documentDifferences];
  const altered = documents.filter((document) => documentHash(document) !== document.documentHash);
  return [
    ...differences.map(({ detail, ...subject }) => ({ detail, subject })),
    ...altered.map(({ number }) => ({
      detail: `${number} is not what was issued: it hashes to something else.`,
      subject: { document: number },
    })),
  ];
}

/**
 * Whether rating the period again can bring back what is missing: usage that aggregates, charges or lines do not have. What
 * the journal lacks needs a person.
 */
export function canBeReprocessed({ state, differences }: ReconciliationReport): boolean {
  return (
    state === 'invoiced' && differences.some(({ stage, class: its }) => its === 'missing' && repairable.has(stage))
  );
}

const repairable: ReadonlySet<string> = new Set(['events→aggregates', 'aggregates→charges', 'charges→lines']);

interface ReadDocuments {
  readonly chain: PeriodChain;
  /** All of the period. */
  readonly documents: readonly Invoice[];
}

async function reportOf(storage: Reading, period: BillingPeriod, read: ReadDocuments): Promise<ReconciliationReport> {
  const { rating, documents } = read.chain;
  const posted = await withEntries(storage, read.documents);
  return rating === null || documents.length === 0
    ? openReport(storage, period, { ...read, posted })
    : invoicedReport(storage, period, { chain: read.chain, rating, posted });
}

async function withEntries({ proof }: Reading, documents: readonly Invoice[]): Promise<readonly DocumentWithEntries[]> {
  const entries = await proof.entries(documents.map(({ invoiceId }) => invoiceId));
  return documents.map((document) => ({
    document,
    entries: entries.filter(({ invoiceId }) => invoiceId === document.invoiceId),
  }));
}

interface InvoicedRead {
  readonly chain: PeriodChain;
  readonly rating: PeriodRating;
  readonly posted: readonly DocumentWithEntries[];
}

async function invoicedReport(
  storage: Reading,
  period: BillingPeriod,
  read: InvoicedRead,
): Promise<ReconciliationReport> {
  const { cutoff, pinnedVersions: pins } = read.rating;
  const facts = await factsOf(storage, period, read);
  const stored = await storage.proof.eventCounts(period, pins.meter_ids, cutoff);
  const events = await storage.proof.rawUsage(period, pins.meter_ids, cutoff);
  const eventsOverPeriod = await storage.proof.rawPeriodUsage(period, poolsOf(facts), cutoff);
  const settled = await settledStages(storage, period, { ...read, facts });
  return reconcileInvoiced({ ...settled, cutoff, stored, events, eventsOverPeriod });
}

/** As the rating pinned them. */
function factsOf(storage: Reading, period: BillingPeriod, { chain, rating }: InvoicedRead): Promise<PriceFacts> {
  return pinnedPriceFacts(storage, period, { pins: rating.pinnedVersions, currency: currencyOf(chain) });
}

const currencyOf = ({ documents }: PeriodChain): string => documents[0]?.currency ?? '';

async function settledStages(
  { proof }: Reading,
  period: BillingPeriod,
  { chain, rating, posted, facts }: InvoicedRead & { readonly facts: PriceFacts },
): Promise<SettledStages> {
  const { cutoff, pinnedVersions: pins, chargeIds } = rating;
  const pools = poolsOf(facts);
  return {
    currency: currencyOf(chain),
    aggregates: await proof.aggregatedUsage(period, pins.meter_ids, cutoff),
    overPeriod: {
      meters: new Set(pools.map(({ meter }) => meter.code)),
      usage: await proof.periodUsage(period, pools, cutoff),
    },
    charges: await proof.charges(period, chargeIds),
    documents: chain.documents,
    posted,
    quantityOnly: quantityOnlyMeters(facts.segments, facts.next ?? undefined),
    roundingOf: (line) => roundingOf(facts, line),
  };
}

/** A line is rounded as the version at the period's end says. */
function roundingOf(
  { meters, segments, meterSegments, next }: PriceFacts,
  { lineKey, meter: code, group }: Parameters<RoundingOf>[0],
): RoundingMode | null {
  if (code === null) return feeRounding(lineKey, segments, next ?? undefined);
  const meter = meters.findLast((candidate) => candidate.code === code) ?? unknownMeter(code);
  return lineRounding(meter, group, meterSegments.get(code) ?? segments);
}

/** A price may name a meter that nothing was ever recorded for. */
const unknownMeter = (code: string): PlannedMeter => ({ code, groupBy: [], aggregation: 'sum' });

async function openReport(
  storage: Reading,
  period: BillingPeriod,
  { chain, documents, posted }: ReadDocuments & { readonly posted: readonly DocumentWithEntries[] },
): Promise<ReconciliationReport> {
  const { proof } = storage;
  const cutoff = await storage.ledger.safeHorizon();
  const versions = await storage.reference.meterVersions();
  const meterIds = versions.map(({ meterId }) => meterId);
  const events = await proof.rawUsage(period, meterIds, cutoff);
  const pools = metersOfPeriod(versions, period, chain.rating?.pinnedVersions.local_dates)
    .filter((meter) => holdsAtAll(meter) && !addsUp(meter))
    .map((meter) => ({ meter, by: meter.groupBy }));
  return reconcileOpen({
    state: chain.voided === null ? 'open' : 'void',
    cutoff,
    currency: documents[0]?.currency ?? null,
    stored: await proof.eventCounts(period, meterIds, cutoff),
    events,
    overPeriod: {
      meters: new Set(pools.map(({ meter }) => meter.code)),
      usage: await proof.rawPeriodUsage(period, pools, cutoff),
    },
    finalWindows: await doubtfulWindows(storage, period, events),
    posted,
  });
}

type StoredWindow = Awaited<ReturnType<Storage['proof']['finalWindows']>>[number];

/**
 * Final windows that are not what the events say now. Nearly all of them have got late facts since; only the raw events at the
 * window's own cutoff tell. A cutoff is read once, over no more than its windows.
 */
async function doubtfulWindows(
  { proof }: Reading,
  period: BillingPeriod,
  events: readonly (MeterUsage & { readonly windowStart: Instant })[],
): Promise<readonly FinalWindow[]> {
  const now = byWindow(events);
  const doubtful = (await proof.finalWindows(period)).filter(
    (window) => !sameUsage(window, now.get(keyOf(window)) ?? noUsage(window.meter)),
  );
  const found: FinalWindow[] = [];
  for (const [cutoff, windows] of groupBy(doubtful, (window) => window.cutoff)) {
    const meterIds = [...new Set(windows.map(({ meterId }) => meterId))];
    const raw = byWindow(await proof.rawUsage(stretchOf(period, windows), meterIds, cutoff));
    for (const window of windows) {
      const { windowStart } = window;
      found.push({ windowStart, stored: window, events: raw.get(keyOf(window)) ?? noUsage(window.meter) });
    }
  }
  return found;
}

const keyOf = ({ meter, windowStart }: { readonly meter: string; readonly windowStart: Instant }): string =>
  JSON.stringify([meter, windowStart]);

/** Groups of a window together. */
function byWindow(usage: readonly (MeterUsage & { readonly windowStart: Instant })[]): ReadonlyMap<string, MeterUsage> {
  return usageByMeter(usage.map((row) => ({ ...row, meter: keyOf(row) })));
}

/** From the first to the last of the windows: its windows are cut like the period's. */
function stretchOf(period: BillingPeriod, windows: readonly StoredWindow[]): BillingPeriod {
  const from = windows.map(({ windowStart }) => windowStart).reduce((a, b) => (a < b ? a : b));
  const to = windows.map(({ windowEnd }) => windowEnd).reduce((a, b) => (a > b ? a : b));
  return { ...period, from, to };
}

const endOf = ({ rating, voided }: PeriodChain): string =>
  JSON.stringify([rating?.sequence ?? null, voided?.invoiceId ?? null]);

const statusesOf = (documents: readonly Invoice[]): string =>
  JSON.stringify(documents.map(({ invoiceId, status }) => [invoiceId, status]));

/** Its figures are part of its identity: the same difference is stored once, another one is another finding. */
function findingOf(
  { customerId, period }: BillingPeriod,
  { class: its, detail, ...difference }: ReconciliationDifference,
): NewFinding {
  return {
    code: 'RECONCILIATION_DIFFERENCE',
    customerId,
    period,
    subject: { customer_id: customerId, period, ...difference },
    detail,
    class: its,
  };
}
