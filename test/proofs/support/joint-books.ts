/** One customer of a scene: the steps that concern its periods, what was acknowledged to it, and what must hold in the end. */
import { randomUUID } from 'node:crypto';
import { documentsOfPeriod } from '../../../src/billing/documents-of-period.js';
import { reconcilePeriod } from '../../../src/billing/reconcile-period.js';
import { verifyInvoice } from '../../../src/billing/verify-invoice.js';
import type { Invoice } from '../../../src/domain/invoicing/invoice.js';
import { isUnavailable, sqlState } from '../../../src/storage/errors.js';
import type { LocalDate } from '../../../src/domain/values.js';
import type { BackfillMode, BackfillStatus, BillingPeriod, UsageRange } from '../../../src/storage/types.js';
import { at, costOf, eventOf, longAfter, periodNameOf } from './joint-scene.js';
import { rangeComplaints } from './joint-ranges.js';
import type { Call, JointScene, OpenIngest } from './joint-scene.js';

const limit = 100;
/** Attempts at one call; an attempt may meet the faults of several steps. */
const attemptsMax = 50;
/** Re-ratings and repeated comparisons of one period at the end, far more than there can be. */
const roundsMax = 100;

/** One a customer. Its range is half-open. */
interface BooksBackfill {
  readonly backfillId: string;
  readonly mode: BackfillMode;
  readonly from: string;
  readonly to: string;
  readonly filled: Set<string>;
  status: BackfillStatus;
}

interface OpenReRating {
  readonly reRatingId: string;
  readonly attempt: number;
}

/** What is asked again until the database answers, as Temporal asks an activity. */
export async function persistently<T>(work: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await work();
    } catch (error) {
      if (attempt === attemptsMax || !isUnavailable(error)) throw error;
    }
  }
}

export class JointBooks {
  /** Every event by id as its last fact that was acknowledged has it, by the ledger's order; null: voided. */
  readonly facts = new Map<string, Call | null>();
  /** The position of the adjustment that an event has in `facts`. */
  private readonly adjustedAt = new Map<string, bigint>();
  /** As they were sent first. */
  readonly sent = new Map<string, Call>();
  private readonly open = new Map<
    string,
    { readonly drawn: Promise<OpenIngest | null>; readonly again: () => Promise<void> }
  >();
  private readonly reRatings = new Map<LocalDate, readonly OpenReRating[]>();
  private readonly invoiced = new Set<LocalDate>();
  private ranges: readonly UsageRange[] = [];
  private backfill: BooksBackfill | null = null;

  constructor(
    private readonly scene: JointScene,
    readonly customerId: string,
    readonly periods: readonly BillingPeriod[],
  ) {}

  /** The same customer, with the same past, in another scene: its facts from here on are the other's. */
  movedTo(scene: JointScene): JointBooks {
    const moved = new JointBooks(scene, this.customerId, this.periods);
    for (const [id, call] of this.facts) moved.facts.set(id, call);
    for (const [id, position] of this.adjustedAt) moved.adjustedAt.set(id, position);
    for (const [id, call] of this.sent) moved.sent.set(id, call);
    for (const [period, reRatings] of this.reRatings) moved.reRatings.set(period, reRatings);
    for (const period of this.invoiced) moved.invoiced.add(period);
    moved.ranges = this.ranges;
    return scene.adopt(moved);
  }

  // Facts --------------------------------------------------------------------------------------------------------------

  /** Sends events until they are acknowledged. */
  async append(...calls: readonly Call[]): Promise<void> {
    const events = calls.map((call) => eventOf(this.customerId, call));
    const outcomes = await persistently(() => this.scene.storage.ledger.append(events, []));
    if (outcomes.includes('conflict')) throw new Error('no event of a scene conflicts');
    for (const call of calls) {
      if (this.facts.has(call.eventId)) continue;
      this.facts.set(call.eventId, call);
      this.sent.set(call.eventId, call);
    }
  }

