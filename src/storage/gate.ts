/** The gate of a period: everything that issuing needs, at one cutoff; its transaction is opened in gate-group.ts. */
import type pg from 'pg';
import { invariant } from '../domain/failure.js';
import type { UnnumberedInvoice } from '../domain/invoicing/document.js';
import type { Invoice } from '../domain/invoicing/invoice.js';
import type { IssuingEntity } from '../domain/invoicing/legal-entity.js';
import type { JournalEntry } from '../domain/ledger/journal.js';
import { addsUp, type MeterPool } from '../domain/metering/meter.js';
import { holdsAtAll, type MeterInForce } from '../domain/metering/meter-versions.js';
import { asSegmentUsage } from '../domain/metering/period-usage.js';
import { pricedPools } from '../domain/rating/pools.js';
import type { RatedCharge, SegmentUsage } from '../domain/rating/rating.js';
import type { Position } from '../domain/values.js';
import {
  type MeteringContext,
  meteringColumns,
  meteringContextFromDb,
  type MeteringRow,
  readMeters,
} from './aggregation-meters.js';
import { appendPeriodRevisions, mayHaveUsage, metersWithUsage, readPeriodUsage } from './aggregation-periods.js';
import { appendRevisions, type RevisionResult } from './aggregation-revisions.js';
import { emptyChain, readChain } from './chain.js';
import { appendCharges, readCharges } from './charges.js';
import { drawsToDb, GateCredits } from './credits-gate.js';
import { doubleBilling, keepDraft, lockDraft, trailingSubtotals } from './drafts.js';
import { eachEvent } from './events-in-order.js';
import { findingToDb } from './gate-findings.js';
import { planForValues } from './gate-lock.js';
import { readSegmentUsage } from './gate-segments.js';
import { carryAtIssue, settleVoid } from './gate-settlement.js';
import { standingNotes } from './settlement-reads.js';
import { holdVersions } from './gate-versions.js';
import { GateWrites } from './gate-writes.js';
import { uuidOf } from './identifiers.js';
import { issuedInvoiceToDb } from './invoices-mapping.js';
import { issuingEntity } from './legal-entities.js';
import { countMeterGroups } from './meter-groups.js';
import { entryToDb } from './journal-mapping.js';
import { findEntry } from './journal-entry.js';
import { holdMeters } from './gate-meters.js';
import { recognise } from './journal-recognition.js';
import { insertFallback } from './price-fallbacks.js';
import { comparisonToDb, outcomeToDb } from './re-ratings-mapping.js';
import { touchedWindows } from './touched-windows.js';
import type {
  BillingPeriod,
  Comparison,
  CreditGrant,
  GatePurpose,
  GateTransaction,
  InvoicingOutcome,
  KnownVersions,
  NewFinding,
  NewPriceFallback,
  PeriodChain,
  PeriodRating,
  ReRatingOutcome,
  UnreadableValues,
} from './types.js';

/** In a transaction that holds the period's lock. */
export async function openGate(
  client: pg.PoolClient,
  { period, ...opened }: Pick<GateFacts, 'period' | 'purpose' | 'cutoff' | 'draw'>,
): Promise<Gate> {
  const { rows } = await client.query<MeteringRow & ContextRow>({
    name: 'gate-context',
    text: contextSql,
    values: [period.customerId, period.period, period.from, period.to],
  });
  const [row] = rows;
  invariant(row !== undefined, 'a SELECT without FROM has one row');
  const chain = row.invoiced ? await readChain(client, period) : emptyChain;
  const metering = await meteringContextFromDb(client, row, period);
  const credits = new GateCredits(client, period.customerId, row.granted);
  const { small, billed, drafted } = row;
  const meterVersions = row.meters?.length ?? 0;
  return new Gate(client, { ...opened, period, chain, metering, meterVersions, credits, small, billed, drafted });
}

/**
 * Events up to which it does not matter whether they are sorted or hashed. They are counted only for a period that is not
 * invoiced yet: corrections aggregate a few windows, and counting would take longer.
 */
const smallPeriodEvents = 10_000;

