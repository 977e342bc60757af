/**
 * A customer whose seats are a level that events change (`weighted_sum`), over four months; and what each month must cost, said in
 * integers, without any of the project's code.
 */
import { randomUUID } from 'node:crypto';
import { documentsOfPeriod } from '../../../src/billing/documents-of-period.js';
import { reconcilePeriod } from '../../../src/billing/reconcile-period.js';
import { verifyInvoice } from '../../../src/billing/verify-invoice.js';
import { parsePriceBook } from '../../../src/domain/rating/parse-price-book.js';
import type { Instant, LocalDate } from '../../../src/domain/values.js';
import type { BackfillMode, BillingPeriod } from '../../../src/storage/types.js';
import type { ActivityFixture } from '../../activities/fixture.js';
import { usageEvent } from '../../storage/usage-fixture.js';

export const months = ['2024-01-01', '2024-02-01', '2024-03-01', '2024-04-01'] as const;
export type Month = (typeof months)[number];
const monthStarts = [...months, '2024-05-01'].map((day) => Date.parse(`${day}T00:00:00Z`));
const billingDay = '2024-05-02' as LocalDate;
const group = 'all';
/** Corrections of one customer that may follow on one another, far more than there can be. */
const roundsMax = 200;

export const regions = ['eu', 'us'] as const;
export interface SeatChange {
  readonly ms: number;
  readonly seats: number;
  readonly region: (typeof regions)[number];
}

interface Fact {
  /** As its last adjustment left it; null: voided. */
  readonly change: SeatChange | null;
  readonly backfill: string | null;
}

interface BackfillFact {
  readonly mode: BackfillMode;
  readonly fromMs: number;
  readonly toMs: number;
  /** Its place among the decisions; null: open or reverted. */
  closed: number | null;
}

/** Dollars a seat and month: of the level as a whole, and of each region's own. */
const priceOfAll = 10n;
const priceOfRegion = 7n;

/** The meters and prices of all level books; once a database. */
export async function createLevelFacts({ storage }: ActivityFixture): Promise<void> {
  const level = {
    eventType: 'seat_change',
    aggregation: 'weighted_sum',
    valueProperty: 'seats',
    filters: {},
    windowSize: 'hour',
    allowedLateness: 'PT1H',
    allowNegative: true,
    maxGroups: 1000,
    effectiveFrom: null,
  } as const;
  await storage.reference.createMeter({ ...level, code: 'seats', groupBy: [] });
  await storage.reference.createMeter({ ...level, code: 'seats_by_region', groupBy: ['region'] });
  const content = { code: 'seats', version: 'v1', currency: 'USD', effective_from: '2023-01-01T00:00:00Z' };
  const flat = (meter: string, price: bigint): object => ({ meter, model: 'flat', unit_price: price.toString() });
  await storage.reference.createPriceBook(
    parsePriceBook({ ...content, prices: [flat('seats', priceOfAll), flat('seats_by_region', priceOfRegion)] }),
  );
}

export class LevelBooks {
  private readonly facts = new Map<string, Fact>();
  private readonly backfills = new Map<string, BackfillFact>();
  private decisions = 0;
  /** Workflows of periods that somebody has started, in order, each once. */
  private readonly woken = new Set<Month>();

  constructor(
    private readonly fixture: ActivityFixture,
    readonly customerId: string,
  ) {}

  /** The same customer, with the same past, in a copy of the database. */
  movedTo(fixture: ActivityFixture): LevelBooks {
    const moved = new LevelBooks(fixture, this.customerId);
    for (const [id, fact] of this.facts) moved.facts.set(id, fact);
    for (const [id, backfill] of this.backfills) moved.backfills.set(id, { ...backfill });
    moved.decisions = this.decisions;
    return moved;
  }

  async open(more: { readonly skipEmptyInvoices?: boolean } = {}): Promise<void> {
    await this.fixture.addCustomer(this.customerId, { priceBook: 'seats', ...more });
    for (const month of months) await this.periodOf(month);
  }

  // Facts --------------------------------------------------------------------------------------------------------------

  get eventIds(): readonly string[] {
    return [...this.facts.keys()];
  }

  get openBackfills(): readonly string[] {
    return [...this.backfills].flatMap(([id, { closed }]) => (closed === null ? [id] : []));
  }

  get closedBackfills(): readonly string[] {
    return [...this.backfills].flatMap(([id, { closed }]) => (closed === null ? [] : [id]));
  }