  /** Amends (or voids, with null) an event that was acknowledged. */
  async adjust(eventId: string, replacement: Call | null): Promise<void> {
    const { customerId } = this;
    const key = { customerId, source: '', eventId, reason: null };
    const requestId = randomUUID();
    const asked =
      replacement === null
        ? ({ ...key, type: 'void', replacement: null } as const)
        : ({ ...key, type: 'amend', replacement: eventOf(customerId, { ...replacement, eventId }) } as const);
    const before = this.adjustedAt.get(eventId) ?? 0n;
    const { adjustment } = await persistently(() => this.scene.storage.adjustments.adjust(asked, requestId));
    if (adjustment.replacement?.contentHash !== asked.replacement?.contentHash) throw new Error('another adjustment');
    const position = BigInt(adjustment.position);
    if (position < before)
      throw new Error('an adjustment comes before one that was acknowledged when it was asked for');
    // Of two in flight the answers may come in another order than their positions: one that was lost is asked for again.
    if (position < (this.adjustedAt.get(eventId) ?? 0n)) return;
    this.adjustedAt.set(eventId, position);
    this.facts.set(eventId, replacement);
  }

  /** Draws positions for events and leaves the transaction open under this name. */
  draw(name: string, ...calls: readonly Call[]): Promise<void> {
    return this.begin(name, this.scene.beginAppend(this.customerId, calls), () => this.append(...calls));
  }

  drawVoid(name: string, eventId: string): Promise<void> {
    return this.begin(name, this.scene.beginVoid(this.customerId, eventId), () => this.adjust(eventId, null));
  }

  // Backfills ----------------------------------------------------------------------------------------------------------

  async openBackfill(mode: BackfillMode, from: string, to: string): Promise<void> {
    const backfillId = randomUUID();
    const range = { from: at(from), to: at(to) };
    const asked = { backfillId, customerIds: [this.customerId], range, mode, reason: null, createdBy: 'ann' };
    await this.scene.storage.backfills.create(asked);
    this.backfill = { backfillId, mode, from, to, filled: new Set(), status: 'open' };
  }

  /** Draws the position of an event of the backfill; one that is decided takes none. */
  drawFill(name: string, call: Call): Promise<void> {
    const { backfillId, filled } = this.requireBackfill();
    const ingest = this.scene.beginFill(this.customerId, backfillId, call).catch((error: unknown) => {
      if (sqlState(error) !== 'RK001') throw error;
      return { commit: () => Promise.resolve(), rollBack: () => Promise.resolve() };
    });
    return this.begin(name, ingest, async () => {
      const event = { ...eventOf(this.customerId, call), backfillId };
      const [outcome] = await persistently(() => this.scene.storage.ledger.append([event], []));
      if (outcome === 'backfill_closed' && !(await this.isStored(call.eventId))) return;
      this.facts.set(call.eventId, call);
      this.sent.set(call.eventId, call);
      filled.add(call.eventId);
    });
  }

  async decide(decision: 'closed' | 'reverted'): Promise<void> {
    const backfill = this.requireBackfill();
    const taken = { decision, decidedBy: 'ann', reason: null } as const;
    await persistently(() => this.scene.storage.backfills.decide(backfill.backfillId, taken));
    backfill.status = decision;
  }

  private requireBackfill(): BooksBackfill {
    if (this.backfill === null) throw new Error('the customer has no backfill');
    return this.backfill;
  }

  private async isStored(eventId: string): Promise<boolean> {
    return (await persistently(() => this.scene.storage.ledger.findEvent(this.customerId, '', eventId))) !== null;
  }

  private counts(eventId: string, { time }: Call): boolean {
    if (this.backfill === null) return true;
    const { mode, from, to, filled, status } = this.backfill;
    if (filled.has(eventId)) return status === 'closed';
    return status !== 'closed' || mode !== 'replace' || time < from || time >= to;
  }