const contextSql = `SELECT ${meteringColumns},
  EXISTS (SELECT FROM credit_grants WHERE customer_id = $1) AS granted,
  EXISTS (SELECT FROM invoices WHERE customer_id = $1) AS billed,
  EXISTS (SELECT FROM invoice_drafts WHERE customer_id = $1 AND period = $2) AS drafted,
  EXISTS (SELECT FROM invoices WHERE customer_id = $1 AND period = $2) AS invoiced,
  NOT EXISTS (SELECT FROM invoices WHERE customer_id = $1 AND period = $2)
    AND (SELECT count(*) < ${smallPeriodEvents} FROM (SELECT FROM telemetry_events
      WHERE customer_id = $1 AND event_time >= $3 AND event_time < $4 LIMIT ${smallPeriodEvents}) AS e) AS small`;

interface ContextRow {
  readonly billed: boolean;
  readonly drafted: boolean;
  readonly invoiced: boolean;
  readonly small: boolean;
  readonly granted: boolean;
}

interface GateFacts {
  readonly period: BillingPeriod;
  readonly purpose: GatePurpose;
  readonly cutoff: Position;
  readonly chain: PeriodChain;
  readonly metering: MeteringContext;
  /** How many the gate knows, of all meters and whenever they begin. */
  readonly meterVersions: number;
  readonly credits: GateCredits;
  readonly small: boolean;
  /** The customer has documents. */
  readonly billed: boolean;
  /** The period has, or had, a draft. */
  readonly drafted: boolean;
  readonly draw: (series: string) => Promise<number>;
}

export class Gate implements GateTransaction {
  /** To be flushed when the work has ended: what the database refuses about them rejects there. */
  readonly writes = new GateWrites();
  /** The whole period. */
  private brought: Promise<RevisionResult> | null = null;
  /** By meter, of the touched windows; null: none were asked for. */
  private touchedUnreadable: Map<string, UnreadableValues[number] | undefined> | null = null;
  /** By pool, of the whole period and what a level was carried from. */
  private readonly broughtPools = new Map<string, UnreadableValues>();
  /** By code: locked, so once a gate. */
  private readonly issuing = new Map<string, Promise<IssuingEntity>>();
  /** By code, the version at the period's end of what was rated. */
  private readonly ratedMeters = new Map<string, string>();

  constructor(
    private readonly client: pg.PoolClient,
    private readonly facts: GateFacts,
  ) {}

  get cutoff(): Position {
    return this.facts.cutoff;
  }

  get chain(): PeriodChain {
    return this.facts.chain;
  }

  async bringWindowsToCutoff(): Promise<number> {
    return (await this.atCutoff()).revisions;
  }

  /** Once a gate: the cutoff does not move. */
  private atCutoff(): Promise<RevisionResult> {
    this.brought ??= this.append(this.facts.metering, null);
    return this.brought;
  }

  private append(
    metering: MeteringContext,
    windows: Parameters<typeof appendRevisions>[1]['windows'],
  ): Promise<RevisionResult> {
    const { cutoff, period, purpose, small } = this.facts;
    const final = purpose === 'issue';
    return appendRevisions(this.client, {
      ...metering,
      period,
      windows,
      small,
      cutoff,
      accumulatedThrough: null,
      final,
    });
  }

  async bringTouchedWindows(meterIds: readonly string[], since: Position): Promise<number> {
    const { cutoff, metering, period } = this.facts;
    const meters = await readMeters(this.client, meterIds, period);
    await planForValues(this.client);
    const touched = await touchedWindows(this.client, { period, since, through: cutoff });
    const codes = [...new Set(meters.map(({ code }) => code))];
    const windows = codes.flatMap((code) => touched.map((window) => ({ meter: code, ...window })));
    const { revisions, unreadable } = await this.append({ ...metering, meters }, windows);
    this.touchedUnreadable ??= new Map();
    for (const code of codes) {
      this.touchedUnreadable.set(
        code,
        unreadable.find(({ meter }) => meter === code),
      );
    }
    return revisions;
  }

  async segmentUsage(
    ...[segments, at, next]: Parameters<GateTransaction['segmentUsage']>
  ): Promise<readonly SegmentUsage[]> {
    const { cutoff, metering, period } = this.facts;
    if (at === undefined) await this.atCutoff();
    const meters = at === undefined ? metering.meters : await readMeters(this.client, at.meterIds, period);
    const holding = meters.filter(holdsAtAll);
    this.noteRated(holding);
    const pools = pricedPools(holding, segments, next);
    if (at === undefined || at.cutoff === cutoff) await this.bringPools(pools);
    const adding = meters.filter(addsUp).map(({ meterId }) => meterId);
    const read = { period, cutoff: at?.cutoff ?? cutoff };
    const usage = await readSegmentUsage(this.client, segments, { ...read, meterIds: adding });
    return [...usage, ...asSegmentUsage(await readPeriodUsage(this.client, { ...read, pools }), segments)];
  }