  async send(change: SeatChange, backfill: string | null = null): Promise<void> {
    const eventId = `change-${this.facts.size + 1}`;
    const event = this.eventOf(eventId, change);
    const outcomes = await this.fixture.storage.ledger.append(
      [backfill === null ? event : { ...event, backfillId: backfill }],
      [],
    );
    if (outcomes[0] !== 'accepted') throw new Error(`a change was answered ${outcomes.join()}`);
    this.facts.set(eventId, { change, backfill });
  }

  async adjust(eventId: string, change: SeatChange | null): Promise<void> {
    const key = { customerId: this.customerId, source: '', eventId, reason: null };
    await this.fixture.storage.adjustments.adjust(
      change === null
        ? { ...key, type: 'void', replacement: null }
        : { ...key, type: 'amend', replacement: this.eventOf(eventId, change) },
    );
    this.facts.set(eventId, { change, backfill: this.facts.get(eventId)?.backfill ?? null });
  }

  async openBackfill(mode: BackfillMode, fromMs: number, toMs: number): Promise<string> {
    const backfillId = randomUUID();
    const range = { from: instantOf(fromMs), to: instantOf(toMs) };
    const asked = { backfillId, customerIds: [this.customerId], range, mode, reason: null, createdBy: 'ann' };
    await this.fixture.storage.backfills.create(asked);
    this.backfills.set(backfillId, { mode, fromMs, toMs, closed: null });
    return backfillId;
  }

  async decide(backfillId: string, decision: 'closed' | 'reverted'): Promise<void> {
    await this.fixture.storage.backfills.decide(backfillId, { decision, decidedBy: 'ann', reason: null });
    const backfill = this.backfills.get(backfillId);
    if (backfill === undefined) return;
    if (decision === 'closed') backfill.closed = this.decisions += 1;
    else this.backfills.delete(backfillId);
  }

  // What relay and workflows do ----------------------------------------------------------------------------------------

  async invoice(month: Month): Promise<void> {
    const { storage, activities, run } = this.fixture;
    const key = { customerId: this.customerId, period: month as LocalDate };
    const request = { ...key, requestId: randomUUID(), billingDay, forced: false, reason: null };
    await storage.periods.requestInvoicing(request);
    const { held } = await this.noting(() => run(activities.issueChunk, { billingDay, limit: 100 }));
    if (held > 0) throw new Error(`${month} is held`);
  }

  /**
   * The relay tells of what came, and every workflow that it, or a correction, starts does its work. Nobody else looks: a period
   * that nothing leads to stays wrong.
   * @returns how many workflows did
   */
  async settle(): Promise<number> {
    await this.tell();
    for (let round = 0; ; round += 1) {
      if (round === roundsMax) throw new Error(`${this.customerId} is corrected without end`);
      const [month] = this.woken;
      if (month === undefined) return round;
      this.woken.delete(month);
      await this.correct(month);
    }
  }

  private async tell(): Promise<void> {
    const { relay } = this.fixture.storage;
    // Whoever else plans has been taken over from.
    const { epoch } = await relay.acquire(group);
    await relay.plan(group, epoch);
    const ranges = (await relay.due(0, 1_000)).filter(({ customerId }) => customerId === this.customerId);
    for (const { period } of ranges) this.wake(period);
    await relay.markDelivered(ranges);
  }

  private async correct(month: Month): Promise<void> {
    const { activities, run, storage } = this.fixture;
    const key = { customerId: this.customerId, period: month as LocalDate };
    const stage = (await storage.periods.status(key.customerId, key.period))?.stage;
    // Its workflow meters a skipped period on, and hands it over again.
    if (stage === 'skipped') return this.invoice(month);
    if (stage !== 'invoiced') return;
    const { reRatingId } = await run(activities.startCorrection, key);
    if (reRatingId === null) return;
    const step = { reRatingId, attempt: 1, limit: 10 };
    await run(activities.compareReRating, step);
    await run(activities.correctReRating, step);
    await this.noting(() => run(activities.endReRating, { reRatingId, attempt: 1, rejected: false }));
  }

  /** Periods whose workflow `work` starts are awake. */
  private async noting<T>(work: () => Promise<T>): Promise<T> {
    const { temporal } = this.fixture;
    temporal.length = 0;
    const result = await work();
    for (const { workflowId } of temporal) {
      const [kind, customerId, period] = workflowId.split('/');
      if (kind === 'billing-period' && customerId === this.customerId) this.wake(period ?? '');
    }
    return result;
  }

  private wake(period: string): void {
    const month = months.find((candidate) => candidate === period);
    if (month !== undefined) this.woken.add(month);
  }