  /** What waits for its positions is open already: it commits as soon as it has them, if it is asked to. */
  private async begin(name: string, ingest: Promise<OpenIngest>, again: () => Promise<void>): Promise<void> {
    const drawn = ingest.catch((error: unknown) => {
      if (!isUnavailable(error)) throw error;
      return null;
    });
    this.open.set(name, { drawn, again });
    await drawn;
  }

  /** Commits it; what was not acknowledged is sent again, whatever became of it, and what is there already is a duplicate. */
  async commit(name: string): Promise<void> {
    const open = this.open.get(name);
    if (open === undefined) return;
    this.open.delete(name);
    const ingest = await open.drawn;
    await ingest?.commit().catch((error: unknown) => {
      if (!isUnavailable(error)) throw error;
    });
    await open.again();
  }

  /** The transaction is given up, and what it held is not sent again. */
  async rollBack(name: string): Promise<void> {
    const open = this.open.get(name);
    this.open.delete(name);
    // A connection that is gone has rolled it back.
    await (await open?.drawn)?.rollBack().catch((error: unknown) => {
      if (!isUnavailable(error)) throw error;
    });
  }

  async commitAll(): Promise<void> {
    await Promise.all(this.openNames.map((name) => this.commit(name)));
  }

  get openNames(): readonly string[] {
    return [...this.open.keys()];
  }

  // Steps of the workflows ---------------------------------------------------------------------------------------------

  async closeWindows(period: LocalDate, rate = false): Promise<void> {
    const { activities, run } = this.scene.fixture;
    const what = { scope: 'all', windows: [], accumulatedThrough: null, nowMs: longAfter, rate } as const;
    await persistently(() => run(activities.closeWindows, { customerId: this.customerId, period, ...what }));
  }

  async gate(period: LocalDate): Promise<void> {
    const { fixture, storage } = this.scene;
    const billingDay = period;
    const request = {
      requestId: randomUUID(),
      customerId: this.customerId,
      period,
      billingDay,
      forced: false,
      reason: null,
    };
    await persistently(() => storage.periods.requestInvoicing(request));
    const { held } = await persistently(() => fixture.run(fixture.activities.issueChunk, { billingDay, limit }));
    if (held > 0) throw new Error('nothing in a scene can be held');
    this.invoiced.add(period);
  }

  isInvoiced(period: LocalDate): boolean {
    return this.invoiced.has(period);
  }

  reRatingsOf(period: LocalDate): readonly OpenReRating[] {
    return this.reRatings.get(period) ?? [];
  }

  /** Asks for a re-rating and compares. */
  async compare(period: LocalDate): Promise<void> {
    const reRatingId = randomUUID();
    const { customerId } = this;
    await persistently(() =>
      this.scene.storage.reRatings.create(
        {
          reRatingId,
          workflowId: `re-rating/${reRatingId}`,
          reason: 'late_usage',
          scope: { customerIds: [customerId], meters: null, from: null, to: null },
          priceBookId: null,
          dryRun: false,
          requestedBy: 'alice',
        },
        [{ customerId, period }],
      ),
    );
    await this.compareAgain(period, { reRatingId, attempt: 1 });
  }

  /** Corrects what one of the period's re-ratings has compared; one whose chain has moved is compared again. */
  async correct(period: LocalDate, index = 0): Promise<void> {
    const { activities, run } = this.scene.fixture;
    const reRating = this.reRatingsOf(period)[index];
    if (reRating === undefined) return;
    this.forget(period, reRating);
    const { moved } = await persistently(() => run(activities.correctReRating, { ...reRating, limit }));
    if (moved > 0) return this.compareAgain(period, { ...reRating, attempt: reRating.attempt + 1 });
    await persistently(() => run(activities.endReRating, { ...reRating, rejected: false }));
  }