  meterGroups(...[meters, at]: Parameters<GateTransaction['meterGroups']>): ReturnType<GateTransaction['meterGroups']> {
    const { cutoff, metering, period } = this.facts;
    return countMeterGroups(this.client, { period, meters, cutoff: at?.cutoff ?? cutoff, adjusted: metering.adjusted });
  }

  async eachEvent(...[meterIds, visit, at]: Parameters<GateTransaction['eachEvent']>): Promise<void> {
    const { cutoff, metering, period } = this.facts;
    const meters = await readMeters(this.client, meterIds, period);
    await planForValues(this.client);
    const query = { period, meters, cutoff: at?.cutoff ?? cutoff, adjusted: metering.adjusted };
    await eachEvent(this.client, query, visit);
  }

  private noteRated(meters: readonly MeterInForce[]): void {
    for (const { code, meterId, inForce } of meters) {
      if (inForce === null || inForce.to === this.facts.period.to) this.ratedMeters.set(code, meterId);
    }
  }

  /** Those of meters that may have usage: nothing else is there to be aggregated. */
  private async bringPools(pools: readonly MeterPool<MeterInForce>[]): Promise<void> {
    if (pools.length === 0) return;
    const used = await metersWithUsage(this.client, this.facts.period);
    for (const pool of pools) {
      if (mayHaveUsage(pool, used)) await this.bringPool(pool);
    }
  }

  /** Over the whole period, once a gate: the cutoff does not move. */
  private async bringPool(pool: MeterPool<MeterInForce>): Promise<void> {
    const key = JSON.stringify([pool.meter.meterId, pool.by]);
    if (this.broughtPools.has(key)) return;
    const { cutoff, metering, period, purpose, small } = this.facts;
    const final = purpose === 'issue';
    const { adjusted } = metering;
    const request = { period, pools: [pool], adjusted, cutoff, final, small };
    const { unreadable } = await appendPeriodRevisions(this.client, request);
    this.broughtPools.set(key, unreadable);
  }

  async unreadableValues(): Promise<UnreadableValues> {
    const ofWindows =
      this.brought !== null || this.touchedUnreadable === null
        ? (await this.atCutoff()).unreadable
        : [...this.touchedUnreadable.values()].filter((values) => values !== undefined);
    // What was aggregated over the whole period has seen what its windows have seen, and what its level was carried from.
    const ofPools = new Map([...this.broughtPools.values()].flat().map((values) => [values.meter, values]));
    return [...ofWindows.filter(({ meter }) => !ofPools.has(meter)), ...ofPools.values()];
  }

  holdVersions(known: KnownVersions): Promise<boolean> {
    return holdVersions(this.client, known, this.facts.metering.meters);
  }

  chargesOf(chargeIds: readonly string[]): Promise<readonly RatedCharge[]> {
    return readCharges(this.client, this.facts.period, chargeIds);
  }

  storeCharges(charges: readonly RatedCharge[], cutoff = this.facts.cutoff): Promise<readonly string[]> {
    const { metering, period, purpose } = this.facts;
    const meterIds = new Map([
      ...metering.meters.map(({ code, meterId }) => [code, meterId] as const),
      ...this.ratedMeters,
    ]);
    const provisional = purpose === 'provisional';
    return appendCharges(this.client, { period, meterIds, cutoff, charges, provisional });
  }

  legalEntity(code: string): Promise<IssuingEntity> {
    const known = this.issuing.get(code) ?? issuingEntity(this.client, code);
    this.issuing.set(code, known);
    return known;
  }

  drawNumber(series: string): Promise<number> {
    return this.facts.draw(series);
  }

  creditGrants(): Promise<readonly CreditGrant[]> {
    return this.facts.credits.locked();
  }

  insertInvoice(invoice: Invoice, actor: string): Promise<void> {
    this.writes.invoices.push(issuedInvoiceToDb(invoice, actor));
    this.writes.draws.push(...drawsToDb(invoice, 'issued'));
    return Promise.resolve();
  }