  async stages(): Promise<readonly (string | undefined)[]> {
    const { periods } = this.fixture.storage;
    return Promise.all(months.map(async (month) => (await periods.status(this.customerId, month as LocalDate))?.stage));
  }

  // What it comes to ---------------------------------------------------------------------------------------------------

  /** By month: what was invoiced in all, in cents, and whatever contradicts it. */
  async state(): Promise<readonly MonthState[]> {
    const states: MonthState[] = [];
    for (const month of months) {
      const period = await this.periodOf(month);
      const documents = await documentsOfPeriod(this.fixture.storage, period);
      const complaints: unknown[] = [];
      for (const document of documents) {
        const verification = await verifyInvoice(this.fixture.storage, document);
        if (!verification.verified) complaints.push(verification);
      }
      const { report } = await reconcilePeriod(this.fixture.storage, period);
      complaints.push(...report.differences);
      states.push({ month, cents: sumOfCents(documents.map(({ total }) => total)), complaints });
    }
    return states;
  }

  /** What `state` must be: each line rounded by itself. */
  expected(): readonly MonthState[] {
    const counted = this.counted();
    return months.map((month, index) => {
      const lines = [
        centsOf(counted, index, priceOfAll),
        ...regions.map((region) =>
          centsOf(
            counted.filter((change) => change.region === region),
            index,
            priceOfRegion,
          ),
        ),
      ];
      return { month, cents: lines.reduce((sum, line) => sum + line, 0n).toString(), complaints: [] };
    });
  }

  /** RULES on backfills, word for word: closed and not reverted; of several that replace the one closed last holds. */
  private counted(): readonly SeatChange[] {
    return [...this.facts.values()].flatMap(({ change, backfill }) => {
      const own = backfill === null ? -1 : (this.backfills.get(backfill)?.closed ?? null);
      if (change === null || own === null) return [];
      const isReplaced = [...this.backfills.values()].some(
        ({ mode, closed, fromMs, toMs }) =>
          mode === 'replace' && closed !== null && closed > own && fromMs <= change.ms && change.ms < toMs,
      );
      return isReplaced ? [] : [change];
    });
  }

  private eventOf(eventId: string, { ms, seats, region }: SeatChange): ReturnType<typeof usageEvent> {
    const event = { customerId: this.customerId, eventId, eventType: 'seat_change' };
    return usageEvent({ ...event, eventTime: instantOf(ms), metadataJson: JSON.stringify({ seats, region }) });
  }

  private async periodOf(month: Month): Promise<BillingPeriod> {
    const period = await this.fixture.storage.periods.periodNamed(this.customerId, month as LocalDate);
    if (period === null) throw new Error(`there is no period ${month}`);
    return period;
  }
}

export interface MonthState {
  readonly month: Month;
  readonly cents: string;
  readonly complaints: readonly unknown[];
}

const instantOf = (ms: number): Instant => new Date(ms).toISOString().replace('Z', '000Z') as Instant;

function sumOfCents(amounts: readonly string[]): string {
  return amounts
    .reduce((sum, amount) => {
      const [, sign = '', whole = '0', fraction = ''] = /^(-?)(\d+)(?:\.(\d+))?$/.exec(amount) ?? [];
      return sum + BigInt(`${sign}${whole}${fraction.padEnd(2, '0')}`);
    }, 0n)
    .toString();
}

/** The level's integral over the month divided by its length, half-even at the twelfth place; times the price, half-even to cents. */
function centsOf(changes: readonly SeatChange[], month: number, price: bigint): bigint {
  const [from, to] = [monthStarts[month] ?? 0, monthStarts[month + 1] ?? 0];
  const integral = changes.reduce(
    (sum, { ms, seats }) => (ms < to ? sum + BigInt(seats) * BigInt(to - Math.max(ms, from)) : sum),
    0n,
  );
  const quantity = halfEven(integral * 10n ** 12n, BigInt(to - from));
  return halfEven(quantity * price * 100n, 10n ** 12n);
}

/** The divisor is above zero. */
function halfEven(dividend: bigint, divisor: bigint): bigint {
  const isNegative = dividend < 0n;
  const size = isNegative ? -dividend : dividend;
  const [quotient, twice] = [size / divisor, 2n * (size % divisor)];
  const up = twice > divisor || (twice === divisor && quotient % 2n === 1n);
  const rounded = up ? quotient + 1n : quotient;
  return isNegative ? -rounded : rounded;
}