  private async compareAgain(period: LocalDate, reRating: OpenReRating): Promise<void> {
    const { activities, run } = this.scene.fixture;
    const { attempt } = await persistently(() => run(activities.compareReRating, { ...reRating, limit }));
    this.reRatings.set(period, [...this.reRatingsOf(period), { ...reRating, attempt }]);
  }

  private forget(period: LocalDate, reRating: OpenReRating): void {
    this.reRatings.set(
      period,
      this.reRatingsOf(period).filter((other) => other !== reRating),
    );
  }

  // The relay's signals ------------------------------------------------------------------------------------------------

  /** A range told again, or grown, takes the place of those it includes. */
  told(range: UsageRange): void {
    this.ranges = [
      ...this.ranges.filter(({ period, from }) => period !== range.period || BigInt(from) < BigInt(range.from)),
      range,
    ];
  }

  // The end ------------------------------------------------------------------------------------------------------------

  /** Everything that was begun ends, and what is late is corrected, as relay and workflows would. */
  async finish(): Promise<void> {
    await this.commitAll();
    if (this.backfill?.status === 'open') await this.decide('closed');
    await persistently(() => this.scene.plan());
    await this.scene.deliver();
    for (const period of this.periods) {
      const name = period.period;
      await this.closeWindows(name);
      if (!this.isInvoiced(name)) await this.gate(name);
      for (let round = 0; await this.isUnsettled(period); round += 1) {
        if (round === roundsMax) throw new Error(`${this.customerId} ${name} is corrected without end`);
        if (this.reRatingsOf(name).length === 0) await this.compare(name);
        await this.correct(name);
      }
    }
  }

  private async isUnsettled(period: BillingPeriod): Promise<boolean> {
    if (this.reRatingsOf(period.period).length > 0) return true;
    return (await this.scene.storage.periods.veryLateFacts(period)).count > 0;
  }

  documents(period: BillingPeriod): Promise<readonly Invoice[]> {
    return documentsOfPeriod(this.scene.storage, period);
  }

  /** What was acknowledged and what was invoiced, by period; and everything that contradicts it: nothing, if all is well. */
  async state(): Promise<JointState> {
    const [invoiced, complaints] = [[] as number[], [] as unknown[]];
    const { storage } = this.scene;
    for (const period of this.periods) {
      const documents = await this.documents(period);
      invoiced.push(documents.reduce((sum, { total }) => sum + centsOf(total), 0));
      for (const document of documents) {
        const verification = await verifyInvoice(storage, document);
        if (!verification.verified) complaints.push(verification);
      }
      const { result, report } = await reconcilePeriod(storage, period);
      if (result !== 'equal') complaints.push(report);
      complaints.push(...(await rangeComplaints(this.scene.admin, period, this.ranges)));
    }
    const { rows } = await this.scene.admin.query<{ event_id: string }>(
      'SELECT event_id FROM telemetry_events WHERE customer_id = $1 ORDER BY event_id',
      [this.customerId],
    );
    return { stored: rows.map(({ event_id: id }) => id), invoiced, complaints };
  }

  /** What `state` must be. */
  expected(): JointState {
    const calls = [...this.facts].flatMap(([id, call]) => (call !== null && this.counts(id, call) ? [call] : []));
    return {
      stored: [...this.facts.keys()].sort(),
      invoiced: this.periods.map(({ period }) => costOf(calls.filter(({ time }) => periodNameOf(time) === period))),
      complaints: [],
    };
  }
}

export interface JointState {
  readonly stored: readonly string[];
  /** Cents by period. */
  readonly invoiced: readonly number[];
  readonly complaints: readonly unknown[];
}

/** Minor units of an amount in USD. */
function centsOf(amount: string): number {
  const [, sign = '', whole = '', fraction = ''] = /^(-?)(\d+)(?:\.(\d{1,2}))?$/.exec(amount) ?? [];
  return Number(`${sign}${whole}${fraction.padEnd(2, '0')}`);
}