  async voidInvoice(invoiceId: string, actor: string, reason: string): Promise<void> {
    const document = this.facts.chain.documents.find((each) => each.invoiceId === invoiceId);
    invariant(document !== undefined, `document ${invoiceId} is of another period, or was voided before`);
    if (document.creditDraws.length > 0) await this.facts.credits.lock();
    this.writes.voids.push({ invoice_id: invoiceId, actor, reason });
    this.writes.draws.push(...drawsToDb(document, 'voided'));
  }

  async draft(): ReturnType<GateTransaction['draft']> {
    return this.facts.drafted ? lockDraft(this.client, this.nextId) : null;
  }

  keepDraft(...[{ invoiceId, readyAt }, transition]: Parameters<GateTransaction['keepDraft']>): Promise<void> {
    const { nextPlace: chainPlace } = this.facts.chain;
    return keepDraft(this.client, this.facts.period, { draft: { invoiceId, chainPlace, readyAt }, transition });
  }

  trailingSubtotals(currency: string, periods: number): ReturnType<GateTransaction['trailingSubtotals']> {
    if (!this.facts.billed) return Promise.resolve([]);
    return trailingSubtotals(this.client, this.facts.period, { currency, periods });
  }

  doubleBilling(): ReturnType<GateTransaction['doubleBilling']> {
    if (!this.facts.billed) return Promise.resolve([]);
    return doubleBilling(this.client, this.facts.period.customerId);
  }

  /** Of the chain's next document. */
  private get nextId(): string {
    const { period, chain } = this.facts;
    return uuidOf('invoice', period.customerId, period.period, chain.nextPlace);
  }

  carryCredit(document: UnnumberedInvoice): Promise<void> {
    return carryAtIssue(this.client, this.writes, { document, documents: this.facts.chain.documents });
  }

  creditNotes(originalId: string): ReturnType<GateTransaction['creditNotes']> {
    return standingNotes(this.client, originalId);
  }

  settleVoid(decision: Parameters<GateTransaction['settleVoid']>[0]): Promise<void> {
    return settleVoid(this.client, this.writes, { ...decision, documents: this.facts.chain.documents });
  }

  postEntry(entry: JournalEntry): Promise<void> {
    this.writes.entries.push(entryToDb(entry));
    return Promise.resolve();
  }

  postedEntry(invoiceId: string): Promise<JournalEntry | null> {
    return findEntry(this.client, `invoice/${invoiceId}`);
  }

  insertRating(rating: Omit<PeriodRating, 'sequence'>): Promise<void> {
    const { chain, period } = this.facts;
    this.writes.ratings.push({
      customer_id: period.customerId,
      period: period.period,
      // The lock of the period is held: nobody else draws the next one.
      sequence: (chain.rating?.sequence ?? 0) + this.writes.ratings.length + 1,
      cutoff_position: rating.cutoff,
      pinned_versions: rating.pinnedVersions,
      charge_ids: rating.chargeIds,
      invoice_id: rating.invoiceId,
      re_rating_id: rating.reRatingId,
    });
    return Promise.resolve();
  }

  recordComparison(comparison: Comparison): Promise<void> {
    this.writes.comparisons.push(comparisonToDb(comparison));
    return Promise.resolve();
  }

  recordReRatingOutcome(outcome: ReRatingOutcome): Promise<void> {
    this.writes.reRatingOutcomes.push(outcomeToDb(outcome));
    return Promise.resolve();
  }

  /** @throws MetersMoved */
  async recordOutcome(requestId: string, outcome: InvoicingOutcome, invoiceId: string | null): Promise<void> {
    const { cutoff: cutoff_position, meterVersions } = this.facts;
    if (outcome === 'skipped') await holdMeters(this.client, meterVersions);
    this.writes.outcomes.push({ request_id: requestId, outcome, invoice_id: invoiceId, cutoff_position });
  }

  async storeFinding(finding: NewFinding): Promise<void> {
    this.writes.findings.push(await findingToDb(this.client, finding));
  }

  storeFallback(fallback: NewPriceFallback): Promise<void> {
    return insertFallback(this.client, this.facts.period, fallback);
  }

  /** What follows from what was flushed. */
  async afterFlush(): Promise<void> {
    // What a voided document had deferred, and had become revenue since, is none.
    if (this.writes.voids.length > 0) await recognise(this.client, this.facts.period, null);
  }
}
